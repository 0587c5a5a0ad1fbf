# Sourced by scripts that need Docker: makes sure that an engine answers, starts one where none runs, stops only that one.
# shellcheck shell=bash

ENGINE_DIR=$ROOT/var/engine
export DOCKER_BUILDKIT=0 # the classic builder: newer clients without their build plug-in know no other

# The exit status that says: no engine can do its work on this machine. Whatever else goes wrong is a mistake to be mended.
NO_ENGINE_HERE=77

# fail_here WHAT WHAT-TO-DO...: as fail, with that status.
fail_here() { (fail "$@") || exit $NO_ENGINE_HERE; }

engine_answers() { command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# missing_engine_packages: print the Debian packages that are not there yet, nothing when all are.
missing_engine_packages() {
    local wanted=()
    command -v dockerd >/dev/null && command -v docker >/dev/null || wanted+=(docker.io)
    command -v docker-compose >/dev/null || wanted+=(docker-compose)
    command -v iptables >/dev/null || wanted+=(iptables)
    printf '%s' "${wanted[*]}"
}

# ensure_engine: return when an engine answers. One that runs is used as it is; else, as root, one is installed and started.
# Safe to repeat. Fails with what is missing and who can help; with status $NO_ENGINE_HERE when none can run on this machine.
ensure_engine() {
    local packages
    if ! engine_answers; then
        if [[ -n ${DOCKER_HOST:-} ]]; then
            fail "the Docker engine at DOCKER_HOST does not answer." "Start it, or unset DOCKER_HOST to use the one of this machine."
        fi
        may_become_root || fail_here "no Docker engine answers, and $(id -un) may not start one." \
            "Start Docker, or add yourself to its group: usermod -aG docker $(id -un), then sign in again."
        packages=$(missing_engine_packages)
        if [[ -n $packages ]]; then
            # shellcheck source=bin/lib/packages.sh
            source "$ROOT/bin/lib/packages.sh"
            install_packages "$packages"
        fi
        start_engine
    fi
    ensure_compose
}

# ensure_compose: docker-compose 1.29 or newer as a command of its own, as on the servers.
ensure_compose() {
    command -v docker-compose >/dev/null && return
    may_become_root || fail "docker-compose is not installed." "As root: apt-get install -y docker-compose"
    # shellcheck source=bin/lib/packages.sh
    source "$ROOT/bin/lib/packages.sh"
    install_packages docker-compose
}

# start_engine: by hand, without an init system; process number and log are kept in var/engine.
start_engine() {
    local waited=0 pid
    mkdir -p "$ENGINE_DIR"
    printf '  %-28s' "Docker engine"
    # shellcheck disable=SC2016 # expanded by the shell that becomes root
    as_root setsid sh -c 'exec dockerd --pidfile "$1/pid" >"$1/log" 2>&1 </dev/null' dockerd "$ENGINE_DIR" &
    pid=$!
    disown "$pid"
    until engine_answers; do
        sleep 0.2
        waited=$((waited + 1))
        if ((waited > 300)) || ! kill -0 "$pid" 2>/dev/null; then
            printf ' failed\n\n'
            tail -n 15 "$ENGINE_DIR/log" >&2
            explain_engine "$pid"
        fi
    done
    printf ' started, process %s\n' "$(cat "$ENGINE_DIR/pid")"
}

# explain_engine PROCESS: fail. An engine that took its command line and its configuration ("Starting up") and ended all the same
# lacks something that this machine does not grant; before that it is a mistake in those two.
explain_engine() {
    local failing=fail
    if ! kill -0 "$1" 2>/dev/null && grep -q 'Starting up' "$ENGINE_DIR/log"; then failing=fail_here; fi
    "$failing" "the Docker engine did not start." "All of its output: $ENGINE_DIR/log" \
        "In a container it needs far-reaching rights (see docker/target); on a server: systemctl start docker."
}

# stop_engine: only the one that start_engine started for this checkout; any other is left alone.
stop_engine() {
    local pid waited=0
    [[ -f $ENGINE_DIR/pid ]] || return 0
    pid=$(cat "$ENGINE_DIR/pid")
    if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
        as_root kill "$pid"
        while [[ -e /proc/$pid ]] && ((waited < 150)); do
            sleep 0.2
            waited=$((waited + 1))
        done
        [[ ! -e /proc/$pid ]] || fail "the Docker engine (process $pid) does not end." "Its log: $ENGINE_DIR/log"
    fi
    as_root rm -f "$ENGINE_DIR/pid"
}
