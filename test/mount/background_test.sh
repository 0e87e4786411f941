#!/bin/bash
# SPDX-License-Identifier: MIT
# The command as people and fstab use it: into the background once mounted, options tolerated, owner and modes.
. "$(dirname "$0")/lib.sh"

# run OPTIONS ARGUMENT...: in the background; the mount must be there when the command returns.
run() {
    local options=$1
    shift
    IMAPFS_PASSWORD=$IMAP_PASSWORD ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$work/sanitizer \
        within 20 "$IMAPFS" -o "$options" "$@" </dev/null >"$work/output" 2>&1
    same "returns with success" 0 $?
    same "and says nothing" "" "$(<"$work/output")"
    ok "and is mounted" is_mounted
}

pids() {
    local directory words
    for directory in /proc/[0-9]*; do
        words=$(tr '\0' ' ' 2>/dev/null <"$directory/cmdline") || continue
        [[ $words != "$IMAPFS -o"*"$mnt"* ]] || echo "${directory#/proc/}"
    done 2>/dev/null
}

none_left() {
    [ -z "$(pids)" ]
}

end() {
    ok "unmounts" fusermount3 -u "$mnt"
    ok "and ends" await 20 none_left
    pids | xargs -r kill -KILL
}

server_start
"$MAILGEN" sample "$box"
url=imap://user@localhost:$IMAP_PORT/ common=tls=none,cache_dir=$work/cache

# Mounted while the one before still says goodbye, and so has the account: nothing that is kept is lost.
run "$common" "$url" "$mnt"
within 10 ls "$mnt/INBOX" >/dev/null
end
lock=$work/cache/user@localhost_$IMAP_PORT.db.lock
flock "$lock" sleep 1 &
is_held() {
    ! flock -n "$lock" true
}
ok "somebody has the account" await 10 is_held
run "$common,offline" "$url" "$mnt"
ok "what was listed is there without the server" test -e "$mnt/INBOX/1.eml"
end

run "$common" "$url" "$mnt"
ok "can be read" within 10 grep -q Subject "$mnt/INBOX/1.eml"
same "root, by default" "700 $(id -u) $(id -g)" "$(stat -c '%a %u %g' "$mnt")"
same "a message, by default" "400 $(id -u) $(id -g)" "$(stat -c '%a %u %g' "$mnt/INBOX/1.eml")"
same "holds no terminal or directory of the caller" / "$(readlink "/proc/$(pids | head -n 1)/cwd")"
ok "statfs answers" within 5 stat -f "$mnt"
same "the cache is private" 700 "$(stat -c %a "$work/cache")"
end

run "$common,uid=12,gid=34,umask=022,ro,nosuid,nodev,noatime,_netdev,noauto,nofail,user,x-systemd.automount" "$url" "$mnt"
same "uid, gid, umask of a message" "444 12 34" "$(stat -c '%a %u %g' "$mnt/INBOX/1.eml")"
same "uid, gid, umask of a mailbox" "755 12 34" "$(stat -c '%a %u %g' "$mnt/INBOX")"
end

run "$common" "$url" "$mnt"
daemon_pid=$(pids | head -n 1)
kill -HUP "$daemon_pid"
ok "SIGHUP does not end it" within 10 ls "$mnt/INBOX"
ok "SIGTERM unmounts" bash -c "kill '$daemon_pid'"
ok "and ends it" await 20 none_left
ok "with nothing left mounted" bash -c "! grep -qF ' $mnt ' /proc/self/mountinfo"

# A daemon that was killed leaves a dead mount behind; mounting again clears it away.
run "$common" "$url" "$mnt"
pids | xargs kill -KILL
ok "killed" await 5 none_left
ok "a dead mount is dead" bash -c "! ls '$mnt' 2>/dev/null"
run "$common" "$url" "$mnt"
ok "mounting over a dead mount works" within 10 grep -q Subject "$mnt/INBOX/1.eml"
end
check_sanitizers
