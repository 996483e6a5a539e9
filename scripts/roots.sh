# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# Which root a virtual machine has, and what is put on top of it. Read after lib.sh,
# packages.sh and boot.sh.

# What it sets are ROOT_IMAGES, ROOT_SHARE and ROOT_ENVIRONMENT of boot.sh; ROOT_LOWER, the directories that
# the images are made of, as overlayfs takes them; ROOT_NAME, that of what is on top, for the names of layers.
ROOT_LOWER='' ROOT_NAME=''

# root_debian: the project's own.
root_debian() {
	local dir
	dir=$("$SCRIPTS/root" vm)
	root_add "$dir" root
	ROOT_NAME=$VM_ROOT
}

# root_add DIR CONTENT: an image, and the directory below DIR that it was made of.
root_add() {
	ROOT_IMAGES+=("$1/image")
	ROOT_LOWER=$1/$2${ROOT_LOWER:+:$ROOT_LOWER}
}

# need_root_at PATH: that there is what can be a root.
need_root_at() {
	[[ -e $1 ]] || die "--root $1: no such file or directory"
	[[ -d $1 || -f $1 ]] || die "--root $1: give a directory, a tar, or an archive of a container image"
	[[ -f $1 || -e $1/oci-layout || -e $1/manifest.json ]] || is_root_directory "$1" ||
		die "--root $1: not the root of a Linux system: there is no /bin/sh in it (nor is it a container image)"
}

# is_root_directory PATH: whether it is the root itself, and no image of one.
is_root_directory() {
	[[ -d $1 && (-e $1/bin/sh || -L $1/bin/sh) ]]
}

# root_from PATH: a directory, a tar, or a container image in an archive or a directory.
root_from() {
	local path dir made
	path=$(realpath -- "$1")
	if is_root_directory "$path"; then
		ROOT_SHARE=$path
		return
	fi
	made=$(stat -c '%i %s %y' "$path")
	if [[ -d $path ]]; then
		# It names all the rest by hashes.
		made=$(cat "$path"/{index,manifest}.json 2>/dev/null || true)
	fi
	ROOT_NAME=root-archive-$(key 2 "$path" "$made" "$(<"$SCRIPTS/build/unpack")")
	dir=$(BIND="${path%/*}/"$'\t'/tmp/host/archive cached "$ROOT_NAME" \
		"$SCRIPTS/in-root" "$SCRIPTS/build/archive" "/tmp/host/archive/${path##*/}")
	root_add "$dir" root
	ROOT_ENVIRONMENT=$dir/environment
}

# root_layer packages|command TEXT: on top of what there is.
root_layer() {
	local dir name
	name=layer-$(key 1 "$ROOT_NAME" "$1" "$2")
	dir=$(cached "$name" "$SCRIPTS/build/layer" "$1" "$2" "$ROOT_LOWER")
	root_add "$dir" upper
	ROOT_NAME=$name
}

# need_packages NAME..: that these can be names of packages.
need_packages() {
	local name
	for name; do
		[[ $name =~ ^[a-z0-9][a-z0-9.+:~=/-]*$ ]] || die "--package $name: not the name of a Debian package"
	done
}

# root_packages NAME..: one layer for all of them, in whatever order they were named.
root_packages() {
	root_layer packages "$(printf '%s\n' "$@" | sort -u | paste -sd ' ')"
}
