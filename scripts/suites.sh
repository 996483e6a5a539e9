# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# The suites of others that run on our disks, and what they are made of. Read after lib.sh and packages.sh.

SUITES=(fsx pjdfstest)
SUITE_FILESYSTEMS=(ext4 xfs btrfs f2fs)

# Crates, with the versions of all that they need, as each of them comes with a Cargo.lock.
declare -A SUITE_CRATES=([fsx]=fsx@0.3.2 [pjdfstest]=pjdfstest@0.2.2)

# need_words WHAT LIST KNOWN..: LIST, words with a comma between, has no others than these.
need_words() {
	local what=$1 word
	local words known=" ${*:3} "
	IFS=, read -ra words <<<"$2"
	((${#words[@]} > 0)) || die "$what needs a list: ${*:3}"
	for word in "${words[@]}"; do
		[[ -n $word && $known == *" $word "* ]] || die "$what: there is no $word (there are: ${*:3})"
	done
}

# suite_ready NAME: prints the directory of what it runs, made if it isn't in the cache.
suite_ready() {
	local crate=${SUITE_CRATES[$1]}
	cached "suite-$1-$(key "$TOOLCHAIN" "$(<"$SCRIPTS/build/suite-crate")" "$crate")" \
		"$SCRIPTS/in-root" "$SCRIPTS/build/suite-crate" "$crate"
}
