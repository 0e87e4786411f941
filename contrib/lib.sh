# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For contrib/demo and contrib/check: what they need on the machine.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for: $* (and there is no sudo)"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The package would start a mail server of its own: it is kept from it, now and at the next boot.
install_quietly() {
    local guard=/usr/sbin/policy-rc.d guarded=no
    if [ ! -e $guard ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $guard >/dev/null
        as_root chmod 755 $guard
        guarded=yes
    fi
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >"$log" 2>&1; then
        [ $guarded = no ] || as_root rm -f $guard
        tail -n 20 "$log" >&2
        die "apt-get install failed"
    fi
    [ $guarded = no ] || as_root rm -f $guard
    if command -v systemctl >/dev/null; then
        as_root systemctl disable -q dovecot.service dovecot.socket cyrus-imapd.service saslauthd.service \
            >/dev/null 2>&1 || true
    fi
}

# need PACKAGE...: installs those that are missing; says so first.
need() {
    local package missing=()
    local log
    command -v apt-get >/dev/null || return 0
    for package; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing: ${missing[*]}"
    log=$(mktemp)
    as_root apt-get update -qq >"$log" 2>&1 || { tail -n 5 "$log" >&2 && die "apt-get update failed"; }
    install_quietly "${missing[@]}"
    rm -f "$log"
}

fetch_cyrus() {
    (cd "$top/build/cyrus" && apt-get download "cyrus-imapd=$1" && dpkg -x cyrus-imapd_*.deb new)
}

# Debian's IMAP servers exclude one another, so of Cyrus only its common part is installed; the programs of its
# package cyrus-imapd are unpacked into build/cyrus, where test/support/cyrus.sh finds them. Kept between runs.
unpack_cyrus() {
    local version log="$top/build/cyrus.log"
    command -v apt-get >/dev/null || return 0
    version=$(dpkg-query -W -f '${Version}' cyrus-common)
    [ ! -x "$top/build/cyrus/$version/usr/lib/cyrus/bin/imapd" ] || return 0
    echo "unpacking: cyrus-imapd $version into build/cyrus"
    rm -rf "$top/build/cyrus"
    mkdir -p "$top/build/cyrus/new"
    if ! fetch_cyrus "$version" >"$log" 2>&1 && ! { as_root apt-get update -qq && fetch_cyrus "$version"; } >>"$log" 2>&1; then
        tail -n 5 "$log" >&2
        die "cannot unpack cyrus-imapd $version"
    fi
    rm -f "$top"/build/cyrus/*.deb "$log"
    mv "$top/build/cyrus/new" "$top/build/cyrus/$version"
}

# build PRESET: configures and builds into build/PRESET; its output is shown when it fails.
build() {
    local log begin=$SECONDS
    log=$(mktemp)
    printf 'building: build/%s' "$1"
    if ! (cd "$top" && cmake --preset "$1" && cmake --build --preset "$1") >"$log" 2>&1; then
        echo
        grep -E -A 8 'error|FAILED|Error' "$log" | head -n 60 >&2
        die "the build of preset $1 failed; all of its output: $log"
    fi
    echo " ($((SECONDS - begin)) s)"
    rm -f "$log"
}

build_packages=(gcc libc6-dev cmake ninja-build pkg-config fuse3 libfuse3-dev libssl-dev libgsasl-dev
    zlib1g-dev libsqlite3-dev libxxhash-dev)
server_packages=(dovecot-imapd openssl rsync)
cyrus_packages=(cyrus-common sasl2-bin libsasl2-modules)
test_packages=(g++ check python3 clang clang-format clang-tidy shellcheck attr procps file git binutils
    groff-base neomutt notmuch maildir-utils)
