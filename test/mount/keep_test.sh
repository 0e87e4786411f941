#!/bin/bash
# SPDX-License-Identifier: MIT
# Bodies from mount to mount: read again without the server, never a wrong byte whatever the disk did, and no more
# space than cache_size says.
. "$(dirname "$0")/lib.sh"

# With the protocol in the log, for what is asked for.
printf '#!/bin/bash\nexec "%s" -d "$@"\n' "$IMAPFS" >"$work/imapfs-d"
chmod +x "$work/imapfs-d"
IMAPFS=$work/imapfs-d

bodies_asked() {
    grep -cE '^[0-9]+ C: .*UID FETCH .*BODY\.PEEK' "$daemon_log"
}

logged() {
    grep -vE '^[0-9]+ [CS]: ' "$daemon_log" | grep -cE "$1"
}

mount_again() {
    : >"$work/imapfs.log"
    mount_start poll=3600 "$@"
}

bodies_kilobytes() {
    du -sk "$bodies" | cut -f 1
}

# All bytes of the mount, in a form that is quick to compare.
sums() {
    (cd "$mnt" && within 120 find . -name '*.eml' -print0 | sort -z | xargs -0 timeout -k 1 120 cat | sha256sum)
}

server_start
bodies=$work/cache/user@localhost_$IMAP_PORT.bodies
"$MAILGEN" bulk "$box/Bulk" 600 3
"$MAILGEN" sample "$box"
"$MAILGEN" one "$box/Large" 3000000
"$MAILGEN" one "$box/Large" 70000

mount_again
ok "a first mount reads what the server has" compare_mailbox Bulk
ok "large ones too" compare_mailbox Large
before=$(sums)
ok "it has asked for bodies" test "$(bodies_asked)" -gt 0
mount_stop
ok "the bodies are private" test "$(stat -c %a "$bodies")" = 700
ok "each file of them, too" test "$(find "$bodies" -type f ! -perm 600 | wc -l)" = 0

for i in 2 3; do
    mount_again
    same "mount $i reads the same" "$before" "$(sums)"
    ok "which is right" compare_mailbox Bulk
    same "without asking the server for a single body" 0 "$(bodies_asked)"
    mount_stop
done

# The disk is not what it was.
file=$(find "$bodies" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
# shellcheck disable=SC2016
offset=$(LC_ALL=C grep -obUa -m 1 'Subject: ' "$file" | head -n 1 | cut -d : -f 1)
printf '\377' | dd of="$file" conv=notrunc bs=1 seek="$offset" status=none
mount_again
same "after a flipped byte all is read as it was" "$before" "$(sums)"
ok "at the cost of few bodies: $(bodies_asked)" test "$(bodies_asked)" -le 2
same "and of one line" 1 "$(logged 'damaged in the cache')"
mount_stop
mount_again
same "the next mount has it again" "$before" "$(sums)"
same "from disk" 0 "$(bodies_asked)"
mount_stop

truncate -s $(($(stat -c %s "$file") / 2)) "$file"
mount_again
same "after a file was cut all is read as it was" "$before" "$(sums)"
mount_stop
rm -r "$bodies"
mount_again
same "after all were removed all is read as it was" "$before" "$(sums)"
mount_stop
mount_again
same "and the next mount reads it" "$before" "$(sums)"
same "from disk again" 0 "$(bodies_asked)"
mount_stop

# The limit.
mount_again cache_size=1M
await 10 test "$(bodies_kilobytes)" -le 1100
ok "a smaller cache_size holds from the mount on: $(bodies_kilobytes) KB" test "$(bodies_kilobytes)" -le 1100
ok "reading on" compare_mailbox Bulk
ok "stays within it: $(bodies_kilobytes) KB" test "$(bodies_kilobytes)" -le 2200
mount_stop
ok "also afterwards: $(bodies_kilobytes) KB" test "$(bodies_kilobytes)" -le 1100

# Killed in the middle of reading.
for after in 0.1 0.4 1; do
    mount_again
    (cd "$mnt" && within 60 grep -r nothing-of-the-kind . >/dev/null 2>&1) &
    reader=$!
    sleep $after
    kill -KILL "$daemon"
    wait "$daemon" "$reader" 2>/dev/null
    fusermount3 -uz "$mnt"
    mount_again
    same "killed after $after s of grep -r, all is read as it was" "$before" "$(sums)"
    same "and nothing was damaged" 0 "$(logged 'damaged')"
    mount_stop
done
needed=$(($(find "$box" -path '*/cur/*' -printf '%s\n' -o -path '*/new/*' -printf '%s\n' |
    awk '{ sum += int(($1 + 4095) / 4096) * 4 } END { print sum }') + 64))
ok "no space is lost: $(bodies_kilobytes) KB for $needed KB" test "$(bodies_kilobytes)" -le "$needed"

# Two at once.
mount_again
first_mnt=$mnt first_daemon=$daemon
mnt=$work/mnt2
mkdir "$mnt"
mount_start poll=3600
same "of two mounts at once the second reads all" "$before" "$(sums)"
same "and says that it keeps nothing" 1 "$(logged 'neither listings nor messages are kept.*another imapfs')"
second_mnt=$mnt second_daemon=$daemon
mnt=$first_mnt daemon=$first_daemon
same "the first too" "$before" "$(sums)"
mount_stop
mnt=$second_mnt daemon=$second_daemon
same "the second also when the first has ended" "$before" "$(sums)"
mount_stop
mnt=$first_mnt

[ "$(id -u)" = 0 ] || skip "a full disk needs root to make one"
mkdir -p "$work/tiny"
mount -t tmpfs -o size=3m,mode=700 tmpfs "$work/tiny" || skip "cannot mount a tmpfs"
trap 'umount -l "$work/tiny"; cleanup' EXIT
"$MAILGEN" one "$box/Large" 90000000
for i in 1 2; do
    mount_again "cache_dir=$work/tiny"
    ok "a full disk, mount $i: large messages" compare_mailbox Large
    ok "and all the small ones" compare_mailbox Bulk
    mount_stop
done
