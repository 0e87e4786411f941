#!/bin/bash
# SPDX-License-Identifier: MIT
# A private Cyrus for tests: loopback only, ports of its own, nothing outside DIR, no system service involved.
#
#   cyrus.sh start DIR            start it; write DIR/env, shell assignments that say how to reach it
#   cyrus.sh stop DIR             end it, return when its last process is gone
#
# Users are user, friend and the administrator cyrus, all with the one password; mailboxes are parted by "/". Needs
# Debian's cyrus-common and sasl2-bin, and the programs of its cyrus-imapd, which excludes other servers: they are
# looked for in /usr/lib/cyrus/bin and in build/cyrus, where contrib/check unpacks them (or in CYRUS_IMAPD, the path
# of imapd). "cyrus.sh start" ends with 77 where one is missing. Environment: CYRUS_PORT (a port to keep; TLS has the
# next one), CYRUS_NAMES=classic (mailboxes are parted by "." and lie below "INBOX."),
# CYRUS_CONF (more configuration text).
set -euo pipefail
# shellcheck source=test/support/serverlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/serverlib.sh"

missing() {
    echo "cyrus.sh: $* (contrib/check installs it)" >&2
    exit 77
}

find_programs() {
    local top candidate
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    programs=/usr/lib/cyrus/bin
    [ -x $programs/master ] || missing "Cyrus is not installed: no $programs/master"
    command -v saslpasswd2 >/dev/null || missing "saslpasswd2 is not installed"
    for candidate in "${CYRUS_IMAPD:-}" $programs/imapd "$top"/build/cyrus/*/usr/lib/cyrus/bin/imapd; do
        if [ -x "$candidate" ]; then
            imapd=$candidate
            return
        fi
    done
    missing "Cyrus has no imapd: neither in $programs nor below $top/build/cyrus"
}

# Its programs refuse to be root.
mail_user() {
    if [ "$(id -u)" = 0 ]; then echo cyrus; else id -un; fi
}

as_mail_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid cyrus --regid mail --clear-groups --inh-caps=-all "$@"
    else
        "$@"
    fi
}

# Unpacked in a folder that only its owner may enter, the programs are of no use to the user cyrus.
reachable_programs() {
    local dir=$1
    if ! as_mail_user test -x "$imapd"; then
        cp -p "$imapd" "${imapd%/*}/idled" "$dir/bin"
        imapd=$dir/bin/imapd
    fi
}

write_config() {
    local dir=$1 name=$2 separators=yes
    [ "${CYRUS_NAMES:-}" != classic ] || separators=no
    cat <<END
configdirectory: $dir/conf
defaultpartition: default
partition-default: $dir/mail
proc_path: $dir/run/proc
mboxname_lockpath: $dir/run/lock
idlesocket: $dir/run/idle
servername: $name
cyrus_user: $(mail_user)
cyrus_group: $(if [ "$(id -u)" = 0 ]; then echo mail; else id -gn; fi)
unixhierarchysep: $separators
altnamespace: $separators
virtdomains: no
admins: cyrus
proxyservers: cyrus
allowplaintext: yes
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: $dir/conf/sasldb
tls_server_cert: $dir/server.pem
tls_server_key: $dir/server.key
tls_sessions_db_path: $dir/conf/tls_sessions.db
autocreate_quota: 1000000
autocreate_post: yes
autocreate_inbox_folders: Trash
xlist-trash: Trash
annotation_allow_undefined: yes
annotation_enable_legacy_commands: yes
specialusealways: yes
conversations: yes
expunge_mode: immediate
delete_mode: immediate
popminpoll: 0
failedloginpause: 0
maxlogins_per_user: 0
${CYRUS_CONF:-}
END
}

write_services() {
    local dir=$1 port=$2
    cat <<END
START {
  recover cmd="$programs/ctl_cyrusdb -C $dir/imapd.conf -r"
}
SERVICES {
  imap cmd="$imapd -C $dir/imapd.conf -U 30" listen="127.0.0.1:$port" prefork=0
  imaps cmd="$imapd -s -C $dir/imapd.conf -U 30" listen="127.0.0.1:$((port + 1))" prefork=0
}
EVENTS {
}
DAEMON {
  idled cmd="${imapd%/*}/idled -C $dir/imapd.conf"
}
END
}

is_taken() {
    { exec 9<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    exec 9>&-
}

make_users() {
    local dir=$1 name=$2 user
    rm -f "$dir/conf/sasldb"
    for user in cyrus user friend; do
        echo "$password" | as_mail_user saslpasswd2 -p -c -f "$dir/conf/sasldb" -u "$name" "$user"
    done >"$dir/users.log" 2>&1 || die "cannot make users: $(tail -n 1 "$dir/users.log")"
}

# Its master does not end when a port is taken: whether it is ours that answers is seen by the name.
launch() {
    local dir=$1 name=$2 try port master
    for try in {1..20}; do
        port=${CYRUS_PORT:-$(random_port)}
        if is_taken "$port" || is_taken $((port + 1)); then
            continue
        fi
        write_services "$dir" "$port" >"$dir/cyrus.conf"
        setsid "$programs/master" -C "$dir/imapd.conf" -M "$dir/cyrus.conf" -p "$dir/run/lock.pid" </dev/null \
            >"$dir/cyrus.log" 2>&1 &
        master=$!
        echo "$master" >"$dir/run/master.pid"
        if await_greeting "$port" "* OK " "$name"; then
            echo "$port"
            return
        fi
        end_master "$dir" cyrus.conf
    done
    die "cannot start (attempt $try): $(tail -n 3 "$dir/cyrus.log")"
}

start() {
    local dir=$1 port name
    find_programs
    [ ! -s "$dir/run/master.pid" ] || stop "$dir"
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd -P)
    [ ${#dir} -le 60 ] || die "$dir is too long a path for Cyrus's sockets"
    mkdir -p "$dir"/{run/{proc,lock},conf/socket,mail,bin}
    rm -f "$dir/env"
    # SASL takes it as the realm, in lower case.
    name=$(echo "${dir##*/}" | tr A-Z a-z | tr -cd 'a-z0-9').localdomain
    make_certificates "$dir"
    if [ "$(id -u)" = 0 ]; then
        chown cyrus:mail "$dir" "$dir/server.key"
        chown -R cyrus:mail "$dir"/{run,conf,mail}
        chmod 755 "$dir"
        as_mail_user test -w "$dir/run" || die "user cyrus cannot get to $dir"
    fi
    reachable_programs "$dir"
    write_config "$dir" "$name" >"$dir/imapd.conf"
    make_users "$dir" "$name"
    port=$(launch "$dir" "$name")
    cat >"$dir/env.new" <<END
IMAP_HOST=localhost
IMAP_PORT=$port
IMAPS_PORT=$((port + 1))
IMAP_USER=user
IMAP_OTHER=friend
IMAP_ADMIN=cyrus
IMAP_PASSWORD=$password
IMAP_CAFILE=$dir/ca.pem
IMAP_FINGERPRINT=$(fingerprint "$dir")
IMAP_MAIL=$dir/mail
IMAP_LOG=$dir/cyrus.log
IMAP_MASTER=$(<"$dir/run/master.pid")
END
    mv "$dir/env.new" "$dir/env"
}

stop() {
    end_master "$1" cyrus.conf
}

[ $# -eq 2 ] || die "usage: cyrus.sh start|stop DIR"
case $1 in
start) start "$2" ;;
stop) stop "$(readlink -f "$2")" ;;
*) die "unknown command $1" ;;
esac
