# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For tests that compare with the files of dovecot.sh's server.

# maildir_files DIR: lines of UID, tab, path of the server's file, rising UIDs.
maildir_files() {
    local path base uid
    declare -A paths=()
    for path in "$1"/cur/* "$1"/new/*; do
        base=${path##*/}
        paths[${base%%:2,*}]=$path
    done
    while IFS=$'\t' read -r uid base; do
        [ -z "${paths[$base]:-}" ] || printf '%s\t%s\n' "$uid" "${paths[$base]}"
    done < <(sed -n '2,$s/^\([0-9]*\)[^:]*:\(.*\)$/\1\t\2/p' "$1/dovecot-uidlist" | sed 's/:2,.*//')
}
