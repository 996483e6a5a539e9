# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The time that files get in what is given to others. Read after lib.sh.

# set_commit_time WHAT: sets and exports SOURCE_DATE_EPOCH, that of the last commit, unless it is set.
set_commit_time() {
	if [[ -z ${SOURCE_DATE_EPOCH-} ]]; then
		# The host's git sees more than the toolchain root does: a worktree's repository.
		SOURCE_DATE_EPOCH=$({ git -C "$TOP" log -1 --format=%ct ||
			"$SCRIPTS/in-root" git -C "$TOP" -c safe.directory='*' log -1 --format=%ct; } 2>/dev/null) ||
			die "this is no git checkout: set SOURCE_DATE_EPOCH, the time that all files in $1 get, in seconds"
	fi
	[[ $SOURCE_DATE_EPOCH =~ ^[0-9]+$ ]] || die "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH: give seconds"
	export SOURCE_DATE_EPOCH
}
