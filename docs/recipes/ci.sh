#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ci.sh: a job that tests something with and without 1 GiB of hotplugged memory, on a throw-away VM. Its exit code is
# that of the step that failed. Needs jq.
set -eu
memhp-lab start --quiet ci
trap 'memhp-lab stop --quiet ci' EXIT
trap 'exit 130' HUP INT TERM
MEMHP_QMP=$(memhp-lab path ci)/qmp.sock
export MEMHP_QMP

# The thing under test: here, whether the guest can fill a file of $1 MiB.
check() {
	memhp-lab ssh ci "mount -o remount,size=100% /tmp && dd if=/dev/zero of=/tmp/f bs=1M count=$1 2>&1 && rm /tmp/f"
}

check 100
memhp --json plug 1G >plug.json
jq -e '.guest.mem_total_after - .guest.mem_total_before == 1073741824' plug.json
check 500
memhp --json unplug --all >unplug.json || {
	code=$?
	jq -r .error.code unplug.json # such as guest-refused; the message is on stderr
	exit "$code"
}
check 100
