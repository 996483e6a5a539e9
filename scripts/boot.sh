# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots a virtual machine and runs a command in it, or a shell. Read after lib.sh and qemu.sh, by scripts/vm
# and by the start program of a bundle (scripts/start).

# What is booted, said by who reads this: the directory that scripts/build/vm-kernel made; the images
# that the root is made of, the lowest first, or the directory that it is; what is at /mnt/powercut; the module
# and the command, if they are not in the root; variables of a container image; a name for messages.
KERNEL='' ROOT_IMAGES=() ROOT_SHARE='' ROOT_ENVIRONMENT='' REPOSITORY='' MODULE='' COMMAND='' FLAVOUR=stock
# How the host does it: virtiofsd, if there is one; a directory for files of one run; where QEMU sees the
# directory of --share and ROOT_SHARE, if not where they are.
VIRTIOFSD='' RUNS='' SHARE_AT='' ROOT_AT=''
# The machine's architecture: amd64 or arm64.
MACHINE_ARCH=${MACHINE_ARCH:-amd64}

# How long a machine may take to come up, in seconds: one takes 5 to 30.
BOOT_LIMIT=${POWERCUT_BOOT_LIMIT:-180}
# How long a command may take to end that was told to, in seconds.
END_LIMIT=60

share='' cpus=2 memory=2G timeout='' append='' log='' verbose='' icount='' cpu_flags='' shell='' accel='' udev=1

# machine_option ARG..: takes an option of the machine; TAKEN are its words. False if it is none.
# shellcheck disable=SC2034 # for who reads this
machine_option() {
	TAKEN=2
	case $1 in
	--share | --cpus | --memory | --timeout | --append | --log | --cpu-flags | --accel)
		(($# > 1)) || die "$1 needs a value"
		;;&
	--share) share=$2 ;;
	--cpus) cpus=$2 ;;
	--memory) memory=$2 ;;
	--timeout) timeout=$2 ;;
	--append) append=$2 ;;
	--log) log=$2 ;;
	--cpu-flags) cpu_flags=$2 ;;
	--accel) accel=$2 ;;
	--verbose) TAKEN=1 verbose=1 ;;
	--icount) TAKEN=1 icount=1 cpus=1 ;;
	--shell) TAKEN=1 shell=1 ;;
	--no-udev) TAKEN=1 udev='' ;;
	*) return 1 ;;
	esac
}

# machine_options_done PROGRAM WORD..: checks them, with the command that is to be run.
machine_options_done() {
	local program=$1
	shift
	if [[ -n $shell ]]; then
		(($# == 0)) || die "--shell takes no command: $program [OPTION..] -- CMD runs one"
		[[ -t 0 && -t 1 ]] || die "--shell needs a terminal: $program [OPTION..] -- CMD runs a command without one"
		: "${timeout:=0}"
	else
		(($# > 0)) || die "no command: $program [OPTION..] -- CMD [ARG..], or --shell"
	fi
	: "${timeout:=3600}"
	[[ $cpus =~ ^[1-9][0-9]*$ && $timeout =~ ^(0|[1-9][0-9]*)$ ]] || die "--cpus and --timeout take a number"
	[[ $memory =~ ^[1-9][0-9]*[MG]$ ]] || die "--memory $memory: give a size such as 2G or 512M"
	[[ -z $accel || $accel == kvm || $accel == tcg ]] || die "--accel $accel: give kvm or tcg"
	if [[ -n $share ]]; then
		[[ -d $share ]] || die "--share $share: no such directory"
		share=$(realpath -- "$share")
	fi
}

# setting NAME VALUE: tells scripts/guest/session.
setting() {
	printf '%s=%s\n' "$1" "$(quoted "$2")" >>"$run/files/settings"
}

# container_environment FILE: its variables, NAME=VALUE with a NUL after each, as a shell exports
# them. The project's own directories stay on PATH.
container_environment() {
	local variable name value
	while IFS= read -r -d '' variable; do
		name=${variable%%=*} value=${variable#*=}
		[[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
		[[ $name != PATH ]] || value=$value:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin
		printf 'export %s=%s\n' "$name" "$(quoted "$value")"
	done <"$1"
}

# share_transport: what the host's directories are mounted by.
share_transport() {
	local known
	known=$(<"$KERNEL/transports")
	if [[ -n $VIRTIOFSD && $known == *virtiofs* ]]; then
		echo virtiofs
	elif [[ $known == *9p* ]]; then
		echo 9p
	else
		die "this kernel mounts directories of the host by virtiofs only: install virtiofsd"
	fi
}

# What a check may start for each state: directories of REPOSITORY that are in the machine's memory. To start a
# program on a share takes six requests to the host.
IN_MEMORY=(tests/demo tests/explore tests/subjects tests/vm/programs)

# Rules of udev's own for what this machine has not, or what is left to its user: to look through them for each event would
# make an exploration a fifth slower, as each state makes some.
UNUSED_RULES='50-firmware 60-autosuspend 60-block 60-cdrom_id 60-dmi-id 60-drm 60-evdev 60-fido-id 60-infiniband 60-input-id
60-persistent-alsa 60-persistent-input 60-persistent-storage 60-persistent-storage-mtd 60-persistent-storage-tape
60-persistent-v4l 60-sensor 60-serial 64-btrfs 70-camera 70-joystick 70-memory 70-mouse 70-power-switch 70-touchpad
73-special-net-names 75-net-description 75-probe_mtd 78-sound-card 80-drivers 80-net-setup-link 81-net-dhcp 90-iocost'

# udev_rules DIR: what udev has there in the machine.
udev_rules() {
	local name
	mkdir "$1"
	for name in $UNUSED_RULES; do
		: >"$1/$name.rules"
	done
	cp "$TOP/packaging/59-powercut.rules" "$1/"
	# Before the rules that read disks, which have other numbers elsewhere.
	cp "$TOP/packaging/59-powercut.rules" "$1/12-powercut.rules"
}

# machine_files LOAD-MODULE CMD..: what this run tells the guest, see scripts/guest/session; as a disk, from which
# even a slow kernel reads it fast.
machine_files() {
	local load=$1
	shift
	mkdir "$run/files"
	cp "$SCRIPTS/guest/session" "$run/files/"
	if [[ -n $ROOT_ENVIRONMENT ]]; then
		container_environment "$ROOT_ENVIRONMENT" >>"$run/files/settings"
	fi
	udev_rules "$run/files/rules.d"
	setting module "$load"
	setting udev "$udev"
	setting command "$(quoted "$@")"
	setting terminal "${shell:+$TERM}"
	[[ -z $shell ]] || setting size "$(stty size <&6)"
	[[ -z $MODULE ]] || ln -s "$MODULE" "$run/files/powercut.ko"
	[[ -z $COMMAND ]] || ln -s "$COMMAND" "$run/files/powercut"
	setting in_memory "${REPOSITORY:+${IN_MEMORY[*]}}"
	tar --owner=0 --group=0 --numeric-owner -chf "$run/files.tar" -C "$run/files" . \
		${REPOSITORY:+-C "$REPOSITORY" "${IN_MEMORY[@]}"}
	rm -r "$run/files"
	touch "$run"/{console,status,log}
	mkfifo "$run"/signals.{in,out}
}

# machine_qemu: sets QEMU and QEMU_APPEND.
machine_qemu() {
	local transport policy image
	transport=$(share_transport)
	if [[ $MACHINE_ARCH == arm64 ]]; then
		qemu_arm64 "${cpu_flags:+,$cpu_flags}"
	elif [[ -n $icount ]]; then
		qemu_count "${cpu_flags:+,$cpu_flags}"
	else
		qemu_accel "$KERNEL" "${cpu_flags:+,$cpu_flags}" "$accel"
	fi
	[[ -z $verbose ]] || append+=" ignore_loglevel"
	# The suites are there then, and run when they are asked to (kunit.autorun=1: whenever the module is loaded).
	[[ $FLAVOUR != debug && $FLAVOUR != kcsan ]] || append+=" kunit.enable=1"
	qemu_memory "$memory"
	qemu_disk "$KERNEL/modules"
	qemu_disk "$run/files.tar"
	# Who works in a shell changes files on the host meanwhile.
	policy=$([[ -n $shell ]] && echo auto || echo always)
	for image in "${ROOT_IMAGES[@]}"; do
		qemu_disk "$image"
	done
	[[ -z $ROOT_SHARE ]] ||
		qemu_share "$transport" root "${ROOT_AT:-$ROOT_SHARE}" always --readonly --xattr --no-announce-submounts
	[[ -z $REPOSITORY ]] || qemu_share "$transport" repository "$REPOSITORY" "$policy" --readonly
	[[ -z $share ]] || qemu_share "$transport" share "${SHARE_AT:-$share}" "$policy"
	QEMU_APPEND+=" powercut.transport=$transport powercut.shares=$(IFS=, && echo "${SHARES[*]}")"
	QEMU+=(-smp "$cpus" -kernel "$KERNEL/kernel" -initrd "$KERNEL/initramfs"
		-append "$QEMU_APPEND $append"
		-chardev "file,id=console,path=$([[ -n $verbose ]] && echo /dev/fd/4 || echo "$run/console"),append=on"
		-serial chardev:console -device virtio-rng-pci -device virtio-serial-pci)
	qemu_port stdout file /dev/fd/3,append=on
	qemu_port stderr file /dev/fd/4,append=on
	qemu_port status file "$run/status,append=on"
	qemu_port log file "$run/log,append=on"
	qemu_port signals pipe "$run/signals"
	[[ -z $shell ]] ||
		QEMU+=(-chardev "stdio,id=terminal,signal=off" -device "virtconsole,chardev=terminal,name=terminal")
}

# machine_start: starts QEMU.
machine_start() {
	local machine=("${QEMU_IN[@]}" bash "$SCRIPTS/machine" "${VIRTIOFSD:-none}" "${SHARE_SERVERS[@]}" -- "${QEMU[@]}")
	if [[ -n $shell ]]; then
		setpriv --pdeathsig TERM timeout --foreground --kill-after=5 "$timeout" "${machine[@]}" <&6 2>"$run/qemu" &
	else
		setpriv --pdeathsig TERM timeout --kill-after=5 "$timeout" "${machine[@]}" </dev/null >"$run/qemu" 2>&1 &
	fi
	vm=$!
}

# comes_up: waits until the command is about to be run; false if the machine is gone, or late.
comes_up() {
	local end=$((SECONDS + BOOT_LIMIT))
	while [[ ! -s $run/status ]]; do
		if ((SECONDS > end)) || ! kill -0 "$vm" 2>/dev/null; then
			return 1
		fi
		sleep 0.1
	done
}

machine_cleanup() {
	if [[ -n $vm ]]; then
		kill "$vm" 2>/dev/null || true
		wait "$vm" || true
	fi
	[[ -z $terminal ]] || stty "$terminal" <&6
	rm -rf -- "$run"
}

# machine_signal NAME STATUS: passes a signal on to the command, which may have a report to write. The machine
# is killed if that takes long, or at a second signal.
machine_signal() {
	if [[ -n $told || -n $shell || -z $vm || ! -s $run/status ]]; then
		exit "$2"
	fi
	told=$2
	say "telling the command to end; once more ends the machine at once"
	echo "$1" >&7
	# It holds none of this shell's files, so that nobody waits for it.
	setpriv --pdeathsig TERM sh -c 'sleep "$0" && kill "$1"' "$END_LIMIT" "$vm" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- 7>&- &
	killer=$!
}

# machine_wait: until it ends; sets `ended`, QEMU's status.
machine_wait() {
	ended=0
	wait "$vm" || ended=$?
	while [[ -n $told ]] && kill -0 "$vm" 2>/dev/null; do
		ended=0
		wait "$vm" || ended=$?
	done
	vm=''
	[[ -z $killer ]] || kill "$killer" 2>/dev/null || true
}

# machine_run LOAD-MODULE CMD..: boots, runs it, and exits with its status.
machine_run() {
	local load=$1 cats=() again splat status
	shift
	run=$(mktemp -d "$RUNS/XXXXXX") vm='' terminal='' told='' killer='' ended=0
	trap machine_cleanup EXIT
	trap 'machine_signal INT 130' INT
	trap 'machine_signal TERM 143' TERM HUP
	if [[ -n $shell ]]; then
		exec 6<&0
		terminal=$(stty -g <&6)
	fi
	machine_files "$load" "$@"
	# A signal for all processes of a terminal is not for these: the command has something to say yet.
	exec 3> >(trap '' INT TERM HUP && exec cat)
	cats+=($!)
	exec 4> >(trap '' INT TERM HUP && exec cat >&2)
	cats+=($!)
	exec 7<>"$run/signals.in"
	SOCKETS=${SOCKETS:-$run}
	machine_qemu
	machine_start
	# An emulated processor may miss what another one changes in the kernel's text: rarely, when the
	# clock source is chosen (ktime_get), and then it crashes or loses its timer. What happens before
	# the module is loaded is not the module's doing. scripts/guest/init ends a machine whose time is wrong.
	for again in 1 2 3; do
		comes_up && break
		if ! grep -aq "measured the time wrongly" "$run/console" &&
			{ [[ -z $load ]] || ((again == 3)) || grep -aq powercut "$run/console"; }; then
			break
		fi
		say "the kernel did not come up: booting it again ($again)"
		kill "$vm" 2>/dev/null || true
		wait "$vm" || true
		: >"$run/console"
		machine_start
	done
	machine_wait
	[[ -z $terminal ]] || stty "$terminal" <&6
	exec 3>&- 4>&- 7>&-
	wait "${cats[@]}" || true

	[[ -z $log ]] || cat -- "$(if [[ -s $run/log ]]; then echo "$run/log"; else echo "$run/console"; fi)" >"$log"
	if splat=$(show_splat "$run/log" "$run/console"); then
		printf '%s\n' "$splat" >&2
		say "error: the $FLAVOUR kernel complained (above) while running: ${*:-a shell}"
		exit 99
	fi
	if ((ended == 124)); then
		tail -n 20 "$run/console" >&2
		say "error: killed the machine after $timeout s, running: $*"
		exit 124
	fi
	status=$(tail -n 1 "$run/status")
	if [[ ! $status =~ ^[0-9]+$ ]]; then
		[[ -z $told ]] || exit "$told"
		cat "$run/qemu" >&2
		tail -n 20 "$run/console" >&2
		say "error: the machine ended (QEMU's status: $ended) before the command did: $*"
		exit 125
	fi
	exit "$status"
}
