#!/bin/bash
# SPDX-License-Identifier: MIT
# The server goes away and comes back: what is cached stays readable, the rest fails, then all works again.
. "$(dirname "$0")/lib.sh"

# fails WHAT COMMAND...: within the deadline of 4 s, with a word on the connection.
fails() {
    local what=$1 begin output
    shift
    begin=$(now_ms)
    if output=$(within 20 "$@" 2>&1 >/dev/null); then
        failed "$what succeeds"
    else
        ok "$what: ${output##*: }" took 6000 "$begin"
        ok "which is clear" grep -qE 'No route to host|timed out|refused|unreachable' <<<"$output"
    fi
}

all_is_well() {
    local mailbox
    while read -r mailbox; do
        compare_mailbox "$mailbox" || return 1
    done < <(mailboxes)
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 200 3
export DOVECOT_PORT=$IMAP_PORT
mount_start timeout=4 poll=1
within 20 ls -lR "$mnt" >/dev/null
within 20 cat "$mnt/INBOX"/*.eml >/dev/null
server_stop
ok "what was read stays readable" within 10 grep -q Subject "$mnt/INBOX/1.eml"
fails "what was not" cat "$mnt/Bulk/100.eml"
same "a listing is what it was" 200 "$(within 10 ls "$mnt/Bulk" | wc -l)"
ok "statfs" within 2 stat -f "$mnt"
server_start
ok "the server comes back" await 30 cat "$mnt/Bulk/100.eml"
ok "and everything is right" all_is_well

# Connections cut in the middle of things, again and again.
mount_stop
mount_start timeout=20
within 20 ls "$mnt/Bulk" >/dev/null
(for _ in {1..8}; do
    server_processes imap | xargs -r kill -KILL 2>/dev/null
    sleep 0.1
done) &
killer=$!
# A read may fail then; what it must not do is succeed with other bytes.
while IFS=$'\t' read -r uid path; do
    if within 30 cat "$mnt/Bulk/$uid.eml" >"$work/out" 2>/dev/null; then
        cmp "$path" "$work/out" || failed "wrong bytes of $uid.eml"
    fi
done < <(server_files Bulk)
wait $killer
ok "after the cuts everything is right" await 20 all_is_well
mount_stop
