#!/bin/bash
# SPDX-License-Identifier: MIT
# A backup by rsync, brought back by rsync: bytes, dates, flags and names; and nothing is done twice, whatever numbers
# the messages get.
. "$(dirname "$0")/lib.sh"

transferred() {
    sed -n 's/^Number of regular files transferred: //p' "$work/stats"
}

deleted() {
    sed -n 's/^Number of deleted files: \([0-9]*\).*/\1/p' "$work/stats"
}

# restore OPTION...: the backup into the mailbox.
restore() {
    within 120 rsync -aX --stats "$@" "$work/backup/INBOX/" "$mnt/Restored/" >"$work/stats"
}

# What is shown of a directory: name, size, date, flags.
shown() {
    (cd "$1" && for file in *.eml; do
        echo "$file $(stat -c '%s %Y' "$file") $(getfattr --only-values -n user.imap.flags "$file" 2>/dev/null)"
    done)
}

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
ok "it is brought back" restore
same "all of it" 19 "$(transferred)"
same "each with the name, size, date and flags that it had" "$(shown "$work/backup/INBOX")" "$(shown "$mnt/Restored")"
ok "and its bytes" diff -r "$work/backup/INBOX" "$mnt/Restored"
same "once each" 19 "$(server_files Restored | wc -l)"
ok "again, also with --delete" restore --delete
same "nothing is transferred" 0 "$(transferred)"
same "and nothing deleted" 0 "$(deleted)"
mount_stop

mount_start rw
ok "by another mount" restore --delete
same "nothing is transferred" 0 "$(transferred)"
same "and nothing deleted" 0 "$(deleted)"

rm "$work/backup/INBOX/2.eml"
"$MAILGEN" bulk "$work/more" 1 99
cp "$(find "$work/more" -type f | head -n 1)" "$work/backup/INBOX/2.eml"
touch -d '2021-03-04 05:06:07' "$work/backup/INBOX/2.eml"
rm "$work/backup/INBOX/24.eml"
ok "a message that is another one now, and one that is gone" restore --delete
same "takes its place" 1 "$(transferred)"
same "and goes" 1 "$(deleted)"
ok "all is as in the backup" diff -r "$work/backup/INBOX" "$mnt/Restored"
same "once each" 18 "$(server_files Restored | wc -l)"
mount_stop
