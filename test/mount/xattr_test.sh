#!/bin/bash
# SPDX-License-Identifier: MIT
# Extended attributes tell what a file cannot: flags, UIDVALIDITY, special use.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

value() {
    within 10 getfattr --only-values -n "user.imap.$2" "$mnt/$1" 2>&1
}

words() {
    tr ' ' '\n' <<<"$1" | sort | xargs
}

server_start
"$MAILGEN" sample "$box"
imap 'SELECT INBOX' 'UID STORE 11 +FLAGS.SILENT (\Seen $Forwarded project-x)' 'SUBSCRIBE Sent' >/dev/null
uidvalidity=$(imap 'STATUS INBOX (UIDVALIDITY)' | sed -n 's/.*UIDVALIDITY \([0-9]*\).*/\1/p')
mount_start
same "system flags" '\Answered \Seen' "$(words "$(value INBOX/3.eml flags)")"
same "no flags" '' "$(value INBOX/7.eml flags)"
same "keywords" '$Forwarded \Seen project-x' "$(words "$(value INBOX/11.eml flags)")"
same "uid" 5 "$(value INBOX/5.eml uid)"
same "uidvalidity of a message" "$uidvalidity" "$(value INBOX/5.eml uidvalidity)"
same "uidvalidity of a mailbox" "$uidvalidity" "$(value INBOX uidvalidity)"
ok "internaldate" grep -F 2020 <<<"$(value INBOX/3.eml internaldate)"
ok "modseq is a number" grep -xE '[1-9][0-9]*' <<<"$(value INBOX/3.eml modseq)"
same "subscribed" 1 "$(value Sent subscribed)"
same "not subscribed" 0 "$(value Trash subscribed)"
list=$(within 10 getfattr "$mnt/INBOX/3.eml" 2>/dev/null | grep ^user | sort | xargs)
ok "the list of a message has the flags" grep -w user.imap.flags <<<"$list"
list=$(within 10 getfattr "$mnt/INBOX" 2>/dev/null | grep ^user | sort | xargs)
ok "the list of a mailbox has its uidvalidity" grep -w user.imap.uidvalidity <<<"$list"
ok "an unknown name" grep -q "No such attribute" <<<"$(within 10 getfattr -n user.nothing "$mnt/INBOX/3.eml" 2>&1)"
# Any other answer than EOPNOTSUPP makes ls ask again for each file.
ok "a foreign namespace" grep -q "Operation not supported" <<<"$(within 10 getfattr -n security.selinux "$mnt/INBOX/3.eml" 2>&1)"
ok "setting is refused" bash -c "! setfattr -n user.imap.flags -v x '$mnt/INBOX/3.eml' 2>/dev/null"
mount_stop
