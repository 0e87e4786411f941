#!/bin/bash
# SPDX-License-Identifier: MIT
# lint.sh format|tidy|headers|sizes|shell|manual BUILD-TREE: one check of all sources; says what is wrong, file by file.
set -euo pipefail
cd "$(dirname "$0")/../.."

need() {
    if ! command -v "$1" >/dev/null; then
        echo "SKIPPED: no $1"
        [ "${CI:-}" = true ] && exit 1
        exit 77
    fi
}

sources() {
    find imap include fs test contrib \( "$@" \) -type f -print0 | sort -z
}

format() {
    need clang-format
    sources -name '*.[ch]' | xargs -0 clang-format --dry-run -Werror
}

# One file a run: given several, its va_list checker takes the second file's for uninitialized.
tidy() {
    need clang-tidy
    sources -name '*.c' ! -path '*/fuzz/*' |
        xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$1" --quiet 2> >(grep -v ' warnings\? generated' >&2)
}

# compiles HEADER COMPILER...
compiles() {
    local header=$1
    shift
    if ! echo "#include \"$PWD/$header\"" | "$@" -Wall -Wextra -Werror -fsyntax-only -Iinclude -; then
        echo "$header does not stand alone: $*"
        return 1
    fi
}

headers() {
    local header bad=0 fuse
    read -ra fuse < <(pkg-config --cflags fuse3)
    while IFS= read -r -d '' header; do
        compiles "$header" gcc -std=gnu17 -Iimap -Ifs -Itest/support "${fuse[@]}" -DFUSE_USE_VERSION=314 -D_GNU_SOURCE \
            -D_FILE_OFFSET_BITS=64 '-DTEST_DIR=""' -x c || bad=1
    done < <(sources -name '*.h')
    for header in include/imap/*.h; do
        compiles "$header" gcc -std=c11 -pedantic -x c || bad=1
        compiles "$header" g++ -std=c++17 -pedantic -x c++ || bad=1
    done
    return $bad
}

sizes() {
    local file bad=0
    while IFS= read -r -d '' file; do
        [ "$(wc -l <"$file")" -le 700 ] || { echo "$file has more than 700 lines" && bad=1; }
        grep -q 'SPDX-License-Identifier: MIT' <(head -n 3 "$file") || { echo "$file names no licence" && bad=1; }
    done < <(sources -name '*.[ch]' -o -name '*.sh')
    return $bad
}

shell() {
    need shellcheck
    shellcheck -S warning -x -P SCRIPTDIR contrib/{demo,check} .ci/run test/*/*.sh
}

manual() {
    need python3
    python3 test/lint/manual.py
}

"$1" "$2"
