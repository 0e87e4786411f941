#!/bin/bash
# SPDX-License-Identifier: MIT
# Large messages: what is not asked for is not fetched, and readers get what has arrived.
. "$(dirname "$0")/lib.sh"

# sent SHELL-COMMAND: bytes that the server sent for it, beyond those of a mount and a listing.
sent() {
    local before
    rm -rf "$work/cache"
    before=$(server_sent)
    mount_start >&2
    within 20 ls -l "$mnt/INBOX" >/dev/null
    (cd "$mnt/INBOX" && within 60 bash -c "$1" >"$work/out") || failed "$1" >&2
    mount_stop >&2
    await 10 no_sessions || failed "sessions stay" >&2
    echo $(($(server_sent) - before - idle))
}

megabytes=50
server_start
"$MAILGEN" one "$box/INBOX" $((megabytes << 20)) 5
"$MAILGEN" one "$box/INBOX" 3000 6
idle=0
idle=$(sent true)
path=$(server_files INBOX | sed -n 's/^1\t//p')
bytes=$(sent "head -c 1000 1.eml")
ok "head of $megabytes MB moves $bytes bytes, at most 256 KiB" test "$bytes" -le $((256 << 10))
ok "and is right" cmp <(head -c 1000 "$path") "$work/out"
bytes=$(sent "head -n 20 1.eml; head -n 5 1.eml; head -c 5000 1.eml")
ok "more of the head moves $bytes bytes" test "$bytes" -le $((256 << 10))
bytes=$(sent "tail -c 1000 1.eml")
ok "its tail moves $bytes bytes" test "$bytes" -le $((1 << 20))
ok "and is right" cmp <(tail -c 1000 "$path") "$work/out"
bytes=$(sent "dd if=1.eml bs=1M skip=25 count=1 status=none")
ok "a piece in the middle moves $bytes bytes" test "$bytes" -le $((6 << 20))
ok "and is right" cmp <(dd if="$path" bs=1M skip=25 count=1 status=none) "$work/out"
bytes=$(sent "cat 1.eml")
ok "all of it" cmp "$path" "$work/out"
ok "moves $bytes bytes, hardly more than it has" test "$bytes" -le $(((megabytes << 20) + (512 << 10)))
bytes=$(sent "for i in 1 2 3 4; do cat 1.eml | cksum & done; wait")
ok "four readers at once move $bytes bytes, not four times as much" \
    test "$bytes" -le $(((megabytes << 20) + (6 << 20)))
same "and read the same" 1 "$(sort -u "$work/out" | wc -l)"
same "the right thing" "$(cksum <"$path")" "$(head -n 1 "$work/out")"
bytes=$(sent "grep -c harbour 1.eml 2.eml")
same "grep" "$(for uid in 1 2; do echo "$uid.eml:$(grep -c harbour "$(server_files INBOX | sed -n "s/^$uid\t//p")")"; done)" "$(<"$work/out")"
