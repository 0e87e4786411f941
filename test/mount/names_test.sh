#!/bin/bash
# SPDX-License-Identifier: MIT
# Mailbox names as directories: non-ASCII, with what shells mind, and those that a file system cannot hold.
. "$(dirname "$0")/lib.sh"

# shown AS MAILBOX: creates the mailbox (UTF-8) and expects its directory to be AS.
shown() {
    if ! "$dovecot" doveadm "$work/s" mailbox create -u user -- "$2" 2>/dev/null; then
        echo "the server refuses the name $2"
        return
    fi
    "$MAILGEN" one "$box/$2" 600
    wanted+=("$1")
}

names() {
    (cd "$mnt" && within 20 find . -mindepth 1 -type d -printf '%P\n' | sort)
}

wanted=()
server_start
"$MAILGEN" sample "$box"
shown 'Grüße aus Köln' 'Grüße aus Köln'
shown 'привет' 'привет'
shown '😀 emoji' '😀 emoji'
shown 'e'$'\u0301'' combining' 'e'$'\u0301'' combining'
shown ' spaces on both sides ' ' spaces on both sides '
shown '-rf' '-rf'
shown 'back\slash' 'back\slash'
shown 'a&b &- &AOQ- c' 'a&b &- &AOQ- c'
shown '*star? [x]' '*star? [x]'
shown '.hidden' '.hidden'
shown 'dots...' 'dots...'
shown '100% of it' '100% of it'
shown '100%25AB of it' '100%AB of it'
shown '%2541' '%41'
shown '%252F' '%2F'
shown '%37.eml' '7.eml'
shown '%307.eml' '07.eml'
shown '7.eml.old' '7.eml.old'
shown '%2Eimapfs' '.imapfs'
shown 'INBOX/below' 'INBOX/below'
shown 'deep' 'deep'
shown 'deep/1' 'deep/1'
shown 'deep/1/2' 'deep/1/2'
shown 'deep/1/2/3' 'deep/1/2/3'
long=$(printf 'x%.0s' {1..200})
shown "$long" "$long"
mount_start
while IFS= read -r mailbox; do
    wanted+=("$mailbox")
done < <(cd "$box" && find . -mindepth 1 -type d \( -name cur -o -name new -o -name tmp \) -prune -o -type d -printf '%P\n' |
    grep -vE '(^|/)(0?7\.eml|%41|%2F|100%AB of it|\.imapfs)$' | grep -v '^$')
same "all directories and no other" "$(printf '%s\n' "${wanted[@]}" | sort -u)" "$(names)"
for name in 'Grüße aus Köln' '%2541' '%37.eml' 'deep/1/2/3' '-rf' 'back\slash' 'INBOX/below' "$long"; do
    ok "its message can be read: ${name:0:20}" within 10 grep -q '^Subject: one' "$mnt/$name/1.eml"
done
ok "a name that is not there" bash -c "! stat '$mnt/nothing' 2>/dev/null"
ok "a name that could not be one" bash -c "! stat '$mnt/%zz%%' 2>/dev/null"
ok "a message that is not there" bash -c "! stat '$mnt/INBOX/999.eml' 2>/dev/null"
ok "a second spelling is no name" bash -c "! stat '$mnt/INBOX/01.eml' 2>/dev/null"
same "dot and dot-dot are listed" $'.\n..' "$(within 10 ls -a "$mnt/Empty")"
ok "dot-dot leads up" cmp <(ls -id "$mnt/Archive") <(ls -id "$mnt/Archive/2019/.." | sed 's|/2019/\.\.||')
mount_stop

mount_url "imap://user@localhost:$IMAP_PORT/Entw%C3%BCrfe" tls=none
same "a mailbox as the root" "Süßes" "$(within 10 ls "$mnt")"
mount_stop
mount_url "imap://user@localhost:$IMAP_PORT/Archive" tls=none
same "a mailbox with messages and children as the root" $'1.eml\n1999\n2019\n2022' "$(within 10 ls "$mnt")"
mount_stop
