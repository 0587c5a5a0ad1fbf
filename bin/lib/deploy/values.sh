# Sourced by bin/deploy: the variables of a target, checked before anything is touched, and which of them travel.
# shellcheck shell=bash

DOCKER_HUB_REPO=${DOCKER_HUB_REPO:-}
source bin/lib/repository.sh
# What a deploy is given; the defaults are those that a served site has.
export DATABASE_CONTAINER=${DATABASE_CONTAINER:-postgis} DJANGO_SETTINGS_MODULE=${DJANGO_SETTINGS_MODULE:-nexchange.settings_prod}
export SITE_MODE=${SITE_MODE:-live} GUNICORN_PORT=${GUNICORN_PORT:-8000} PORTS_PARAM=${PORTS_PARAM:--p 80:80 -p 443:443}
export VOLUMES_PARAM=${VOLUMES_PARAM:-} DRAIN_SECONDS=${DRAIN_SECONDS:-30} DEPLOY_SERVICES=${DEPLOY_SERVICES:-no}

# Everything that docker-compose.yml and the server's scripts read; names that are not set are not sent.
sent_names() {
    printf '%s\n' NEXCHANGE_ROOT DOCKER_HUB_USER DOCKER_HUB_PASSWORD DOCKER_HUB_REPO REGISTRY_HOST APP_IMAGE NEW_NGINX_IMAGE \
        NEW_POSTGIS_IMAGE NEW_REDIS_IMAGE NEW_CHAINS_IMAGE DEPLOY_SERVICES VOLUMES_PARAM PORTS_PARAM HEALTH_SECONDS DEPLOY_NEEDED_MB DEPLOY_WAIT_SECONDS
    site_names
}

# shellcheck disable=SC2016 # the dollars are those of the file
# What the site is made of: kept on the server, for the operator's own use of docker-compose.
site_names() {
    grep -oE '\$\{[A-Z][A-Z0-9_]+|^ +[A-Z][A-Z0-9_]+:$' docker-compose.yml | tr -d ' :${' | grep -vE '_IMAGE$|^NEXCHANGE_ROOT$' | sort -u
    printf '%s\n' DATABASE_CONTAINER COMPOSE_PROFILES DRAIN_SECONDS BACKUP_PASSPHRASE BACKUP_PASSPHRASE_FILE BACKUP_KEEP BACKUP_DIR
}

check_values() {
    bin/steps/require SSH_USER DEST_HOST_ADDR SSH_HOST_KEY 'PEM_FILE_CONTENT|PEM_FILE_CONTENT_PRIVATE' \
        DOCKER_HUB_REPO DOCKER_HUB_USER DOCKER_HUB_PASSWORD DOCKER_IMAGE_TAG POSTGIS_ENV_POSTGRES_USER \
        POSTGIS_ENV_POSTGRES_PASSWORD POSTGIS_ENV_POSTGRES_DB APP_DB_PASSWORD SECRET_KEY TOKEN_KEY ALLOWED_HOSTS \
        'BACKUP_PASSPHRASE|BACKUP_PASSPHRASE_FILE'
    if [[ $SITE_MODE == live ]]; then check_live; fi
    check_key SECRET_KEY TOKEN_KEY ${QUOTE_KEY:+QUOTE_KEY}
    [[ $DEST_HOST_ADDR =~ ^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?$ ]] ||
        fail "DEST_HOST_ADDR is '$DEST_HOST_ADDR', neither HOST nor HOST:PORT."
    [[ $SSH_USER =~ ^[a-z_][a-z0-9_.-]*$ ]] || fail "SSH_USER is '$SSH_USER', which is no user's name."
    # A restore makes NAME_restoring beside it; PostgreSQL would cut a longer name, to the one that is in use.
    ((${#POSTGIS_ENV_POSTGRES_DB} <= 40)) || fail "POSTGIS_ENV_POSTGRES_DB is longer than 40 characters."
    [[ $DOCKER_IMAGE_TAG =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,86}$ ]] || fail "DOCKER_IMAGE_TAG is '$DOCKER_IMAGE_TAG', which is no tag." \
        "A tag is one word of letters, digits, _, . and -, such as latest."
    [[ $DEPLOY_SERVICES == yes || $DEPLOY_SERVICES == no ]] || fail "DEPLOY_SERVICES is '$DEPLOY_SERVICES', neither yes nor no."
    check_number GUNICORN_PORT "$GUNICORN_PORT" 1 65535
    check_number POSTGIS_PORT_5432_TCP_PORT "${POSTGIS_PORT_5432_TCP_PORT:-5432}" 1 65535
    check_number DRAIN_SECONDS "$DRAIN_SECONDS" 0
    check_numbers API_REQUESTS_PER_MINUTE RENEW_SECONDS HEALTH_SECONDS DEPLOY_NEEDED_MB DEPLOY_WAIT_SECONDS STATIC_KEEP_HOURS \
        POSTGIS_WAIT_SECONDS SCHEMA_WAIT_SECONDS BACKUP_KEEP GUNICORN_WORKERS GUNICORN_THREADS PROMISES_PER_CLIENT PROMISED_SHARE_PERCENT
    [[ ${PROXY_NETWORKS:-} =~ ^([0-9a-fA-F.:]+(/[0-9]{1,3})?[,\ ]*)*$ ]] ||
        fail "PROXY_NETWORKS is '$PROXY_NETWORKS', no list of networks such as 10.0.0.0/8,2001:db8::/32."
    check_pairs VOLUMES_PARAM -v "^[^:'\"]+(:[^:'\"]+){1,2}$"
    check_pairs PORTS_PARAM -p '^([0-9.]+:)?[0-9]+:[0-9]+(/(tcp|udp))?$'
}

# derive_passwords: each kind of process gets its own; none but `release` is given what they are derived from.
derive_passwords() {
    local lines
    lines=$(python3 bin/lib/deploy/passwords.py) || fail "the passwords of the site's processes could not be derived (see above)."
    eval "$lines"
}

# check_live: what a demo makes itself. Without them no payout would be signed, which the new release would say only when it starts.
check_live() {
    local name ceilings=() names=()
    for name in LITECOIN ETHEREUM; do
        names+=("${name}_RPC_URL" "${name}_ACCOUNT_KEY")
        ceilings+=("${name}_CEILING_PAYOUT" "${name}_CEILING_HOUR" "${name}_CEILING_DAY" "${name}_CEILING_FUNDED_HOUR")
    done
    bin/steps/require "${names[@]}" "${ceilings[@]}"
    for name in "${ceilings[@]}"; do
        [[ ${!name} =~ ^[0-9]{1,12}(\.[0-9]{1,18})?$ ]] || fail "$name is '${!name}', no amount of coins." \
            "Whole coins, such as 12.5; docs/SECURITY.md says how to choose."
    done
}

# check_key NAME...: as core/checks.py asks of them; said here, before an old release has to come back.
check_key() {
    local name value
    for name in "$@"; do
        value=${!name}
        ((${#value} >= 32)) || fail "$name has fewer than 32 characters: the new release would not start with it." \
            "Another value: openssl rand -hex 32. What a shorter TOKEN_KEY of before means: docs/RUNBOOK.md, Change a secret."
    done
}

# check_number NAME VALUE LEAST [MOST]
check_number() {
    if [[ $2 =~ ^[0-9]{1,9}$ ]] && ((10#$2 >= $3 && 10#$2 <= ${4:-999999999})); then return; fi
    fail "$1 is '$2', not a whole number from $3${4:+ to $4}."
}

# check_numbers NAME...: those of them that are set.
check_numbers() {
    local name
    for name in "$@"; do if [[ -n ${!name:-} ]]; then check_number "$name" "${!name}" 1; fi; done
}

# check_pairs NAME OPTION PATTERN: a list of values, each after its option, as `docker run` takes them.
check_pairs() {
    local words at
    read -ra words <<<"${!1}"
    for ((at = 0; at < ${#words[@]}; at += 2)); do
        [[ ${words[at]} == "$2" && ${words[at + 1]:-} =~ $3 ]] ||
            fail "$1 is '${!1}': each value must follow $2 and look like those of docker run $2." "See readme_wercker.md, Variables."
    done
}

# find_images: by digest: the image that was built (its tags are not asked for), and what the registry has for those beside the site.
find_images() {
    local name digest
    APP_IMAGE=$DOCKER_HUB_REPO@$(bin/promote --built) || fail "the image of this build is not known (see above)."
    export APP_IMAGE
    for name in nginx postgis redis chains; do
        if [[ $name == chains && ,${COMPOSE_PROFILES:-}, != *,demo,* ]]; then continue; fi
        digest=$(bin/promote --show "$name") || fail "the image of $name is not in $DOCKER_HUB_REPO." \
            "Push it once: bin/images --push nginx postgis redis chains"
        export "NEW_${name^^}_IMAGE=$DOCKER_HUB_REPO@$digest"
    done
}
