#!/bin/bash
# SPDX-License-Identifier: MIT
# A server that stands still: who waits can be killed at once, and every wait ends by its deadline.
. "$(dirname "$0")/lib.sh"

waits_in_fuse() {
    grep -q -e request_wait_answer -e fuse -e folio_wait -e page "/proc/$1/wchan"
}

# Where the kernel does not say what a process waits for, a moment must do.
cat /proc/self/wchan >/dev/null 2>&1 || waits_in_fuse() { sleep 0.3; }

# killed WHAT COMMAND...: it waits for the server; kill -9 ends it within 100 ms.
killed() {
    local what=$1 pid begin
    shift
    : >"$work/out"
    "$@" >"$work/out" 2>/dev/null &
    pid=$!
    if ! await 2 waits_in_fuse $pid; then
        failed "$what does not wait for the file system"
    fi
    begin=$(now_ms)
    kill -KILL $pid
    wait $pid 2>/dev/null
    ok "kill -9 of $what" took 100 "$begin"
}

# ends WHAT COMMAND...: fails by the deadline of 3 s, or two of them: a page whose read-ahead failed is asked for
# again by the kernel, and a listing gets as long again when the answers keep coming.
ends() {
    local what=$1 begin output
    shift
    begin=$(now_ms)
    if output=$(within 15 "$@" 2>&1 >/dev/null); then
        failed "$what succeeds"
    else
        ok "$what: ${output##*: }" took 7000 "$begin"
    fi
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 50 3
"$MAILGEN" one "$box/Large" 20000000
mount_start timeout=3 poll=1
within 10 cat "$mnt/INBOX/1.eml" >/dev/null
within 10 ls -l "$mnt/Bulk" "$mnt/Large" >/dev/null
within 10 head -c 100 "$mnt/Large/1.eml" >/dev/null
server_stall
begin=$(now_ms)
ok "a message read before" within 2 grep -q Subject "$mnt/INBOX/1.eml"
ok "what is known of a message" within 2 stat "$mnt/INBOX/2.eml"
ok "statfs" within 2 stat -f "$mnt"
ok "all of it at once" took 1500 "$begin"
killed "cat" cat "$mnt/Bulk/1.eml"
killed "a cat of many" cat "$mnt/Bulk/2.eml" "$mnt/Bulk/3.eml"
killed "tail" tail -c 10 "$mnt/Large/1.eml"
killed "ls of a mailbox never listed" ls "$mnt/Archive/2019"
killed "stat in a mailbox never listed" stat "$mnt/Trash/1.eml"
ends "cat" cat "$mnt/Bulk/4.eml"
ends "reading on" cat "$mnt/Large/1.eml"
ends "ls of a mailbox never listed" ls "$mnt/Lists/imap"
ends "stat in a mailbox never listed" stat "$mnt/Sent/1.eml"
ok "then the server is known to be away" await 10 grep -q 'cannot be reached' "$daemon_log"
same "and a mailbox listed long ago is listed as it was" 50 "$(within 10 ls "$mnt/Bulk/" | wc -l)"
readers=()
begin=$(now_ms)
for i in {10..20}; do
    cat "$mnt/Bulk/$i.eml" >/dev/null 2>&1 &
    readers+=($!)
done
for pid in "${readers[@]}"; do
    wait "$pid" && failed "a reader of many succeeds"
done
ok "many readers end together" took 7000 "$begin"
server_continue
ok "then the server goes on, and so does the mount" await 20 cat "$mnt/Bulk/5.eml"
ok "with the right bytes" compare_mailbox Bulk
mount_stop

# Ctrl-C is for all programs that do not ignore it.
mount_start timeout=60 "cache_dir=$work/cold"
within 10 ls "$mnt/Bulk" >/dev/null
server_stall
timeout -s INT 1 cat "$mnt/Bulk/30.eml" >/dev/null 2>&1
same "an interrupted cat ends by the signal" 124 $?
begin=$(now_ms)
fusermount3 -u "$mnt"
ok "unmounting while the server stands still" await 10 daemon_ended
ok "ends soon" took 8000 "$begin"
kill -KILL "$daemon" 2>/dev/null
daemon=
