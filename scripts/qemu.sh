# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How QEMU is called. Read after lib.sh.

# What QEMU is started by: nothing, or a command that starts it in another root; that root; and what tells one QEMU from
# another.
QEMU_IN=() QEMU_ROOT='' QEMU_VERSION=''
QEMU=(qemu-system-x86_64 -nodefaults -display none -no-reboot)

# The console is for what the kernel has to say when things go wrong (the whole log is
# fetched at the end): a serial line is slow. The other processors are brought up by scripts/guest/session, when the
# machine has booted: where they are emulated, each change of the kernel's text waits for all of them, and so a boot takes
# twice as long. They need not measure how long a delay lasts: `lpj` is right for 5 GHz and 250 Hz, no less than any
# has.
# shellcheck disable=SC2034 # for who reads this
QEMU_APPEND="console=ttyS0 loglevel=5 panic=-1 oops=panic log_buf_len=4M mitigations=off cryptomgr.notests random.trust_cpu=on"
QEMU_APPEND+=" maxcpus=1 lpj=20000000"

# On a busy host an emulated processor may not run for long: that is no fault of the guest.
PATIENCE="watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120"

# kvm_works KERNEL-DIR: whether KVM really runs a guest; if not, NO_KVM says why. It may open, take calls and
# still not run one (in a machine that is itself virtual). Asked once per boot of the host, if the answer
# can be kept.
kvm_works() {
	local answer dir
	NO_KVM="there is no /dev/kvm"
	[[ -c /dev/kvm ]] || return
	NO_KVM="you may not use /dev/kvm: are you in its group, kvm?"
	[[ -r /dev/kvm && -w /dev/kvm ]] || return
	NO_KVM="it can't run a guest on this machine"
	answer=$CACHE/kvm-$(key "$(</proc/sys/kernel/random/boot_id)" "$QEMU_VERSION")
	if [[ ! -e $answer ]]; then
		rm -f "$CACHE"/kvm-*
		dir=$(mktemp -d "$RUNS/XXXXXX")
		# QEMU may abort, which bash would tell.
		{ timeout --kill-after=2 10 "${QEMU_IN[@]}" "${QEMU[@]}" -accel kvm -cpu max -smp 2 -m 512 \
			-kernel "$1/kernel" -initrd "$1/initramfs" -append "console=ttyS0 quiet panic=-1 powercut.probe" \
			-serial "file:$dir/console" >"$dir/qemu" 2>&1 </dev/null || true; } 2>/dev/null
		if grep -qs "powercut-vm: alive" "$dir/console"; then echo yes; else echo no; fi >"$dir/answer"
		{ mkdir -p "$CACHE" && mv "$dir/answer" "$answer"; } 2>/dev/null || answer=$dir/answer
		[[ $(<"$answer") == yes ]] && NO_KVM=''
		rm -rf "$dir"
	else
		[[ $(<"$answer") == yes ]] && NO_KVM=''
	fi
	[[ -z $NO_KVM ]]
}

# qemu_emulated: adds to QEMU what has a machine boot faster whose processors are emulated: a firmware that does no more than
# start the kernel, if QEMU has it, and no slots for hot plugging, which ACPI describes by programs.
qemu_emulated() {
	local data
	for data in "$(dirname -- "$(command -v "${QEMU[0]}")")/../share/qemu" /usr/share/qemu; do
		if [[ -e $QEMU_ROOT$data/qboot.rom ]]; then
			QEMU+=(-bios qboot.rom)
			break
		fi
	done
	QEMU+=(-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off -global PIIX4_PM.acpi-root-pci-hotplug=off)
}

# qemu_accel KERNEL-DIR FLAGS kvm|tcg|'': adds to QEMU what makes the guest's processors run: KVM, if it
# is not said and KVM works.
qemu_accel() {
	if [[ $3 == kvm || -z $3 ]] && kvm_works "$1"; then
		QEMU+=(-accel kvm -cpu "max$2")
		return
	fi
	[[ $3 != kvm ]] || die "--accel kvm: $NO_KVM"
	[[ -z ${TELL_ACCEL-} || $3 == tcg ]] || say "note: without KVM ($NO_KVM) the machine's processors are emulated, which is slow"
	# Without ERMS and FSRM the kernel copies and clears 8 bytes at a time and not one: so does QEMU.
	# shellcheck disable=SC2054 # QEMU's commas
	QEMU+=(-accel tcg,thread=multi -cpu "max,la57=off,erms=off,fsrm=off$2")
	qemu_emulated
	# QEMU does the crc32 instruction bit by bit, an eighth of a state's time on ext4; the kernel's tables are quicker.
	# Programs still find it.
	QEMU_APPEND+=" clearcpuid=sse4_2"
	# Its time stamp counter, which is the host's clock, is no less reliable on a busy host than others, which are slow.
	QEMU_APPEND+=" tsc=reliable no_timer_check $PATIENCE"
}

# qemu_arm64 FLAGS: in the place of qemu_accel, a machine of that architecture, whose processors are emulated. Pointer
# authentication and vectors would make each switch of tasks slower.
qemu_arm64() {
	# shellcheck disable=SC2054 # QEMU's commas
	QEMU=(qemu-system-aarch64 "${QEMU[@]:1}" -machine virt -accel tcg,thread=multi -cpu "max,pauth=off,sve=off,sme=off$1")
	QEMU_APPEND="${QEMU_APPEND/ttyS0/ttyAMA0} $PATIENCE"
}

# qemu_count FLAGS: adds to QEMU what makes the guest's clock count its instructions.
qemu_count() {
	QEMU+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off" -cpu "max,la57=off$1")
}

# qemu_port NAME KIND PATH: adds a virtio port by that name that is a file or a pipe of the host.
qemu_port() {
	QEMU+=(-chardev "$2,id=$1,path=$3" -device "virtserialport,chardev=$1,name=$1")
}

# qemu_memory SIZE: adds the guest's memory; shared, so that virtiofsd can read and write it.
qemu_memory() {
	QEMU+=(-m "$1" -object "memory-backend-memfd,id=memory,size=$1,share=on" -machine memory-backend=memory)
}

# How a guest sees directories of the host: SHARES are their names, SHARE_SERVERS what
# scripts/machine has to start for them, SOCKETS the directory for what they are reached by.
SHARES=() SHARE_SERVERS=() SOCKETS=''

# qemu_share TRANSPORT NAME DIR POLICY [VIRTIOFSD-OPTION..]: adds a directory, by virtiofs or 9p. What
# the guest writes is at once in the file. What it has read it keeps, if POLICY is always; if it is auto, it
# asks the host again when it opens the file.
qemu_share() {
	local transport=$1 name=$2 dir=$3 policy=$4 readonly=''
	shift 4
	SHARES+=("$name")
	if [[ $transport == virtiofs ]]; then
		SHARE_SERVERS+=("$SOCKETS/$name" "$dir" --cache "$policy" "$@" ';')
		QEMU+=(-chardev "socket,id=$name,path=$SOCKETS/$name" -device "vhost-user-fs-pci,chardev=$name,tag=$name")
	else
		[[ " $* " != *' --readonly '* ]] || readonly=,readonly=on
		QEMU+=(-fsdev "local,id=$name,path=${dir//,/,,},security_model=none,multidevs=remap$readonly"
			-device "virtio-9p-pci,fsdev=$name,mount_tag=$name")
	fi
}

# qemu_disk FILE: adds a read-only image.
qemu_disk() {
	local id=disk${#QEMU[@]}
	QEMU+=(-drive "file=${1//,/,,},if=none,id=$id,format=raw,readonly=on" -device "virtio-blk-pci,drive=$id")
}

# What in a kernel log is a fault of the kernel or the driver.
SPLAT='BUG:|kernel BUG at|WARNING: |KASAN:|UBSAN:|ODEBUG:|Oops|general protection fault|Kernel panic|refcount_t:'
SPLAT+='|possible (circular|recursive) locking|lock inversion dependency|inconsistent lock state|suspicious RCU usage'
SPLAT+='|bad unlock balance|lock held when returning|still has locks held|held lock freed|Invalid wait context'
SPLAT+='|sleeping function called|scheduling while atomic|self-detected stall|detected stalls|soft lockup|workqueue lockup'
SPLAT+='|blocked for more than|new suspected memory leaks|list_(add|del) corruption|Bad page state|rust_kernel: panicked'

# Of these, what KCSAN reports and is meant, by the two functions that raced. Sectors are copied without
# a lock by functions that do nothing else, also while they are read or written by others, as
# with any disk: two such copies may race, for bytes that nothing depends on. Those that are
# not copies, or are of unknown origin, are faults all the same: memory that is not a sector's
# (any more), a field of the driver. The others race on purpose: src/block/races.rs.
BYTES='powercut_mem(cpy|move|zero)(_from|_to)?(_bvec)? \[powercut\]'
MEANT="KCSAN: data-race in ($BYTES / ${BYTES}[[:space:]]*\$"
MEANT+='|powercut_race_counter(\+| \[powercut\] / powercut_race_counter )|powercut_race_publish \[powercut\] / powercut_race_take )'

# show_splat LOG..: prints the first splat of the first log that has one; false if none.
show_splat() {
	local log first
	for log; do
		[[ -s $log ]] || continue
		first=$(grep -anE "$SPLAT" "$log" | grep -avE "$MEANT" | sed -n '1s/:.*//p') || continue
		tail -n "+$first" "$log" | head -n 80
		return
	done
	return 1
}
