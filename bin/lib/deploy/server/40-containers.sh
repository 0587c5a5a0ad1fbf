# Runs on the server: containers started, watched and asked; nothing here decides what a failure means.
# shellcheck shell=bash disable=SC2153,SC2154

# What credits and pays. `worker` asks the venues for prices and beat gives it its turns: those two go on during a release, since
# without a fresh price the site refuses every order.
# A release of before had no signers, whose work its chains' workers did: of such a one there are none to start or to stop.
PAYERS=() WORKERS=()
know_workers() {
    PAYERS=(worker_litecoin worker_ethereum)
    if names_service signer_litecoin; then PAYERS=(signer_litecoin signer_ethereum "${PAYERS[@]}"); fi
    WORKERS=(worker beat "${PAYERS[@]}")
}
# names_service NAME [FILE]: whether the compose file in place, or that one, has such a service.
names_service() { grep -qs "^  $1:" "${2:-$NEXCHANGE_ROOT/docker-compose.yml}"; }
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

# ask_site SERVICE / ask_app SERVICE: a page and the API, as a customer would, from inside the network: through nginx over https
# (the certificate is the operator's affair: only its presence is asked for here), or of the container itself, which may be
# healthy and have nothing but errors to show.
ask_site() { ask "$1" nginx; }
ask_app() { ask "$1" "127.0.0.1:$GUNICORN_PORT"; }
ask() {
    docker exec -i "$(container "$1")" python - "$2" "${ALLOWED_HOSTS%%,*}" <<'PYTHON'
import http.client, ssl, sys, time
address, host = sys.argv[1], sys.argv[2].lstrip(".*") or "localhost"
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
headers = {"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"} # nginx sets its own
for attempt in range(20):
    told = []
    for path in ("/en/", "/en/api/v1/currency/"):
        try:
            if address == "nginx":
                site = http.client.HTTPSConnection(address, timeout=10, context=context)
            else:
                site = http.client.HTTPConnection(address, timeout=10)
            site.request("GET", path, headers=headers)
            status = site.getresponse().status
            if status != 200:
                told.append(f"GET {path} answered {status}")
        except (OSError, http.client.HTTPException) as error:
            told.append(f"GET {path}: {error}")
    if not told:
        sys.exit(0)
    print(*told, sep="\n", flush=True)
    time.sleep(1)
sys.exit("the site does not answer " + ("through nginx" if address == "nginx" else "as it should"))
PYTHON
}

start_services() {
    local wanted=(nginx) chains=() service queue=redis # its name in earlier releases, where it had no users
    if names_service broker; then queue=broker; fi
    wanted+=("$queue")
    if [[ ${DATABASE_CONTAINER:-postgis} == postgis ]]; then wanted+=(postgis); fi
    if is_demo; then chains=(litecoin ethereum); fi
    # On a first deploy what a failed one left is made anew: started as it is, it would keep a port that was taken.
    if [[ -z $OLD_IMAGE || ${DEPLOY_SERVICES:-no} == yes ]]; then
        compose up -d --no-deps "${wanted[@]}" "${chains[@]}"
        for service in "${wanted[@]}"; do wait_healthy "$service"; done # or its last words, which name the remedy
    else
        compose up -d --no-deps --no-recreate "${wanted[@]}" "${chains[@]}"
        wait_healthy "$queue" # it may be a server's first with users
    fi
}

reload_nginx() {
    if is_good etc/nginx/nginx.conf; then return 0; fi
    docker exec "$(container nginx)" nginx -s reload
}

is_demo() { [[ ,${COMPOSE_PROFILES:-}, == *,demo,* ]]; }

# make_demo_keys: what is there stays, and what a later release divides is divided; a demo's nodes and public keys are known only here.
make_demo_keys() {
    if ! is_demo; then return 0; fi
    compose run --rm -T keys >"$STATE/demo.env.new"
    mv "$STATE/demo.env.new" "$STATE/demo.env"
}

use_demo_keys() {
    if [[ ${SITE_MODE:-live} != demo ]]; then return 0; fi
    set -a
    if is_demo; then
        # shellcheck source=/dev/null
        source "$STATE/demo.env"
        LITECOIN_RPC_URL=${LITECOIN_RPC_URL:-http://demo:demo@litecoin:19443}
        ETHEREUM_RPC_URL=${ETHEREUM_RPC_URL:-http://ethereum:18545}
    fi
    # shellcheck disable=SC2034
    DEMO_LITECOIN_RPC_URL=${LITECOIN_RPC_URL:-} DEMO_ETHEREUM_RPC_URL=${ETHEREUM_RPC_URL:-} # for its pages
    set +a
}

# make_signer_folders: of the app's number, whatever user deploys; a signer's journal is read and written by it alone.
make_signer_folders() {
    docker run --rm --network none --user 0:0 --volume "$NEXCHANGE_ROOT:/nexchange" --entrypoint install "$NEW_IMAGE" \
        -d -o 1000 -g 1000 -m 0700 /nexchange/signers /nexchange/signers/litecoin /nexchange/signers/ethereum
}

# carry_journals FROM TO: let one place of the signers' journals have every line of the other. Until there were signers their lines
# lay beside the payouts'; what was signed counts against the ceilings, whichever release signed it. Safe to repeat.
carry_journals() {
    docker run --rm --network none --user 1000:1000 --volume "$NEXCHANGE_ROOT/journal:/journal" --volume \
        "$NEXCHANGE_ROOT/signers:/signers" --entrypoint bash "$NEW_IMAGE" -c '
            set -euo pipefail
            umask 077
            for chain in litecoin ethereum; do
                from=/journal/$chain.journal to=/signers/$chain/$chain.journal
                if [[ $1 == back ]]; then from=/signers/$chain/$chain.journal to=/journal/$chain.journal; fi
                if [[ ! -s $from ]]; then continue; fi
                touch "$to"
                lacking=$(grep -vxFf "$to" "$from" || true)
                if [[ -n $lacking ]]; then printf "\n%s\n" "$lacking" >>"$to" && sync "$to"; fi
            done' carry "${1:-forth}"
}

demo_services() { if is_demo; then printf 'miner'; fi; }
drain() { sleep "${DRAIN_SECONDS:-30}"; }
# payers_run: no deploy has stopped them. What starts and ends again and again is the release's own illness.
payers_run() {
    local service
    know_workers
    for service in "${PAYERS[@]}"; do
        case $(state_of "$service" '{{.State.Status}}') in running | restarting) ;; *) return 1 ;; esac
    done
}

# start_workers: returns when each answers, asked as the engine will ask it, which does so only once a minute. Beat has nothing
# to answer with: like the others it must not have started over.
start_workers() {
    local service said limit
    know_workers
    # shellcheck disable=SC2046
    compose up -d --no-deps "${WORKERS[@]}" $(demo_services) || return 1
    note_starts
    for service in "${WORKERS[@]}"; do
        if [[ $service == beat ]]; then continue; fi
        limit=$((SECONDS + HEALTH_SECONDS))
        until said=$(docker exec "$(container "$service")" sh -c "$(state_of "$service" '{{index .Config.Healthcheck.Test 1}}')" 2>&1); do
            check_starts || return 1
            if ((SECONDS >= limit)); then
                printf '%s\n' "$said"
                docker logs --tail 25 "$(container "$service")" 2>&1
                printf 'error: %s does not answer within %s s.\n' "$service" "$HEALTH_SECONDS"
                return 1
            fi
            sleep 1
        done
    done
    check_starts
}

# note_starts / check_starts: how often the engine had to start each worker, and whether it had to once more since.
declare -A STARTS=()
note_starts() {
    local service
    know_workers
    for service in "${WORKERS[@]}"; do STARTS[$service]=$(state_of "$service" '{{.RestartCount}}'); done
}
check_starts() {
    local service
    for service in "${WORKERS[@]}"; do
        if [[ $(state_of "$service" '{{.State.Status}} {{.RestartCount}}') != "running ${STARTS[$service]}" ]]; then
            docker logs --tail 25 "$(container "$service")" 2>&1
            printf 'error: %s does not stay up.\n' "$service"
            return 1
        fi
    done
}


# stop_payers: what is sold meanwhile is paid when they are back, soon. A release that does not know the command has no limit
# that the stop would pass.
stop_payers() {
    docker exec "$(container worker)" /entrypoint.sh manage replacing || printf '  not known to the release that serves\n'
    know_workers
    compose stop "${PAYERS[@]}"
}

# payers_work: the limits of a site that is not being replaced count again; without this they do so by themselves, later.
payers_work() { docker exec "$(container worker)" /entrypoint.sh manage replacing --over || true; }
