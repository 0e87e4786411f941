#!/bin/bash
# SPDX-License-Identifier: MIT
# Two mounts and a mail client change the same mailboxes at once. Arguments are concurrent.py's: --seed, --seconds.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
server_start
export IMAPFS IMAP_PORT IMAP_PASSWORD work
within "${LIMIT:-110}" python3 "$(dirname "$0")/concurrent.py" "$@" || failed "changing at once"
