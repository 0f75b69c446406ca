#!/bin/sh
# Compares the rounds of both sides, workload by workload; the worst exit status is this script's. A missed
# objective of the head is status 1 too. On GitHub all of it goes to the job's summary.
set -eu
folder=$1
shift
worst=0
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
for workload in "$@"; do
    status=0
    base="$folder/base-results/$workload" head="$folder/head-results/$workload"
    .venv/bin/pacemark compare "$base" "$head" --markdown >"$folder/$workload.md" || status=$?
    cat "$folder/$workload.md"
    cat "$folder/$workload.md" >>"$summary"
    if [ "$status" -gt "$worst" ]; then worst=$status; fi
    find "$head" -name summary.md 2>/dev/null | sort | tail -n 1 | while read -r last; do
        cat "$last" >>"$summary"
    done
done
if [ -e "$folder/head-missed" ]; then
    echo "the head missed an objective: see its reports in $folder/head-results" | tee -a "$summary"
    if [ "$worst" -lt 1 ]; then worst=1; fi
fi
exit "$worst"
