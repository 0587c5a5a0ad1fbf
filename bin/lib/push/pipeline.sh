# Sourced by the hooks of a repository that bin/push-to-deploy made: what a push runs, in which order, with which variables.
# shellcheck shell=bash

set -euo pipefail
HOME_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P) # nexchange/ inside the bare repository
REPOSITORY=$(dirname "$HOME_DIR")
# shellcheck disable=SC2034
NOTHING=0000000000000000000000000000000000000000
WAIT_S=${PUSH_WAIT_SECONDS:-3600}

say() { printf 'push: %s\n' "$*"; }

refuse() {
    printf '\npush refused: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '              %s\n' "$@" >&2; fi
    exit 1
}

setting() { git --git-dir "$REPOSITORY" config "deploy.$1.$2" || true; }

# read_branches: of the lines that Git gives a hook, those of branches with a target, as: OLD NEW BRANCH
read_branches() {
    local old new ref
    while read -r old new ref; do
        if [[ $ref == refs/heads/* && -n $(setting "${ref#refs/heads/}" target) ]]; then
            printf '%s %s %s\n' "$old" "$new" "${ref#refs/heads/}"
        else
            say "$ref has no target: it is stored, nothing runs" >&2
        fi
    done
}

# What checks the push, while something does: it is ended with the hook.
checking=''

leave() {
    if [[ -n $checking ]]; then kill -TERM "$checking" 2>/dev/null || true; fi
    rm -f "$HOME_DIR/build.env"
}

# One push at a time. Whoever is started while the lock is held inherits it: it lasts as long as the last of them.
take_turn() {
    exec 9>>"$HOME_DIR/lock"
    if ! flock --nonblock 9; then
        say "another push is under way: waiting for its end"
        flock --timeout "$WAIT_S" 9 || refuse "the other push has not ended within $WAIT_S s." "Try again later."
        sleep 2 # Git moves the other push's branch only after its hook
    fi
    # Each by itself: bash 5.2 skips the trap of EXIT when a signal's trap exits while it waits for a subshell.
    trap leave EXIT
    trap 'leave; exit 130' INT
    trap 'leave; exit 143' TERM HUP
}

# file_name BRANCH: no two branches share one.
file_name() {
    local name=${1//%/%25}
    printf '%s' "${name//\//%2F}"
}

work_of() { printf '%s/work/%s\n' "$HOME_DIR" "$(file_name "$1")"; }

# The hooks ask whether these succeed, which switches `set -e` off in them: each line says itself that a failure is the end.

# check_out COMMIT BRANCH: the commit's files, and the cache and outputs of earlier runs beside them.
check_out() {
    local work
    work=$(work_of "$2")
    mkdir -p "$work" || return
    find "$work" -mindepth 1 -maxdepth 1 -not -name .wercker -exec rm -rf {} + || return
    git --git-dir "$REPOSITORY" archive "$1" | tar -x -C "$work"
}

# The pushed code is built and tested with what that takes, never with a secret: neither the server's nor the registry's, whose
# password moves any tag. What was built is pushed once it is accepted, by this runner (push_image).
build_variables() {
    grep -E '^(X|XXX)_(DOCKER_HUB_REPO|DOCKER_IMAGE_TAG|DOCKER_REGISTRY_CA|BASE_IMAGE|DJANGO_SETTINGS_MODULE|SERVICES_WAIT_SECONDS|TESTS)=' "$1" || (($? == 1))
}

# run_wercker COMMIT BRANCH ARGUMENTS...: the runner that was installed with the hooks, not the pushed one. It takes the place
# of the process that calls this, so that a signal reaches it: call it in one of its own.
run_wercker() {
    local commit=$1 branch=$2 tag told
    shift 2
    tag=$(setting "$branch" tag)
    mapfile -t told < <(git rev-parse --local-env-vars)
    cd "$(work_of "$branch")" || exit
    unset "${told[@]}" GIT_QUARANTINE_PATH
    if [[ -n $tag ]]; then export X_DOCKER_IMAGE_TAG=$tag; fi
    export WERCKER_GIT_COMMIT=$commit WERCKER_GIT_BRANCH=$branch
    exec /usr/bin/env python3 "$HOME_DIR/bin/wercker" "$@"
}

# run_pipelines COMMIT BRANCH VARIABLES: what must pass, by name, in this order; a workflow of the pushed wercker.yml has no say
# in it. In a process of its own; what ends that ends the runner, which cleans up.
run_pipelines() {
    local pipeline
    trap 'kill -TERM $(jobs -p) 2>/dev/null; wait; exit 143' TERM
    for pipeline in "build --artifacts --push-later" "build --pipeline static-validation" "build --pipeline tests"; do
        # shellcheck disable=SC2086 # words
        run_wercker "$1" "$2" --environment "$3" $pipeline &
        wait $! || exit
    done
}

# push_image COMMIT BRANCH: what was built of an accepted commit, by the id that the runner noted; the registry's digest of it is then
# what the deploy takes.
push_image() { run_wercker "$1" "$2" --environment "$(setting "$2" target)" push-image; }

kept_commit() { cat "$(work_of "$1")/.wercker/latest/output/COMMIT" 2>/dev/null || true; }

# check COMMIT BRANCH: build, static-validation and tests; then the kept output must be this commit's, for it is deployed.
check() {
    local commit=$1 branch=$2 variables=$HOME_DIR/build.env pid status=0
    rm -f "$variables" || return
    (umask 077 && build_variables "$(setting "$branch" target)" >"$variables") || return
    check_out "$commit" "$branch" || return
    run_pipelines "$commit" "$branch" "$variables" 2>&1 &
    pid=$!
    checking=$pid
    python3 "$HOME_DIR/listener.py" $$ $pid &
    wait $pid || status=$?
    checking=''
    rm -f "$variables"
    if ((status == 0)) && [[ $(kept_commit "$branch") != "$commit" ]]; then
        say "the pipeline build of $branch kept no output of ${commit:0:12}: its file COMMIT says '$(kept_commit "$branch")'." >&2
        say "Let its last step of files be bin/steps/place-output, as in this project's wercker.yml." >&2
        return 1
    fi
    return $status
}

# deploy COMMIT BRANCH: what check has built. It goes on when nobody listens any more: a release is ended, not left.
deploy() {
    local commit=$1 branch=$2 target log pid status=0
    target=$(setting "$branch" target)
    log=$HOME_DIR/deploy-$(file_name "$branch").log
    if [[ $(kept_commit "$branch") != "$commit" ]]; then
        check "$commit" "$branch" || return $?
    fi
    (umask 077 && : >"$log") || return
    chmod 600 "$log" || return
    export -f run_wercker push_image setting work_of file_name
    export HOME_DIR REPOSITORY
    # shellcheck disable=SC2016 # expanded by the shell that is started
    setsid bash -c 'set -euo pipefail; (push_image "$1" "$2"); run_wercker "$@"' deploy "$commit" "$branch" \
        --environment "$target" deploy --deploy-target "$(basename "$target" .env)" >"$log" 2>&1 </dev/null &
    pid=$!
    python3 "$HOME_DIR/listener.py" $$ &
    tail --pid=$pid -n +1 -f "$log" || true
    wait $pid || status=$?
    return $status
}
