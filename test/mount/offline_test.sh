#!/bin/bash
# SPDX-License-Identifier: MIT
# Without the server: what was listed and read is there, everything else fails at once; and then it comes back.
. "$(dirname "$0")/lib.sh"

listing() {
    # the date of a directory without messages is that of the mount
    (cd "$mnt" && within 20 find . \( -type f -printf '%T@ ' , -printf '%i %m %s %y %p\n' \) | sort)
}

# refused WHAT COMMAND...: fails within a second, because the server cannot be reached.
refused() {
    local what=$1 begin output
    shift
    begin=$(now_ms)
    if output=$(within 10 "$@" 2>&1 >/dev/null); then
        failed "$what succeeds"
        return
    fi
    ok "$what: at once" took 1000 "$begin"
    ok "$what: ${output##*: }" grep -q 'No route to host' <<<"$output"
}

logged() {
    grep -q "$1" "$daemon_log"
}

# unmounted WHAT EXPECTED OPTION...: mounting fails, and says so.
unmounted() {
    local what=$1 expected=$2 options output
    shift 2
    options="tls=none$(printf ',%s' "$@")"
    output=$(within 20 "$IMAPFS" -f -o "$options" "imap://user@localhost:$IMAP_PORT/" "$mnt" </dev/null 2>&1)
    same "$what fails" 1 $?
    ok "$what: $output" grep -q "$expected" <<<"$output"
}

logins() {
    grep -c 'Login: ' "$IMAP_LOG"
}

shows() {
    within 10 ls "$mnt/$1" | grep -qx "$2"
}

# One more message in INBOX: $new.
deliver() {
    "$MAILGEN" one "$box/INBOX" 4000 || failed "delivering"
    new=$((${new%.eml} + 1)).eml
}

server_start
export DOVECOT_PORT=$IMAP_PORT
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 50 3
mount_start poll=1
first=$(listing)
new=$(find "$mnt/INBOX" -name "*.eml" -printf "%P\n" | sort -n | tail -n 1)
within 10 cat "$mnt/Bulk/1.eml" >/dev/null
imap 'CREATE Unlisted' >/dev/null
ok "a mailbox is seen, but not looked into" await 10 shows "" Unlisted
mount_stop
server_stop

# Mounted without the server; what is known is old, for the poll time is 0.
: >"$daemon_log"
begin=$(now_ms)
mount_start poll=0
ok "a mount without the server" took 5000 "$begin"
same "the log says it once" 1 "$(grep -c 'cannot be reached' "$daemon_log")"
same "all is listed as it was" "$(grep -v Unlisted <<<"$first")" "$(cd "$mnt" && listing | grep -v Unlisted)"
refused "a message never read" cat "$mnt/Bulk/7.eml"
refused "a mailbox never listed" ls "$mnt/Unlisted/"
ok "what never was is not there" bash -c "! test -e '$mnt/Bulk/4711.eml' && ! test -e '$mnt/Nothing'"
server_start
deliver
ok "the server is back by itself" await 30 logged 'reachable again'
ok "with new mail" await 10 shows INBOX "$new"
ok "that can be read" within 10 cat "$mnt/INBOX/$new"
ok "as everything" compare_mailbox Bulk

# It goes while mounted.
server_stop
ok "the loss is noticed" await 10 bash -c "[ \$(grep -c 'cannot be reached' '$daemon_log') = 2 ]"
begin=$(now_ms)
ok "a message read before" within 5 cmp "$mnt/Bulk/1.eml" "$(server_files Bulk | sed -n 's/^1\t//p')"
ok "a mailbox listed before" shows Bulk 50.eml
ok "both at once" took 1000 "$begin"
refused "a message never read then" cat "$mnt/Sent/1.eml"
server_start
ok "and is back" await 30 within 10 cat "$mnt/Sent/1.eml"
mount_stop

# On request, though the server is there. Nobody is asked for a password, nor is one accepted.
before=$(logins)
IMAP_PASSWORD='' mount_start offline poll=0
ok "offline: what is known is listed" shows INBOX "$new"
refused "offline: a message" cat "$mnt/Archive/2019/1.eml"
kill -HUP "$daemon"
ok "offline: SIGHUP" await 5 logged SIGHUP
ok "offline: is still mounted" shows INBOX "$new"
mount_stop
same "offline: nobody logged in" "$before" "$(logins)"
unmounted "offline without a cache" "nothing of this account in the cache $work/none" offline "cache_dir=$work/none"
IMAPFS_PASSWORD=wrong unmounted "a wrong password" "password" "cache_dir=$work/cache"

# SIGHUP makes it look, though nothing else would.
mount_start poll=3600 disable=IDLE,NOTIFY "cache_dir=$work/other"
ok "a listing" shows INBOX "$new"
deliver
ok "is believed" bash -c "! ls '$mnt/INBOX' | grep -qx $new"
kill -HUP "$daemon"
ok "until SIGHUP" await 5 shows INBOX "$new"
kill -TERM "$daemon"
ok "SIGTERM ends it" await 20 daemon_ended
wait "$daemon"
same "with success" 0 $?
daemon=

# A line that carries nothing.
[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
"$DELAYPROXY" "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" &
proxy=$!
await 5 test -s "$work/proxy.port" || failed "no proxy"
url="imap://user@localhost:$(tr -dc 0-9 <"$work/proxy.port")/"
mount_url "$url" tls=none poll=0
ok "through a proxy" shows INBOX "$new"
mount_stop
kill -USR2 $proxy
begin=$(now_ms)
mount_url "$url" tls=none poll=0
ok "a mount into a black hole" took 9000 "$begin"
begin=$(now_ms)
ok "shows what is known" shows INBOX "$new"
ok "at once" took 1000 "$begin"
refused "and no more" cat "$mnt/INBOX/$new"
kill -USR2 $proxy
ok "until the line is there" await 30 within 10 cat "$mnt/INBOX/$new"
mount_stop
kill $proxy
