#!/bin/bash
# SPDX-License-Identifier: MIT
# surface_sum.sh DIR: after the surface tests, one table of what the client library can do and how it was exercised.
# Fails for a row that was not, and for one that was but is not in the list. DIR holds what the tests wrote down.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1

for server in Dovecot Cyrus fakeserver; do
    if [ ! -s "$dir/$server.rows" ]; then
        echo "SKIPPED: nothing was exercised on $server (see its surface test)"
        [ "${CI:-}" != true ] || exit 1
        exit 77
    fi
done

# A file that shows a row has to exist, and to hold the word.
check_files() {
    local row kind file word bad=0
    while IFS=$'\t' read -r row kind file word; do
        [ "$kind" = file ] || continue
        if ! grep -qF -- "$word" "$here/../$file"; then
            echo "GAP: $row: test/$file does not show $word"
            bad=1
        fi
    done <"$here/surface_rows.txt"
    return $bad
}

sum() {
    sort -u "$dir"/{Dovecot,Cyrus,fakeserver}.rows | awk -F '\t' '
        FNR == NR { ways[$1, $2] = ways[$1, $2] (ways[$1, $2] ? "+" : "") $3; any[$1, $2 == "fakeserver", $3] = 1; seen[$1] = 1; next }
        /^#/ || NF == 0 { next }
        {
            listed[$1] = 1
            how = ""
            for (i = 1; i <= split("Dovecot Cyrus fakeserver", servers, " "); i++)
                if (($1, servers[i]) in ways)
                    how = how (how ? "; " : "") servers[i] " " ways[$1, servers[i]]
            if ($2 == "file")
                how = how (how ? "; " : "") "test/" $3
            blocking = ($1, $2 == "fake", "blocking") in any
            callback = ($1, $2 == "fake", "callback") in any
            shown = $2 == "file" || ($2 == "callback" && callback) || (blocking && callback)
            shown = shown || ($2 == "directly" && (($1, 0, "directly") in any))
            if (!shown) {
                how = how (how ? " " : "") "GAP: wanted " $2
                bad = 1
            }
            printf "%-28s %s\n", $1, how
        }
        END {
            for (row in seen)
                if (!(row in listed)) {
                    printf "GAP: %s was exercised, but surface_rows.txt does not list it\n", row
                    bad = 1
                }
            exit bad
        }' - "$here/surface_rows.txt"
}

bad=0
sum || bad=1
check_files || bad=1
exit $bad
