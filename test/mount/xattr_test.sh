#!/bin/bash
# SPDX-License-Identifier: MIT
# Extended attributes tell what a file cannot: flags, UIDVALIDITY, special use.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

value() {
    within 10 getfattr --absolute-names --only-values -n "user.imap.$2" "$mnt/$1" 2>&1
}

words() {
    tr ' ' '\n' <<<"$1" | sort | paste -sd ' '
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
modseq=$(imap "EXAMINE INBOX" "UID FETCH 3 (MODSEQ)" | sed -n "s/.*MODSEQ (\([0-9]*\)).*/\1/p")
same "modseq" "$modseq" "$(value INBOX/3.eml modseq)"
ok "modseq is a number" grep -qE "^[1-9][0-9]*$" <<<"$modseq"
same "subscribed" 1 "$(value Sent subscribed)"
same "not subscribed" 0 "$(value Trash subscribed)"
# What is listed is copied by rsync -X and tar: flags belong to a message wherever it is, the rest does not.
same "listed of a message" user.imap.flags "$(cd "$mnt" && within 10 getfattr INBOX/3.eml | grep ^user)"
same "listed of a mailbox" "" "$(cd "$mnt" && within 10 getfattr INBOX | grep ^user)"
ok "an unknown name" grep -q "No such attribute" <<<"$(within 10 getfattr --absolute-names -n user.nothing "$mnt/INBOX/3.eml" 2>&1)"
# Any other answer than EOPNOTSUPP makes ls ask again for each file.
ok "a foreign namespace" grep -q "Operation not supported" <<<"$(within 10 getfattr --absolute-names -n security.selinux "$mnt/INBOX/3.eml" 2>&1)"
ok "setting is refused" bash -c "! setfattr -n user.imap.flags -v x '$mnt/INBOX/3.eml' 2>/dev/null"
mount_stop
