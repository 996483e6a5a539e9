# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Running a command in another root. Read after lib.sh.

# enter_root ROOT CMD [ARG..]: runs it there, as process 1 of the namespaces that the caller is
# in, with CLEAN_ENV. /tmp is new; BIND names directories, one a line, that are at their own paths there
# too, or, with a tab between, at another one (a file then in the place of one that is there); with COVER="A B", directory A of these is seen in the place
# of B.
enter_root() {
	local root=$1 dir at copies
	shift
	# As a mount of its own it can be remounted there, which container engines do.
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	# In a user namespace it is the network's, which is not its own.
	mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/tmp"
	while IFS=$'\t' read -r dir at; do
		[[ -n $dir ]] || continue
		[[ -e $root${at:-$dir} ]] || mkdir -p "$root${at:-$dir}"
		mount --rbind "$dir" "$root${at:-$dir}"
	done <<<"${BIND-}"
	if [[ -n ${COVER-} ]]; then
		mkdir -p "$root${COVER#* }"
		mount --bind "$root${COVER% *}" "$root${COVER#* }"
	fi
	# What the network is reached by is as on the host, and a copy: a package that is installed there may write to it.
	copies=$(mktemp -d)
	mount -t tmpfs tmpfs "$copies"
	for dir in /etc/resolv.conf /etc/hosts /etc/ssl/certs; do
		[[ -e $dir ]] || continue
		if [[ -d $dir ]]; then mkdir -p "$root$dir"; else touch "$root$dir"; fi
		cp -rL --preserve=mode "$dir" "$copies/${dir##*/}" 2>/dev/null || true
		mount --bind "$copies/${dir##*/}" "$root$dir"
	done
	umount --lazy "$copies"
	rmdir "$copies"
	# The shell stays: process 1 has to reap, and gets no signal it doesn't handle.
	exec chroot "$root" env -i "${CLEAN_ENV[@]}" \
		sh -c 'cd "$0" 2>/dev/null || cd /; "$@"; exit $?' "$PWD" "$@"
}

# clean_env NAME..: sets CLEAN_ENV, what is taken along of the environment: enough to reach the
# network as the host does, and these variables.
clean_env() {
	local name
	CLEAN_ENV=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "TERM=${TERM-dumb}")
	for name in {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY SSL_CERT_{FILE,DIR} "$@"; do
		[[ -z ${!name-} ]] || CLEAN_ENV+=("$name=${!name}")
	done
}
