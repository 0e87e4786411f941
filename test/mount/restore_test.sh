#!/bin/bash
# SPDX-License-Identifier: MIT
# A backup by rsync, brought back by rsync: bytes, dates, flags and names; and nothing is done twice, whatever numbers
# the messages get.
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/mount/backup.sh
. "$top/test/mount/backup.sh"

backup=$work/backup/INBOX/ restored=$mnt/Restored/
server_start
"$MAILGEN" bulk "$box/INBOX" 24 7
mount_start rw
setfattr -n user.imap.flags -v '\\Seen \\Flagged work' "$mnt/INBOX/10.eml"
setfattr -n user.imap.flags -v '\\Answered' "$mnt/INBOX/20.eml"
for uid in 1 3 4 11 19; do # gaps, so that no number is the same afterwards
    rm "$mnt/INBOX/$uid.eml"
done
mount_stop
mount_start ro,umask=022 # so that the modes are others than those of the mount that is restored to
within 60 rsync -aX "$mnt/" "$work/backup/"
mount_stop
mount_start rw
same "the backup has what is there" 19 "$(find "$work/backup/INBOX" -name '*.eml' | wc -l)"

mkdir "$mnt/Restored"
synced "it is brought back" "$backup" "$restored"
same "all of it" 19 "$(transferred)"
same "each with the name, size, date and flags that it had" "$(shown "$work/backup/INBOX")" "$(shown "$mnt/Restored")"
ok "and its bytes" diff -r "$work/backup/INBOX" "$mnt/Restored"
same "once each" 19 "$(server_files Restored | wc -l)"
synced "again, also with --delete" --delete "$backup" "$restored"
same "nothing is transferred" 0 "$(transferred)"
same "and nothing deleted" 0 "$(deleted)"
same "nor anything else changed" "" "$(changed)"
mount_stop

mount_start rw
synced "by another mount" --delete "$backup" "$restored"
same "nothing is transferred" 0 "$(transferred)"
same "and nothing deleted" 0 "$(deleted)"
same "nor anything else changed" "" "$(changed)"

rm "$work/backup/INBOX/2.eml"
"$MAILGEN" bulk "$work/more" 1 99
cp "$(find "$work/more" -type f | head -n 1)" "$work/backup/INBOX/2.eml"
touch -d '2021-03-04 05:06:07' "$work/backup/INBOX/2.eml"
rm "$work/backup/INBOX/24.eml"
synced "a message that is another one now, and one that is gone" --delete "$backup" "$restored"
same "takes its place" 1 "$(transferred)"
same "and goes" 1 "$(deleted)"
ok "all is as in the backup" diff -r "$work/backup/INBOX" "$mnt/Restored"
same "once each" 18 "$(server_files Restored | wc -l)"
mount_stop
