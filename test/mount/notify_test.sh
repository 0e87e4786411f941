#!/bin/bash
# SPDX-License-Identifier: MIT
# NOTIFY: what happens in mailboxes that are not selected shows within a second, and looking at them asks nothing.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

# Its trace tells which commands were sent.
cat >"$work/imapfs" <<END
#!/bin/sh
exec "$IMAPFS" -d "\$@"
END
chmod 755 "$work/imapfs"
IMAPFS=$work/imapfs

commands() {
    grep -cE '^[0-9]+ C: a[0-9]+ ' "$daemon_log"
}

idling() {
    [[ $(grep '^0 C: ' "$daemon_log" | tail -n 1) == *" IDLE" ]]
}

# Nothing is asked any more, whatever is selected.
settled() {
    local before
    before=$(commands)
    sleep 1.2 # Dovecot is slow to tell of names
    [ "$before" = "$(commands)" ]
}

# shows LIMIT_MS COMMAND...: a loop finds it true in time.
shows() {
    local limit=$1 since
    since=$(now_ms)
    shift
    until "$@" >/dev/null 2>&1; do
        took "$limit" "$since" || return 1
        sleep 0.02
    done
}

listing_is() {
    [ "$(cd "$mnt/$1" && within 10 ls | sort -n | tr '\n' ' ')" = "$2" ]
}

has_flag() {
    within 5 getfattr --only-values -n user.imap.flags "$mnt/$1" | grep -qwF "$2"
}

# A second client that stays: Dovecot 2.3 tells of a mailbox that was deleted only while the session that did it lasts.
stay() {
    coproc other { "$dovecot" tunnel "$work/s" user 2>/dev/null; }
    exec {to_other}>&"${other[1]}"
}

say() {
    printf 'b %s\r\n' "$1" >&"$to_other"
}

append() {
    imap "APPEND $1 {16+}"$'\r\n'$'Subject: x\r\n\r\nhi' >/dev/null
}

there() {
    within 5 ls "$mnt" | grep -qx "$1"
}

is_subscribed() {
    [ "$(within 5 getfattr --only-values -n user.imap.subscribed "$mnt/$1")" = 1 ]
}

gone() {
    ! there "$1"
}

# told WHAT LINE COMMAND...: once the server has said the line a look finds it true within 1 s. Dovecot 2.3 keeps
# some to itself when a mailbox is renamed, and may damage its own list of mailboxes then and fall silent.
told() {
    local what=$1 line=$2
    shift 2
    if await 10 grep -qF "$line" "$daemon_log"; then
        ok "$what" shows 1000 "$@"
    elif [[ $line == *OLDNAME* ]] || grep -q 'Corrupted mailbox list index' "$IMAP_LOG"; then
        echo "SKIPPED: $what: Dovecot has not told of it"
    else
        failed "$what: Dovecot does not tell"
    fi
}

# The machine may be busy: one of three in time is proof enough that nothing waits for longer by design.
new_mail_in_time() {
    local n=6
    while [ $n -le 8 ]; do
        append Elsewhere
        if shows 1000 test -e "$mnt/Elsewhere/$n.eml"; then
            return 0
        fi
        await 10 test -e "$mnt/Elsewhere/$n.eml" || return 1
        n=$((n + 1))
    done
    return 1
}

kept=0
server_start
"$MAILGEN" bulk "$box/Elsewhere" 5 1
"$MAILGEN" bulk "$box/Here" 5 2
"$MAILGEN" bulk "$box/INBOX" 5 3
"$MAILGEN" bulk "$box/Nudged" 1 4
mount_start poll=3600
ok "a mailbox" listing_is Elsewhere "1.eml 2.eml 3.eml 4.eml 5.eml "
ok "another one, which is watched" listing_is Here "1.eml 2.eml 3.eml 4.eml 5.eml "
ok "that connection 0 idles on" await 10 idling
ls "$mnt/Elsewhere/6.eml" 2>/dev/null && failed "6.eml is there too early"
ok "new mail where nobody idles shows within 1 s" new_mail_in_time


within 10 ls "$mnt/Here" "$mnt/INBOX" >/dev/null
ok "(another mailbox is selected)" await 10 idling
imap 'SELECT Elsewhere' 'UID STORE 2 +FLAGS.SILENT (\Flagged)' >/dev/null
ok "flags" shows 5000 has_flag Elsewhere/2.eml '\Flagged'
within 10 ls "$mnt/INBOX" >/dev/null
imap 'SELECT Elsewhere' 'UID STORE 3 +FLAGS.SILENT (\Deleted)' EXPUNGE >/dev/null
ok "an expunge" shows 5000 bash -c "! ls '$mnt/Elsewhere' | grep -qx 3.eml"
ok "nor is it found by name" shows 5000 bash -c "! test -e '$mnt/Elsewhere/3.eml'"
test -e "$mnt/Made" && failed "a mailbox is there too early"
stay
say 'CREATE Made'
told "a mailbox that was created" '* LIST () "/" Made' there Made
ok "and found by name, once absent" shows 1000 test -d "$mnt/Made"
say 'APPEND Made {16+}'
printf 'Subject: x\r\n\r\nhi\r\n' >&"$to_other"
ok "and mail in it" shows 5000 test -e "$mnt/Made/1.eml"
say 'SUBSCRIBE Made'
told "a subscription" '* LIST (\Subscribed) "/" Made' is_subscribed Made
say 'CREATE Doomed'
told "(a mailbox to be deleted)" '* LIST () "/" Doomed' there Doomed
say 'DELETE Doomed'
told "a mailbox that was deleted" '* LIST (\NonExistent) "/" Doomed' gone Doomed
test -e "$mnt/Renamed" && failed "a mailbox is there too early"
say 'RENAME Made Renamed'
for _ in 1 2 3 4; do # or else Dovecot may not tell
    grep -qF OLDNAME "$daemon_log" && break
    sleep 1
    append Nudged
done
told "a mailbox that was renamed" '* LIST () "/" Renamed ("OLDNAME" (Made))' test -e "$mnt/Renamed/1.eml"
told "is not there by its old name" '("OLDNAME" (Made))' gone Made

ok "(all is done)" await 10 settled
before=$(commands)
for _ in 1 2 3 4 5 6 7 8 9 10; do
    within 10 ls -l "$mnt" "$mnt/Elsewhere" "$mnt/Here" "$mnt/INBOX" >/dev/null || failed "listing"
done
same "looking at all of them sends nothing" "$before" "$(commands)"
mount_stop

# A remount: what has not changed is proven by NOTIFY itself.
mv "$daemon_log" "$daemon_log.$((kept += 1))"
mount_start poll=1
sleep 1.2 # what the store knows is older than the poll time
ok "the listing of then" listing_is Here "1.eml 2.eml 3.eml 4.eml 5.eml "
within 10 ls -l "$mnt" "$mnt/Elsewhere" "$mnt/INBOX" >/dev/null
same "takes no FETCH" 0 "$(grep -cE '^[0-9] C: a[0-9]+ UID FETCH' "$daemon_log")"
ok "and one SELECT, to watch the first of them" \
    test "$(grep -cE '^[0-9] C: a[0-9]+ EXAMINE' "$daemon_log")" -le 1
append Here
ok "and is watched" shows 5000 test -e "$mnt/Here/6.eml"
mount_stop

# Other clients' changes while it is not mounted.
append Here
imap 'CREATE Later' >/dev/null
mount_start poll=3600
ok "what has changed meanwhile" listing_is Here "1.eml 2.eml 3.eml 4.eml 5.eml 6.eml 7.eml "
ok "and a mailbox made meanwhile" there Later
mount_stop

# Without it, as before.
mv "$daemon_log" "$daemon_log.$((kept += 1))"
mount_start poll=1 disable=NOTIFY
within 10 ls "$mnt/Elsewhere" "$mnt/Here" >/dev/null
append Elsewhere
ok "without NOTIFY it is polled" await 15 test -e "$mnt/Elsewhere/9.eml" -o -e "$mnt/Elsewhere/7.eml"
same "nor is it asked for" 0 "$(grep -cE '^0 C: a[0-9]+ NOTIFY' "$daemon_log")"
mount_stop
[ $failures = 0 ]
