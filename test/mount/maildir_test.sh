#!/bin/bash
# SPDX-License-Identifier: MIT
# -o layout=maildir: mailboxes as Maildirs, flags in names, delivery, moving, what others change.
. "$(dirname "$0")/lib.sh"

# flags MAILBOX UID: as the server has them.
flags() {
    imap "EXAMINE $1" "UID FETCH $2 FLAGS" | tr -d '\r' | sed -n "s/.*FLAGS (\([^)]*\)).*/\1/p" | tail -n 1
}

# file MAILBOX UID: the one file of a message, below its mailbox.
file() {
    (cd "$mnt/$1" && within 20 find cur new -type f -name "*,U=$2,S=*")
}

# in MAILBOX SUB: how many.
in_sub() {
    within 20 ls "$mnt/$1/$2" | wc -l
}

# compare MAILBOX: each of its files has the bytes of the server's.
compare() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        within 20 cmp "$path" "$mnt/$1/$(file "$1" "$uid")" || return 1
    done < <(server_files "$1")
}

mtime() {
    within 20 stat -c %y "$1"
}

"$MAILGEN" bulk "$box/INBOX" 6 1
"$MAILGEN" bulk "$box/Sent" 2 1
server_start
imap 'CREATE INBOX/Child' 'CREATE Archive' 'SELECT INBOX' 'UID STORE 1:6 FLAGS.SILENT ()' 'UID STORE 1,4 +FLAGS.SILENT (\Seen)' \
    'UID STORE 2 +FLAGS.SILENT (\Flagged \Seen work $Forwarded \Answered \Draft \Deleted)' >/dev/null

echo "--- reading"
mount_start layout=maildir
same "the three beside the children" "$(printf 'Child\ncur\nnew\ntmp')" "$(ls "$mnt/INBOX")"
same "as directories" 4 "$(find "$mnt/INBOX" -mindepth 1 -maxdepth 1 -type d | wc -l)"
same "their mailbox counts them" 6 "$(stat -c %h "$mnt/INBOX")"
same "they are leaves" 2 "$(stat -c %h "$mnt/INBOX/cur")"
same "the root holds no messages" "$(printf 'Archive\nINBOX\nSent')" "$(ls "$mnt")"
same "those with flags" 3 "$(in_sub INBOX cur)"
same "those without" 3 "$(in_sub INBOX new)"
ok "a name" bash -c "[[ $(file INBOX 4) =~ ^cur/[0-9]+\.V[0-9]+U4\.imapfs,U=4,S=[0-9]+:2,S$ ]]"
ok "with all letters" bash -c "[[ $(file INBOX 2) =~ :2,DFPRST$ ]]"
ok "without" bash -c "[[ $(file INBOX 3) =~ ^new/[0-9]+\.V[0-9]+U3\.imapfs,U=3,S=[0-9]+$ ]]"
ok "contents" compare INBOX
ok "no file by its number" test ! -e "$mnt/INBOX/1.eml"
ok "nor by flags that it has not" test ! -e "$mnt/INBOX/$(file INBOX 4)F"
ok "nor where it is not" test ! -e "$mnt/INBOX/new/$(basename "$(file INBOX 4)")"
same "read-only" "Read-only file system" \
    "$(mv "$mnt/INBOX/$(file INBOX 4)" "$mnt/INBOX/$(file INBOX 4)F" 2>&1 | sed 's/.*: //')"
ok "rsync takes it along" within 60 rsync -a "$mnt/" "$work/copy"
same "all of it" "$(cd "$mnt" && find . | sort)" "$(cd "$work/copy" && find . | sort)"
same "a second one has nothing to do" "" "$(within 60 rsync -a --out-format=%n "$mnt/" "$work/copy")"
paths=$(cd "$mnt" && find . -type f -printf '%i %p\n' | sort)
mount_stop

mount_start rw layout=maildir poll=0
same "another mount has the same paths and inodes" "$paths" "$(cd "$mnt" && find . -type f -printf '%i %p\n' | sort)"
cd "$mnt" || exit 1

echo "--- flags by rename"
name=$(basename "$(file INBOX 3)")
before=$(mtime INBOX/cur)
ok "read" mv "INBOX/new/$name" "INBOX/cur/$name:2,S"
same "on the server" '\Seen' "$(flags INBOX 3 | sed 's/ *\\Recent//')"
ok "the old name is gone" test ! -e "INBOX/new/$name"
same "from the listing as well" "cur/$name:2,S" "$(file INBOX 3)"
ok "the time of the directory is another one" test "$before" != "$(mtime INBOX/cur)"
before=$(mtime INBOX/cur)
ok "flagged, not read" mv "INBOX/cur/$name:2,S" "INBOX/cur/$name:2,FT"
same "on the server" '\Deleted \Flagged' "$(flags INBOX 3 | tr ' ' '\n' | grep -v Recent | sort | paste -sd ' ')"
ok "within the same second" test "$before" != "$(mtime INBOX/cur)"
same "who comes late" "No such file or directory" "$(mv "INBOX/cur/$name:2,S" "INBOX/cur/$name:2,RS" 2>&1 | sed 's/.*: //')"
keyword=$(file INBOX 2)
ok "keywords" mv "INBOX/$keyword" "INBOX/${keyword%:2,*}:2,"
same "are not touched" work "$(flags INBOX 2 | sed 's/ *\\Recent//')"
ok "all are gone" mv "INBOX/cur/$name:2,FT" "INBOX/cur/$name:2,"
same "it stays in cur" "cur/$name:2," "$(file INBOX 3)"
ok "to new" mv "INBOX/$(file INBOX 4)" "INBOX/new/$(basename "$(file INBOX 4)" :2,S)"
same "has no flag" "" "$(flags INBOX 4 | sed 's/ *\\Recent//')"
same "and is there" new "$(dirname "$(file INBOX 4)")"
mine=$(file INBOX 5)
ok "another base" mv "INBOX/$mine" INBOX/cur/mine:2,S
same "is kept" "mine:2,S" "$(cd INBOX/cur && echo mine*)"
same "is one message's" "File exists" "$(mv "INBOX/$(file INBOX 6)" INBOX/cur/mine:2,F 2>&1 | sed 's/.*: //')"
same "all are there" 6 "$(find INBOX/cur INBOX/new -type f | wc -l)"

echo "--- delivery"
printf 'From: a@b\r\nSubject: delivered\r\n\r\nhello\r\n' >"$work/mail"
cp "$work/mail" INBOX/tmp/host.1
same "lies in tmp" host.1 "$(ls INBOX/tmp)"
same "of which the server knows nothing" 6 "$(server_files INBOX | wc -l)"
same "no link" "Operation not permitted" "$(ln INBOX/tmp/host.1 INBOX/new/host.1 2>&1 | sed "s/.*: //")"
ok "but a rename" mv INBOX/tmp/host.1 INBOX/new/host.1
ok "is there" cmp "$work/mail" INBOX/new/host.1
same "not in tmp" "" "$(ls INBOX/tmp)"
last=$(server_files INBOX | tail -n 1)
same "on the server" "$(tr -d '\r' <"$work/mail")" "$(tr -d '\r' <"${last#*$'\t'}")"
cp "$work/mail" INBOX/tmp/host.2
ok "with flags" mv INBOX/tmp/host.2 INBOX/cur/host.2:2,FS
same "on the server" '\Flagged \Seen' "$(flags INBOX 8 | tr ' ' '\n' | grep -v Recent | sort | paste -sd ' ')"
ok "is there" cmp "$work/mail" INBOX/cur/host.2:2,FS
ok "straight to cur" cp "$work/mail" INBOX/cur/x.eml
ok "under its name" cmp "$work/mail" INBOX/cur/x.eml
same "9 of them" 9 "$(server_files INBOX | wc -l)"
same "not beside them" "Operation not permitted" "$(cp "$work/mail" INBOX/y.eml 2>&1 | sed 's/.*: //')"
same "not of a base that is there" "File exists" "$(cp "$work/mail" INBOX/new/host.2 2>&1 | sed 's/.*: //')"
ok "rsync -a" within 20 rsync -a "$work/mail" INBOX/cur/x.eml
printf 'changed\r\n' | cat "$work/mail" - >"$work/changed"
ok "brings what has changed" within 20 rsync -a "$work/changed" INBOX/cur/x.eml
ok "to its place" cmp "$work/changed" INBOX/cur/x.eml
same "which it has alone" 9 "$(server_files INBOX | wc -l)"
same "no message becomes a draft" "Operation not permitted" \
    "$(mv INBOX/cur/host.2:2,FS INBOX/tmp/host.2 2>&1 | sed 's/.*: //')"
ok "rsync brings a Maildir" within 60 rsync -a --exclude tmp "$work/copy/Sent/" Archive/
same "all of it, with flags" "$(cd "$work/copy/Sent" && find . -type f | sort)" "$(cd Archive && find . -type f | sort)"
same "and once only" "" "$(within 60 rsync -a --out-format=%n "$work/copy/Sent/" Archive/ | grep -v '/$')"
cp "$work/mail" INBOX/tmp/host.3
chmod 000 "$box/INBOX/tmp" # the server cannot store it
ok "a rename that the server refuses fails" bash -c '! mv INBOX/tmp/host.3 INBOX/new/host.3'
same "and it stays in tmp" host.3 "$(ls INBOX/tmp)"
ok "not in new" test ! -e INBOX/new/host.3
chmod 700 "$box/INBOX/tmp"
ok "the next one succeeds" mv INBOX/tmp/host.3 INBOX/new/host.3
ok "rm" rm INBOX/new/host.3

echo "--- moving, removing"
ok "to another mailbox, with a flag" mv INBOX/cur/host.2:2,FS Archive/cur/host.2:2,RS
ok "is there" cmp "$work/mail" Archive/cur/host.2:2,RS
same "on the server" 3 "$(server_files Archive | wc -l)"
same "with its flags" '\Answered \Seen' "$(flags Archive 3 | tr ' ' '\n' | grep -v Recent | sort | paste -sd ' ')"
ok "not here" test ! -e INBOX/cur/host.2:2,FS
ok "a copy" cp INBOX/cur/x.eml Archive/cur/x.eml:2,
ok "is there" cmp "$work/changed" Archive/cur/x.eml:2,
ok "rm" rm INBOX/cur/x.eml
same "one less" 7 "$(server_files INBOX | wc -l)"
ok "mkdir makes all three" mkdir Other
same "at once" "$(printf 'cur\nnew\ntmp')" "$(ls Other)"
ok "mkdir -p of them" mkdir -p Other/cur Other/new Other/tmp
same "mkdir" "File exists" "$(mkdir Other/cur 2>&1 | sed 's/.*: //')"
same "no mailboxes within" "Operation not permitted" "$(mkdir Other/cur/x 2>&1 | sed 's/.*: //')"
same "a full one stays" "Directory not empty" "$(rmdir INBOX/cur 2>&1 | sed 's/.*: //')"
same "where it is" "Operation not permitted" "$(mv Other/cur Other/old 2>&1 | sed 's/.*: //')"
ok "rm -r" rm -r Archive
ok "and it is gone" bash -c '! ls Archive'
same "on the server" "$(printf 'INBOX\nINBOX/Child\nOther\nSent')" "$(mailboxes)"
ok "rmdir of one" rmdir Other/cur
same "changes nothing" "$(printf 'cur\nnew\ntmp')" "$(ls Other)"
ok "it can be used" bash -c 'cp "$1" Other/cur/x && cmp "$1" Other/cur/x && rm Other/cur/x' - "$work/mail"
ok "rmdir of all" bash -c 'rmdir Other/* && rmdir Other'
ok "what is there shows all three again" test -d INBOX/tmp

echo "--- what others do"
here=$(ls INBOX/new)
"$MAILGEN" one "$box/INBOX" 1
ok "new mail is in new" await 10 bash -c "[ \"\$(ls INBOX/new)\" != '$here' ]"
uid=$(server_files INBOX | tail -n 1 | cut -f 1)
name=$(basename "$(file INBOX "$uid")")
ok "as what it is" cmp "$(server_files INBOX | tail -n 1 | cut -f 2)" "INBOX/new/$name"
imap 'SELECT INBOX' "UID STORE $uid +FLAGS.SILENT (\\Seen)" >/dev/null
ok "it is read" await 10 test -e "INBOX/cur/$name:2,S"
ok "and not new" test ! -e "INBOX/new/$name"
same "not listed either" "cur/$name:2,S" "$(file INBOX "$uid")"
imap 'SELECT INBOX' "UID STORE $uid +FLAGS.SILENT (\\Deleted)" "UID EXPUNGE $uid" >/dev/null
ok "it is deleted" await 10 bash -c "! ls INBOX/cur | grep ,U=$uid,"
ok "and its name is gone" test ! -e "INBOX/cur/$name:2,S"
before=$(mtime Sent/new)
imap 'APPEND Sent {12+}
Subject: x

' >/dev/null
ok "a stat of the directory tells of mail where nobody looks" await 10 bash -c "[ '$before' != \"\$(stat -c %y Sent/new)\" ]"

echo "--- another mount"
paths=$(find . -type f | sort)
cd /
mount_stop
mount_start rw layout=maildir poll=0
same "has the same paths" "$paths" "$(cd "$mnt" && find . -type f | sort)"
ok "also of what was written" cmp "$work/mail" "$mnt/INBOX/new/host.1"
mount_stop
mount_start rw
same "the other layout has them by their numbers" "$( (echo Child && server_files INBOX | sed 's/\t.*/.eml/') | sort)" \
    "$(ls "$mnt/INBOX" | sort)"
mount_stop
mount_url "imap://user@localhost:$IMAP_PORT/INBOX" tls=none layout=maildir
same "one mailbox" "$(printf 'Child\ncur\nnew\ntmp')" "$(ls "$mnt")"
same "with its files" "$(server_files INBOX | wc -l)" "$(find "$mnt" -type f | wc -l)"
mount_stop
