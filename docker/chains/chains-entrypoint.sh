#!/usr/bin/env bash
# One local node for the other containers: chains-entrypoint litecoin|ethereum   (health: whether it listens)
set -euo pipefail
declare -A PORTS=([litecoin]=19443 [ethereum]=18545)
if [[ ${1:-} == health ]]; then
    chain=$(</tmp/chain)
    exec 3<>"/dev/tcp/127.0.0.1/${PORTS[$chain]}"
    exit
fi
[[ -n ${1:-} && -n ${PORTS[$1]:-} ]] || {
    printf 'error: a chain is litecoin or ethereum, not %s\n' "'${1:-}'" >&2
    exit 2
}
printf '%s\n' "$1" >/tmp/chain
# Any address of the container's networks may ask: no port of it is published, and its coins are worth nothing.
NODE_HOST=0.0.0.0 exec bin/node "$1" "${PORTS[$1]}" /var/lib/nodes
