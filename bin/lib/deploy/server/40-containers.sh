# Runs on the server: containers started, watched and asked; nothing here decides what a failure means.
# shellcheck shell=bash disable=SC2153,SC2154

# What credits and pays. `worker` asks the venues for prices and beat gives it its turns: those two go on during a release, since
# without a fresh price the site refuses every order.
PAYERS=(worker_litecoin worker_ethereum)
WORKERS=(worker beat "${PAYERS[@]}")
HEALTH_SECONDS=${HEALTH_SECONDS:-180}
# shellcheck disable=SC2034
FLAG=$NEXCHANGE_ROOT/etc/nginx/release/next

state_of() { docker container inspect --format "$2" "$(container "$1")" 2>/dev/null || true; }

# wait_healthy SERVICE: fail as soon as it starts again and again, not only when the time is over.
wait_healthy() {
    local limit=$((SECONDS + HEALTH_SECONDS)) state before
    before=$(state_of "$1" '{{.RestartCount}}') # of its whole life, when it is not a new container
    while :; do
        state=$(state_of "$1" '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.RestartCount}}')
        case $state in
            "running healthy "*) return 0 ;;
            exited* | dead* | *" unhealthy "* | '') break ;;
        esac
        if ((${state##* } > before + 1)); then break; fi
        ((SECONDS < limit)) || break
        sleep 1
    done
    docker logs --tail 25 "$(container "$1")" 2>&1
    if [[ -n $state ]] && ((${state##* } > before + 1)); then
        printf 'error: %s starts and ends again and again (%s times): its last words stand above.\n' "$1" $((${state##* } - before))
    else
        printf 'error: %s does not get healthy within %s s: %s (state, health, restarts). Its last words stand above.\n' "$1" "$HEALTH_SECONDS" "$state"
    fi
    return 1
}

# wait_running SERVICE...: for those whose health is asked only once a minute: up, and not starting over and over.
wait_running() {
    local service round
    local -A before
    for service in "$@"; do before[$service]=$(state_of "$service" '{{.RestartCount}}'); done
    for ((round = 0; round < ${STEADY_SECONDS:-8}; round++)); do
        sleep 1
        for service in "$@"; do
            if [[ $(state_of "$service" '{{.State.Status}} {{.RestartCount}}') != "running ${before[$service]}" ]]; then
                docker logs --tail 25 "$(container "$service")" 2>&1
                printf 'error: %s does not stay up.\n' "$service"
                return 1
            fi
        done
    done
}

# ask_site: a page through nginx over https, as a customer would, from inside the network. The certificate is the operator's
# affair: only its presence is asked for here.
ask_site() {
    docker exec -i "$(container "$1")" python - "${ALLOWED_HOSTS%%,*}" <<'PYTHON'
import http.client, ssl, sys, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
host = sys.argv[1].lstrip(".*") or "localhost"
for attempt in range(20):
    try:
        site = http.client.HTTPSConnection("nginx", timeout=10, context=context)
        site.request("GET", "/en/", headers={"Host": host})
        status = site.getresponse().status
        if status == 200:
            sys.exit(0)
        print("GET /en/ answered", status)
    except OSError as error:
        print("nginx:", error)
    time.sleep(1)
sys.exit("the site does not answer through nginx")
PYTHON
}

start_services() {
    local wanted=(redis nginx)
    if [[ ${DATABASE_CONTAINER:-postgis} == postgis ]]; then wanted+=(postgis); fi
    if is_demo; then wanted+=(litecoin ethereum); fi
    # On a first deploy what a failed one left is made anew: started as it is, it would keep a port that was taken.
    if [[ -z $OLD_IMAGE || ${DEPLOY_SERVICES:-no} == yes ]]; then compose up -d --no-deps "${wanted[@]}"; else
        compose up -d --no-deps --no-recreate "${wanted[@]}"
    fi
}

reload_nginx() {
    if cmp -s "$STATE/good/etc/nginx/nginx.conf" "$NEXCHANGE_ROOT/etc/nginx/nginx.conf"; then return 0; fi
    docker exec "$(container nginx)" nginx -s reload
}

is_demo() { [[ ,${COMPOSE_PROFILES:-}, == *,demo,* ]]; }

# make_demo_keys: once; a demo's nodes and public keys are known only here.
make_demo_keys() {
    if ! is_demo; then return 0; fi
    if [[ ! -s $STATE/demo.env ]]; then
        compose run --rm -T keys >"$STATE/demo.env.new"
        mv "$STATE/demo.env.new" "$STATE/demo.env"
    fi
}

use_demo_keys() {
    if ! is_demo; then return 0; fi
    set -a
    # shellcheck source=/dev/null
    source "$STATE/demo.env"
    LITECOIN_RPC_URL=${LITECOIN_RPC_URL:-http://demo:demo@litecoin:19443}
    ETHEREUM_RPC_URL=${ETHEREUM_RPC_URL:-http://ethereum:18545}
    set +a
}

demo_services() { if is_demo; then printf 'miner'; fi; }
drain() { sleep "${DRAIN_SECONDS:-30}"; }
payers_run() {
    local service
    for service in "${PAYERS[@]}"; do [[ $(state_of "$service" '{{.State.Status}}') == running ]] || return 1; done
}
# shellcheck disable=SC2046
start_workers() { compose up -d --no-deps "${WORKERS[@]}" $(demo_services) && wait_running "${WORKERS[@]}"; }
stop_payers() { compose stop "${PAYERS[@]}"; }
