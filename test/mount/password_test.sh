#!/bin/bash
# SPDX-License-Identifier: MIT
# Where passwords come from, and the places where they must not be seen.
. "$(dirname "$0")/lib.sh"

# with_password OPTIONS STDIN: mounts in the foreground and reads a message.
with_password() {
    "$IMAPFS" -f -o "tls=none,cache_dir=$work/cache,$1" "imap://user@localhost:$IMAP_PORT/" "$mnt" \
        <<<"$2" >"$work/output" 2>&1 &
    daemon=$!
    if wait_for_mount; then
        ok "$3" within 10 grep -q Subject "$mnt/INBOX/1.eml"
        mount_stop
    else
        failed "$3: $(<"$work/output")"
        wait "$daemon"
        daemon=
    fi
}

server_start
"$MAILGEN" sample "$box"
printf '%s\nsecond line\n' "$IMAP_PASSWORD" >"$work/secret"
unset IMAPFS_PASSWORD
with_password "passcmd=cat $work/secret" "" "the first line of a command's output"
with_password "passcmd=printf %s $IMAP_PASSWORD" "" "a line without an end"
printf '%s\r\n' "$IMAP_PASSWORD" >"$work/secret.crlf"
with_password "passcmd=cat $work/secret.crlf" "" "a line that ends in CRLF"
with_password password_stdin "$IMAP_PASSWORD" "standard input"
export IMAPFS_PASSWORD=wrong
with_password password_stdin "$IMAP_PASSWORD" "standard input goes before the environment"
with_password "passcmd=cat $work/secret" "" "a command goes before the environment"
export IMAPFS_PASSWORD=$IMAP_PASSWORD
with_password poll=60 "" "the environment"
unset IMAPFS_PASSWORD

output=$(within 10 setsid "$IMAPFS" -o "tls=none,cache_dir=$work/cache" "imap://user@localhost:$IMAP_PORT/" "$mnt" 2>&1 </dev/null)
same "no password and no terminal is an error" 1 $?
same "in one line" 1 "$(wc -l <<<"$output")"

if command -v script >/dev/null; then
    (await 10 grep -qi password "$work/tty"; echo "$IMAP_PASSWORD"; await 10 is_mounted) | within 20 script -qfec \
        "'$IMAPFS' -o tls=none,cache_dir=$work/cache imap://user@localhost:$IMAP_PORT/ '$mnt'" /dev/null >"$work/tty" 2>&1
    ok "asked on the terminal" await 10 is_mounted
    ok "with a prompt" grep -qi password "$work/tty"
    ok "without an echo" bash -c "! grep -qF '$IMAP_PASSWORD' '$work/tty'"
    fusermount3 -u "$mnt"
fi

mount_url "imap://user@localhost:$IMAP_PORT/" tls=none
ok "not in the daemon's environment" bash -c "! tr '\0' '\n' <'/proc/$daemon/environ' | grep -qF '$IMAP_PASSWORD'"
mount_stop

IMAPFS_PASSWORD=$IMAP_PASSWORD "$IMAPFS" -d -o "tls=none,cache_dir=$work/cache" \
    "imap://user@localhost:$IMAP_PORT/" "$mnt" </dev/null >"$work/trace" 2>&1 &
daemon=$!
ok "mounts with -d" wait_for_mount
ok "the trace" within 10 ls "$mnt/INBOX"
mount_stop
ok "shows the commands" grep -qE 'UID FETCH|EXAMINE' "$work/trace"
ok "shows secrets as ***" grep -qF '***' "$work/trace"
ok "and neither the password" bash -c "! grep -qF '$IMAP_PASSWORD' '$work/trace'"
ok "nor its base64" bash -c "! grep -qF \"\$(printf '\0user\0%s' '$IMAP_PASSWORD' | base64)\" '$work/trace'"
