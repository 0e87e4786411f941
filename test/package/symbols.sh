#!/bin/bash
# SPDX-License-Identifier: MIT
# symbols.sh SHARED STATIC: the shared library exports what include/imap/*.h declares, all of it and nothing else;
# the static one has no name that could be in a program's way.
set -euo pipefail
cd "$(dirname "$0")/../.."
shared=$1 static=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The compiler lists what it saw declared and where: no parser of ours, no comment or macro to be misled by.
declared() {
    local header
    for header in include/imap/*.h; do
        echo "#include \"imap/$(basename "$header")\""
    done | gcc -std=c11 -Iinclude -fsyntax-only -aux-info "$work/aux" -x c -
    sed -n 's|^/\* include/imap/[^*]*\*/ extern [^(]*[ *]\([a-z0-9_]*\) (.*|\1|p' "$work/aux" | sort -u
}

declared >"$work/declared"
nm -D --defined-only "$shared" | awk '{ print $3 }' | sort -u >"$work/exported"
nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort -u >"$work/global"

bad=0
# complain WHAT: the names on stdin are wrong.
complain() {
    local names
    names=$(cat)
    [ -n "$names" ] || return 0
    echo "$1:"
    awk '{ print "    " $0 }' <<<"$names"
    bad=1
}

[ "$(wc -l <"$work/declared")" -ge 100 ] || complain "too few declarations were found" <"$work/declared"
complain "declared and not exported" < <(comm -23 "$work/declared" "$work/exported")
complain "exported and not declared" < <(comm -13 "$work/declared" "$work/exported")
complain "global in $static without our prefix" < <(grep -v '^imap_' "$work/global" || true)
echo "$(wc -l <"$work/declared") functions declared, $(wc -l <"$work/exported") symbols exported"
exit $bad
