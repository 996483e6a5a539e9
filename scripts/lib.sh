# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by the scripts: where things are, progress, errors and the cache.

set -euo pipefail
shopt -s inherit_errexit

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
SCRIPTS=$TOP/scripts
CACHE=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/powercut
JOBS=${JOBS:-$(nproc)}
export TOP SCRIPTS CACHE JOBS

# Free space for the whole set-up: roots, sources, two build trees, images.
# shellcheck disable=SC2034 # for who reads this
NEED_GIB=15

say() {
	printf 'powercut: %s\n' "$*" >&2
}

die() {
	printf 'powercut: error: %s\n' "$*" >&2
	exit 2
}

# usage FILE: prints the comment at the head of a script, as help.
usage() {
	sed -n '3,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$1"
}

# supervise SCRIPT [ARG..]: runs the calling script again, in a process group of its own that is
# ended as a whole when this shell is told to end: bash alone would first wait for the command it
# is at, a build of half an hour say, and leave it running when that is killed.
supervise() {
	[[ -z ${POWERCUT_SUPERVISED-} ]] || return 0
	local pid status=0
	set -m
	POWERCUT_SUPERVISED=1 "$@" </dev/null &
	pid=$!
	set +m
	trap 'end_group "$pid"; exit 143' TERM HUP
	trap 'end_group "$pid"; exit 130' INT
	wait "$pid" || status=$?
	exit "$status"
}

end_group() {
	kill -TERM -- "-$1" 2>/dev/null || true
	wait "$1" || true
}

# How the script was called that reads this.
CALLED=("$0" "$@")

# need_root: it makes Debian roots and mounts in them. The root of a user namespace may do that, too: the script is run again as that.
need_root() {
	((EUID != 0)) || return 0
	local or="or run this as root; what needs neither is a bundle, once it is made (docs/bundle.md)"
	command -v newuidmap >/dev/null ||
		die "without root this needs newuidmap: install it (Debian, Ubuntu: uidmap; Fedora: shadow-utils; Arch: shadow), $or"
	[[ $(grep -lE "^($(id -un)|$EUID):" /etc/subuid /etc/subgid 2>/dev/null | wc -l) == 2 ]] ||
		die "without root this needs 65536 further user ids, and /etc/subuid or /etc/subgid has none for $(id -un): usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un), $or"
	unshare --user --map-root-user true 2>/dev/null ||
		die "without root this needs user namespaces, which are not allowed here (in a container, or by sysctl: user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): allow them, $or"
	exec unshare --user --map-root-user --map-auto --mount --pid --fork --kill-child --mount-proc "${CALLED[@]}"
}

# is_namespace: whether this is root of a user namespace only.
is_namespace() {
	[[ ! $(</proc/self/uid_map) =~ ^\ *0\ +0\ +4294967295$ ]]
}

need_cache() {
	mkdir -p "$CACHE"/{lock,log,run} || die "can't write to $CACHE: set XDG_CACHE_HOME to a directory that can be written"
}

# need_space GIB: checks that the cache's file system has that much room.
need_space() {
	local free
	need_cache
	free=$(df --output=avail -B1G "$CACHE" | tail -n 1 | tr -d ' ')
	((free >= $1)) || die "$free GiB free in $CACHE, $1 GiB needed: make room, or set XDG_CACHE_HOME to a larger disk"
}

# step TEXT CMD..: runs CMD with its output in a log; one line at the start, one
# with the time taken at the end; on failure the log's tail. With KEEP_WARNINGS set,
# compilers' warnings are shown too.
step() {
	local text=$1 log start=$SECONDS status=0
	shift
	need_cache
	find "$CACHE/log" -type f -mtime +7 -delete
	log=$(mktemp "$CACHE/log/XXXXXX")
	say "$text ..."
	"$@" >"$log" 2>&1 || status=$?
	if ((status != 0)); then
		tail -n 40 "$log" >&2
		say "error: $text failed after $((SECONDS - start)) s (status $status); all of its output: $log"
		return "$status"
	fi
	if [[ -n ${KEEP_WARNINGS-} ]]; then
		grep -E -A 8 '^warning|warning:' "$log" >&2 || true
	fi
	rm -f "$log"
	say "$text: done in $((SECONDS - start)) s"
}

# key WORD..: a short hash of its arguments.
key() {
	printf '%s\n' "$@" | sha256sum | cut -c 1-12
}

# cached NAME CMD..: prints the directory of artefact NAME. If it isn't there, "CMD.. DIR"
# makes it in DIR, beside it, which is renamed once CMD has succeeded and its
# files are on the disk. So what has the name is whole. One builder at a time: a second
# one waits for the first.
cached() {
	local name=$1 dir=$CACHE/$1
	shift
	if [[ ! -d $dir ]]; then
		need_cache
		make_cached "$name" "$dir" "$@" >&2
	fi
	printf '%s\n' "$dir"
}

make_cached() (
	name=$1 dir=$2
	shift 2
	exec 9>"$CACHE/lock/$name"
	if ! flock --nonblock 9; then
		say "waiting for another run that makes $name ..."
		flock 9
	fi
	[[ ! -d $dir ]] || exit 0
	rm -rf --one-file-system -- "$dir.part"
	trap 'rm -rf --one-file-system -- "$dir.part"' EXIT
	trap 'exit 143' TERM HUP
	trap 'exit 130' INT
	mkdir -p "$dir.part"
	"$@" "$dir.part" || exit
	sync --file-system "$dir.part"
	mv -T -- "$dir.part" "$dir"
)

# quoted WORD..: as a shell reads them again, whichever it is.
quoted() {
	local word words=()
	for word; do
		words+=("'${word//\'/\'\\\'\'}'")
	done
	printf '%s\n' "${words[*]}"
}
