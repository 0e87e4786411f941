#!/bin/bash
# SPDX-License-Identifier: MIT
# -o writeback: calls return when what they want is on disk; the tree looks as it will; what the server has in the end,
# also after a crash, and what becomes of what it refuses.
. "$(dirname "$0")/lib.sh"

uids() {
    server_files "$1" | cut -f 1 | paste -sd ' '
}

listed() {
    (cd "$mnt/$1" && within 30 find . -maxdepth 1 -type f -printf '%f\n' | sort -V | paste -sd ' ')
}

sum_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

server_sums() {
    server_files "$1" | cut -f 2 | while IFS= read -r file; do sha256sum <"$file"; done 2>/dev/null | cut -d ' ' -f 1 | sort
}

# Whether the server has messages with these sums there; Dovecot renames their files now and then.
has_sums() {
    [ -z "$(server_sums "$1" | comm -13 - <(echo "$2"))" ]
}

has_uids() {
    [ "$(uids "$1")" = "$2" ]
}

has_count() {
    [ "$(server_files "$1" | wc -l)" = "$2" ]
}

# at_once WHAT COMMAND...: it does not wait for a line of a second there and back.
at_once() {
    local what=$1 since
    shift
    since=$(now_ms)
    ok "$what" within 20 "$@"
    ok "at once" took 700 "$since"
}

[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 300 1
"$MAILGEN" bulk "$box/Far" 10 2
"$DELAYPROXY" --rtt 1000 "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" &
await 5 test -s "$work/proxy.port" || failed "no proxy"
mount_url "imap://user@localhost:$(tr -dc 0-9 <"$work/proxy.port")/" tls=none rw writeback
cd "$mnt" || exit 1
within 60 ls INBOX Trash Empty Bulk >/dev/null

echo "--- while the server knows nothing"
sum6=$(sum_of INBOX/6.eml) when6=$(stat -c %Y INBOX/6.eml)
sum7=$(sum_of INBOX/7.eml) sum1=$(sum_of Trash/1.eml)
printf 'Subject: new\r\n\r\nbody\r\n' >"$work/new"
at_once "rm" rm INBOX/5.eml
same "its name is gone" "" "$(ls INBOX/5.eml 2>/dev/null)"
at_once "mv" mv INBOX/6.eml Empty/moved.eml
same "it is where it goes, and reads as it did" "$sum6 $when6" "$(sum_of Empty/moved.eml) $(stat -c %Y Empty/moved.eml)"
same "and is no more where it was" "" "$(ls INBOX/6.eml 2>/dev/null)"
at_once "cp into the mount" cp "$work/new" Empty/x.eml
same "it is there" "$(sum_of "$work/new")" "$(sum_of Empty/x.eml)"
at_once "also where a message was removed" cp "$work/new" INBOX/5.eml
same "it is the new one" "$(sum_of "$work/new")" "$(sum_of INBOX/5.eml)"
at_once "mv to a number that is taken replaces nothing" mv INBOX/1.eml Trash/
same "what was there is there" "$sum1" "$(sum_of Trash/1.eml)"
same "a listing shows it all" "moved.eml x.eml" "$(listed Empty)"

echo "--- then"
ok "sync -f" within 20 sync -f .
same "the server has it all" "" "$(uids INBOX | tr ' ' '\n' | grep -x '[156]')"
same "in its place" "1 2" "$(uids Empty)"
same "the names stay" "moved.eml x.eml" "$(listed Empty)"
same "and the bytes" "$sum6 $(sum_of "$work/new")" "$(sum_of Empty/moved.eml) $(sum_of Empty/x.eml)"
same "the one of the taken number is a second one" "1 2" "$(uids Trash)"
cd / || exit 1
mount_stop
mount_start rw writeback
cd "$mnt" || exit 1
within 30 ls INBOX Trash Empty Bulk Far Archive >/dev/null
ok "a message on its way can be moved on" within 20 bash -c 'mv INBOX/7.eml Empty/y.eml && mv Empty/y.eml Archive/z.eml'
same "it arrives" "$sum7" "$(sum_of Archive/z.eml)"
ok "and removed" within 20 bash -c 'mv INBOX/8.eml Empty/y.eml && rm Empty/y.eml && sync -f .'
same "it is gone" "1 2" "$(uids Empty)"
ok "its flags can be set on its way" within 20 bash -c \
    'mv INBOX/9.eml Empty/f.eml && setfattr -n user.imap.flags -v "\Flagged" Empty/f.eml'
same "they are" '\Flagged' "$(getfattr --only-values -n user.imap.flags Empty/f.eml)"
ok "without anybody asking it is done within a second" within 10 rm Empty/f.eml
ok "as the server shows" await 2 has_uids Empty "1 2"

echo "--- many"
mkdir "$work/out"
cp Bulk/1[0-9].eml "$work/out/"
want=$(server_sums Bulk)
ok "mv of all" within 60 bash -c 'mv Bulk/*.eml Archive/ && sync -f .'
same "none is left" "" "$(uids Bulk)"
ok "all are there" await 10 has_sums Archive "$want"
ok "rm -r of a mailbox" within 60 rm -r Far
same "it is gone" "" "$(mailboxes | grep -x Far)"
ok "rsync into the mount" within 60 rsync -a "$work/out/" Bulk/
ok "and sync" within 20 sync -f Bulk
same "all are on the server" 10 "$(server_files Bulk | wc -l)"
same "nothing is transferred again" "" "$(within 60 rsync -ai "$work/out/" Bulk/ | grep '^[<>c]f')"
ok "rm of all" within 60 bash -c 'rm Archive/*.eml && sync -f .'
same "are gone" "" "$(uids Archive)"
ok "fsync of a file waits for the server" within 20 python3 - "$mnt/Empty/s.eml" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
os.write(fd, b"Subject: s\r\n\r\nsynced\r\n")
os.fsync(fd)
os.close(fd)
PY
same "it is there" 3 "$(uids Empty | wc -w)"
ok "a shell that writes in parts" within 20 bash -c '{ echo "Subject: p"; echo; cat /etc/hostname; echo end; } >Empty/p.eml; sync -f .'
same "is one message" 4 "$(uids Empty | wc -w)"

echo "--- killed, with changes that wait"
within 20 bash -c 'cp "$1"/out/*.eml Archive/ && sync -f .' - "$work" || failed "filling"
server_stall
within 5 rm Archive/10.eml || failed "rm"
within 5 mv Archive/11.eml Empty/k.eml || failed "mv"
within 5 cp "$work/new" Archive/new.eml || failed "cp"
within 5 bash -c 'cp "$0" Archive/early.eml && mv Archive/early.eml Empty/late.eml' "$work/new" || failed "cp and mv"
cd / || exit 1
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
fusermount3 -uz "$mnt"
server_continue
await 20 no_sessions
count=$(server_files Archive | wc -l)
same "nothing of it was done" 10 "$count"
mount_start rw
cd "$mnt" || exit 1
ok "the next mount does it" await 20 has_count Archive 9
ok "all of it" within 20 sync -f .
same "in the listing, too" "12.eml 13.eml 14.eml 15.eml 16.eml 17.eml 18.eml 19.eml new.eml" "$(listed Archive)"
same "moved" "$(sum_of "$work/out/11.eml")" "$(sum_of Empty/k.eml)"
same "what was written has the name that it was given last" "$(sum_of "$work/new")" "$(sum_of Empty/late.eml)"
ok "says so" grep -q "4 changes of an earlier mount" "$daemon_log"
cd / || exit 1
mount_stop

echo "--- unmounting has everything done"
mount_start rw writeback
cd "$mnt" || exit 1
ok "rm of some" within 20 rm Archive/1[2-7].eml
cd / || exit 1
mount_stop
same "are gone" 3 "$(server_files Archive | wc -l)"

echo "--- read-only they wait"
mount_start rw writeback
within 20 ls "$mnt/Archive" >/dev/null
server_stall
within 5 rm "$mnt/Archive/18.eml" || failed "rm"
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
fusermount3 -uz "$mnt"
server_continue
await 20 no_sessions
mount_start ro
same "the message is in view" "18.eml 19.eml new.eml" "$(listed Archive)"
ok "and the log says so" grep -q "1 changes of an earlier mount are still to be done: mount with rw" "$daemon_log"
mount_stop
mount_start rw
ok "a mount that may write does it" await 20 has_count Archive 2
mount_stop

echo "--- a copy by the server"
mount_start rw writeback
cd "$mnt" || exit 1
within 20 ls Archive Empty >/dev/null
count=$(server_files Empty | wc -l)
ok "cp from one mailbox to another" within 20 bash -c 'cp Archive/19.eml Empty/copied.eml && sync -f .'
same "the server has it" "$((count + 1))" "$(server_files Empty | wc -l)"
same "it is what it was" "$(sum_of Archive/19.eml)" "$(sum_of Empty/copied.eml)"
cd / || exit 1
mount_stop

echo "--- mailboxes as Maildirs"
mount_start rw writeback layout=maildir
cd "$mnt" || exit 1
n=$(server_files INBOX | wc -l)
ok "delivery" within 20 bash -c 'cp "$1" INBOX/tmp/d1 && mv INBOX/tmp/d1 INBOX/new/d1 && sync -f INBOX/new' - "$work/new"
same "is on the server" $((n + 1)) "$(server_files INBOX | wc -l)"
same "byte for byte" "$(sum_of "$work/new")" "$(sum_of "$(find INBOX -name 'd1*')")"
first=$(find INBOX/cur INBOX/new -type f | head -n 1)
ok "rm" within 20 rm "$first"
same "its name is gone" "" "$(find INBOX/cur INBOX/new -path "$first")"
ok "rm -r of a mailbox" within 60 rm -r Bulk
same "it is gone" "" "$(mailboxes | grep -x Bulk)"
cd / || exit 1
mount_stop
