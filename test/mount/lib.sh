# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the mount tests, each a script that begins with sourcing this: a private Dovecot, a mount of it, checks.
# A failed check is told and the test goes on; the script fails at its end. Whatever was started is ended.
#
# $work is a directory of the test's own, $mnt the mount point, $box the Maildirs of the user.
set -u
export LC_ALL=C.UTF-8 TZ=UTC0
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
IMAPFS=${IMAPFS:-$top/build/asan/fs/imapfs}
MAILGEN=${MAILGEN:-$top/build/asan/test/mount/mailgen}
DELAYPROXY=${DELAYPROXY:-$top/build/asan/test/bench/delayproxy}
dovecot=$top/test/support/dovecot.sh
cyrus=$top/test/support/cyrus.sh
# shellcheck source=test/support/maildir.sh
. "$top/test/support/maildir.sh"
failures=0
daemon=
daemon_log=

skip() {
    echo "SKIPPED: $*"
    [ "${CI:-}" != true ] || exit 1
    exit 77
}

failed() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# ok WHAT COMMAND...: a check.
ok() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok: $what"
    else
        failed "$what ($*)"
        [ -z "$output" ] || head -n 20 <<<"$output" | sed 's/^/    /'
    fi
}

# same WHAT EXPECTED GOT
same() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        failed "$1"
        diff <(echo "$2") <(echo "$3") | head -n 20 | sed 's/^/    /'
    fi
}

# Each command that touches the mount has a limit: a hang must fail one check, not the whole run.
within() {
    timeout -k 1 "$@"
}

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

# await SECONDS COMMAND...: until it succeeds.
await() {
    local end=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# took LIMIT_MS SINCE_MS: whether no more time than that went by.
took() {
    local elapsed=$(($(now_ms) - $2))
    [ "$elapsed" -le "$1" ] || { echo "took $elapsed ms" && false; }
}

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    server_continue
    mounted_below "$work" | while read -r mnt; do
        fusermount3 -uz "$mnt" 2>/dev/null || umount -l "$mnt" 2>/dev/null || true
    done
    if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
        kill -KILL "$daemon"
    fi
    jobs -p | xargs -r kill 2>/dev/null
    "$dovecot" stop "$work/s" || status=1
    [ ! -d "$work/c" ] || "$cyrus" stop "$work/c" || status=1
    check_sanitizers
    [ $status != 0 ] || [ $failures = 0 ] || status=1
    if [ $status = 1 ] && [ -n "$daemon_log" ]; then
        echo "--- the end of the log of imapfs"
        tail -n 15 "$daemon_log"
    fi
    if [ -n "${KEEP:-}" ]; then
        echo "kept: $work"
    else
        rm -rf --one-file-system "$work"
    fi
    exit $status
}

check_sanitizers() {
    local report
    for report in "$work"/sanitizer.*; do
        [ -e "$report" ] || continue
        failed "a sanitizer has something to say"
        head -n 60 "$report"
        rm -f "$report"
    done
}

is_mounted() {
    grep -qF " $mnt " /proc/self/mountinfo
}

mounted_below() {
    cut -d ' ' -f 5 /proc/self/mountinfo | grep "^$1/"
}

# server_start: a fresh Dovecot on the Maildirs that are there; sets IMAP_*.
server_start() {
    "$dovecot" start "$work/s" || skip "no Dovecot"
    # shellcheck disable=SC1091
    . "$work/s/env"
}

server_stop() {
    "$dovecot" stop "$work/s"
}

# cyrus_start: an empty Cyrus beside the Dovecot that there may be; sets IMAP_*.
cyrus_start() {
    "$cyrus" start "$work/c" || skip "no Cyrus"
    server_use c
}

# server_use s|c: what is mounted and asked next is Dovecot, or Cyrus.
server_use() {
    # shellcheck disable=SC1090
    . "$work/$1/env"
}

# client ...: an independent client of the server in use, see client.py.
client() {
    IMAP_PASSWORD=$IMAP_PASSWORD within 60 python3 "$top/test/mount/client.py" "$IMAP_PORT" "$@"
}

# server_processes PATTERN: those of the server whose name matches.
server_processes() {
    local stat line pid member_of comm
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        pid=${line%% *} comm=${line#*(}
        read -r _ _ _ member_of _ <<<"${line##*) }"
        # shellcheck disable=SC2053
        if [ "$member_of" = "${IMAP_MASTER:-none}" ] && [[ ${comm%%)*} == $1 ]]; then
            echo "$pid"
        fi
    done
}

no_sessions() {
    [ -z "$(server_processes imap)" ]
}

# Everything the server has for its clients stands still; new connections are not answered either.
server_stall() {
    server_processes 'imap*' | xargs -r kill -STOP
}

server_continue() {
    server_processes 'imap*' | xargs -r kill -CONT 2>/dev/null
}

# imap COMMAND...: what a second client says (each argument one command), on the server's own standard input.
imap() {
    local n=0 command
    {
        for command; do
            printf 'a%d %s\r\n' $((n += 1)) "$command"
        done
        printf 'z LOGOUT\r\n'
    } | cat | "$dovecot" tunnel "$work/s" user 2>/dev/null
}

# server_files MAILBOX: lines of UID, tab, path of the server's file, rising UIDs.
server_files() {
    maildir_files "$box/$1"
}

mailboxes() {
    (cd "$box" && find . -name cur -printf '%h\n' | sed 's|^\./||' | sort)
}

# Compares one mailbox with the server's files, byte for byte; prints what differs.
compare_mailbox() {
    local uid path good=0 listing
    listing=$(cd "$mnt/$1" && within 60 find . -maxdepth 1 -type f -printf '%P\n' | sort)
    diff <(server_files "$1" | sed 's/\t.*/.eml/' | sort) <([ -z "$listing" ] || echo "$listing") || good=1
    while IFS=$'\t' read -r uid path; do
        within 60 cmp "$path" "$mnt/$1/$uid.eml" || good=1
    done < <(server_files "$1")
    return $good
}

wait_for_mount() {
    local end=$(($(now_ms) + 30000))
    until is_mounted; do
        kill -0 "$daemon" 2>/dev/null && [ "$(now_ms)" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# mount_url URL [OPTION...]: mounts in the foreground with its messages in $daemon_log.
mount_url() {
    local url=$1 option options="timeout=20,cache_dir=$work/cache"
    shift
    for option; do
        options+=",$option"
    done
    daemon_log=$work/imapfs.log
    ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$work/sanitizer UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$work/sanitizer \
        TSAN_OPTIONS=${TSAN_OPTIONS:-}:log_path=$work/sanitizer \
        IMAPFS_PASSWORD=$IMAP_PASSWORD "$IMAPFS" -f -o "$options" "$url" "$mnt" </dev/null >>"$daemon_log" 2>&1 &
    daemon=$!
    if ! wait_for_mount; then
        failed "mounting $url with $options"
        exit 1
    fi
}

# mount_start [OPTION...]: the user's whole account over cleartext.
mount_start() {
    mount_url "imap://user@localhost:$IMAP_PORT/" tls=none "$@"
}

# Unmounts; the daemon must end by itself, with success.
mount_stop() {
    fusermount3 -u "$mnt" || { failed "unmounting" && fusermount3 -uz "$mnt"; }
    if ! await 20 daemon_ended; then
        failed "the daemon still runs 20 s after unmounting"
        kill -KILL "$daemon"
    fi
    wait "$daemon"
    same "the daemon ends with success" 0 $?
    daemon=
    check_sanitizers
}

daemon_ended() {
    [ ! -d "/proc/$daemon" ] || [[ $(<"/proc/$daemon/stat") == *") Z "* ]]
}

# Bytes that the server has sent to its clients so far; complete once they have logged out.
server_sent() {
    awk '/ in=[0-9]+ out=[0-9]+/ { sub(/.* out=/, ""); sum += $1 } END { print sum + 0 }' "$IMAP_LOG"
}

[ -x "$IMAPFS" ] || skip "no $IMAPFS"
[ -x "$MAILGEN" ] || skip "no $MAILGEN"
if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
    skip "cannot mount: /dev/fuse is missing or not accessible to $(id -un)"
fi
command -v fusermount3 >/dev/null || skip "cannot mount: no fusermount3 (package fuse3)"

base=/dev/shm
[ -w $base ] || base=/tmp
work=$(mktemp -d $base/imapfs-mount.XXXXXX)
chmod 755 "$work"
mnt=$work/mnt box=$work/s/mail/user
mkdir "$mnt" "$work/s"
trap cleanup EXIT
trap 'exit 1' INT TERM

# When this script is killed, someone has to clean up all the same.
if [ -z "${KEEP:-}" ]; then
    # shellcheck disable=SC2016
    setsid bash -c 'tail --pid="$1" -f /dev/null; [ -d "$2" ] || exit; for m in "$2"/*mnt*; do fusermount3 -uz "$m"; done
        "$3" stop "$2/s"; "$4" stop "$2/c"
        rm -rf --one-file-system "$2"' keeper $$ "$work" "$dovecot" "$cyrus" </dev/null >/dev/null 2>&1 &
fi
