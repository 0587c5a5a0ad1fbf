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
    local interface
    (umask 077 && mkdir -p "$REHEARSAL_DIR")
    docker network inspect "$NETWORK" >/dev/null 2>&1 && return
    interface=$(route_to_network)
    [[ -z $interface ]] || fail "$interface of this machine has the addresses of the rehearsal's network, $REHEARSAL_PREFIX.0/24." \
        "If an engine that is gone left it: ip link delete $interface. Else choose others: REHEARSAL_PREFIX=10.99.1 $0"
    docker network create --subnet "$REHEARSAL_PREFIX.0/24" "$NETWORK" >/dev/null ||
        fail "the rehearsal's network $REHEARSAL_PREFIX.0/24 cannot be made." \
            "Something else uses these addresses; choose others: REHEARSAL_PREFIX=10.99.1 $0"
}

# route_to_network: print the interface that packets to those addresses would leave by, were the network not there.
route_to_network() {
    local hex
    # shellcheck disable=SC2046,SC2183 # three numbers; the kernel writes them the other way round
    hex=$(printf '00%02X%02X%02X' $(tr . '\n' <<<"$REHEARSAL_PREFIX" | tac))
    awk -v network="$hex" '$2 == network { print $1; exit }' /proc/net/route
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
