#!/bin/bash
# SPDX-License-Identifier: MIT
# tsan.sh SOURCE: runs a test program, or a mount test, built with ThreadSanitizer in the tree $CHECK_TSAN.
set -eu

if [ -z "${CHECK_TSAN:-}" ]; then
    echo "SKIPPED: no build tree with TSan in CHECK_TSAN"
    [ "${CI:-}" = true ] && exit 1
    exit 77
fi
export TSAN_OPTIONS="halt_on_error=0 exitcode=66 second_deadlock_stack=1${TSAN_OPTIONS:+ $TSAN_OPTIONS}"
# Its shadow memory is in the way of a kernel that places things at random.
case $1 in
*.sh)
    export IMAPFS=$CHECK_TSAN/fs/imapfs MAILGEN=$CHECK_TSAN/test/mount/mailgen
    export DELAYPROXY=$CHECK_TSAN/test/bench/delayproxy COUNT=100
    exec setarch -R bash "$1"
    ;;
*)
    name=${1##*/}
    exec setarch -R "$CHECK_TSAN/test/${name%.c}"
    ;;
esac
