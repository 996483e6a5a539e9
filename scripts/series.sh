# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The driver as a series of patches against a kernel tree; sourced by scripts/integrate.
#
# shellcheck disable=SC2154 # tree is scripts/integrate's

# Each commit: its title, a blank line, its text.
describe() {
	case $1 in
	block) cat <<'EOT' ;;
block: powercut: add a layer between Rust and the block layer

powercut is a bio-based driver. The abstractions for block devices in
the kernel crate are for request-based drivers, and give no access to
bios. Add what such a driver needs: a disk whose operations get bios,
bios that are ended exactly once, their segments, queue limits and
features, pages that are shared with the page cache of nobody, and what
must not allocate with I/O.

All unsafe code of the driver is in here. It depends on nothing else of
the driver, so that it can move to rust/kernel/block/ once there is a
second user. Inline functions and macros of headers are called by a C
shim, whose declarations are made by bindgen.

Nothing is built yet.
EOT
	model) cat <<'EOT' ;;
block: powercut: add the rules of what survives a power failure

Which writes are stable at an event, which are pending, and which pieces
of them may be kept: Documentation/block/writeback_cache_control.rst as
code. It is pure: it knows no device, no lock and no memory of the
kernel's, and is compiled for user space, too.
EOT
	store) cat <<'EOT' ;;
block: powercut: add the log and the pages

The log holds an entry of 28 bytes for each write, flush and mark. Pages
are kept in versions: what a page held before a write stays for as long
as the record does, so that any moment of it can be shown without
copying.
EOT
	driver) cat <<'EOT' ;;
block: add powercut, a RAM disk whose power can be cut

A block device in memory with a modelled volatile write cache. It
records every write, flush and FUA, and serves any state that the disk
could legally be in after a power failure as a block device of its own,
so that filesystems and applications can be tried on it.

Disks are made through configfs; a character device is for what is too
long for an attribute. Nothing is recorded, and nothing is different
from brd, unless it is asked for.
EOT
	kunit) cat <<'EOT' ;;
block: powercut: add KUnit tests

Tables of the rules, of the formats and of the life of a disk; the model
against a disk that is simulated by brute force.
EOT
	selftests) cat <<'EOT' ;;
selftests: powercut: add a test of records, views and cuts

By configfs alone: what a flush covers is in every state, what it does
not cover is in some, what is not legal is refused, a cut fails I/O, a
restore brings the disk back.
EOT
	docs) cat <<'EOT' ;;
Documentation: powercut: add the contract and the ABI

What may survive a power failure, with a worked trace, and the
attributes.
EOT
	esac
}

# place FILE WHERE: copies it into the tree.
place() {
	mkdir -p "$(dirname -- "$work/$2")"
	cp -p -- "$1" "$work/$2"
}

# place_sources PREDICATE..: of src/, what find says.
place_sources() {
	local file
	while read -r file; do
		place "$TOP/src/$file" "drivers/block/powercut/$file"
	done < <(cd "$TOP/src" && find . -type f \( -name '*.rs' -o -name '*.[ch]' -o -name Kbuild -o -name Kconfig -o -name .kunitconfig \) \
		! -name '*.mod.c' ! -name shim_bindings.rs ! -path './uapi/*' "$@" -printf '%P\n' | sort)
}

# insert FILE LINE ANCHOR: before the first line that the pattern matches.
insert() {
	LINE=$2 ANCHOR=$3 awk '!done && $0 ~ ENVIRON["ANCHOR"] { print ENVIRON["LINE"]; done = 1 } { print }
		END { exit !done }' "$work/$1" >"$work/$1.new" || die "$1 has changed: no line like $3"
	mv -- "$work/$1.new" "$work/$1"
}

commit_patch() {
	git -C "$work" add -A
	describe "$1" | { cat && printf '\nAssisted-by: LLM\n'; } | git -C "$work" commit -qF -
}

# Which part of src/ a file is of: tests come with their own patch.
IS_TEST=(-path '*/tests.rs' -o -path '*/tests/*' -o -path './model_kunit/*' -o -name .kunitconfig)

patches() {
	local file
	for file in drivers/block/Kconfig drivers/block/Makefile MAINTAINERS Documentation/admin-guide/blockdev/index.rst \
		tools/testing/selftests/Makefile; do
		[[ -f $tree/$file ]] || die "$tree has no $file"
		place "$tree/$file" "$file"
	done
	git -C "$work" init -q
	git -C "$work" config user.name "${GIT_AUTHOR_NAME:-$(git config user.name || echo powercut)}"
	git -C "$work" config user.email "${GIT_AUTHOR_EMAIL:-$(git config user.email || echo powercut@localhost)}"
	git -C "$work" add -A
	git -C "$work" commit -qm base

	place_sources -path './block/*' ! \( "${IS_TEST[@]}" \)
	insert MAINTAINERS "$(cat "$TOP/docs/kernel/MAINTAINERS")"$'\n' '^POWERNV OPERATOR PANEL LCD DISPLAY DRIVER$'
	place "$TOP/src/uapi/linux/powercut.h" include/uapi/linux/powercut.h
	commit_patch block
	place_sources -path './model/*' ! \( "${IS_TEST[@]}" \)
	commit_patch model
	place_sources \( -path './store/*' -o -path './record/*' -o -path './text/*' -o -name text.rs -o -name random.rs \) \
		! \( "${IS_TEST[@]}" \)
	commit_patch store
	place_sources ! \( "${IS_TEST[@]}" \)
	# The option of the tests comes with them.
	sed -n '1,/^config BLK_DEV_POWERCUT_KUNIT_TEST/p' "$TOP/src/Kconfig" | sed '$d' | sed '$d' \
		>"$work/drivers/block/powercut/Kconfig"
	insert drivers/block/Makefile "$MAKEFILE_LINE" "$MAKEFILE_ANCHOR"
	insert drivers/block/Kconfig "$KCONFIG_LINE" "$KCONFIG_ANCHOR"
	commit_patch driver
	place_sources
	commit_patch kunit
	for file in Makefile config powercut.sh; do
		place "$TOP/tests/selftests/$file" "tools/testing/selftests/powercut/$file"
	done
	insert tools/testing/selftests/Makefile 'TARGETS += powercut' '^TARGETS \+= powerpc$'
	commit_patch selftests
	place "$TOP/docs/kernel/powercut.rst" Documentation/admin-guide/blockdev/powercut.rst
	place "$TOP/docs/kernel/configfs-powercut" Documentation/ABI/testing/configfs-powercut
	insert Documentation/admin-guide/blockdev/index.rst '   powercut' '^   ramdisk$'
	commit_patch docs
}

# write_series DIR: the patches, and a letter before them.
write_series() {
	local out=$1 work
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # as it is now
	trap "rm -rf -- '$work'" EXIT
	patches
	mkdir -p "$out"
	git -C "$work" format-patch -q --cover-letter --zero-commit --no-signature --output-directory "$out" \
		"$(git -C "$work" rev-list --max-parents=0 HEAD)"
	LETTER=$TOP/docs/kernel/cover-letter.txt awk '
		/\*\*\* SUBJECT HERE \*\*\*/ { sub(/\*\*\* SUBJECT HERE \*\*\*/, "block: powercut, a RAM disk whose power can be cut") }
		/\*\*\* BLURB HERE \*\*\*/ { while ((getline line < ENVIRON["LETTER"]) > 0) print line; next }
		{ print }' "$out/0000-cover-letter.patch" >"$out/0000-cover-letter.new"
	mv -- "$out/0000-cover-letter.new" "$out/0000-cover-letter.patch"
}
