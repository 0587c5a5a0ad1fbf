# Sourced by the other scripts: where the checkout is, how a step reports, how a failure reads.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
CALLED_IN=$PWD # what a relative path in the caller's arguments starts from
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

# as_called PATH: print the path as whoever called this script meant it; the scripts themselves work in the checkout.
as_called() { (cd "$CALLED_IN" && realpath -m -- "$1"); }

# step NAME COMMAND...: run quietly into var/log/NAME.log; say every ten seconds that it still runs; show the end on failure.
# What ends this script ends the command, with all it has started.
step() {
    local name=$1 log pid status=0 began=$SECONDS traps
    shift
    log=$LOG_DIR/${name//[^A-Za-z0-9]/-}.log
    printf '  %-28s' "$name"
    traps=$(trap -p INT TERM HUP)
    # A process group of its own, by which all of it can be ended. Without `set -m` it would also ignore Ctrl-C for ever.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    end_step_on_signals "$pid" "$traps"
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS > began && (SECONDS - began) % 10 == 0)) && kill -0 "$pid" 2>/dev/null; then
            printf ' %ss' $((SECONDS - began))
            sleep 1
        fi
    done
    wait "$pid" 2>/dev/null || status=$?
    give_traps_back "$traps"
    if ((status != 0)); then
        printf ' failed\n\n' && tail -n 25 "$log" >&2
        fail "the step '$name' failed (status $status)." "All of its output: $log"
    fi
    printf ' done (%ss)\n' $((SECONDS - began))
}

# end_step_on_signals PROCESS TRAPS: until the step has ended; a signal that the caller ignores stays ignored.
end_step_on_signals() {
    local signal
    for signal in INT TERM HUP; do
        if [[ $2 == *"trap -- '' SIG$signal"* ]]; then continue; fi
        # shellcheck disable=SC2064 # what they are now
        trap "end_step $1 $signal $(printf %q "$2")" "$signal"
    done
}

# end_step PROCESS SIGNAL TRAPS: end the step, then let the signal do what it would have done: the caller may have a trap.
end_step() {
    kill -TERM -- "-$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    give_traps_back "$3"
    kill -s "$2" "$BASHPID"
}

# give_traps_back TRAPS: as `trap -p` printed them.
give_traps_back() {
    trap - INT TERM HUP
    eval "$1"
}

# list_files PATTERN...: the checkout's files under these names, tracked or new, one a line. Call it as an assignment: in
# `< <(list_files …)` nobody would notice that Git has failed.
list_files() {
    local listed name
    listed=$(git ls-files --cached --others --exclude-standard --deduplicate -- "$@") ||
        fail "Git cannot list the files of $ROOT (see above), so they cannot be checked." \
            "Run: git -C $ROOT status; a tree without .git becomes one by: git init && git add --all"
    while read -r name; do
        if [[ -e $name ]]; then say "$name"; fi
    done <<<"$listed"
}

# A linked worktree's .git is a file, which names a folder of the host; in a box that leads nowhere. A repository of the
# box's own is then made in that very place, so that Git works for every program without a variable that would mislead it
# about other repositories. All files that are not ignored are tracked in it.
make_git_work() {
    local place
    place=$(sed -n 's/^gitdir: //p' .git)
    mkdir -p "$RUN_DIR"
    (
        flock 9 # the hook's scripts run beside each other
        if [[ -e $place && ! -e $place/of-the-box ]]; then exit; fi
        { mkdir -p "$place" && touch "$place/of-the-box"; } ||
            fail "this worktree's repository, $place, is not in the box, and none can be made there." \
                "Run this in a checkout whose .git is a folder."
        git --git-dir="$place" --work-tree="$ROOT" init --quiet
        git --git-dir="$place" --work-tree="$ROOT" add --all
    ) 9>>"$RUN_DIR/git.lock"
}
if [[ -n ${WERCKER_ROOT:-} && -f .git ]]; then make_git_work; fi

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
    local dir=$ROOT/var/sockets/$1 folder
    # A mounted tree belongs to somebody of the host, who could not use what root makes in it here, nor root what is theirs.
    if [[ -n ${WERCKER_ROOT:-} ]]; then dir=$RUN_DIR/sockets/$1; fi
    if ((${#dir} > 80)); then dir=${TMPDIR:-/tmp}/nexchange-$EUID-$CHECKOUT_ID/$1; fi
    if ((${#dir} > 80)); then dir=/tmp/nexchange-$EUID-$CHECKOUT_ID/$1; fi
    (umask 077 && mkdir -p "$dir") || fail "the folder $dir for sockets cannot be made (see above)."
    for folder in "$(dirname "$dir")" "$dir"; do
        [[ -O $folder ]] || fail "$folder belongs to $(stat -c %U "$folder"), not to $(id -un)." "Remove it: sudo rm -rf $folder"
    done
    chmod 700 "$dir"
    printf '%s\n' "$dir"
}
