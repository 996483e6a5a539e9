# SPDX-License-Identifier: GPL-2.0
#
# "make" builds the module for the running kernel, as any out-of-tree module is
# built. "make demo" and "make test" need no kernel tree: they set up all they use.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
RUSTC ?= rustc
ZSH_COMPLETIONS ?= zsh/site-functions

# Compilers and version suffix as that tree was configured.
ifneq ($(shell grep -sx CONFIG_CC_IS_CLANG=y $(KDIR)/.config),)
LLVM ?= 1
export LLVM
endif
ifneq ($(wildcard $(KDIR)/powercut-localversion),)
export LOCALVERSION := $(shell cat $(KDIR)/powercut-localversion)
endif

KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_BLK_DEV_POWERCUT=m

.PHONY: all modules modules_install install clean help rust-analyzer check-kdir
.PHONY: cli install-cli demo test bench bundle deb container kunit kcsan in-tree matrix arm64 fuzz soak subjects

all: modules

modules modules_install: check-kdir
	+$(KBUILD) $@

install: modules_install

rust-analyzer: check-kdir
	+$(KBUILD) $@

# Kbuild's own message for a tree without Rust is a page of unresolved imports.
check-kdir:
	@test -e $(KDIR)/Makefile || { \
		echo 'No kernel build tree at $(KDIR).'; \
		echo 'Install the headers of the running kernel, or set KDIR= (scripts/kdir makes trees for Rust modules).'; \
		exit 1; } >&2
	@! grep -sE '^CONFIG_PAGE_SIZE_[0-9]+KB=y' $(KDIR)/.config | grep -qv _4KB= || { \
		echo 'The kernel of $(KDIR) has no pages of 4 KiB (CONFIG_PAGE_SIZE_4KB), which powercut needs.'; \
		exit 1; } >&2
	@test -e $(KDIR)/rust/libkernel.rmeta || { \
		echo '$(KDIR) has no Rust metadata (rust/libkernel.rmeta):'; \
		echo 'the kernel was built without CONFIG_RUST, or, as with Debian, the headers package leaves it out.'; \
		echo 'scripts/kdir stock makes a tree for the stock Debian kernel that has it; scripts/module stock builds against that.'; \
		exit 1; } >&2
	@theirs=$$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"$$/\1/p' $(KDIR)/.config); ours=$$($(RUSTC) --version); \
	test "$$theirs" = "$$ours" || { \
		echo "The kernel of $(KDIR) was built by: $$theirs"; \
		echo "$(RUSTC) here is: $${ours:-not there}"; \
		echo 'A Rust module has to be built by the same compiler: install that one, or name it (RUSTC=).'; \
		exit 1; } >&2

clean:
	@if test -e $(KDIR)/Makefile; then \
		$(KBUILD) clean; \
	else \
		find Kbuild src \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
			-o -name '.*.cmd' -o -name modules.order -o -name shim_bindings.rs \) -delete; \
	fi
	rm -rf build rust-project.json Module.symvers modules.order

CLI := $(or $(CARGO_TARGET_DIR),cli/target)/release/powercut
COMPLETIONS := bash-completion/completions $(ZSH_COMPLETIONS) fish/vendor_completions.d

cli:
	cargo build --release --locked --manifest-path cli/Cargo.toml

install-cli: cli
	install -D $(CLI) $(DESTDIR)$(PREFIX)/bin/powercut
	install -D -m 644 packaging/59-powercut.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/59-powercut.rules
	install -d $(COMPLETIONS:%=$(DESTDIR)$(PREFIX)/share/%)
	$(CLI) man $(DESTDIR)$(PREFIX)/share/man/man1
	$(CLI) completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/powercut
	$(CLI) completions zsh > $(DESTDIR)$(PREFIX)/share/$(ZSH_COMPLETIONS)/_powercut
	$(CLI) completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/powercut.fish

demo:
	scripts/demo

test:
	scripts/test

# BENCH=quick, or other parts: see scripts/bench --help.
bench:
	scripts/bench $(BENCH)

bundle:
	scripts/bundle

# DEB="--key FILE --certificate FILE": see scripts/deb --help.
deb:
	scripts/deb $(DEB)

container:
	scripts/container

kunit:
	scripts/kunit

kcsan:
	scripts/kcsan

in-tree:
	scripts/in-tree

matrix:
	scripts/matrix

arm64:
	scripts/arm64

# FUZZ_SECONDS, SOAK_SECONDS: how long, an hour each.
fuzz:
	scripts/fuzz

soak:
	scripts/soak
	scripts/soak --suites all

# SUBJECTS="--shard 1/3": see scripts/subject --help.
subjects:
	scripts/subject all $(SUBJECTS)
	scripts/subject table

help:
	@echo 'In a virtual machine, with nothing to install first (as root; see README.md):'
	@echo '  demo             - cut the power under SQLite, ext4 and XFS, and show what is lost'
	@echo '  test             - run all tests'
	@echo '  bench            - measure it beside other drivers (BENCH=quick: a part of it)'
	@echo '  bundle           - make an archive that runs on any machine with QEMU (docs/bundle.md)'
	@echo '  deb              - make Debian packages of the command and the module (docs/packages.md)'
	@echo '  container        - make a container image of it (docs/container.md)'
	@echo '  kunit            - run the KUnit suites only'
	@echo '  kcsan            - look for data races, on a kernel of its own (tests/README.md)'
	@echo '  in-tree          - build the driver in a kernel tree, built in and as a module, and boot both'
	@echo '  matrix           - build the module for each kernel 7.x that Debian has, and boot it (docs/kernels.md)'
	@echo '  arm64            - build it for arm64, and test it on that kernel of Debian, emulated (docs/kernels.md)'
	@echo '  fuzz             - libFuzzer on every parser, for FUZZ_SECONDS (3600)'
	@echo '  soak             - load and power cuts with fio, files and stress-ng, for SOAK_SECONDS (3600); suites of others'
	@echo '  subjects         - put released software on trial, and write docs/subjects.md (tests/subjects/README.md)'
	@echo
	@echo 'For the running kernel, or the one built in KDIR:'
	@echo '  all, modules     - build src/powercut.ko (default)'
	@echo '  install, modules_install - install it (INSTALL_MOD_PATH=, as for the kernel)'
	@echo '  rust-analyzer    - write rust-project.json'
	@echo '  clean            - remove what was built'
	@echo '  cli, install-cli - build, install the powercut command, man pages, completions, udev rules (PREFIX=, DESTDIR=)'
	@echo
	@echo '  KDIR=DIR         - kernel build tree; now $(KDIR)'
	@echo '  CLIPPY=1         - check with clippy (remove that build: it is not one to load)'
	@echo
	@echo 'A tree for the stock Debian kernel that Rust modules can be built against: scripts/kdir stock'
