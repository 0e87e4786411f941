#!/bin/bash
# SPDX-License-Identifier: MIT
# Another client takes away what is open, being moved, deleted or written here.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
server_start
export IMAPFS IMAP_PORT IMAP_PASSWORD work
within "${LIMIT:-110}" python3 "$(dirname "$0")/expunged.py" "$@" || failed "what others take away"
