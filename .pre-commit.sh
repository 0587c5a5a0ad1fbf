#!/usr/bin/env bash
# Git's pre-commit hook: static validation, the fast backend tests, the specs of the pages' scripts; under a minute.
#
# They run in the box of `bin/wercker dev` when one is up and mounts this checkout, else in a box that is started for
# them, else, without an engine or the box's image, on this machine. --here runs them where it is called.
set -euo pipefail
# Git calls its hook at the top of the tree that is committed: of a linked worktree that is not where the hook's file is.
if [[ -z ${GIT_INDEX_FILE:-} ]]; then cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"; fi
BOX=pitervergara/geodjango:nexchange

# What Git tells its hooks about the commit's index must not reach the checks, which list the checkout's files.
mapfile -t told < <(git rev-parse --local-env-vars 2>/dev/null)
unset "${told[@]}"

# What runs now, each in a process group of its own: an aborted commit ends all of it. Without `set -m` it would ignore Ctrl-C.
groups=() box='' inner=''

# start COMMAND...: beside this script.
start() {
    set -m
    "$@" </dev/null &
    set +m
    groups+=($!)
}

# run COMMAND...: to its end; a signal that comes meanwhile is noticed at once.
run() {
    start "$@"
    wait "${groups[-1]}"
}

signal_all() {
    local group
    for group in "${groups[@]}"; do kill -s "$1" -- "-$group" 2>/dev/null || true; done
}

# abort STATUS: end what was started and wait for it to clean up; a second Ctrl-C waits no more.
abort() {
    trap 'signal_all KILL; exit 130' INT TERM HUP
    printf '\npre-commit: interrupted, ending the checks\n' >&2
    # What `docker exec` has started does not end with it.
    if [[ -n $inner ]]; then docker exec "$box" bash -c "kill -TERM \$(cat $inner)" >/dev/null 2>&1 || true; fi
    signal_all TERM
    wait 2>/dev/null
    exit "$1"
}
trap 'abort 130' INT
trap 'abort 143' TERM HUP
if [[ -n ${PRE_COMMIT_PID_FILE:-} ]]; then printf '%s\n' $$ >"$PRE_COMMIT_PID_FILE"; fi
unset PRE_COMMIT_PID_FILE

# run_checks: all beside each other, since each waits for something else; their output when all have ended.
run_checks() {
    local names=("static validation" "backend tests" "frontend tests") failed=() logs at
    logs=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$logs'" EXIT
    start bin/setup >"$logs/setup" 2>&1
    wait "${groups[0]}" || { cat "$logs/setup" && return 1; }
    groups=()
    start bin/lint >"$logs/0" 2>&1
    start bash bin/test --fast --quiet >"$logs/1" 2>&1
    start npm run-script test >"$logs/2" 2>&1
    for at in "${!groups[@]}"; do
        if wait "${groups[at]}"; then
            printf '  %-20s passed: %s\n' "${names[at]}" "$(grep -v '^$' "$logs/$at" | tail -n 1)"
        else
            printf '\n== %s failed\n' "${names[at]}"
            tail -n 60 "$logs/$at"
            failed+=("${names[at]}")
        fi
    done
    if ((${#failed[@]} == 0)); then return; fi
    printf '\nnot committed: %s failed (git commit --no-verify commits all the same)\n' "$(IFS=, && echo "${failed[*]}")"
    return 1
}

# find_box: print the running box that mounts this checkout.
find_box() {
    local found source
    command -v docker >/dev/null || return 1
    for found in $(docker ps -q --filter "ancestor=$BOX" --filter name="wercker-pipeline-" --filter status=running); do
        source=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/pipeline/source"}}{{.Source}}{{end}}{{end}}' "$found")
        if [[ -n $source && $source -ef $PWD ]]; then
            printf '%s\n' "$found"
            return
        fi
    done
    return 1
}

if [[ ${1:-} == --here ]]; then
    run_checks
elif box=$(find_box 2>/dev/null); then
    printf 'pre-commit: in the running box %s\n' "$box"
    inner=/tmp/pre-commit-$$-$RANDOM.pid
    run docker exec --env WERCKER_ROOT=/pipeline --env "PRE_COMMIT_PID_FILE=$inner" --workdir /pipeline/source "$box" \
        bash .pre-commit.sh --here
elif docker image inspect "$BOX" >/dev/null 2>&1; then
    printf 'pre-commit: in a box of its own\n'
    run bin/wercker build --docker-local --pipeline pre-commit
else
    printf 'pre-commit: on this machine, for want of an engine or of the image %s (bin/images box)\n' "$BOX"
    run_checks
fi
