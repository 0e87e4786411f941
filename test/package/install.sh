#!/bin/bash
# SPDX-License-Identifier: MIT
# install.sh BUILD-TREE CC SANITIZE: installs the library into a directory of its own and builds a program against
# it as its users will: by pkg-config and by find_package, shared and static.
set -euo pipefail
cd "$(dirname "$0")"
build=$1 cc=$2 sanitize=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$build" --prefix "$prefix" >"$work/log"
for file in include/imap/client.h share/man/man3/imap.3 bin/imapfs; do
    [ -s "$prefix/$file" ] || { echo "$file is not installed" && exit 1; }
done
libdir=$(dirname "$(find "$prefix" -name libimap.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir
flags=()
[ -z "$sanitize" ] || flags=("-fsanitize=$sanitize")

# A library that is visible without its dependencies' development packages is half the point.
cat >"$work/main.c" <<'END'
#include <imap/client.h>
#include <stdio.h>
int main(void) { return puts(imap_status_name(IMAP_AGAIN)) < 0; }
END

# runs WHAT PROGRAM
runs() {
    if [ "$("$2")" = AGAIN ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1" && exit 1
    fi
}

read -ra config < <(pkg-config --cflags --libs imap)
"$cc" "${flags[@]}" -Wall -Werror "$work/main.c" "${config[@]}" -o "$work/shared"
runs "by pkg-config" "$work/shared"
readelf -d "$work/shared" | grep -q 'NEEDED.*libimap\.so\.0' || { echo "FAILED: no soname" && exit 1; }

# shellcheck disable=SC2046
"$cc" "${flags[@]}" -Wall -Werror "$work/main.c" $(pkg-config --cflags imap) -Wl,-Bstatic -limap -Wl,-Bdynamic \
    $(pkg-config --static --libs imap | sed 's/-limap / /') -L"$libdir" -o "$work/static"
LD_LIBRARY_PATH='' runs "by pkg-config --static" "$work/static"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.22)
project(user C)
find_package(imap 0.1 REQUIRED COMPONENTS static)
add_executable(shared ../main.c)
target_link_libraries(shared PRIVATE imap::imap)
add_executable(static ../main.c)
target_link_libraries(static PRIVATE imap::static)
END
cmake -S "$work/project" -B "$work/user" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="${flags[*]}" >"$work/log"
cmake --build "$work/user" >>"$work/log" || { cat "$work/log" && exit 1; }
runs "by find_package, imap::imap" "$work/user/shared"
LD_LIBRARY_PATH='' runs "by find_package, imap::static" "$work/user/static"
