#!/bin/bash
# SPDX-License-Identifier: MIT
# Changing the account through the mount: what the server has afterwards, and what a mount of it shows.
. "$(dirname "$0")/lib.sh"

# uids MAILBOX: as the server's files say, on one line.
uids() {
    server_files "$1" | cut -f 1 | paste -sd ' '
}

listed() {
    (cd "$mnt/$1" && within 30 find . -maxdepth 1 -type f -printf '%f\n' | sort -n | sed 's/\.eml$//' | paste -sd ' ')
}

# server_flags MAILBOX UID
server_flags() {
    "$dovecot" doveadm "$work/s" -f flow fetch -u user flags mailbox "$1" uid "$2" | sed 's/^flags=//'
}

sum_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 2000 1
"$MAILGEN" bulk "$box/Far" 10 2
mount_start rw
cd "$mnt" || exit 1

echo "--- one message"
ok "a listing" within 20 ls INBOX Trash Empty # the server numbers what is new when it is looked at
before=$(uids INBOX)
ok "rm" within 10 rm INBOX/5.eml
same "it is gone, and nothing else is" "$(sed 's/\b5 //' <<<"$before")" "$(uids INBOX)"
same "the listing shows it" "$(uids INBOX)" "$(listed INBOX)"
sum=$(sum_of INBOX/6.eml) when=$(stat -c %Y INBOX/6.eml)
ok "mv" within 10 mv INBOX/6.eml Empty/
same "it is there" 1 "$(uids Empty)"
same "byte for byte" "$sum" "$(sum_of Empty/6.eml)"
same "with its date" "$when" "$(stat -c %Y Empty/6.eml)"
same "its old name is listed" 6 "$(listed Empty)"
same "of a number that it did not have nothing is known" "" "$(ls -d Empty/1.eml 2>/dev/null)"
sum1=$(sum_of Trash/1.eml) sum=$(sum_of INBOX/1.eml)
ok "mv onto a number that happens to be there" within 10 mv -f INBOX/1.eml Trash/
same "replaces nothing" "$sum1 $sum" "$(sum_of Trash/1.eml) $(sum_of Trash/2.eml)"
sum=$(sum_of INBOX/7.eml)
ok "mv onto another message" within 10 mv -f INBOX/7.eml Trash/1.eml
same "replaces it" "2 3" "$(uids Trash)"
same "by what was moved" "$sum" "$(sum_of Trash/1.eml)"
sum=$(sum_of INBOX/8.eml)
ok "ln copies on the server" within 10 ln INBOX/8.eml Empty/copy.eml
same "it is there" "1 2" "$(uids Empty)"
same "byte for byte" "$sum" "$(sum_of Empty/copy.eml)"
same "under its number, too" "$sum" "$(sum_of Empty/2.eml)"
same "and still where it was" "$sum" "$(sum_of INBOX/8.eml)"

echo "--- flags"
ok "setting" setfattr -n user.imap.flags -v '\Seen \Flagged work' INBOX/8.eml
same "the server has them" '\Flagged \Seen work' "$(server_flags INBOX 8 | tr ' ' '\n' | sort | paste -sd ' ')"
ok "adding" setfattr -n user.imap.flags -v '+\Answered' INBOX/8.eml
ok "removing" setfattr -n user.imap.flags -v '-work \Seen' INBOX/8.eml
same "the server has what is left" '\Answered \Flagged' "$(server_flags INBOX 8 | tr ' ' '\n' | sort | paste -sd ' ')"
same "and the mount shows it" '\Answered \Flagged' "$(getfattr --only-values -n user.imap.flags INBOX/8.eml)"
ok "none" setfattr -x user.imap.flags INBOX/8.eml
same "the server has none" '' "$(server_flags INBOX 8)"

echo "--- mailboxes"
ok "mkdir -p with any letters" within 20 mkdir -p 'Büro/Straße 日本/a & b'
same "the server has them" $'Büro\nBüro/Straße 日本\nBüro/Straße 日本/a & b' "$(mailboxes | grep '^Büro')"
same "subscribed" $'Büro\nBüro/Straße 日本\nBüro/Straße 日本/a & b' \
    "$("$dovecot" doveadm "$work/s" mailbox list -s -u user | grep '^Büro' | sort)"
mv Empty/6.eml 'Büro/Straße 日本/a & b/'
sum=$(sum_of 'Büro/Straße 日本/a & b/6.eml')
ok "mv of a tree" within 20 mv 'Büro' Archive/Kontor
same "the server has it" $'Archive/Kontor\nArchive/Kontor/Straße 日本\nArchive/Kontor/Straße 日本/a & b' \
    "$(mailboxes | grep 'Kontor')"
same "with its mail" "$sum" "$(sum_of 'Archive/Kontor/Straße 日本/a & b/6.eml')"
ok "another takes its old name" within 10 mkdir 'Büro'
mv INBOX/9.eml 'Büro/'
same "and is not taken for it" "$(sum_of "$(server_files 'Büro' | cut -f 2)")" "$(sum_of 'Büro/9.eml')"
ok "rm -r" within 30 rm -r Archive/Kontor
same "the server has nothing of it" "" "$(mailboxes | grep Kontor)"
same "nor subscriptions" "" "$("$dovecot" doveadm "$work/s" mailbox list -s -u user | grep Kontor)"

echo "--- thousands"
ok "mv of five hundred" within 60 bash -c 'cd Bulk && mv $(seq -f %g.eml 1 500) ../Empty/'
same "all are there" 501 "$(server_files Empty | wc -l)"
same "and listed as before" "copy $(seq 1 500 | paste -sd " ")" "$(listed Empty)"
ok "rm -r of all" within 120 rm -r Bulk
same "the server has none" "" "$(mailboxes | grep Bulk)"
ok "rm of all at once, by many" within 60 bash -c 'printf "%s\n" Empty/*.eml | xargs -P 16 -n 8 rm'
same "none is left" "" "$(uids Empty)"

echo "--- others change it, too"
imap 'SELECT INBOX' 'UID STORE 10 +FLAGS (\Deleted)' 'UID STORE 11 +FLAGS (\Deleted)' 'UID EXPUNGE 10' >/dev/null
ok "rm of what another has expunged" await 10 bash -c '! rm INBOX/10.eml 2>/dev/null'
same "says so" "rm: cannot remove 'INBOX/10.eml': No such file or directory" "$(rm INBOX/10.eml 2>&1)"
ok "rm beside what another has marked" rm INBOX/12.eml
same "leaves that alone" 1 "$(uids INBOX | tr ' ' '\n' | grep -cx 11)"

echo "--- two mounts"
first=$daemon
other=$work/mnt2
mkdir "$other"
mnt_before=$mnt mnt=$other
mount_start rw "cache_dir=$work/cache2"
second=$daemon
ok "both see it" within 10 stat "$mnt_before/INBOX/3.eml" "$other/INBOX/3.eml"
ok "one moves it" within 10 mv "$mnt_before/INBOX/3.eml" "$mnt_before/Empty/"
ok "the other sees that" await 10 bash -c "! stat '$other/INBOX/3.eml'"
rm -f "$mnt_before/INBOX/4.eml" &
one=$!
rm -f "$other/INBOX/4.eml"
wait $one
ok "both delete it" bash -c "[ ! -e '$mnt_before/INBOX/4.eml' ]"
cd "$work" || exit 1
mount_stop
mnt=$mnt_before daemon=$first
same "the second was another" 1 $((first != second))
mount_stop
same "nothing was logged as failed" 0 "$(grep -c cannot "$daemon_log")"

echo "--- without UIDPLUS and MOVE"
mount_start rw disable=UIDPLUS,MOVE
cd "$mnt" || exit 1
sum=$(sum_of Trash/2.eml)
ok "mv" within 10 mv Trash/2.eml Empty/kept.eml
same "it is there" "$sum" "$(sum_of "$(server_files Empty | tail -n 1 | cut -f 2)")"
same "and not where it was" "3" "$(uids Trash)"
sum=$(sum_of Trash/1.eml)
ok "ln" within 10 ln Trash/1.eml Empty/copy.eml
same "finds the copy again" "$sum" "$(sum_of Empty/copy.eml)"
ok "rm" within 10 rm Trash/1.eml
same "it is gone" "" "$(uids Trash)"
# 11 was marked as deleted by another
same "rm beside what another has marked" "rm: cannot remove 'INBOX/2.eml': Operation not permitted" \
    "$(rm INBOX/2.eml 2>&1)"
ok "takes nothing along" bash -c "[ -e INBOX/2.eml ] && [ -e INBOX/11.eml ]"
cd /
mount_stop

echo "--- a trash"
mount_start rw trash=Trash
cd "$mnt" || exit 1
sum=$(sum_of INBOX/8.eml)
ok "rm" within 10 rm INBOX/8.eml
same "moves it there" "$sum" "$(sum_of "$(server_files Trash | cut -f 2)")"
ok "rm in the trash" within 10 bash -c 'rm Trash/*.eml'
same "deletes" "" "$(uids Trash)"
cd /
mount_stop

echo "--- at 40 ms"
[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
"$DELAYPROXY" --rtt 40 "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" 2>"$work/proxy.log" &
await 5 test -s "$work/proxy.port" || failed "no proxy: $(<"$work/proxy.log")"
mount_url "imap://user@localhost:$(tr -dc 0-9 <"$work/proxy.port")/" tls=none rw
ls "$mnt/Empty" >/dev/null
ls "$mnt/Far" >/dev/null
# Milliseconds of one call, the best of what it is given: other tests run beside this one.
best() {
    python3 - "$@" <<'END'
import os, sys, time
best = 1e9
for name in sys.argv[2:]:
    before = time.monotonic()
    os.rename(name, sys.argv[1] + name) if sys.argv[1] else os.unlink(name)
    best = min(best, time.monotonic() - before)
print(round(best * 1000))
END
}
cd "$mnt/Far" || exit 1
ms=$(best ../Empty/ 1.eml 2.eml 3.eml 4.eml)
ok "mv of one message takes at most 1.2 round trips ($ms ms)" [ "$ms" -le 48 ]
ms=$(best "" 5.eml 6.eml 7.eml 8.eml)
ok "rm of one message takes at most 1.2 round trips ($ms ms)" [ "$ms" -le 48 ]
cd /
mount_stop
