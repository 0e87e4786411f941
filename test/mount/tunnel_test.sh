#!/bin/bash
# SPDX-License-Identifier: MIT
# A command instead of a network connection: PREAUTH needs no password, and no process is left behind.
. "$(dirname "$0")/lib.sh"


sessions_ended() {
    local environ
    for environ in /proc/[0-9]*/environ; do
        ! tr '\0' '\n' <"$environ" 2>/dev/null | grep -qxF "HOME=$work/s/home/user" || return 1
    done
}

server_start
"$MAILGEN" sample "$box"
server_stop # none is needed
mount_url imap://user@anywhere.invalid/ "tunnel=$dovecot tunnel $work/s user 2>/dev/null"
while read -r mailbox; do
    within 20 ls "$mnt/$mailbox" >/dev/null
    ok "bytes of $mailbox" compare_mailbox "$mailbox"
done < <(mailboxes)
cat /proc/"$daemon"/task/*/children | xargs -r kill -KILL
ok "new tunnels replace those that died" await 20 cat "$mnt/Trash/1.eml"
ok "also for what was not read before" within 20 ls "$mnt/Sent"
mount_stop
ok "no session is left" await 10 sessions_ended

server_start
mount_url imap://user@localhost/ "tunnel=bash -c 'exec 3<>/dev/tcp/127.0.0.1/$IMAP_PORT; cat <&3 & exec cat >&3'"
ok "a tunnel that wants a login" compare_mailbox INBOX
mount_stop
