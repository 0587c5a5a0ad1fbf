# Runs on the server, sent over ssh by bin/deploy: how its steps report, who may run them, and one deploy at a time.
# shellcheck shell=bash disable=SC2153,SC2154

set -euo pipefail
export NEXCHANGE_ROOT=${NEXCHANGE_ROOT:-/nexchange} COMPOSE_PROJECT_NAME=nexchange COMPOSE_INTERACTIVE_NO_CLI=1
STATE=$NEXCHANGE_ROOT/state
NEEDED_MB=${DEPLOY_NEEDED_MB:-2048} # an image, its layers while they are unpacked, and a backup
STEP_LOG='' STEP=''

fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# step NAME COMMAND...: in a subshell, its output shown only when it fails. (Every `return` here names its status: inside a trap,
# as when going back, a bare one gives the status of before the trap.)
step() {
    local name=$1 began=$SECONDS told=$SECONDS status=0
    shift
    printf '  %-44s ' "$name"
    # In the background, because `||` would switch the subshell's own `set -e` off.
    (set -e && "$@") >"$STEP_LOG" 2>&1 </dev/null &
    STEP=$!
    while kill -0 "$STEP" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - told >= 60)); then # so that nobody takes a long migration for a dead connection
            printf '%ss ' $((SECONDS - began))
            told=$SECONDS
        fi
    done
    wait "$STEP" || status=$?
    STEP=''
    if ((status == 0)); then
        printf 'done (%ss)\n' $((SECONDS - began))
        return 0
    fi
    printf 'failed (%ss)\n\n' $((SECONDS - began))
    tail -n 30 "$STEP_LOG" >&2
    explain "$name"
    return "$status"
}

# end_step: a signal ends the waiting for a step, not the step. Nothing is undone beside something that is still being done.
end_step() {
    if [[ -n $STEP ]] && kill -0 "$STEP" 2>/dev/null; then
        printf 'stopped; waiting for the end of what is under way\n'
        wait "$STEP"
        STEP=''
    fi
    return 0
}

# explain STEP: what the output of a failed step means, as far as it is known.
explain() {
    local cause
    case $(<"$STEP_LOG") in
        *[Nn]"o space left"*) cause="the server's disk is full. Free some: docker image prune --all, old files in $NEXCHANGE_ROOT/backups." ;;
        *"port is already allocated"* | *"address already in use"*) cause="a port of PORTS_PARAM is taken by another program of the server: ss -ltnp names it." ;;
        *"unauthorized"* | *"authentication required"*) cause="the registry does not take DOCKER_HUB_USER and DOCKER_HUB_PASSWORD." ;;
        *"manifest unknown"* | *"not found: manifest"*) cause="the image is not in the registry. Was the build pushed?" ;;
        *"password authentication failed"*) cause="the database does not take POSTGIS_ENV_POSTGRES_PASSWORD. It keeps the one that it was made with; docs/RUNBOOK.md says how that is changed." ;;
        *"Cannot connect to the Docker daemon"*) cause="the server's Docker engine does not answer. Start it: systemctl start docker." ;;
        *) return 0 ;;
    esac
    printf '\nerror: %s: %s\n' "$1" "$cause" >&2
}

docker() { sudo -n /usr/bin/docker "$@"; }
compose() { (cd "$NEXCHANGE_ROOT" && sudo -n -E /usr/local/bin/docker-compose "$@"); }
# container SERVICE: its id, by label: a replacement that was cut short leaves the container under another name.
container() {
    docker ps --all --quiet --filter label=com.docker.compose.project=nexchange --filter label=com.docker.compose.oneoff=False \
        --filter "label=com.docker.compose.service=$1" | head -n 1
}

# take_turn: the lock lasts as long as this shell.
take_turn() {
    local limit=${DEPLOY_WAIT_SECONDS:-900} waited=0
    mkdir -p "$STATE"
    STEP_LOG=$(mktemp)
    exec 9>>"$STATE/deploy.lock"
    if ! flock --nonblock 9; then
        printf '  another deploy, or a restore, is under way: waiting for its end\n'
        until flock --wait $((limit - waited < 60 ? limit - waited : 60)) 9; do
            waited=$((waited + 60))
            ((waited < limit)) || fail "the other deploy or restore has not ended within $limit s." "Try again later."
            printf '  still waiting (%s s)\n' "$waited"
        done
    fi
    # A password that a killed deploy left; folders of others that wait their turn are younger.
    rm -rf "$STATE"/login.*
    find "$STATE" -maxdepth 1 -name 'incoming-*' -mmin +1440 -exec rm -rf {} +
}

check_server() {
    local free folder
    docker version >/dev/null 2>"$STEP_LOG" || { cat "$STEP_LOG" >&2 && fail "the Docker engine does not answer $(id -un)." \
        "Start it (systemctl start docker); bin/provision gives the right to use it."; }
    for folder in "$(docker info --format '{{.DockerRootDir}}')" "$NEXCHANGE_ROOT"; do
        free=$(df --output=avail --block-size=1M "$folder" | tail -n 1)
        ((free > NEEDED_MB)) || fail "the server has $((free)) MB left below $folder; a deploy needs $NEEDED_MB." \
            "Free some: docker image prune --all, old files in $NEXCHANGE_ROOT/backups."
    done
}
