#!/bin/bash
# SPDX-License-Identifier: MIT
# A burst of which the server refuses some: exactly those are still there, and exactly their callers are told so; or, with
# IMAPFS_OPTIONS=writeback, who asks for the status once the mount has caught up.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
refused="3 14 15 37 64 65 98"
src=$work/src

# UIDs of a mailbox, as the server's files say, on one line.
uids() {
    server_files "$1" | cut -f 1 | paste -sd ' '
}

# What the server has of these numbers in the text of the messages.
numbers_in() {
    sed -n 's/^Subject: number \([0-9]*\)\r*$/\1/p' "$box/$1"/{cur,new}/* 2>/dev/null | sort -n | paste -sd ' '
}

writeback() {
    [[ ,${IMAPFS_OPTIONS:-}, == *,writeback,* ]]
}

# named PATTERN: the numbers {} of which the status names this file.
named() {
    local n text
    within 60 sync -f "$mnt" 2>/dev/null
    text=$("$IMAPFS" status "$mnt")
    for n in {1..100}; do
        ! grep -qwF "${1/\{\}/$n}" <<<"$text" || echo "$n"
    done
}

# burst COMMAND...: ten processes at once, each with one message at a time; $work/said is what they said. In $failed are
# those whose process failed, or that the status names.
burst() {
    seq 1 100 | within 60 xargs -P 10 -I '{}' bash -c '"$@" 2>>"$0/said" || echo {} >>"$0/failed"' "$work" "$@"
    local name=${*: -1}
    [[ $name == *"{}"* ]] || name=$2
    ! writeback || named "${name##*/}" >>"$work/failed"
    failed=$(sort -nu "$work/failed" | paste -sd ' ')
    rm -f "$work/failed"
}

kept() {
    diff <(seq 1 100) <(tr ' ' '\n' <<<"$refused") | sed -n 's/^< //p' | paste -sd ' '
}

server_start
"$MAILGEN" bulk "$box/Removed" 100 1
"$MAILGEN" bulk "$box/Moved" 100 2
"$MAILGEN" bulk "$box/Copied" 100 2
"$MAILGEN" bulk "$box/Many" 100 3
"$MAILGEN" bulk "$box/Target" 1 3
mkdir "$src"
for n in {1..100}; do
    printf 'Subject: number %d\r\nX-Token: number-%d-\r\n\r\n%s\r\n' "$n" "$n" "line of number $n" >"$src/$n.eml"
done
rules=()
for mailbox in Removed Moved Copied Many; do
    rules+=(--refuse "$mailbox:${refused// /,}")
done
for n in $refused; do
    rules+=(--refuse-text "number-$n-")
done
python3 "$top/test/support/lineproxy.py" "${rules[@]}" "$IMAP_PORT" >"$work/proxy.port" 2>"$work/proxy.log" &
await 5 test -s "$work/proxy.port" || failed "no proxy: $(<"$work/proxy.log")"
mount_url "imap://user@localhost:$(<"$work/proxy.port")/" tls=none rw ${IMAPFS_OPTIONS:+"$IMAPFS_OPTIONS"}
cd "$mnt" || exit 1
within 20 ls Removed Moved Copied Many Target >/dev/null

echo "--- rm"
within 20 ls Removed >/dev/null
burst rm "Removed/{}.eml"
same "who was refused was told so" "$refused" "$failed"
writeback || same "with the reason that there is" 7 "$(grep -c ": Permission denied" "$work/said")"
same "the server has these, and no other" "$refused" "$(uids Removed)"
same "and the mount shows them" "$refused" "$(ls Removed | sed 's/\.eml//' | sort -n | paste -sd ' ')"
within 60 bash -c 'rm -f Many/*.eml' 2>"$work/said" && ! writeback && failed "rm of all by one process succeeds"
! writeback || within 60 sync -f "$mnt" 2>/dev/null
writeback || same "one process is told of each" 7 "$(grep -c "cannot remove" "$work/said")"
same "the server has these, and no other" "$refused" "$(uids Many)"
: >"$work/said"

echo "--- mv"
before=$(server_files Target | wc -l)
burst mv "Moved/{}.eml" Target/
same "who was refused was told so" "$refused" "$failed"
same "these are still there" "$refused" "$(uids Moved)"
same "the others are where they were moved to" $((before + 93)) "$(server_files Target | wc -l)"

echo "--- ln"
before=$(server_files Target | wc -l)
burst ln "Copied/{}.eml" "Target/copy{}.eml"
same "who was refused was told so" "$refused" "$failed"
same "all are still there" 100 "$(server_files Copied | wc -l)"
same "those that were not refused are copied" $((before + 93)) "$(server_files Target | wc -l)"

echo "--- cp into the mount"
mkdir New || failed "mkdir"
burst cp "$src/{}.eml" "New/m{}.eml"
same "who was refused was told so" "$refused" "$failed"
same "the server has all others, once" "$(kept)" "$(numbers_in New)"
for n in $refused; do
    ok "number $n can be read where it was written" cmp "$src/$n.eml" "New/m$n.eml"
    ok "and the log names it" grep -q "m$n.eml" "$daemon_log"
done
same "the listing shows all" 100 "$(ls New | wc -l)"
rsync -a "$src/" Synced/ 2>"$work/said"
status=$?
writeback || ok "rsync is told that some were refused" [ $status = 23 ]
! writeback || within 60 sync -f "$mnt" 2>/dev/null
same "brings those that can be" "$(kept)" "$(numbers_in Synced)"
cd / || exit 1
mount_stop
