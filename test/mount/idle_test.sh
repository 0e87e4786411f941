#!/bin/bash
# SPDX-License-Identifier: MIT
# Without NOTIFY: connections beside the first idle on the mailboxes in use, so that what happens in them shows at
# once, and looking asks the server nothing. With one or two connections they are polled.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

listing_is() {
    [ "$(cd "$mnt/$1" && within 10 ls | sort -n | tr '\n' ' ')" = "$2" ]
}

flags_have() {
    within 10 ls "$mnt/$1" >/dev/null && getfattr --only-values -n user.imap.flags "$mnt/$1/$2.eml" 2>/dev/null | grep -qF "$3"
}

# Those of the client so far. (IDLE is renewed every few minutes: not within this test.)
commands() {
    grep -cE '^[0-9]+ C: ' "$daemon_log"
}

idling() {
    [ "$(grep -cE '^[1-9][0-9]* C: [^ ]+ IDLE' "$daemon_log")" -ge "$1" ]
}

# soon WHAT COMMAND...: a change that the server knows by now shows within a second.
soon() {
    local what=$1 since
    shift
    since=$(now_ms)
    ok "$what" await 10 "$@"
    ok "    within 1 s" took 1000 "$since"
}

# Nothing has been asked for a while.
quiet() {
    local before
    before=$(commands)
    sleep 0.3
    [ "$(commands)" = "$before" ]
}

looks() {
    local end=$(($(now_ms) + $1)) name
    shift
    while [ "$(now_ms)" -lt "$end" ]; do
        for name; do
            within 10 ls "$mnt/$name" >/dev/null
        done
    done
}

server_start
for name in INBOX A B C D; do
    "$MAILGEN" bulk "$box/$name" 5 1
done
printf '#!/bin/bash\nexec "%s" -d "$@"\n' "$IMAPFS" >"$work/imapfs-d"
chmod +x "$work/imapfs-d"
plain=$IMAPFS IMAPFS=$work/imapfs-d

mount_start poll=3600 connections=4 disable=NOTIFY
five="1.eml 2.eml 3.eml 4.eml 5.eml "
for name in A B C; do
    ok "the listing of $name" listing_is $name "$five"
done
ok "two connections idle beside the first" await 15 idling 2
ok "then all is quiet" await 15 quiet

before=$(commands)
looks 2000 A B C
same "looking into three mailboxes asks the server nothing" "$before" "$(commands)"

imap 'SELECT INBOX' 'UID COPY 1 A' >/dev/null
soon "new mail in A" listing_is A "${five}6.eml "
imap 'SELECT INBOX' 'UID COPY 1 B' >/dev/null
soon "new mail in B" listing_is B "${five}6.eml "
imap 'SELECT A' 'UID STORE 2 +FLAGS.SILENT (\Flagged)' >/dev/null
soon "a flag in A" flags_have A 2 Flagged
imap 'SELECT B' 'UID STORE 3 +FLAGS.SILENT (\Answered)' >/dev/null
soon "a flag in B" flags_have B 3 Answered
imap 'SELECT A' 'UID STORE 1 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
soon "expunged mail in A" listing_is A "2.eml 3.eml 4.eml 5.eml 6.eml "
imap 'SELECT B' 'UID STORE 6 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
soon "expunged mail in B" listing_is B "$five"
imap 'SELECT INBOX' 'UID COPY 1 C' >/dev/null
soon "new mail in C" listing_is C "${five}6.eml "

ok "a body of a watched mailbox" within 10 cmp "$(server_files A | sed -n 's/^3\t//p')" "$mnt/A/3.eml"
ok "the listing of D" listing_is D "$five"
ok "and of another one" within 10 cmp "$(server_files D | sed -n 's/^3\t//p')" "$mnt/D/3.eml"
imap 'SELECT INBOX' 'UID COPY 2 A' >/dev/null
soon "new mail in A after that" listing_is A "2.eml 3.eml 4.eml 5.eml 6.eml 7.eml "
for name in A B C D; do
    ok "$name is what the server has" compare_mailbox $name
done
ok "at most four connections" test "$(server_processes imap | wc -l)" -le 4
mount_stop

IMAPFS=$plain
for connections in 1 2; do
    echo "--- connections=$connections"
    mount_start poll=1 connections=$connections disable=NOTIFY
    for name in A B C; do
        ok "$name" compare_mailbox $name
    done
    imap 'SELECT INBOX' 'UID COPY 3 A' 'UID COPY 3 B' 'UID COPY 3 C' >/dev/null
    for name in A B C; do
        ok "new mail in $name, by polling" await 15 compare_mailbox $name
    done
    imap 'SELECT A' 'UID STORE 3 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
    ok "expunged mail in A" await 15 compare_mailbox A
    mount_stop
done
