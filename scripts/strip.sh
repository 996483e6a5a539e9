# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Making a Debian root small, and the same each time. Read after lib.sh.

# strip_root DIR: removes what differs from one making to the next, or has no use without a package manager, or, as udev's
# list of hardware, in a virtual machine.
strip_root() (
	cd "$1" || exit
	rm -rf -- ./var/{cache,log}/* ./var/lib/apt ./etc/apt ./usr/share/{info,bash-completion,zsh} \
		./etc/{machine-id,resolv.conf} ./{boot,dev,proc,run,sys,tmp}/* ./var/lib/dpkg/*-old ./etc/*- \
		./usr/lib/udev/hwdb.* ./etc/udev/hwdb.bin
	find usr -name __pycache__ -prune -exec rm -r {} +
)
