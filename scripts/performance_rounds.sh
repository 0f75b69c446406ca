#!/bin/sh
# Runs the base's and this checkout's Pacemark in turn, each with its own embedded gateway, on this machine.
# An objective that the head misses (status 1) is kept for performance_compare.sh; an invalid run (status 3)
# says nothing, and ends it.
set -eu
folder=$1 rounds=$2
shift 2
rm -f "$folder/head-missed"

run() { # SIDE PACEMARK WORKLOAD...
    side=$1 pacemark=$2
    shift 2
    echo "round $round: $side"
    status=0
    "$pacemark" run "$@" --embedded --scale ci --out "$folder/$side-results" || status=$?
    if [ "$status" -gt 1 ]; then exit "$status"; fi
    if [ "$status" -eq 1 ]; then touch "$folder/$side-missed"; fi
}

round=1
while [ "$round" -le "$rounds" ]; do
    run base "$folder/base/.venv/bin/pacemark" "$@"
    run head .venv/bin/pacemark "$@"
    round=$((round + 1))
done
