# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which kernel source is used, and the names of what is built of it. Read after lib.sh
# and packages.sh.

# Taken while the archive has it (it drops old versions); else the newest 7.x there.
KERNEL_PIN=7.3.4-1~bpo13+1

# What the directory of a source is called, before its version.
SOURCE=${MATRIX_KERNEL:+matrix-}${CROSS:+$MACHINE_ARCH-}source

# Debian's own, and those built here, each of scripts/configs/NAME.config.
FLAVOURS=(stock debug kcsan)

# need_flavour NAME
need_flavour() {
	[[ " ${FLAVOURS[*]} " == *" $1 "* ]] || die "no such kernel: $1 (there are: ${FLAVOURS[*]}, and debian:SERIES)"
	[[ $1 == stock || -z $CROSS ]] || die "for $MACHINE_ARCH there is the stock kernel only"
}

# flavour_config FLAVOUR: what the kernel of that name is built of.
flavour_config() {
	printf '%s\n' "$SCRIPTS/configs/$1.config"
}

# kernel_version: the pinned version if it is in the cache, else any other that is (one taken
# before because the pin was gone), else what the archive has.
kernel_version() {
	if [[ -n ${MATRIX_KERNEL-} ]]; then
		printf '%s\n' "$MATRIX_KERNEL"
		return
	fi
	local dirs=("$CACHE/$SOURCE-$KERNEL_PIN")
	if [[ ! -d ${dirs[0]} ]]; then
		mapfile -t dirs < <(find "$CACHE" -maxdepth 1 -name "$SOURCE-*[0-9]" | sort --version-sort --reverse)
	fi
	if [[ -d ${dirs[0]-} ]]; then
		printf '%s\n' "${dirs[0]##*/"$SOURCE"-}"
		return
	fi
	"$SCRIPTS/in-root" "$SCRIPTS/build/pick-source" "$KERNEL_PIN"
}

# kernel_source VERSION: the directory with that source and Debian's image of it.
kernel_source() {
	cached "$SOURCE-$1" "$SCRIPTS/in-root" "$SCRIPTS/build/source" "$1"
}

# What KCSAN takes of the compilers: see the kernel's scripts/Makefile.kcsan. There are no such
# flags for Rust there.
TSAN=(-tsan-compound-read-before-write=1 -tsan-distinguish-volatile=1)

# flavour_vars FLAVOUR: sets FLAVOUR_VARS, what make is told when that kernel is built.
#
# Of the kernel with KCSAN, the code that inline functions of C are called by from Rust is
# instrumented, and nothing else: elsewhere only barriers are told to KCSAN. So each of its few
# watchpoints is on an access of the driver, whose module is instrumented as a whole. A write of
# the kernel's own is still found, by the value that changes under a watchpoint. A target that is
# described by a file has to name a sanitizer before rustc lets it be used.
flavour_vars() {
	FLAVOUR_VARS=()
	[[ $1 == kcsan ]] || return 0
	# shellcheck disable=SC2016 # make's
	FLAVOUR_VARS=(
		'CFLAGS_KCSAN=$(if $(filter rust,$(obj)),-fsanitize=thread -fno-optimize-sibling-calls '"${TSAN[*]/#/-mllvm }"',-D__KCSAN_INSTRUMENT_BARRIERS__)'
		'filechk_rust_target=$< < include/config/auto.conf | sed "s/\"kernel-address\"/&,\"thread\"/"'
	)
}

# tree_name FLAVOUR VERSION: the name of that build tree.
tree_name() {
	flavour_vars "$1"
	case $1 in
	stock) printf 'tree-stock-%s\n' "$(key 1 "$2" "$TOOLCHAIN")" ;;
	*) printf 'tree-%s-%s\n' "$1" "$(key 1 "$2" "$TOOLCHAIN" "$(<"$(flavour_config "$1")")" "${FLAVOUR_VARS[@]}")" ;;
	esac
}

# make_flags TREE: sets MAKE_FLAGS as that tree was configured.
make_flags() {
	MAKE_FLAGS=(-C "$1" "-j$JOBS" "${KBUILD_ARCH[@]}")
	if grep -qx CONFIG_CC_IS_CLANG=y "$1/.config"; then
		MAKE_FLAGS+=(LLVM=1)
	fi
	if [[ -e $1/powercut-localversion ]]; then
		LOCALVERSION=$(<"$1/powercut-localversion")
		export LOCALVERSION
	fi
}

# make_copy_of COPY: sets MAKE_FLAGS and COVER to build in that copy of a tree. Compilers are told the paths of files:
# so it is built where the original was, and only what is new is compiled. AT is that place.
make_copy_of() {
	AT=$(sed -n '1s|^cmd_\(/.*\)/tools/objtool/check.o := .*|\1|p' "$1/tools/objtool/.check.o.cmd")
	: "${AT:=$1}"
	make_flags "$1"
	MAKE_FLAGS[1]=$AT
	export COVER="$1 $AT"
}

# boot_files FLAVOUR NAME MADE FROM..: the directory of what a machine boots of a kernel, made by
# scripts/build/vm-kernel. NAME and MADE say which kernel it is.
boot_files() {
	local flavour=$1 name=$2 made=$3
	shift 3
	[[ -z $CROSS ]] || BUSYBOX=$("$SCRIPTS/root" vm)/root/usr/bin/busybox
	export BUSYBOX=${BUSYBOX-/bin/busybox}
	PASS="BUSYBOX ${PASS-}" BIND=${OWN_KERNEL:+${OWN_KERNEL%/*}$'\n'$OWN_MODULES} cached "vm-$flavour-$(key 1 "$name" "$made" "$(<"$SCRIPTS/guest/init")" "$(<"$SCRIPTS/build/vm-kernel")")" \
		"$SCRIPTS/in-root" "$SCRIPTS/build/vm-kernel" "$flavour" "$@"
}

# A kernel that was built elsewhere: the image, and the directory with its modules, which has the
# kernel's release for a name.
OWN_KERNEL='' OWN_MODULES=''

# need_own_kernel FILE MODULES: sets the two.
need_own_kernel() {
	local found
	[[ -f $1 ]] || die "--kernel $1: no such file, and no kernel of that name (there are: ${FLAVOURS[*]})"
	[[ -n $2 ]] || die "--kernel FILE needs --modules DIR: what modules_install wrote (INSTALL_MOD_PATH=), or /lib/modules/RELEASE"
	[[ -d $2 ]] || die "--modules $2: no such directory"
	OWN_KERNEL=$(realpath -- "$1")
	mapfile -t found < <(
		{ find "$2/" -maxdepth 1 -name modules.order -printf '%h\0' &&
			find "$2/lib/modules/" "$2/usr/lib/modules/" -mindepth 2 -maxdepth 2 -name modules.order -printf '%h\0'; } 2>/dev/null |
			xargs -0 -r realpath -- | sort -u
	)
	((${#found[@]} == 1)) ||
		die "--modules $2: ${#found[@]} directories with a modules.order in it, one is needed: give /lib/modules/RELEASE itself"
	OWN_MODULES=${found[0]}
}

# need_debian_kernel debian:SERIES: sets the two to Debian's own image of the newest kernel of that series, which is
# fetched if none of it is in the cache.
need_debian_kernel() {
	local series=${1#debian:} dir
	dir=$({ find "$CACHE" -maxdepth 1 -name "debian-${series}[.-]*[0-9]" 2>/dev/null || true; } | sort --version-sort | tail -n 1)
	if [[ -z $dir ]]; then
		dir=$(fetch_debian_kernel "$series")
	fi
	OWN_KERNEL=$dir/vmlinuz OWN_MODULES=$dir/$(<"$dir/release")
}

# fetch_debian_kernel SERIES: the directory with it in the cache.
fetch_debian_kernel() {
	local picked status=0
	"$SCRIPTS/root" toolchain >/dev/null
	need_cache
	picked=$(mktemp -d "$CACHE/run/XXXXXX")
	"$SCRIPTS/in-root" "$SCRIPTS/build/pick-debian" "$1" "$picked" >&2 &&
		cached "debian-$(<"$picked/version")" "$SCRIPTS/in-root" "$SCRIPTS/build/debian-kernel" "$picked" || status=$?
	rm -rf "$picked"
	return "$status"
}

# is_debian_kernel NAME: whether it has the form of debian:6.12.
is_debian_kernel() {
	[[ $1 == debian:* ]] || return
	[[ $1 =~ ^debian:[0-9]+\.[0-9]+$ ]] || die "--kernel $1: give a series of Debian's kernels, such as debian:6.12"
}

# own_kernel_made: changes when one of its files does.
own_kernel_made() {
	{ stat -Lc '%s %y' "$OWN_KERNEL" && find "$OWN_MODULES" -type f -printf '%P %s %T@\n' | sort; } | sha256sum
}

# The core of the VM tests, for kernels that are not tested with all of them.
# shellcheck disable=SC2034 # for who reads this
CORE_TESTS="semantics: tearing: delayed: power: triggers: log: stacks: transfer: settings: groups:"

# The same bytes from the same inputs.
export KBUILD_BUILD_USER=powercut KBUILD_BUILD_HOST=powercut KBUILD_BUILD_TIMESTAMP=2000-01-01
