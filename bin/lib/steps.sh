# Sourced by the other scripts: where the checkout is, how a step reports, how a failure reads.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$ROOT"
LOG_DIR=$ROOT/var/log
# In a box of the pipelines Python and the state of a run are the box's own; a mounted tree keeps what is the host's.
VENV=$ROOT/.venv RUN_DIR=$ROOT/var/run
if [[ -n ${WERCKER_ROOT:-} ]]; then VENV=/opt/venv RUN_DIR=$WERCKER_ROOT/run; fi
export VENV RUN_DIR
mkdir -p "$LOG_DIR"

say() { printf '%s\n' "$*"; }

# fail WHAT WHAT-TO-DO...: one sentence says what is wrong, the others what to do about it.
fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

# step NAME COMMAND...: run quietly into var/log/NAME.log; say every ten seconds that it still runs; show the end on failure.
step() {
    local name=$1 log pid status=0 began=$SECONDS
    shift
    log=$LOG_DIR/${name//[^A-Za-z0-9]/-}.log
    printf '  %-28s' "$name"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS > began && (SECONDS - began) % 10 == 0)) && kill -0 "$pid" 2>/dev/null; then
            printf ' %ss' $((SECONDS - began))
            sleep 1
        fi
    done
    wait "$pid" || status=$?
    if ((status != 0)); then
        printf ' failed\n\n' && tail -n 25 "$log" >&2
        fail "the step '$name' failed (status $status)." "All of its output: $log"
    fi
    printf ' done (%ss)\n' $((SECONDS - began))
}

# hash_of FILE...: one short hash over names and contents; files that are not there count as absent.
hash_of() {
    local file
    for file in "$@"; do
        if [[ -f $file ]]; then sha256sum "$file"; else printf 'absent %s\n' "$file"; fi
    done | sha256sum | cut -c1-16
}

# as_root COMMAND...: run it with the rights that packages need; the caller has checked may_become_root.
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

may_become_root() {
    ((EUID == 0)) && return
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo true; }
}

# A name that no other checkout on this machine shares: for system folders and short socket paths.
CHECKOUT_ID=$(printf %s "$ROOT" | sha256sum | cut -c1-10)

# socket_dir NAME: make and print a private folder whose path leaves room for a socket's name (the limit is 107 bytes).
socket_dir() {
    local dir=$ROOT/var/sockets/$1
    if ((${#dir} > 80)); then dir=${TMPDIR:-/tmp}/nexchange-$EUID-$CHECKOUT_ID/$1; fi
    if ((${#dir} > 80)); then dir=/tmp/nexchange-$EUID-$CHECKOUT_ID/$1; fi
    (umask 077 && mkdir -p "$dir")
    [[ -O $dir && -O $(dirname "$dir") ]] || fail "$dir belongs to somebody else." "Remove it, then try again."
    chmod 700 "$dir"
    printf '%s\n' "$dir"
}
