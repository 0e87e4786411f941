#!/bin/bash
# SPDX-License-Identifier: MIT
# A backup survives a server that fails at any moment: a listing is whole or an error, never short.
. "$(dirname "$0")/lib.sh"

proxy=""
# proxy_start OPTION...: a line to the server that breaks; sets $proxy_port.
proxy_start() {
    rm -f "$work/proxy.port" # of the one before
    "$DELAYPROXY" "$@" "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" 2>"$work/proxy.log" &
    proxy=$!
    await 5 test -s "$work/proxy.port" || failed "no proxy: $(<"$work/proxy.log")"
    proxy_port=$(tr -dc 0-9 <"$work/proxy.port")
}

proxy_stop() {
    kill "$proxy"
    wait "$proxy" 2>/dev/null
    proxy=""
}

# All of the backup is there, and each file is either what it was or the server's message.
backup_is_whole() {
    diff -r "$work/good" "$work/backup"
}

# breaks WHAT: rsync --delete of the mount fails and loses nothing.
breaks() {
    local status=0
    within 60 rsync -a --delete "$mnt/" "$work/backup/" >"$work/rsync.out" 2>&1 || status=$?
    if [ $status = 0 ]; then
        failed "$1: rsync saw no error"
    else
        echo "ok: $1: rsync fails with $status"
    fi
    ok "$1: the backup lost nothing" backup_is_whole
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 2000 3
mount_start
ok "a good backup" within 60 rsync -a "$mnt/" "$work/good/"
same "of everything" 2035 "$(find "$work/good" -type f | wc -l)"
mount_stop
cp -a "$work/good" "$work/backup"

# The server is gone before anything was listed.
export DOVECOT_PORT=$IMAP_PORT
mount_start timeout=2,poll=0 "cache_dir=$work/empty"
server_stop
breaks "server gone after mounting"
mount_stop

# And when it was listed by an earlier mount: that is what is shown.
mount_start timeout=2,poll=0
within 60 rsync -a --delete "$mnt/" "$work/backup/" >"$work/rsync.out" 2>&1
echo "with a listing of an earlier mount rsync ends with $?"
ok "and the backup lost nothing" backup_is_whole
mount_stop
server_start

[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
# The line falls silent when each connection has carried a part of the 14 MB, then it is gone.
proxy_start --stall-after 1500000
mount_url "imap://user@localhost:$proxy_port/" tls=none timeout=2
find "$work/backup" -type f -exec touch {} +
find "$work/backup/Bulk" -name '1*.eml' -delete
within 120 rsync -a --delete "$mnt/" "$work/backup/" >"$work/rsync.out" 2>&1 &
rsync=$!
ok "the transfer begins" await 20 test -e "$work/backup/Bulk/1000.eml"
proxy_stop
wait $rsync
ok "rsync tells that the line broke ($?)" grep -q 'some files/attrs were not transferred' "$work/rsync.out"
find "$work/good" -type f -printf '%P\n' | grep -v '^Bulk/1' | sort >"$work/must"
(cd "$work/backup" && find . -type f -printf '%P\n' | sort) >"$work/is"
same "nothing was deleted" "" "$(comm -23 "$work/must" "$work/is")"
wrong() {
    local name
    while read -r name; do
        cmp "$work/good/$name" "$work/backup/$name"
    done <"$work/is"
}
same "no file has wrong bytes" "" "$(wrong 2>&1)"
mount_stop
rm -rf "$work/backup" && cp -a "$work/good" "$work/backup"

# Every connection breaks after so many bytes: somewhere in the 2,000 messages' listing.
for bytes in 20000 50000 90000; do
    proxy_start --cut-after $bytes
    mount_url "imap://user@localhost:$proxy_port/" tls=none timeout=3
    output=$(within 30 ls "$mnt/Bulk" 2>&1)
    status=$?
    if [ $status = 0 ]; then
        same "ls despite the cut after $bytes bytes is whole" 2000 "$(wc -l <<<"$output")"
    else
        echo "ok: ls fails when every connection breaks after $bytes bytes"
        breaks "cut after $bytes bytes"
    fi
    mount_stop
    proxy_stop
done

# The line falls silent in the middle of the listing.
proxy_start --stall-after 50000
mount_url "imap://user@localhost:$proxy_port/" tls=none timeout=2
begin=$(now_ms)
output=$(within 30 ls "$mnt/Bulk" 2>&1)
same "ls fails when the line falls silent" 2 $?
ok "in time" took 8000 "$begin"
breaks "a silent line"
mount_stop
proxy_stop
