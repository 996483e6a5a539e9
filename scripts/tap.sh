# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# Telling of tests in TAP. Read after lib.sh.

# Whether a test failed.
failed=0

# shows NAME STATUS TEXT CMD..: CMD ends with that status and prints the text.
shows() {
	local name=$1 expected=$2 text=$3 output status=0
	shift 3
	output=$("$@" 2>&1 </dev/null) || status=$?
	if ((status == expected)) && [[ $output == *"$text"* ]]; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		printf '# status %s\n' "$status"
		tail -n 40 <<<"$output" | sed 's/^/# /'
		failed=1
	fi
}
