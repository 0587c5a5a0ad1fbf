# Sourced by the rehearsal: the names, addresses and folders of everything it starts, and the network they share.
# shellcheck shell=bash

# Another rehearsal on the same engine (a test's) sets its own name and addresses before it sources this.
REHEARSAL=${REHEARSAL:-nexchange-rehearsal}
REHEARSAL_PREFIX=${REHEARSAL_PREFIX:-10.213.47}
REHEARSAL_DIR=${REHEARSAL_DIR:-$ROOT/var/rehearse}

# shellcheck disable=SC2034 # read by the files beside this one
NETWORK=$REHEARSAL-network REGISTRY_IP=$REHEARSAL_PREFIX.2 TARGET_IP=$REHEARSAL_PREFIX.3 ACME_IP=$REHEARSAL_PREFIX.4

# start_network: a bridge with fixed addresses, so that the host's engine and the target's know the registry by one name.
start_network() {
    (umask 077 && mkdir -p "$REHEARSAL_DIR")
    docker network inspect "$NETWORK" >/dev/null 2>&1 && return
    docker network create --subnet "$REHEARSAL_PREFIX.0/24" "$NETWORK" >/dev/null ||
        fail "the rehearsal's network $REHEARSAL_PREFIX.0/24 cannot be made." \
            "Something else uses these addresses; choose others: REHEARSAL_PREFIX=10.99.1 $0"
}

stop_network() { docker network rm "$NETWORK" >/dev/null 2>&1 || true; }

# remove_container NAME: also its anonymous volumes; no complaint when it is not there.
remove_container() { docker rm --force --volumes "$1" >/dev/null 2>&1 || true; }

# wait_for SECONDS WHAT COMMAND...: try every fifth of a second; fail by name when the time is over.
wait_for() {
    local limit=$(($1 + SECONDS)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < limit)) || fail "$what did not answer in time."
        sleep 0.2
    done
}

# open_network: engines keep their networks apart; this one plays the Internet, which a pipeline's box must reach. Needs root.
open_network() {
    close_network
    as_root iptables -I DOCKER-USER -s "$REHEARSAL_PREFIX.0/24" -j ACCEPT
    as_root iptables -I DOCKER-USER -d "$REHEARSAL_PREFIX.0/24" -j ACCEPT
}

close_network() {
    while as_root iptables -D DOCKER-USER -s "$REHEARSAL_PREFIX.0/24" -j ACCEPT 2>/dev/null; do :; done
    while as_root iptables -D DOCKER-USER -d "$REHEARSAL_PREFIX.0/24" -j ACCEPT 2>/dev/null; do :; done
}
