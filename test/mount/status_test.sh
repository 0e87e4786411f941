#!/bin/bash
# SPDX-License-Identifier: MIT
# What a mount tells of itself: .imapfs/status, imapfs status, and their exit codes.
. "$(dirname "$0")/lib.sh"

status=$mnt/.imapfs/status

# value KEY: what stands behind "KEY: ".
value() {
    within 5 sed -n "s/^$1: //p" "$status"
}

bytes_of() {
    value "$1" | sed 's/ bytes.*//'
}

# mailbox NAME: messages, state, by.
mailbox() {
    within 5 awk -v name="$1" '/^mailboxes:/ { seen = 1 } seen && $NF == name { print $1, $2, $3 }' "$status"
}

says() {
    # shellcheck disable=SC2053
    [[ $(value "$1") == $2 ]]
}

status_code() {
    within 20 "$IMAPFS" status "$@" >"$work/out" 2>"$work/err"
    echo $?
}

server_start
"$MAILGEN" bulk "$box/INBOX" 40 2
"$MAILGEN" one "$box/Other" 70000 5
"$MAILGEN" one "$box/.imapfs" 900 6
mount_start

echo "--- where it is"
same "a size before anybody has read it" yes "$([ "$(stat -c %s "$status")" -gt 500 ] && echo yes)"
same "it is not in a listing" "" "$(within 5 ls -a "$mnt" | grep -Fx .imapfs)"
same "nor found by find" "" "$(within 10 find "$mnt" -name '.imapfs*')"
same "nor by rsync" "" "$(within 20 rsync -an --out-format=%n "$mnt/" "$work/nowhere" | grep -F .imapfs)"
same "a mailbox of that name is there all the same" 1.eml "$(within 5 ls "$mnt/%2Eimapfs")"
ok "it is in the root alone" bash -c "! stat '$mnt/INBOX/.imapfs' 2>/dev/null"
same "the directory has the file" status "$(within 5 ls "$mnt/.imapfs")"
same "and both are private" "500 400" "$(stat -c %a "$mnt/.imapfs" "$status" | paste -sd' ')"
ok "it cannot be written" bash -c "! echo x 2>/dev/null >'$status'"
same "no extended attributes" "[] []" \
    "$(within 5 python3 -c 'import os, sys; print(*map(os.listxattr, sys.argv[1:]))' "$status" "$mnt/.imapfs")"
ok "there is nothing else" bash -c "! cat '$mnt/.imapfs/other' 2>/dev/null"

echo "--- how it is read"
within 5 cat "$status" >"$work/cat" || failed "cat"
same "its size is what was read" "$(wc -c <"$work/cat")" "$(stat -c %s "$status")"
for how in "cp $status $work/copy" "dd if=$status of=$work/copy bs=7 status=none" "head -c 1000000" "tail -n +1" "tail -n 999"; do
    case $how in
    cp* | dd*) within 5 $how ;;
    *) within 5 $how "$status" >"$work/copy" ;;
    esac
    same "all of it by $how" "$(sed -n '$p' "$work/cat")" "$(sed -n '$p' "$work/copy")"
    same "from its beginning" "state: connected" "$(head -n 1 "$work/copy")"
done
same "its last line by tail" "$(sed -n '$p' "$work/cat")" "$(within 5 tail -n 1 "$status")"
same "tar and rsync are content" "" "$( (within 5 tar -C "$mnt" -cf "$work/tar" .imapfs
    within 5 rsync -aX "$mnt/.imapfs" "$work/rsync") 2>&1)"
same "rsync has all of it" "$(sed -n '$p' "$work/cat")" "$(sed -n '$p' "$work/rsync/.imapfs/status")"
same "grep counts" 1 "$(within 5 grep -c '^account: imap://user@localhost' "$status")"
exec 8<"$status"
within 10 cat "$mnt/Other/1.eml" >/dev/null
exec 7<"$status"
same "an open one keeps its text" "$(stat -Lc %s /dev/fd/7)" "$(wc -c <&7)"
ok "whatever was opened since" grep -q '^state: connected' <&8
exec 7<&- 8<&-

echo "--- what it says"
mount_stop
rm -rf "$work/cache"
mount_start
within 10 ls "$mnt/Other" >/dev/null
within 10 ls "$mnt/INBOX" >/dev/null
ok "the number of messages, and that it is watched" await 10 bash -c "grep -qE '^ +40  current  idle .* INBOX$' '$status'"
same "NOTIFY tells of another one" "1 current notify" "$(mailbox Other)"
same "what was used last comes first" "INBOX Other" \
    "$(within 5 awk '/^ messages/ { n = 1; next } n && NF == 0 { exit } n { print $NF }' "$status" | paste -sd' ')"
ok "connection 0 idles there" await 10 grep -qE '^  0  idle .* INBOX$' "$status"
before=$(bytes_of received) sent=$(bytes_of sent)
within 10 cat "$mnt/INBOX/7.eml" >"$work/body"
ok "what was received grows by a message" test "$(bytes_of received)" -ge $((before + $(stat -c %s "$work/body")))
ok "what was sent grows, by less" test "$(bytes_of sent)" -gt "$sent"
ok "so does the cache" test "$(value cache | sed 's/ bytes.*//')" -ge "$(stat -c %s "$work/body")"
ok "that it was asked for" says opened '* [1-9]* asked for'
within 5 cat "$mnt/INBOX/7.eml" >/dev/null
ok "and once in the cache" says opened '1 in the cache, *'
ok "the store" says store "$work/cache/user@localhost_$IMAP_PORT.db, *"
same "no warnings" 0 "$(value 'last warnings')"
same "exit code when connected" 0 "$(status_code "$mnt")"
same "it prints the text" "state: connected" "$(head -n 1 "$work/out")"
sed 's/^/    /' "$work/out"
same "and nothing else" "" "$(<"$work/err")"
same "a slash at the end does no harm" 0 "$(status_code "$mnt/")"

echo "--- a server that stands still"
server_stall
(cd "$mnt" && exec timeout 10 cat Other/.none INBOX/9.eml >/dev/null 2>&1) &
reader=$!
ok "a request waits" await 5 grep -q '^requests waiting: [1-9]' "$status"
at_once() {
    local since
    since=$(now_ms)
    within 5 cat "$status" >/dev/null
    took 100 "$since"
}
ok "it is told at once all the same" await 5 at_once # the machine may be busy: once is enough
ok "how long the server has been silent" await 10 grep -q '^server silent: ' "$status"
server_continue
wait $reader

echo "--- no server"
server_stop
ok "the account cannot be reached" await 30 says state unreachable
ok "why" await 20 says error '*localhost*'
ok "when it is tried again" await 10 grep -qE '^next attempt: in [0-9]+ s' "$status"
ok "the log has it" grep -q 'warning: the server cannot be reached' "$status"
same "exit code" 3 "$(status_code "$mnt")"
same "and the text" "state: unreachable" "$(head -n 1 "$work/out")"

echo "--- no such mount"
same "a directory" "1 no" "$(status_code "$work") $(grep -c "no imapfs is mounted on $work" "$work/err" | sed 's/1/no/')"
mkdir -p "$work/fake/.imapfs" && echo "state: connected" >"$work/fake/.imapfs/status"
same "one that looks like it" 1 "$(status_code "$work/fake")"
same "nothing" 1 "$(status_code "$work/nothing")"
ok "which is said" grep -q 'nothing: No such file' "$work/err"
same "no argument" 2 "$(status_code)"
same "too many" 2 "$(status_code "$mnt" "$mnt")"
same "an option" 2 "$(status_code -x)"
same "help" 0 "$(status_code --help)"
if [ "$(id -u)" = 0 ]; then
    setpriv --reuid nobody --clear-groups --inh-caps=-all "$IMAPFS" status "$mnt" >"$work/out" 2>"$work/err"
    same "another user" 1 $?
    ok "which is said" grep -q "is another user's" "$work/err"
fi
kill -STOP "$daemon"
same "a daemon that does not answer" 1 "$(status_code "$mnt")"
ok "which is said" grep -q 'does not answer' "$work/err"
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
daemon=
same "a dead one" 1 "$(status_code "$mnt")"
ok "which is said" grep -q 'is dead' "$work/err"
