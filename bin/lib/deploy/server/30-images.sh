# Runs on the server: images by digest, pulled with a password that is on this disk only as long as that takes.
# shellcheck shell=bash disable=SC2153,SC2154

SERVICES=(NGINX_IMAGE POSTGIS_IMAGE REDIS_IMAGE CHAINS_IMAGE)

# choose_services: the images beside the app stay what they are, unless this is the first deploy or it was asked for.
choose_services() {
    local name new
    if [[ -f $STATE/services.env && ${DEPLOY_SERVICES:-no} != yes ]]; then
        set -a
        # shellcheck source=/dev/null
        source "$STATE/services.env"
        set +a
    fi
    for name in "${SERVICES[@]}"; do
        new=NEW_$name
        if [[ -n ${!new:-} && (-z ${!name:-} || ${DEPLOY_SERVICES:-no} == yes) ]]; then export "$name=${!new}"; fi
    done
}

keep_services() {
    local name
    for name in "${SERVICES[@]}"; do
        if [[ -n ${!name:-} ]]; then printf '%s=%q\n' "$name" "${!name}"; fi
    done >"$STATE/services.env.new" && mv "$STATE/services.env.new" "$STATE/services.env"
}

# check_front: what nginx was started with cannot change under it, nor the password with which the release that serves connects;
# said before anything is done, not found out by customers.
check_front() {
    local name now before
    local -A default=([GUNICORN_PORT]=8000 [API_REQUESTS_PER_MINUTE]=300 [RENEW_SECONDS]=43200 [PROXY_NETWORKS]='')
    if [[ -z $OLD_IMAGE || ${DEPLOY_SERVICES:-no} == yes ]]; then return 0; fi
    for name in "${!default[@]}"; do
        now=${!name:-${default[$name]}} before=$(good_value "$name")
        [[ $now == "${before:-${default[$name]}}" ]] || refuse_front "$name" "$before" "$now"
    done
    [[ ${APP_DB_PASSWORD:-} == "$(good_value APP_DB_PASSWORD)" ]] ||
        fail "APP_DB_PASSWORD is another than the release that serves connects with: it would be locked out before the new one serves." \
            "DEPLOY_SERVICES=yes does it all the same; requests of that moment fail. Or take the old value."
    before=$(good_value REDIS_USERS)
    [[ -z $before || ${REDIS_USERS:-} == "$before" ]] ||
        fail "Redis is to have other users (REDIS_USERS) than it runs with: this release gives them other rights." \
            "DEPLOY_SERVICES=yes starts Redis anew with them; limits are counted anew then, and no order is taken for seconds."
    before=$(grep '"' "$(good_file docker-compose.override.yml)" || true)
    now=$(write_override | grep '"' || true)
    [[ $now == "$before" ]] || refuse_front PORTS_PARAM "$before" "$now"
}

refuse_front() {
    fail "$1 is another than nginx runs with: '$2' before, '$3' now." \
        "DEPLOY_SERVICES=yes starts nginx anew with it; requests of that moment fail. Or take the old value."
}

pull_images() {
    local name login
    login=$(umask 077 && mktemp -d "$STATE/login.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$login'" EXIT
    # shellcheck disable=SC2086 # none for Docker Hub
    printf '%s' "$DOCKER_HUB_PASSWORD" | docker --config "$login" login --username "$DOCKER_HUB_USER" --password-stdin $REGISTRY_HOST
    for name in APP_IMAGE "${SERVICES[@]}"; do
        if [[ -n ${!name:-} ]] && ! docker image inspect "${!name}" >/dev/null 2>&1; then docker --config "$login" pull --quiet "${!name}"; fi
    done
    # shellcheck disable=SC2086
    docker --config "$login" logout $REGISTRY_HOST
}

# check_keys: what signs the payouts, a file for each network, before anything is changed. Looked at as the app, whose they are.
# keys.json, with both networks' keys, was that of earlier releases: it hands its parts over and stays, for going back.
check_keys() {
    local chain
    if [[ ${SITE_MODE:-live} != live ]]; then return 0; fi
    with_keys --env DB_ROLE=operator --env SITE_MODE=live "$NEW_IMAGE" manage divide_keys /run/keys
    for chain in litecoin ethereum; do
        with_keys --entrypoint head "$NEW_IMAGE" -c 1 "/run/keys/$chain.json" >/dev/null ||
            fail "$NEXCHANGE_ROOT/keys/$chain.json is no file that user 1000 can read." \
                "Each network has a file of its own: {\"$chain\": {\"account_private\": \"xprv...\"}}, owner 1000, mode 0600."
    done
}

with_keys() { docker run --rm --network none --user 1000:1000 --volume "$NEXCHANGE_ROOT/keys:/run/keys" "$@"; }

# forget_old_images: all of the site's but the one that runs and the one before it.
forget_old_images() {
    local reference kept
    kept=$(cat "$STATE/running" "$STATE/previous" 2>/dev/null || true)
    for reference in $(docker image ls --digests --format '{{.Repository}}@{{.Digest}}' "$DOCKER_HUB_REPO"); do
        if [[ $kept != *"$reference"* && " ${NGINX_IMAGE:-} ${POSTGIS_IMAGE:-} ${REDIS_IMAGE:-} ${CHAINS_IMAGE:-} " != *" $reference "* ]]; then
            docker image rm "$reference" >/dev/null 2>&1 || true # in use by a container that was stopped by hand
        fi
    done
}
