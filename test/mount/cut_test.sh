#!/bin/bash
# SPDX-License-Identifier: MIT
# The line is cut behind each line of the server while a message is moved, deleted or copied: the caller is told the truth,
# and each message is there exactly once.
. "$(dirname "$0")/lib.sh"

[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
# The trace tells how many lines the server has said.
printf '#!/bin/bash\nexec "%s" -d "$@"\n' "$IMAPFS" >"$work/traced"
chmod +x "$work/traced"
IMAPFS=$work/traced
proxy=""

files_in() {
    find "$box/$1" -type f \( -path '*/cur/*' -o -path '*/new/*' \) | wc -l
}

lines_so_far() {
    grep -c '^0 S: ' "$daemon_log"
}

# begin_cut AFTER OPTION...: a mount whose first connection is cut after so many lines of the server.
begin_cut() {
    local after=$1
    shift
    rm -f "$work/proxy.port" "$work/imapfs.log"
    "$DELAYPROXY" --cut-after "${after}l" --only 1 "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" 2>"$work/proxy.log" &
    proxy=$!
    await 5 test -s "$work/proxy.port" || failed "no proxy: $(<"$work/proxy.log")"
    rm -rf "$work/cache"
    mount_url "imap://user@localhost:$(tr -dc 0-9 <"$work/proxy.port")/" tls=none,rw "$@"
    ls "$mnt/To" "$mnt/From" >/dev/null 2>&1
    ls "$mnt/From" >/dev/null 2>&1
}

end_cut() {
    mount_stop >/dev/null
    kill $proxy
    wait $proxy 2>/dev/null
}

# attempt CUT-AFTER STEP OPTION...: what becomes of message $uid.
attempt() {
    local after=$1 step=$2 status=0 from to gain=1 loss=1
    shift 2
    begin_cut "$after" "$@"
    lines=$(lines_so_far)
    from=$(files_in From) to=$(files_in To)
    if [ "$action" = mv ]; then
        within 20 mv "$mnt/From/$uid.eml" "$mnt/To/" 2>"$work/said" || status=$?
    elif [ "$action" = cp ]; then
        within 20 cp "$mnt/From/$uid.eml" "$mnt/To/copy$uid-$step.eml" 2>"$work/said" || status=$?
        loss=0
    else
        within 20 rm "$mnt/From/$uid.eml" 2>"$work/said" || status=$?
        gain=0
    fi
    if [ $status = 0 ]; then
        same "$action, $*, cut behind line $step: done" "$((from - loss)) $((to + gain))" "$(files_in From) $(files_in To)"
    else # a copy may be there, and the caller knows that it failed
        ok "$action, $*, cut behind line $step: it failed, and nothing is lost: $(<"$work/said")" \
            [ "$(files_in From)" = "$from" -a "$(files_in To)" -ge "$to" -a "$(files_in To)" -le $((to + gain)) ]
    fi
    [ $status != 0 ] || uid=$((uid + 1))
    [ "$(grep -c ' S: \* OK .*ready' "$daemon_log")" -lt 2 ] || cuts=$((cuts + 1))
    end_cut
}

server_start
"$MAILGEN" bulk "$box/From" 60 1
"$MAILGEN" bulk "$box/To" 1 2
uid=1 lines=0
for variant in "mv disable=NONE" "mv disable=MOVE" "rm disable=NONE" "cp disable=NONE"; do
    action=${variant%% *} cuts=0
    attempt 100000 none "${variant#* }"
    for step in 0 1 2 3 4 5 6; do
        attempt $((lines - 1 + step)) $step "${variant#* }" # a message less than before
    done
    ok "$variant: the line was cut in the middle" [ $cuts -ge 3 ]
done
