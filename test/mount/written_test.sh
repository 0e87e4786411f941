#!/bin/bash
# SPDX-License-Identifier: MIT
# The names under which messages are written: each listed once, for as long as the message is there, whatever
# number it has; so that a backup that was brought back compares as what it was.
. "$(dirname "$0")/lib.sh"

# What is in a mailbox of a mount: name and sum, by name.
contents() {
    (cd "$1" && within 60 find . -type f -printf '%P\n' | sort | xargs -rd '\n' sha256sum | sed 's/^\(\S*\)  /\1 /')
}

# The same by the server: how often it has which sum.
server_sums() {
    server_files "$1" | cut -f 2 | xargs -rd '\n' sha256sum | cut -d ' ' -f 1 | sort
}

# What rsync has to delete in a copy of the mailbox, and to transfer to it.
transfers() {
    within 60 rsync -a --delete --stats "$mnt/$1/" "$2/" |
        sed -n 's/^Number of regular files transferred: //p; s/^Number of deleted files: \([0-9]*\).*/\1/p' | paste -sd ' '
}

"$MAILGEN" bulk "$box/Source" 30 1
server_start
imap 'SELECT Source' 'UID STORE 1,4,10:12 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
mount_start rw poll=0
cd "$mnt" || exit 1

echo "--- one after the other to another mailbox, in the order of a listing"
before=$(contents Source)
mkdir Back
for file in $(cd Source && ls); do
    [ ! -e "Back/$file" ] || failed "there is a Back/$file already"
    within 10 mv "Source/$file" Back/ || failed "mv $file"
done
same "each has its name" "$before" "$(contents Back)"
same "25 of them" 25 "$(wc -l <<<"$before")"
same "the server has the same" "$(cut -d ' ' -f 1 <<<"$before" | sort)" "$(server_sums Back)"
same "a copy takes all" "0 25" "$(transfers Back "$work/copy")"
same "and a second one nothing" "0 0" "$(transfers Back "$work/copy")"

echo "--- a new message, whose number is a name already"
"$MAILGEN" one "$box/Back" 1
ok "it is listed beside that" await 10 bash -c 'ls Back | grep -qx =26.eml'
new=$(server_files Back | tail -n 1)
same "has the number 26" 26 "${new%%$'\t'*}"
ok "as what it is" cmp "${new#*$'\t'}" Back/=26.eml
same "and nothing else has changed" "$before" "$(contents Back | grep -v =)"
same "the copy takes this one only" "0 1" "$(transfers Back "$work/copy")"
after=$(contents Back)

echo "--- another mount, with the same cache"
inodes=$(ls -i Back)
cd /
mount_stop
mount_start rw poll=0
cd "$mnt" || exit 1
same "the names are there" "$after" "$(contents Back)"
same "and the inodes" "$inodes" "$(ls -i Back)"
same "the copy has all of it" "0 0" "$(transfers Back "$work/copy")"

echo "--- with another one: it sees what the server has"
mkdir "$work/mnt2"
first=$daemon mnt=$work/mnt2
mount_start "cache_dir=$work/cache2"
ok "messages by their numbers" compare_mailbox Back
mount_stop
mnt=$work/mnt daemon=$first

echo "--- within a mailbox"
sum=$(sha256sum <Back/=26.eml)
ok "a name" mv Back/=26.eml Back/letter.eml
same "is the message's" "$sum" "$(sha256sum <Back/letter.eml)"
ok "alone" bash -c '! ls Back | grep -qx =26.eml'
ok "another one" mv Back/letter.eml "Back/a letter.eml"
ok "the first is free" test ! -e Back/letter.eml
same "nothing has come or gone" 26 "$(ls Back | wc -l)"
sum2=$(sha256sum <Back/2.eml)
ok "a number" mv Back/2.eml Back/4.eml
same "that is nobody's" "$sum2" "$(sha256sum <Back/4.eml)"
ok "and back" mv Back/4.eml Back/2.eml
ok "onto another message" mv -f "Back/a letter.eml" Back/26.eml
same "takes its place" "$sum" "$(sha256sum <Back/26.eml)"
same "and that is gone" 25 "$(server_files Back | wc -l)"
same "all others are there" "$(sed '/ 26\.eml$/d' <<<"$before")" "$(contents Back | sed '/ 26\.eml$/d')"
for name in =3.eml .hidden.eml letter .eml; do
    same "not $name" "Operation not permitted" "$(mv Back/3.eml "Back/$name" 2>&1 | sed 's/.*: //')"
done
mkdir Other
ok "mv of what is called 3 to a mailbox" mv Back/3.eml Other/
ok "and of another that is called so" bash -c 'mv Back/2.eml Back/3.eml && mv Back/3.eml Other/'
same "loses neither" 2 "$(ls Other | wc -l)"
same "on the server either" 2 "$(server_files Other | wc -l)"

echo "--- another client deletes"
gone=$(server_files Back | tail -n 1 | cut -f 1) # it is called 26.eml, and has that number
same "what was the new one" 26 "$gone"
name5=$(getfattr --only-values -n user.imap.uid Back/5.eml)
imap 'SELECT Back' "UID STORE $name5 +FLAGS.SILENT (\\Deleted)" "UID EXPUNGE $name5" >/dev/null
ok "and the name goes, too" await 10 bash -c '[ ! -e Back/5.eml ] && ! ls Back | grep -qx 5.eml'
same "of one message only" 22 "$(ls Back | wc -l)"
listed=$(contents Back)

echo "--- the mailbox is renamed"
echo draft >Back/.local
exec 9<Back
ok "mv of it" mv Back Renamed
same "the names go along" "$listed" "$(contents Renamed | grep -v "\.local")"
same "and what is not sent" draft "$(cat Renamed/.local)"
same "who has it open sees it, too" "$(ls Renamed)" "$(ls /proc/self/fd/9/)"
exec 9<&-
rm Renamed/.local
ok "and back" mv Renamed Back
same "as it was" "$listed" "$(contents Back)"
cd /
mount_stop
mount_start rw poll=0
same "for good" "$listed" "$(contents "$mnt/Back")"
mount_stop
same "nothing was logged as failed" 0 "$(grep -c cannot "$daemon_log")"
