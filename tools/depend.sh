#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# depend.sh PACKAGE...: install the Debian packages that are missing, and say so. Nothing else is touched.
set -eu

missing=
for package; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "depend.sh: this is no Debian or Ubuntu; install what these packages hold:$missing" >&2
	exit 1
fi
echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
# shellcheck disable=SC2086 # package names, one word each
install_missing() {
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install $missing >/dev/null
}
# lists may be absent or old: fetch them only when they do not do
install_missing 2>/dev/null || { $sudo apt-get -qq update && install_missing; }
