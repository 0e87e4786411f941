#!/bin/bash
# SPDX-License-Identifier: MIT
# What has changed while nobody watched shows when it is listed again, whichever way the server lets it be learnt.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

count=${COUNT:-300}

# uid, flags and modification sequence of each message: as the mount has them, and as the server does.
# \Recent belongs to the session.
values() {
    (cd "$mnt/INBOX" && within 20 getfattr -n "user.imap.$1" -- *.eml 2>/dev/null) |
        sed -n -e 's/^# file: \(.*\)\.eml$/\1/;t name' -e 's/^user[^=]*="\(.*\)"$/\1/;t value' -e d \
            -e ':name' -e h -e d -e ':value' -e 's/\\\\/\\/g' -e 'H;x;s/\n/|/p'
}

words_sorted() {
    awk -F'|' '{ n = split($2, word, " "); delete kept; k = 0
        for (i = 1; i <= n; i++) if (word[i] != "\\Recent") kept[++k] = word[i]
        for (i = 1; i <= k; i++) for (j = i + 1; j <= k; j++)
            if (kept[j] < kept[i]) { t = kept[i]; kept[i] = kept[j]; kept[j] = t }
        line = $1 "|"; for (i = 1; i <= k; i++) line = line kept[i] " "; print line "|" $3 }'
}

mount_says() {
    within 20 ls "$mnt/INBOX" >/dev/null
    if [ "$1" = yes ]; then
        join -t'|' <(values flags | sort -t'|' -k1,1) <(values modseq | sort -t'|' -k1,1)
    else
        values flags | sort -t'|' -k1,1
    fi | words_sorted
}

server_says() {
    imap 'EXAMINE INBOX' 'UID FETCH 1:* (UID FLAGS MODSEQ)' | tr -d '\r' |
        sed -n 's/^\* [0-9]* FETCH (UID \([0-9]*\) FLAGS (\([^)]*\)) MODSEQ (\([0-9]*\)).*/\1|\2|\3/p' |
        sort -t'|' -k1,1 | if [ "$1" = yes ]; then cat; else sed 's/[0-9]*$//'; fi | words_sorted
}

agree() {
    diff <(server_says "$1") <(mount_says "$1")
}

server_start
"$MAILGEN" bulk "$box/Other" 3 1
for way in none QRESYNC QRESYNC,ESEARCH CONDSTORE; do
    echo "--- disabled: $way"
    rm -rf "$box/INBOX"
    "$MAILGEN" bulk "$box/INBOX" "$count" 2
    modseq=yes
    [ $way != CONDSTORE ] || modseq=no
    if [ $way = none ]; then
        mount_start poll=0
    else
        mount_start poll=0 disable=$way
    fi
    ok "what is there at first" agree $modseq
    within 10 ls "$mnt/Other" >/dev/null # so INBOX is not watched any more
    "$MAILGEN" one "$box/INBOX" 4000 || failed "delivering"
    "$MAILGEN" one "$box/INBOX" 5000 || failed "delivering"
    imap 'SELECT INBOX' 'UID STORE 11:30 +FLAGS.SILENT (\Flagged $Work)' 'UID STORE 31:40 FLAGS.SILENT ()' \
        'UID STORE 1:10,51:60 +FLAGS.SILENT (\Deleted)' >/dev/null
    imap 'SELECT INBOX' EXPUNGE >/dev/null # right behind the STOREs it took none of them
    same "so many are left" $((count - 18)) "$(server_says no | wc -l)"
    ok "new, flagged and expunged mail" agree $modseq
    ok "a new one is read" within 10 cat "$mnt/INBOX/$((count + 2)).eml"
    ok "one that is gone is not" await 5 bash -c "! cat '$mnt/INBOX/5.eml' 2>/dev/null"
    ok "all bodies are right" compare_mailbox INBOX
    within 10 ls "$mnt/Other" >/dev/null
    ok "the same again when nothing has changed" agree $modseq
    mount_stop
done

# A tree whose mailboxes are all known is looked at again by one LIST, not by selecting each.
echo "--- a tree of 50 mailboxes"
for number in {01..50}; do
    "$MAILGEN" one "$box/Tree/m$number" 600 "$((10#$number))"
done
printf '#!/bin/bash\nexec "%s" -d "$@"\n' "$IMAPFS" >"$work/imapfs-d"
chmod +x "$work/imapfs-d"
IMAPFS=$work/imapfs-d
poll=5

commands() {
    grep -cE "^[0-9]+ C: .*$1" "$daemon_log"
}

: >"$work/imapfs.log"
mount_start poll=$poll
same "the first look" 50 "$(within 30 find "$mnt/Tree" -name '1.eml' | wc -l)"
same "selects each mailbox" 50 "$(commands 'EXAMINE.*Tree/m')"
over=$(($(now_ms) + poll * 1000 + 100))
while [ "$(now_ms)" -lt $over ]; do
    sleep 0.1
done
all=$(commands '')
same "a second look, when the poll time is over" 50 "$(within 30 find "$mnt/Tree" -name '1.eml' | wc -l)"
asked=$(($(commands '') - all)) selected=$(($(commands EXAMINE) - 50))
echo "it took $asked commands"
ok "a handful of commands" test $asked -le 8
ok "hardly any mailbox selected again" test $selected -le 3
mount_stop
