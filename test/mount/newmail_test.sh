#!/bin/bash
# SPDX-License-Identifier: MIT
# What happens on the server shows in the mount: new mail, expunged mail, flags, new and deleted mailboxes.
. "$(dirname "$0")/lib.sh"

listing_is() {
    [ "$(cd "$mnt/$1" && within 10 ls | sort -n | tr '\n' ' ')" = "$2" ]
}

# changes MAILBOX: mail comes and goes in a mailbox with 1.eml to 5.eml; the kernel's caches are warm.
changes() {
    local mailbox=$1
    listing_is "$mailbox" "1.eml 2.eml 3.eml 4.eml 5.eml " || failed "the listing of $mailbox at first"
    within 10 cat "$mnt/$mailbox"/*.eml >/dev/null
    ls "$mnt/$mailbox/6.eml" 2>/dev/null && failed "6.eml is there too early"
    "$MAILGEN" one "$box/$mailbox" 5000
    ok "new mail in $mailbox is listed" await 15 listing_is "$mailbox" "1.eml 2.eml 3.eml 4.eml 5.eml 6.eml "
    ok "and its name can be looked up, once absent" within 10 test -f "$mnt/$mailbox/6.eml"
    ok "and read" within 10 grep -q 'Subject: one' "$mnt/$mailbox/6.eml"
    imap "SELECT \"$mailbox\"" 'UID STORE 2:3,6 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
    ok "expunged mail of $mailbox is no longer listed" await 15 listing_is "$mailbox" "1.eml 4.eml 5.eml "
    ok "nor found" await 5 bash -c "! stat '$mnt/$mailbox/3.eml'"
    ok "what stays can be read" within 10 cat "$mnt/$mailbox/4.eml"
}


server_start
"$MAILGEN" bulk "$box/INBOX" 5 1
"$MAILGEN" bulk "$box/Watched" 5 2
"$MAILGEN" bulk "$box/Polled" 5 3
"$MAILGEN" bulk "$box/Doomed" 2 4
# Dovecot does not see files put into a mailbox that nobody has selected, so it cannot tell of them.
mount_start poll=1 disable=NOTIFY
changes Watched
changes Polled
changes INBOX

imap 'SELECT INBOX' 'UID STORE 1 FLAGS.SILENT (\Answered \Flagged)' >/dev/null
ok "flags that another client set" await 10 bash -c "ls '$mnt/INBOX' && getfattr --only-values -n user.imap.flags '$mnt/INBOX/1.eml' | grep -F Flagged"

within 10 ls -R "$mnt" >/dev/null
imap 'CREATE Added/Below' 'DELETE Doomed' 'RENAME Polled Renamed' >/dev/null
ok "a mailbox created elsewhere" await 10 bash -c "ls '$mnt' | grep -x Added && ls '$mnt/Added' | grep -x Below"
ok "a mailbox deleted elsewhere" await 10 bash -c "! ls '$mnt' | grep -x Doomed"
ok "a mailbox renamed elsewhere" await 10 bash -c "ls '$mnt/Renamed/4.eml' && ! ls '$mnt' | grep -x Polled"
mount_stop

# Without polling the mailbox listed last is current all the same: it is watched.
mount_start poll=3600
within 10 ls "$mnt/Watched" >/dev/null
"$MAILGEN" one "$box/Watched" 5000
ok "a watched mailbox needs no polling" await 15 listing_is Watched "1.eml 4.eml 5.eml 7.eml "
rm "$(server_files Watched | sed -n 's/^4\t//p')"
ok "a file gone from the Maildir" await 15 listing_is Watched "1.eml 5.eml 7.eml "

# The mailbox is deleted and made again: other UIDVALIDITY, other messages, the same names.
within 10 cat "$mnt/Watched/1.eml" >/dev/null
inode=$(stat -c %i "$mnt/Watched/1.eml")
imap 'DELETE Watched' 'CREATE Watched' >/dev/null
"$MAILGEN" one "$box/Watched" 3333 99
again() {
    listing_is Watched "1.eml " && [ "$(within 10 stat -c %s "$mnt/Watched/1.eml")" = 3333 ] && compare_mailbox Watched
}
mount_stop
mount_start poll=1
ok "a mailbox made again has its own messages" await 15 again
ok "and its own inode numbers" test "$inode" != "$(stat -c %i "$mnt/Watched/1.eml")"
mount_stop
