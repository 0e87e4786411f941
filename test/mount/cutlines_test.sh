#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever changes mail, with the line cut at each line that either side says: nothing is lost, and nothing doubled or
# not done without an error. Arguments are cutlines.py's: --cut both for either way of cutting (default: after). With
# IMAPFS_OPTIONS=writeback the mounts have that option, too.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
server_start
export IMAPFS IMAP_PORT IMAP_PASSWORD work
within "${LIMIT:-150}" python3 "$(dirname "$0")/cutlines.py" --cut after "$@" || failed "cutting at every line"
