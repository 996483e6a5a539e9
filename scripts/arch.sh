# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # for who reads this
#
# The architecture that the machine has: POWERCUT_ARCH, amd64 or arm64, as Debian calls them (scripts/vm --arch).
# All is built on amd64. Read after lib.sh.

MACHINE_ARCH=${POWERCUT_ARCH:-amd64}

# KBUILD_ARCH are what Kbuild takes to build for it, CROSS is what tools for it begin with.
case $MACHINE_ARCH in
amd64) KBUILD_ARCH=() CROSS='' RUST_TARGET=x86_64-unknown-linux-gnu ;;
arm64) KBUILD_ARCH=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-) CROSS=aarch64-linux-gnu- RUST_TARGET=aarch64-unknown-linux-gnu ;;
*) die "no such architecture: $MACHINE_ARCH (there are: amd64, arm64)" ;;
esac
