# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# Which root a virtual machine has, and what is put on top of it. Read after lib.sh and packages.sh.

# Of the root: ROOT_IMAGES, the images that it is made of, the lowest first; ROOT_LOWER, the
# directories of the same, as overlayfs takes them; ROOT_SHARE, the host's directory that it is, if it is
# one; ROOT_NAME, that of what is on top, for the names of layers; ROOT_ENVIRONMENT, a file with
# the variables of a container image. ROOT_AT is where QEMU finds ROOT_SHARE, which may be /.
ROOT_IMAGES=() ROOT_LOWER='' ROOT_SHARE='' ROOT_NAME='' ROOT_ENVIRONMENT=''
ROOT_AT=/tmp/host/root

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
	[[ -f $1 || -e $1/bin/sh || -L $1/bin/sh ]] || die "--root $1: not the root of a Linux system: there is no /bin/sh in it"
}

# root_from PATH: a directory, a tar, or a container image in an archive.
root_from() {
	local path dir
	path=$(realpath -- "$1")
	if [[ -d $path ]]; then
		ROOT_SHARE=$path
		return
	fi
	ROOT_NAME=root-archive-$(key 1 "$path" "$(stat -c '%i %s %y' "$path")" "$(<"$SCRIPTS/build/unpack")")
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

# container_environment FILE: its variables, NAME=VALUE with a NUL after each, as a shell exports
# them. The project's own directories stay on PATH.
container_environment() {
	local variable name value
	while IFS= read -r -d '' variable; do
		name=${variable%%=*} value=${variable#*=}
		[[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
		[[ $name != PATH ]] || value=$value:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin
		printf 'export %s=%s\n' "$name" "$(quoted "$value")"
	done <"$1"
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
