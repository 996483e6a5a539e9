# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# The suites of others that run on our disks, and what they are made of. Read after lib.sh and packages.sh.

SUITES=(fsx pjdfstest sqllogictest)
SUITE_FILESYSTEMS=(ext4 xfs btrfs f2fs)

# Crates, with the versions of all that they need, as each of them comes with a Cargo.lock.
declare -A SUITE_CRATES=([fsx]=fsx@0.3.2 [pjdfstest]=pjdfstest@0.2.2 [sqllogictest]=sqllogictest-bin@0.29.1)
# What sqllogictest runs: a crate that has files of it, and where.
SUITE_FILES=risinglight@0.2.0/tests/sql

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

# made NAME BUILD WORD..: what scripts/build/BUILD makes of these words, in the toolchain root.
made() {
	cached "suite-$1-$(key "$TOOLCHAIN" "$(<"$SCRIPTS/build/$2")" "${@:3}")" "$SCRIPTS/in-root" "$SCRIPTS/build/$2" "${@:3}"
}

# suite_ready NAME: prints the directory of what it runs, made if it isn't in the cache.
suite_ready() {
	case $1 in
	sqllogictest) made "$1" suite-sqllogictest "${SUITE_CRATES[$1]}" "$SUITE_FILES" ;;
	*) made "$1" suite-crate "${SUITE_CRATES[$1]}" ;;
	esac
}
