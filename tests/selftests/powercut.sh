#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Disks, records, views and cuts of powercut, by configfs alone.

DIR=$(dirname -- "$(readlink -f -- "$0")")
# Beside the other selftests there are helpers; elsewhere these few do.
if [[ -f $DIR/../kselftest/ktap_helpers.sh ]]; then
	# shellcheck source=/dev/null
	. "$DIR/../kselftest/ktap_helpers.sh"
else
	ktap_print_header() { echo "TAP version 13"; }
	ktap_set_plan() { echo "1..$1"; }
	ktap_skip_all() { echo "1..0 # SKIP $*"; }
	ktap_test_pass() { echo "ok $((++n)) $*"; }
	ktap_test_fail() { echo "not ok $((++n)) $*"; failed=1; }
	ktap_finished() { exit "${failed-0}"; }
	n=0
fi
KSFT_SKIP=4

group=/sys/kernel/config/powercut
disk=$group/kselftest
device=/dev/powercut/kselftest
view=$disk/v
view_device=/dev/powercut/kselftest.v

cleanup() {
	[[ ! -d $view ]] || { echo 0 >"$view/power"; rmdir "$view"; }
	[[ ! -d $disk ]] || rmdir "$disk"
} 2>/dev/null

# put DEVICE BLOCK LETTER [OPTION..]: writes a block of 4096 bytes.
put() {
	local to=$1 block=$2 letter=$3
	shift 3
	head -c 4096 /dev/zero | tr '\0' "$letter" |
		dd of="$to" bs=4096 seek="$block" oflag=direct conv=notrunc status=none "$@"
}

# holds DEVICE BLOCK LETTER: the block is all that letter; 0: all zeroes.
holds() {
	local found
	found=$(dd if="$1" bs=4096 skip="$2" count=1 iflag=direct status=none |
		tr '\0' 0 | tr -s "$3")
	[[ $found == "$3" ]]
}

shows() {
	echo 0 >"$view/power" 2>/dev/null
	echo 1 >"$view/power" && echo "$1" >"$view/state"
}

created() {
	mkdir "$disk" && echo 16 >"$disk/size" && echo 1 >"$disk/power" && [[ -b $device ]]
}

recorded() {
	echo start >"$disk/record" &&
		put "$device" 0 a && put "$device" 1 b conv=notrunc,fsync && put "$device" 0 c &&
		echo promised >"$disk/mark" && echo stop >"$disk/record" &&
		grep -q '^state=stopped entries=5 events=9 marks=1 .* truncated=0$' "$disk/record"
}

# After event 6 the flush is done: a and b are stable, c is pending.
flushed_is_stable() {
	mkdir "$view" && shows 'cut=8 keep=none' &&
		holds "$view_device" 0 a && holds "$view_device" 1 b
}

pending_may_survive() {
	shows 'cut=8 keep=all' && holds "$view_device" 0 c && holds "$view_device" 1 b
}

before_the_flush_all_may_be_lost() {
	shows 'cut=4 keep=none' && holds "$view_device" 0 0 && holds "$view_device" 1 0 &&
		shows 'cut=4 keep=3:1' && holds "$view_device" 0 0 && holds "$view_device" 1 b
}

illegal_is_refused() {
	shows 'cut=8 keep=none' && ! echo 'cut=8 keep=1:0' >"$view/state" &&
		holds "$view_device" 0 a
} 2>/dev/null

cut_fails_io() {
	echo 0 >"$view/power" && echo reset >"$disk/record" && echo start >"$disk/record" &&
		echo 'eio writes:2' >"$disk/cut" && put "$device" 0 a && ! put "$device" 1 b &&
		grep -q '^cut eio event=' "$disk/cut"
} 2>/dev/null

restored() {
	local event
	event=$(sed 's/.*event=//' "$disk/cut")
	echo "cut=$event keep=none" >"$disk/restore" && holds "$device" 0 0 &&
		put "$device" 0 d && holds "$device" 0 d
}

removed() {
	rmdir "$view" && echo 0 >"$disk/power" && rmdir "$disk" && [[ ! -e $device ]]
}

tests=(created recorded flushed_is_stable pending_may_survive before_the_flush_all_may_be_lost
	illegal_is_refused cut_fails_io restored removed)

ktap_print_header
[[ -d $group ]] || modprobe powercut 2>/dev/null
if [[ $UID != 0 || ! -d $group ]]; then
	ktap_skip_all "needs root, configfs and powercut"
	exit "$KSFT_SKIP"
fi
ktap_set_plan "${#tests[@]}"
trap cleanup EXIT
cleanup
for name in "${tests[@]}"; do
	if "$name"; then
		ktap_test_pass "${name//_/ }"
	else
		ktap_test_fail "${name//_/ }"
	fi
done
ktap_finished
