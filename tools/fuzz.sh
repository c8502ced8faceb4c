#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh replay TARGET...: run each fuzz target on the files of its corpus, tests/fuzz/corpus/NAME.
# fuzz.sh explore TARGET...: let libFuzzer look for more, FUZZ_SECONDS (60) for all of them together; what it
# finds to be new is kept beside the target, for the next time, and what ends a target in NAME-crash-*.
set -u

verb=$1
shift
share=$((${FUZZ_SECONDS:-60} / $#))
[ "$share" -gt 0 ] || share=1
failed=0

replay() {
	if ! said=$("$1" tests/fuzz/corpus/"$2"/* 2>&1); then
		echo "$said" >&2
		return 1
	fi
	echo "  FUZZ  $2: $(echo "$said" | wc -l) files"
}

explore() {
	found=$(dirname "$1")/found-$2
	log=$(dirname "$1")/$2.log
	mkdir -p "$found"
	status=0
	"$1" -max_total_time="$share" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$(dirname "$1")/$2-" "$found" tests/fuzz/corpus/"$2" >"$log" 2>&1 || status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	echo "  FUZZ  $2: ${runs:-?} executions in $share s, exit code $status"
	[ "$status" = 0 ] || grep -vE '^(#|stat::|INFO)' "$log" >&2
	return "$status"
}

for target; do
	name=$(basename "$target")
	case $verb in
	replay) replay "$target" "${name#fuzz_}" ;;
	explore) explore "$target" "${name#fuzz_}" ;;
	esac || failed=1
done
exit "$failed"
