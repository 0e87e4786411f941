# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# For tests of rsync to and from mounts; sourced behind lib.sh.

# synced WHAT OPTION... FROM TO: a check, that rsync -aX succeeds; what it did is told by those below.
synced() {
    local what=$1
    shift
    ok "$what" within 120 rsync -aX --itemize-changes --stats --log-file="$work/rsync.log" "$@"
    sed -n 's/^[^]]*\] //p' "$work/rsync.log" >"$work/stats"
    rm -f "$work/rsync.log"
}

transferred() {
    sed -n 's/^Number of regular files transferred: //p' "$work/stats"
}

deleted() {
    sed -n 's/^Number of deleted files: \([0-9]*\).*/\1/p' "$work/stats"
}

differences() {
    grep -aE '^([<>ch.][fdLDS][^ ]{9}|\*deleting) ' "$work/stats"
}

# But for what a mount does not keep: times of mailboxes, and modes.
changed() {
    differences | grep -aEv '^(\.d\.\.[t.][p.]|\.f\.\.\.p)\.{5} '
}

# What is shown of a directory: name, size, date, flags.
shown() {
    (cd "$1" && for file in *.eml; do
        echo "$file $(stat -c '%s %Y' "$file") $(getfattr --only-values -n user.imap.flags "$file" 2>/dev/null)"
    done)
}
