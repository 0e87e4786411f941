#!/bin/bash
# SPDX-License-Identifier: MIT
# With -o writeback, over a line of 20 ms: the mount is killed again and again amid a stream of changes, and the next one
# finishes the work. Arguments are killed.py's: --kills, --seed, --options; LIMIT is in seconds.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
[ -x "$DELAYPROXY" ] || skip "no $DELAYPROXY"
server_start
"$DELAYPROXY" --rtt 20 "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" &
await 5 test -s "$work/proxy.port" || failed "no proxy"
FAR_PORT=$(tr -dc 0-9 <"$work/proxy.port")
export IMAPFS IMAP_PORT IMAP_PASSWORD FAR_PORT work IMAPFS_OPTIONS=writeback
within "${LIMIT:-110}" python3 "$(dirname "$0")/killed.py" "$@" || failed "killing again and again"
