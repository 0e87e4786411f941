# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For dovecot.sh and cyrus.sh: what private servers have in common. A master that leads a session of its own, its
# process number in DIR/run/master.pid, certificates and a port that nobody else has.

# shellcheck disable=SC2034
password=ein-Pa55wort
deadline=15

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

make_certificates() {
    local dir=$1
    [ -s "$dir/server.pem" ] && return
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
            -subj "/CN=imapfs test CA" -keyout "$dir/ca.key" -out "$dir/ca.pem" \
            -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
            -keyout "$dir/server.key" -out "$dir/server.csr"
        openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
            -days 3650 -out "$dir/server.pem" \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    } >"$dir/openssl.log" 2>&1 || die "cannot make certificates: $(tail -n 1 "$dir/openssl.log")"
}

# SHA-256, without colons.
fingerprint() {
    openssl x509 -in "$1/server.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g'
}

# Listening ports lie below the range from which the kernel takes those of outgoing connections.
random_port() {
    echo $((10000 + (RANDOM * 32768 + RANDOM) % 22000))
}

# await_greeting PORT BEGIN [PART]: waits for a greeting that begins so and holds PART. With DIR/run/master.pid known
# to the caller as $master, ends when that process does.
await_greeting() {
    local port=$1 wanted=$2 part=${3:-} end=$(($(now_ms) + deadline * 1000)) line=
    while [ "$(now_ms)" -lt "$end" ]; do
        if exec 9<>"/dev/tcp/127.0.0.1/$port"; then
            IFS= read -r -t "$deadline" line <&9 || true
            exec 9>&-
            [[ $line == "$wanted"*"$part"* ]] && return
        fi 2>/dev/null
        kill -0 "${master:-$$}" 2>/dev/null || return 1
        sleep 0.02
    done
    return 1
}

# The master leads a session of its own, so that its children are those of its session.
session_members() {
    local session=$1 stat line pid state
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        pid=${line%% *}
        read -r state _ _ member_of _ <<<"${line##*) }"
        if [ "$member_of" = "$session" ] && [ "$state" != Z ]; then
            echo "$pid"
        fi
    done
}

# runs_ours PID FILE: whether the process was started with this configuration.
runs_ours() {
    tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$2"
}

# end_master DIR CONFIG: ends the server in DIR, returns when its last process is gone.
end_master() {
    local dir=$1 session begin members
    [ -s "$dir/run/master.pid" ] || return 0
    session=$(<"$dir/run/master.pid")
    if runs_ours "$session" "$dir/$2"; then
        kill -TERM "$session"
        begin=$(now_ms)
        while mapfile -t members < <(session_members "$session") && [ ${#members[@]} -gt 0 ]; do
            [ $(($(now_ms) - begin)) -lt $((deadline * 1000)) ] || die "do not end: ${members[*]}"
            # Dovecot's log process takes a second to end by itself, one that a test stopped never does.
            [ $(($(now_ms) - begin)) -lt 300 ] || kill -KILL "${members[@]}" 2>/dev/null || true
            sleep 0.02
        done
    fi
    rm -f "$dir/run/master.pid" "$dir/env"
}
