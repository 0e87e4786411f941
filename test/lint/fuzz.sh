#!/bin/bash
# SPDX-License-Identifier: MIT
# fuzz.sh TARGET: a short run ($FUZZ_SECONDS, 20) of a fuzz target in the tree $CHECK_FUZZ, from its corpus.
set -eu

if [ -z "${CHECK_FUZZ:-}" ]; then
    echo "SKIPPED: no build tree with the fuzz targets in CHECK_FUZZ"
    [ "${CI:-}" = true ] && exit 1
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(cd "$(dirname "$0")/../fuzz" && pwd)/corpus
seeds=("$work")
for directory in "$corpus/$1" "$corpus/${1#fuzz_}"; do
    [ ! -d "$directory" ] || seeds+=("$directory")
done
cd "$work"
"$CHECK_FUZZ/test/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-20}" -max_len=65536 -timeout=5 -rss_limit_mb=1024 \
    -print_final_stats=1 "${seeds[@]}"
