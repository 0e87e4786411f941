#!/bin/bash
# SPDX-License-Identifier: MIT
# The life of a mount on Cyrus, which has no Maildirs to look into: all is compared with what another client is told.
. "$(dirname "$0")/lib.sh"

listed() {
    (cd "$mnt/$1" && within 30 find . -maxdepth 1 -type f -printf '%f\n' | sort -n | sed 's/\.eml$//' | paste -sd ' ')
}

sum_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

server_sum() {
    client body "$1" "$2" | sha256sum | cut -d ' ' -f 1
}

# refused ERRNO-TEXT COMMAND...
refused() {
    local text=$1 output
    shift
    if output=$(within 20 "$@" 2>&1); then
        failed "$* succeeds"
    elif [[ $output == *"$text"* ]]; then
        echo "ok: $*: $text"
    else
        failed "$*: $output instead of $text"
    fi
}

# Each message as the mount has it, in the form of client.py's state.
mounted_state() {
    local file
    echo "$1"
    for file in "$mnt/$1"/*.eml; do
        printf '    %.16s %s %s %s\n' "$(sum_of "$file")" "$(stat -c %s "$file")" "$(date -d "@$(stat -c %Y "$file")" '+%F %T')" \
            "$(getfattr --absolute-names --only-values -n user.imap.flags "$file" | tr ' ' '\n' | sort | paste -sd ' ')"
    done | sort
}

cyrus_start
"$MAILGEN" bulk "$work/letters" 40 7
mapfile -t letters < <(find "$work/letters" -type f | sort)
client append INBOX "${letters[@]:0:20}"
client say 'CREATE Archive' 'CREATE Archive/2020' 'SELECT INBOX' 'UID STORE 2:4 +FLAGS (\Seen $Forwarded work)' \
    'UID STORE 3 +FLAGS (\Deleted)' 'UID EXPUNGE 3' >/dev/null
client append Archive/2020 "${letters[@]:20:3}"

echo "--- reading"
mount_start
same "the tree" "$(client tree)" "$(cd "$mnt" && within 10 find . -mindepth 1 -type d -printf '%P\n' | sort)"
same "the messages, byte for byte, with date and flags" "$(client state INBOX)" "$(mounted_state INBOX)"
same "also further below" "$(client state Archive/2020)" "$(mounted_state Archive/2020)"
same "grep -r finds each" 22 "$(within 30 grep -rl '^Subject:' "$mnt" | wc -l)"
ok "a backup" within 30 rsync -aX "$mnt/" "$work/backup/"
ok "has the same bytes" diff -r "$mnt" "$work/backup"
same "and flags" '\Seen $Forwarded work' "$(getfattr --absolute-names --only-values -n user.imap.flags "$work/backup/INBOX/4.eml")"
same "nothing was set by reading" "$(client state INBOX)" "$(mounted_state INBOX)"
client append INBOX "${letters[23]}"
ok "new mail appears" await 10 test -e "$mnt/INBOX/21.eml"
ok "as what it is" cmp "${letters[23]}" "$mnt/INBOX/21.eml"
client say 'SELECT INBOX' 'UID STORE 5 +FLAGS (\Answered $MDNSent)' 'UID STORE 6 +FLAGS (\Deleted)' 'UID EXPUNGE 6' >/dev/null
ok "what another deletes goes" await 10 bash -c "! stat '$mnt/INBOX/6.eml'"
answered() {
    [[ $(getfattr --absolute-names --only-values -n user.imap.flags "$mnt/INBOX/5.eml") == '\Answered'*'$MDNSent' ]]
}
ok "flags that another sets appear" await 10 answered
same "all is the same again" "$(client state INBOX)" "$(mounted_state INBOX)"
mount_stop

echo "--- messages"
mount_start rw poll=1 # Cyrus has no NOTIFY
cd "$mnt" || exit 1
before=$(listed INBOX)
ok "rm" within 10 rm INBOX/5.eml
same "it is gone, and nothing else is" "$(sed 's/\b5 //' <<<"$before")" "$(client uids INBOX)"
sum=$(sum_of INBOX/7.eml) when=$(stat -c %Y INBOX/7.eml)
ok "mv" within 10 mv INBOX/7.eml Archive/
same "it is there" "$sum" "$(server_sum Archive 1)"
same "with its date" "$when" "$(stat -c %Y Archive/7.eml)"
sum=$(sum_of INBOX/8.eml)
ok "ln copies on the server" within 10 ln INBOX/8.eml Archive/copy.eml
same "it is there" "$sum" "$(server_sum Archive 2)"
ok "cp" within 10 cp -p "$work/backup/INBOX/9.eml" Archive/letter.eml
same "it is there" "$(sum_of "$work/backup/INBOX/9.eml")" "$(server_sum Archive 3)"
same "under its name" "7 copy letter" "$(listed Archive | tr ' ' '\n' | sort | paste -sd ' ')"
ok "with its number, too" cmp Archive/letter.eml Archive/3.eml
printf 'Subject: nul\r\n\r\na\0b\r\n' >Archive/nul.eml
same "NUL in a body" "$(printf 'Subject: nul\r\n\r\na\0b\r\n' | sha256sum | cut -d ' ' -f 1)" "$(server_sum Archive 4)"
printf 'Subject: Gr\374\337e\r\n\r\n\344\r\n' >Archive/latin1.eml
same "Cyrus makes X of what is not ASCII in a header, which the mount does not hide" $'Subject: GrXXe\r\n\r\n\344\r' \
    "$(cat Archive/latin1.eml)"
ok "nor the log" await 10 grep -q 'has changed message 5 of mailbox Archive, .* latin1.eml' "$daemon_log"
same "which is the only one" 1 "$(grep -c 'has changed' "$daemon_log")"
rm Archive/latin1.eml
ok "setting flags" setfattr -n user.imap.flags -v '\Seen \Flagged work' INBOX/10.eml
ok "adding" setfattr -n user.imap.flags -v '+\Answered $MDNSent' INBOX/10.eml
ok "removing" setfattr -n user.imap.flags -v '-work \Seen' INBOX/10.eml
same "the server has what is left" '$MDNSent \Answered \Flagged' "$(client flags INBOX 10)"
refused "Operation not permitted" setfattr -n user.imap.flags -v "$(seq -f k%g 130 | paste -sd ' ')" INBOX/11.eml
printf 'no header\r\n' >"$work/bad.eml"
refused "Operation not permitted" cp "$work/bad.eml" Archive/bad.eml
ok "what is no message for Cyrus stays a file" cmp "$work/bad.eml" Archive/bad.eml
rm Archive/bad.eml
same "what mount and server have" "$(client state INBOX Archive)" "$(mounted_state INBOX; mounted_state Archive)"

echo "--- mailboxes"
ok "mkdir -p with any letters" within 20 mkdir -p 'Büro/Straße.v2 日本/a & b'
same "the server has them" $'Büro\nBüro/Straße.v2 日本\nBüro/Straße.v2 日本/a & b' "$(client tree | grep '^Büro')"
same "subscribed" $'Büro\nBüro/Straße.v2 日本\nBüro/Straße.v2 日本/a & b' "$(client tree subscribed | grep '^Büro')"
mv Archive/7.eml 'Büro/Straße.v2 日本/a & b/'
ok "mv of a tree" within 20 mv 'Büro' Archive/Kontor
same "the server has it" $'Archive/Kontor\nArchive/Kontor/Straße.v2 日本\nArchive/Kontor/Straße.v2 日本/a & b' \
    "$(client tree | grep Kontor)"
same "with its mail" 1 "$(client uids 'Archive/Kontor/Straße.v2 日本/a & b')"
ok "another takes its old name" within 10 mkdir 'Büro'
cp "${letters[30]}" 'Büro/x.eml'
ok "and is not taken for it" cmp "${letters[30]}" <(client body 'Büro' 1)
ok "rmdir" within 10 bash -c 'mkdir gone && rmdir gone'
refused "Directory not empty" rmdir 'Büro'
ok "rm -r" within 30 rm -r Archive/Kontor 'Büro'
same "the server has nothing of it" "" "$(client tree | grep -e Kontor -e Büro -e gone)"
same "nor subscriptions" "" "$(client tree subscribed | grep -e Kontor -e Büro -e gone)"
refused "Operation not permitted" mkdir 'a|b'
client say 'CREATE Doomed' >/dev/null
ok "a mailbox that another makes" await 10 bash -c 'ls | grep -qx Doomed'
ls Doomed
client say 'DELETE Doomed' >/dev/null
refused "No such file or directory" cp "${letters[31]}" Doomed/x.eml
rm -f Doomed/x.eml

echo "--- what is not allowed"
admin() {
    IMAP_CLIENT_USER=cyrus client say "$@" | grep -q ' OK ' || failed "$*"
}
admin 'SETQUOTA user/user (STORAGE 1)'
refused "Disk quota exceeded" cp "${letters[32]}" Archive/quota.eml
admin 'SETQUOTA user/user ()'
ok "it is sent when there is room" mv Archive/quota.eml Archive/room.eml
ok "and there" cmp "${letters[32]}" Archive/room.eml
client say 'CREATE Shown' >/dev/null
admin 'SETACL user/user/Shown user lrs'
client append Archive "${letters[33]}"
ok "a mailbox that may not be changed" await 10 bash -c 'ls Shown'
refused "Permission denied" cp "${letters[34]}" Shown/x.eml
rm -f Shown/x.eml
refused "Permission denied" ln INBOX/10.eml Shown/
refused "Operation not permitted" mkdir 'Other Users'
refused "Operation not permitted" rmdir Trash
cd /
mount_stop

echo "--- from the cache"
client append INBOX "${letters[36]}"
client say 'SELECT INBOX' 'UID STORE 12 +FLAGS (\Flagged later)' 'UID STORE 13:14 +FLAGS (\Deleted)' 'UID EXPUNGE 13:14' \
    'RENAME Shown Seen' >/dev/null
mount_start rw poll=1
same "what has changed meanwhile is known" "$(client tree)" \
    "$(cd "$mnt" && within 10 find . -mindepth 1 -type d -printf '%P\n' | sort)"
state=$(client state INBOX Archive)
same "another mount shows what is there" "$state" "$(mounted_state INBOX; mounted_state Archive)"
ok "under its names" cmp "$work/backup/INBOX/9.eml" "$mnt/Archive/letter.eml"

echo "--- the server is restarted"
export CYRUS_PORT=$IMAP_PORT
"$cyrus" stop "$work/c" || failed "stopping"
ok "what is cached is read without it" cmp "$work/backup/INBOX/9.eml" "$mnt/Archive/letter.eml"
cyrus_start
ok "a message is stored again" await 20 cp "${letters[35]}" "$mnt/Archive/later.eml"
ok "and there" cmp "${letters[35]}" "$mnt/Archive/later.eml"
state=$(client state INBOX Archive)
same "with all the rest" "$state" "$(mounted_state INBOX; mounted_state Archive)"
mount_stop

echo "--- what each operation does, and how it fails"
friend() {
    IMAP_CLIENT_USER=friend client "$@" >/dev/null
}
friend say 'CREATE Archive' 'CREATE Archive/2020' 'CREATE Archive/2020/Q1' 'CREATE Empty'
for mailbox in INBOX Archive Trash; do
    friend append $mailbox "${letters[@]:0:10}"
done
mount_url "imap://friend@localhost:$IMAP_PORT/" tls=none rw
ok "the table" within 60 python3 "$top/test/mount/posix_test.py" "$mnt"
mount_stop
"$cyrus" stop "$work/c"

echo "--- mailboxes below INBOX, parted by dots"
rm -r "$work/c"
export CYRUS_NAMES=classic
cyrus_start
mount_start rw "cache_dir=$work/cache2"
cd "$mnt" || exit 1
refused "Permission denied" mkdir Archive
refused "Invalid argument" mkdir INBOX/a.b
ok "mkdir -p" mkdir -p 'INBOX/Büro/a^b/Straße 日本'
ok "cp" cp -p "$work/backup/INBOX/9.eml" 'INBOX/Büro/a^b/Straße 日本/'
ok "mv of a tree" mv 'INBOX/Büro' INBOX/Kontor
same "the server has it" $'INBOX\nINBOX/Kontor\nINBOX/Kontor/a^b\nINBOX/Kontor/a^b/Straße 日本\nINBOX/Trash' "$(client tree)"
same "with its mail" "$(client state 'INBOX.Kontor.a^b.Straße 日本' | tail -n +2)" "$(mounted_state 'INBOX/Kontor/a^b/Straße 日本' | sed 1d)"
ok "rm -r" within 20 rm -r INBOX/Kontor
same "the server has nothing of it" $'INBOX\nINBOX/Trash' "$(client tree)"
cd /
mount_stop
