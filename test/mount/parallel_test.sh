#!/bin/bash
# SPDX-License-Identifier: MIT
# Many readers at once, in orders of their own, while mail comes and goes.
. "$(dirname "$0")/lib.sh"

count=${COUNT:-300}

# Reads everything once, in an order made from the seed; prints what differs from the server's.
reader() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        within 60 cmp "$path" "$mnt/Bulk/$uid.eml" || echo "reader $1: $uid.eml"
    done < <(shuf --random-source=<(yes "$1") "$work/files")
}

lister() {
    local n
    while [ ! -e "$work/enough" ]; do
        n=$(within 30 ls "$mnt/Bulk" | wc -l)
        [ "$n" -ge "$count" ] || echo "a listing of only $n"
        within 30 find "$mnt" -type d >/dev/null || echo "find fails"
    done
}

visitor() {
    local i=0
    while [ ! -e "$work/enough" ]; do
        "$MAILGEN" one "$box/Bulk" $((1000 + i)) $((i += 1))
        imap 'SELECT Bulk' "UID STORE $((count + i)) +FLAGS.SILENT (\\Deleted)" EXPUNGE >/dev/null
    done
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" "$count" 11
mount_start max_threads=4 poll=1
within 30 ls "$mnt/Bulk" >/dev/null
server_files Bulk | awk -F '\t' -v n="$count" '$1 <= n' >"$work/files"
readers=()
for i in 1 2 3 4 5 6; do
    reader $i >"$work/reader.$i" 2>&1 &
    readers+=($!)
done
lister >"$work/lister" 2>&1 &
others=($!)
visitor >"$work/visitor" 2>&1 &
others+=($!)
wait "${readers[@]}"
touch "$work/enough"
wait "${others[@]}"
for i in 1 2 3 4 5 6; do
    same "reader $i finds every message right" "" "$(<"$work/reader.$i")"
done
same "no listing is short" "" "$(<"$work/lister")"
mount_stop
