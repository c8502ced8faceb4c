#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# grow.sh VM MOST: 256 MiB more for a guest with less than a quarter of its memory available, up to MOST MiB in all.
# For cron: it says nothing unless a person has to do something. Needs jq.
set -eu
vm=$1 most=$2

status=$(memhp --vm "$vm" --json status)
echo "$status" | jq -e --argjson most "$most" '.guest.mem_available < .guest.mem_total / 4 and
	.qemu.base_memory + .qemu.plugged_memory + 256 * 1048576 <= $most * 1048576' >/dev/null || exit 0

code=0
result=$(memhp --vm "$vm" --json --timeout 30 resize +256M 2>/dev/null) || code=$?
case $code in
0 | 5 | 6) ;; # 5 and 6: the guest refused or was busy, all is as it was, and the next run tries again
*) echo "$vm: $(echo "$result" | jq -r .error.message)" && exit "$code" ;;
esac
