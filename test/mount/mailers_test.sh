#!/bin/bash
# SPDX-License-Identifier: MIT
# Mail programs that know Maildirs, on a mount that looks like one: neomutt, notmuch, mu, as they are.
. "$(dirname "$0")/lib.sh"

for program in neomutt notmuch mu script; do
    command -v $program >/dev/null || skip "no $program (Debian: neomutt, notmuch, maildir-utils, bsdutils)"
done
export HOME=$work TERM=xterm NOTMUCH_CONFIG=$work/notmuch-config MU_HOME=$work/mu

# flags MAILBOX UID: as the server has them, in order.
flags() {
    imap "EXAMINE $1" "UID FETCH $2 FLAGS" | tr -d '\r' | sed -n 's/.*FLAGS (\([^)]*\)).*/\1/p' | tail -n 1 |
        tr ' ' '\n' | grep -v Recent | sort | paste -sd ' '
}

uids() {
    imap "EXAMINE $1" 'UID SEARCH ALL' | tr -d '\r' | sed -n 's/^\* SEARCH *//p'
}

# id UID: of a message that is in INBOX at the beginning.
id() {
    tr -d '\r' <"$work/originals/$1" | sed -n 's/^Message-ID: <\(.*\)>$/\1/Ip' | head -n 1
}

# keys MAILBOX KEYS: neomutt, until it ends by itself.
keys() {
    within 60 script -qec "stty cols 120 rows 40; neomutt -n -F $work/muttrc -f $mnt/$1 -e 'push \"$2\"'" "$work/screen" \
        </dev/null >/dev/null
}

found() {
    within 60 notmuch search --output=messages "$1" | sed 's/^id://' | sort | paste -sd ' '
}

# news: what notmuch new has to say.
news() {
    within 60 notmuch new 2>&1
}

"$MAILGEN" bulk "$box/INBOX" 9 1
mkdir "$work/notmuch" "$work/originals"
server_start
imap 'CREATE Archive' 'SELECT INBOX' 'UID STORE 1:9 FLAGS.SILENT ()' 'UID STORE 1,4 +FLAGS.SILENT (\Seen work)' >/dev/null
while IFS=$'\t' read -r uid path; do cp "$path" "$work/originals/$uid"; done < <(server_files INBOX)
cat >"$work/muttrc" <<END
set folder=$mnt mbox_type=Maildir
set sleep_time=0 timeout=1 sort=mailbox-order
set delete=yes quit=yes move=no confirmappend=no mark_old=yes pager=builtin
END
cat >"$NOTMUCH_CONFIG" <<END
[database]
path=$work/notmuch
mail_root=$mnt
[user]
name=user
primary_email=user@example.org
[new]
tags=new
[maildir]
synchronize_flags=true
END

echo "--- reading: a mount that may only be read"
mount_start layout=maildir
ok "mu reads all" bash -c "mu init --maildir='$mnt' --my-address=user@example.org && mu index"
same "finds a message" "/INBOX" "$(mu find --fields=m "msgid:$(id 3)")"
same "those that were read" "$(printf '%s\n' "$(id 1)" "$(id 4)" | sort)" "$(mu find --fields=i flag:seen | sort)"
ok "notmuch reads all" bash -c "notmuch new 2>&1 | grep 'Added 9 new messages'"
same "those that were read" "$( (id 1 && id 4) | sort | paste -sd ' ')" "$(found 'not tag:unread')"
ok "and what they hold" bash -c "notmuch show --format=raw id:$(id 3) | cmp - '$work/originals/3'"
ok "neomutt opens it" keys INBOX '<first-entry><display-message><exit><exit>'
same "and changes nothing" '\Seen work' "$(flags INBOX 1)"
mount_stop
rm -r "$work/notmuch" && mkdir "$work/notmuch"

mount_start rw layout=maildir poll=0

echo "--- neomutt"
ok "flags a message" keys INBOX "<limit>~i $(id 2)<enter><flag-message><sync-mailbox><exit>"
same "the server has that" '\Flagged' "$(flags INBOX 2)"
ok "reads one" keys INBOX "<limit>~i $(id 3)<enter><display-message><exit><quit>"
same "the server has that" '\Seen' "$(flags INBOX 3)"
same "the others" '\Seen work' "$(flags INBOX 4)"
same "are what they were" "" "$(flags INBOX 5)"
same "though old: in cur" 9 "$(within 20 ls "$mnt/INBOX/cur" | wc -l)"
ok "moves one" keys INBOX "<limit>~i $(id 2)<enter><save-message>=Archive<enter><quit>"
same "away" "1 3 4 5 6 7 8 9" "$(uids INBOX)"
ok "to the other mailbox" grep -q "^Message-ID: <$(id 2)>" "$mnt"/Archive/cur/*
same "with its flags" '\Flagged' "$(flags Archive 1)"
ok "deletes one" keys INBOX "<limit>~i $(id 9)<enter><delete-message><quit>"
same "on the server" "1 3 4 5 6 7 8" "$(uids INBOX)"
same "nothing is left in tmp" "" "$(find "$mnt/INBOX/tmp" "$mnt/Archive/tmp" -type f)"

echo "--- notmuch"
ok "reads all" bash -c "notmuch new 2>&1 | grep 'Added 8 new messages'"
same "flagged ones are" "$(id 2)" "$(found tag:flagged)"
same "read ones are not unread" "$( (id 1 && id 3 && id 4) | sort | paste -sd ' ')" "$(found 'not tag:unread and folder:INBOX')"
ok "marks one as read" notmuch tag -unread "id:$(id 5)"
same "the server has that" '\Seen' "$(flags INBOX 5)"
ok "answers and flags one" notmuch tag +replied +flagged "id:$(id 6)"
same "the server has that" '\Answered \Flagged' "$(flags INBOX 6)"
ok "marks another as unread" notmuch tag +unread "id:$(id 4)"
same "the server has that, and the keyword" work "$(flags INBOX 4)"
ok "is content" bash -c "notmuch new 2>&1 | grep 'No new mail'"
imap 'SELECT INBOX' 'UID STORE 7 +FLAGS.SILENT (\Seen \Flagged)' >/dev/null
ok "sees what others have flagged" await 10 bash -c "notmuch new >/dev/null 2>&1; notmuch search --output=messages tag:flagged | grep -F '$(id 7)'"
same "and read" "" "$(found "tag:unread and id:$(id 7)")"
same "no message twice" 8 "$(notmuch count --output=files '*')"
ok "removes what a file manager would" bash -c "notmuch search --output=files id:$(id 8) | xargs rm"
ok "and knows it" bash -c "notmuch new 2>&1 | grep 'Removed 1 message'"
same "so does the server" "1 3 4 5 6 7" "$(uids INBOX)"
mail=$(printf 'From: a@example.org\r\nSubject: news\r\nMessage-ID: <news@example.org>\r\n\r\nhello\r\n.')
imap "APPEND INBOX {$((${#mail} - 1))+}"$'\r\n'"${mail%.}" >/dev/null
ok "finds new mail" await 10 bash -c "notmuch new 2>&1 | grep 'Added 1 new message'"
file=$(notmuch search --output=files "id:$(id 7)")
ok "what is moved by hand" mv "$file" "$mnt/Archive/cur/"
ok "is found where it is" bash -c "notmuch new 2>&1; notmuch search --output=files id:$(id 7) | grep -F /Archive/cur/"
same "on the server" "1 7" "$(uids Archive | sed 's/2/7/')"
ok "a message is inserted" bash -c "notmuch insert --folder=Archive +sent -new -unread <'$work/originals/9'"
same "on the server" '\Seen' "$(flags Archive 3)"

echo "--- mu"
ok "takes up what has changed" within 60 mu index
same "and finds it where it is" /Archive "$(mu find --fields=m "msgid:$(id 7)")"
same "and what was inserted" /Archive "$(mu find --fields=m "msgid:$(id 9)")"
mount_stop

mount_start rw layout=maildir
same "after another mount notmuch has nothing to do" "No new mail." "$(news | tail -n 1)"
mount_stop
