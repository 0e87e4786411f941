#!/bin/bash
# SPDX-License-Identifier: MIT
# A private Dovecot for tests, benchmarks and the demo: loopback only, ports of its own, nothing outside DIR,
# never root and no system service involved.
#
#   dovecot.sh start DIR          start it; write DIR/env, shell assignments that say how to reach it
#   dovecot.sh start DIR full     the same with quota, ACLs, metadata, compression, special-use mailboxes and the
#                                 users' mailboxes shared below other/
#   dovecot.sh stop DIR           end it, return when its last process is gone
#   dovecot.sh tunnel DIR USER    an IMAP session of USER on stdin and stdout, already authenticated
#   dovecot.sh as DIR COMMAND...  run a command as the user who owns the mail
#   dovecot.sh doveadm DIR ...    doveadm with this server's configuration
#
# Every user name exists, with the one password. The mail of USER lies in DIR/mail/USER as Maildirs, named in
# UTF-8 and nested like the mailboxes. Environment: DOVECOT_PLUGINS (mail plugins, for example "quota acl"),
# DOVECOT_FORMAT (maildir or sdbox), DOVECOT_CONF (more configuration text), DOVECOT_PORT (a port to keep;
# TLS has the next one).
set -euo pipefail
# shellcheck source=test/support/serverlib.sh
. "$(dirname "${BASH_SOURCE[0]}")/serverlib.sh"

find_programs() {
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    if ! command -v dovecot >/dev/null; then
        echo "dovecot.sh: Dovecot is not installed (Debian: apt-get install dovecot-imapd)" >&2
        exit 77
    fi
    local version
    version=$(dovecot --version)
    case $version in
    2.3.*) ;;
    *) die "Dovecot $version found; this configuration is for 2.3" ;;
    esac
}

# Dovecot refuses to open mail as root, so for root it is nobody.
mail_user() {
    if [ "$(id -u)" = 0 ]; then echo nobody; else id -un; fi
}

as_mail_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --inh-caps=-all "$@"
    else
        "$@"
    fi
}

write_config() {
    local dir=$1 port=$2 tls_port=$3 user group format=${DOVECOT_FORMAT:-maildir} plugins=${DOVECOT_PLUGINS:-}
    local imap_plugins="" more="" plugin location
    if [ "$4" = full ]; then
        plugins+=" quota acl zlib"
        more=$(full_config "$dir" "$format")
    fi
    user=$(mail_user)
    group=$(id -gn "$user")
    for plugin in $plugins; do
        imap_plugins+=" $plugin imap_$plugin"
    done
    location="$format:$dir/mail/%u:UTF-8:LAYOUT=fs"
    if [ "$format" = maildir ]; then
        location+=":INBOX=$dir/mail/%u/INBOX"
    fi
    cat <<END
base_dir = $dir/run
state_dir = $dir/state
log_path = $dir/dovecot.log
default_internal_user = $user
default_internal_group = $group
default_login_user = $user
default_process_limit = 1000
default_client_limit = 4000
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <$dir/server.pem
ssl_key = <$dir/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
mail_location = $location
mail_max_userip_connections = 1000
mail_fsync = never
mail_plugins = $plugins
first_valid_uid = 1
first_valid_gid = 1
namespace inbox {
  inbox = yes
  separator = /
}
passdb {
  driver = static
  args = password=$password
}
userdb {
  driver = static
  args = uid=$user gid=$group home=$dir/home/%u
}
protocol imap {
  mail_plugins =$imap_plugins
  imap_idle_notify_interval = 2 mins
}
service anvil {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  client_limit = 1000
  process_min_avail = 1
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = $tls_port
    ssl = yes
  }
}
plugin {
  acl = vfile
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}
$more
${DOVECOT_CONF:-}
END
}

# What the plain configuration has not: more to test, slower.
full_config() {
    local dir=$1 format=$2 location
    location="$format:$dir/mail/%%u:UTF-8:LAYOUT=fs:INDEXPVT=$dir/state/%u/%%u"
    if [ "$format" = maildir ]; then
        location+=":INBOX=$dir/mail/%%u/INBOX"
    fi
    cat <<END
mail_attribute_dict = file:$dir/state/%u.attributes
protocol imap {
  imap_metadata = yes
}
namespace inbox {
  mailbox Trash {
    auto = create
    special_use = \\Trash
  }
}
namespace {
  type = shared
  prefix = other/%%u/
  separator = /
  location = $location
  subscriptions = no
  list = children
}
# Wrong passwords are not punished by waiting.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
plugin {
  acl_shared_dict = file:$dir/state/shared-mailboxes
}
END
}

launch() {
    local dir=$1 kind=$2 try port
    for try in {1..20}; do
        port=${DOVECOT_PORT:-$(random_port)}
        write_config "$dir" "$port" $((port + 1)) "$kind" >"$dir/dovecot.conf"
        # Its processes keep what they inherit open for ever: never a pipe of ours.
        if as_mail_user dovecot -c "$dir/dovecot.conf" </dev/null >"$dir/start.log" 2>&1; then
            echo "$port"
            return
        fi
        grep -q "Address already in use" "$dir/start.log" "$dir/dovecot.log" || break
        : >"$dir/dovecot.log"
    done
    die "cannot start (attempt $try): $(tail -n 1 "$dir/start.log"; tail -n 1 "$dir/dovecot.log" 2>/dev/null)"
}

start() {
    local dir=$1 kind=${2:-plain} port
    find_programs
    [ ! -s "$dir/run/master.pid" ] || stop "$dir"
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd -P)
    [ ${#dir} -le 60 ] || die "$dir is too long a path for Dovecot's sockets"
    mkdir -p "$dir"/{run,state,mail,home}
    rm -f "$dir/env"
    make_certificates "$dir"
    : >"$dir/dovecot.log"
    if [ "$(id -u)" = 0 ]; then
        chown "$(mail_user):" "$dir" "$dir"/{dovecot.log,server.key} "$dir"/{run,state,home}
        chown -R "$(mail_user):" "$dir/mail"
        chmod 755 "$dir"
        as_mail_user test -w "$dir/run" || die "user $(mail_user) cannot get to $dir"
    fi
    port=$(launch "$dir" "$kind")
    await_greeting "$port" "* OK " || die "no greeting on port $port within $deadline s"
    cat >"$dir/env.new" <<END
IMAP_HOST=localhost
IMAP_PORT=$port
IMAPS_PORT=$((port + 1))
IMAP_USER=user
IMAP_OTHER=friend
IMAP_PASSWORD=$password
IMAP_CAFILE=$dir/ca.pem
IMAP_FINGERPRINT=$(fingerprint "$dir")
IMAP_MAIL=$dir/mail
IMAP_LOG=$dir/dovecot.log
IMAP_MASTER=$(<"$dir/run/master.pid")
END
    mv "$dir/env.new" "$dir/env"
}

stop() {
    end_master "$1" dovecot.conf
}

tunnel() {
    local dir=$1 user=$2
    find_programs
    local imap=${IMAP_PROGRAM:-/usr/lib/dovecot/imap}
    [ -x "$imap" ] || die "no $imap (set IMAP_PROGRAM)"
    as_mail_user env -i PATH="$PATH" HOME="$dir/home/$user" USER="$user" "$imap" -c "$dir/dovecot.conf"
}

[ $# -ge 2 ] || die "usage: dovecot.sh start|stop|tunnel|as|doveadm DIR ..."
command=$1 dir=$2
shift 2
case $command in
start) start "$dir" "$@" ;;
stop) stop "$(readlink -f "$dir")" ;;
tunnel) tunnel "$(readlink -f "$dir")" "${1:-user}" ;;
as) as_mail_user "$@" ;;
doveadm)
    find_programs
    as_mail_user doveadm -c "$(readlink -f "$dir")/dovecot.conf" "$@"
    ;;
*) die "unknown command $command" ;;
esac
