# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which kernel source is used, and the names of what is built of it. Read after lib.sh
# and packages.sh.

# Taken while the archive has it (it drops old versions); else the newest 7.x there.
KERNEL_PIN=7.3.4-1~bpo13+1
DEBUG_CONFIG=$SCRIPTS/configs/debug.config

# kernel_version: the pinned version if it is in the cache, else any other that is (one taken
# before because the pin was gone), else what the archive has.
kernel_version() {
	local dirs=("$CACHE/source-$KERNEL_PIN")
	if [[ ! -d ${dirs[0]} ]]; then
		mapfile -t dirs < <(find "$CACHE" -maxdepth 1 -name 'source-*[0-9]' | sort --version-sort --reverse)
	fi
	if [[ -d ${dirs[0]-} ]]; then
		printf '%s\n' "${dirs[0]##*/source-}"
		return
	fi
	"$SCRIPTS/in-root" "$SCRIPTS/build/pick-source" "$KERNEL_PIN"
}

# kernel_source VERSION: the directory with that source and Debian's image of it.
kernel_source() {
	cached "source-$1" "$SCRIPTS/in-root" "$SCRIPTS/build/source" "$1"
}

# tree_name stock|debug VERSION: the name of that build tree.
tree_name() {
	case $1 in
	stock) printf 'tree-stock-%s\n' "$(key 1 "$2" "$TOOLCHAIN")" ;;
	debug) printf 'tree-debug-%s\n' "$(key 1 "$2" "$TOOLCHAIN" "$(<"$DEBUG_CONFIG")")" ;;
	*) die "no such kernel: $1 (there are: stock, debug)" ;;
	esac
}

# make_flags TREE: sets MAKE_FLAGS as that tree was configured.
make_flags() {
	MAKE_FLAGS=(-C "$1" "-j$JOBS")
	if grep -qx CONFIG_CC_IS_CLANG=y "$1/.config"; then
		MAKE_FLAGS+=(LLVM=1)
	fi
	if [[ -e $1/powercut-localversion ]]; then
		LOCALVERSION=$(<"$1/powercut-localversion")
		export LOCALVERSION
	fi
}

# The same bytes from the same inputs.
export KBUILD_BUILD_USER=powercut KBUILD_BUILD_HOST=powercut KBUILD_BUILD_TIMESTAMP=2000-01-01
