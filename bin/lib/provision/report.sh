# Runs on the server: how a step of bin/provision reports, in a dry run too. First of the parts sent over ssh.
# shellcheck shell=bash disable=SC2154

set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
CHANGES=${CHANGES_BEFORE:-0}
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 3
}

line() { printf '  %-44s %s\n' "$1" "$2"; }
already() { line "$1" "as it should be"; }

# change NAME COMMAND...: one step that alters the server; a dry run only says so.
change() {
    local name=$1 status=0 pid began=$SECONDS
    shift
    CHANGES=$((CHANGES + 1))
    if [[ $DRY_RUN == yes ]]; then
        line "$name" "would be done"
        return
    fi
    printf '  %-44s ' "$name"
    ("$@") >"$LOG" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS > began && (SECONDS - began) % 10 == 0)); then
            printf '%ss ' $((SECONDS - began))
            sleep 1
        fi
    done
    wait "$pid" || status=$?
    if ((status == 0)); then
        printf 'done (%ss)\n' $((SECONDS - began))
        return
    fi
    printf 'failed\n\n'
    tail -n 15 "$LOG" >&2
    explain_failure "$name" "$status"
}

# explain_failure NAME STATUS: what the output of a failed step means, as far as it is known.
explain_failure() {
    if grep -qi 'no space left' "$LOG"; then
        fail "'$1' failed: the disk is full." "Free some space (docker image prune, journalctl --vacuum-size=100M), then run this again."
    elif grep -qE 'Could not get lock|Unable to acquire the dpkg' "$LOG"; then
        fail "'$1' failed: another installation runs on the server." "A new server updates itself in its first minutes: wait, then run this again."
    elif grep -qE 'Temporary failure resolving|Could not connect|Unable to fetch' "$LOG"; then
        fail "'$1' failed: the server does not reach the package archive." "Check its DNS and firewall (apt-get update), then run this again."
    fi
    fail "'$1' failed (status $2); its last lines are above." "What was done before stays; run this again when the cause is mended."
}

# has_mode FILE MODE OWNER: say whether a file or folder is there with exactly these rights.
has_mode() { [[ $(stat -c '%a %U' "$1" 2>/dev/null) == "$2 $3" ]]; }
