#!/bin/sh
# Kafka's own tools read what we wrote. Usage: dump.sh <write_segments program>
# Fails when a file is misread, an index disagrees with its log or fewer records come out than went in.
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/../../.."
libs='.cache/kafka-4.3.1/libs/*'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" "$work/topic-0" > "$work/end"
dump() { java -cp "$libs" org.apache.kafka.tools.DumpLogSegments "$@" 2>&1; }
list() { ls "$work"/topic-0/*"$1" | paste -sd,; }

dump --deep-iteration --files "$(list .log)" > "$work/records"
records=$(grep -c '^| offset:' "$work/records")
[ "$records" -eq 1200 ] || { echo "records read: $records, written: 1200"; tail -5 "$work/records"; exit 1; }
if grep -q 'isvalid: false' "$work/records"; then echo 'a batch is not valid'; exit 1; fi
for suffix in .index .timeindex; do
  dump --index-sanity-check --files "$(list $suffix)" > "$work/sanity"
  passed=$(grep -c 'passed sanity check' "$work/sanity")
  [ "$passed" -eq "$(ls "$work"/topic-0/*$suffix | wc -l)" ] || { cat "$work/sanity"; exit 1; }
  dump --verify-index-only --files "$(list $suffix)" > "$work/verify"
  if grep -qiE 'mismatch|out of order|not found|exception' "$work/verify"; then cat "$work/verify"; exit 1; fi
done
dump --files "$(list .txnindex)" | grep -q 'producerId: 5' || { echo 'transaction index misread'; exit 1; }
echo "kafka-dump-log: $(ls "$work"/topic-0/*.log | wc -l) segments, $records records, indexes sound"
