# Runs on the server: the files of a deploy: nginx's configuration, compose's override, the variables, the scripts.
# shellcheck shell=bash disable=SC2153,SC2154

PLACED=(etc/nginx/nginx.conf docker-compose.yml docker-compose.override.yml target.env)

# check_nginx: the new configuration, in the image that will run it, before it lies where nginx reads it.
# So is the certificate, which `nginx -t` does not look at: with a pair that does not fit nginx would not start again.
check_nginx() {
    mkdir -p "$STAGE/nginx/ssl"
    cp "$STAGE/nginx.conf" "$STAGE/nginx/nginx.conf"
    try_nginx nginx -t
    try_nginx certificate take
}

try_nginx() {
    docker run --rm --network none --env GUNICORN_PORT="$GUNICORN_PORT" \
        --env API_REQUESTS_PER_MINUTE="${API_REQUESTS_PER_MINUTE:-300}" --env PROXY_NETWORKS="${PROXY_NETWORKS:-}" --tmpfs /run \
        --volume "$STAGE/nginx:/etc/nginx:ro" \
        --volume "$NEXCHANGE_ROOT/etc/nginx/ssl:/etc/nginx/ssl:ro" --volume "$NEXCHANGE_ROOT/letsencypt:/etc/letsencrypt:ro" \
        "$NGINX_IMAGE" "$@"
}

# keep_files: those of the release that serves, for going back; also from a deploy that was interrupted.
keep_files() {
    local file
    rm -rf "$STATE/good.new"
    for file in "${PLACED[@]}"; do
        (umask 077 && mkdir -p "$STATE/good.new/$(dirname "$file")")
        cp -p "$NEXCHANGE_ROOT/$file" "$STATE/good.new/$file"
    done
    rm -rf "$STATE/good"
    mv "$STATE/good.new" "$STATE/good"
}

# place_files: each in one move.
place_files() {
    umask 077 # the variables are secrets from the first byte
    place "$STAGE/nginx.conf" "$NEXCHANGE_ROOT/etc/nginx/nginx.conf"
    place "$STAGE/docker-compose.yml" "$NEXCHANGE_ROOT/docker-compose.yml"
    write_override >"$STAGE/override"
    place "$STAGE/override" "$NEXCHANGE_ROOT/docker-compose.override.yml"
    place_variables
    rm -rf "$NEXCHANGE_ROOT/bin.new" "$NEXCHANGE_ROOT/bin.old"
    mv "$STAGE/bin" "$NEXCHANGE_ROOT/bin.new"
    if [[ -d $NEXCHANGE_ROOT/bin ]]; then mv "$NEXCHANGE_ROOT/bin" "$NEXCHANGE_ROOT/bin.old"; fi
    mv "$NEXCHANGE_ROOT/bin.new" "$NEXCHANGE_ROOT/bin"
    write_compose >"$STAGE/compose"
    chmod 755 "$STAGE/compose"
    mv "$STAGE/compose" "$NEXCHANGE_ROOT/compose"
}

place_variables() {
    (umask 077 && write_variables >"$STAGE/target.env")
    place "$STAGE/target.env" "$NEXCHANGE_ROOT/target.env"
}

place() {
    chmod 600 "$1"
    if [[ $2 != *.env && $2 != *override.yml ]]; then chmod 644 "$1"; fi
    mv "$1" "$2"
}

is_good() { cmp -s "$STATE/good/$1" "$NEXCHANGE_ROOT/$1"; }
files_are_good() {
    local file
    for file in "${PLACED[@]}"; do is_good "$file" || return 1; done
}

# put_files_back: those of the release that goes on; a full disk leaves what lies there whole. nginx is asked to read its file
# only when that differs: a reload closes the connections that wait for a next request.
put_files_back() {
    local file changed='' failed=''
    if [[ ! -d $STATE/good ]]; then return 0; fi
    is_good etc/nginx/nginx.conf || changed=yes
    for file in "${PLACED[@]}"; do
        if is_good "$file"; then continue; fi
        if cp -p "$STATE/good/$file" "$NEXCHANGE_ROOT/$file.new"; then
            mv "$NEXCHANGE_ROOT/$file.new" "$NEXCHANGE_ROOT/$file" || failed+=" $file"
        else
            rm -f "$NEXCHANGE_ROOT/$file.new"
            failed+=" $file"
        fi
    done
    if [[ -n $failed ]]; then
        printf 'error: not put back below %s:%s. When there is space, the next deploy does it.\n' "$NEXCHANGE_ROOT" "$failed" >&2
        return 1
    fi
    if [[ -n $changed ]]; then docker exec "$(container nginx)" nginx -s reload; fi
}

# good_file NAME: print where the file of the release that serves lies.
good_file() { if [[ -f $STATE/good/$1 ]]; then printf '%s' "$STATE/good/$1"; else printf '%s' "$NEXCHANGE_ROOT/$1"; fi; }

# good_value NAME: print a variable of the release that serves.
good_value() {
    # shellcheck source=/dev/null
    (unset "$1" && source "$(good_file target.env)" && printf '%s' "${!1:-}")
}

# use_old_variables: exactly those of the release that goes on; one variable more would make compose start it anew.
use_old_variables() {
    local name
    for name in $SITE_NAMES "${SERVICES[@]}" APP_IMAGE; do unset "$name"; done
    set -a
    # shellcheck source=/dev/null
    source "$(good_file target.env)"
    set +a
    export APP_IMAGE=$OLD_IMAGE
}

# write_override: VOLUMES_PARAM, PORTS_PARAM and DATABASE_CONTAINER as compose understands them, which wants to be told of
# volumes that have a name instead of a path.
write_override() {
    local words=() at service named=()
    printf '# Written by the deploy from VOLUMES_PARAM, PORTS_PARAM and DATABASE_CONTAINER: change those.\nservices:\n'
    read -ra words <<<"$PORTS_PARAM"
    printf '  nginx:\n    ports:\n'
    for ((at = 1; at < ${#words[@]}; at += 2)); do printf '      - "%s"\n' "${words[at]}"; done
    read -ra words <<<"${VOLUMES_PARAM:-}"
    if ((${#words[@]} > 0)); then
        for service in app app_next; do
            printf '  %s:\n    volumes:\n' "$service"
            for ((at = 1; at < ${#words[@]}; at += 2)); do printf "      - '%s'\n" "${words[at]//\$/\$\$}"; done
        done
    fi
    for ((at = 1; at < ${#words[@]}; at += 2)); do
        if [[ ${words[at]} != [/.~]* ]]; then named+=("${words[at]%%:*}"); fi
    done
    if [[ ${DATABASE_CONTAINER:-postgis} != postgis ]]; then printf '  postgis:\n    profiles: [elsewhere]\n'; fi
    if ((${#named[@]} > 0)); then printf 'volumes:\n' && printf '  %s: {}\n' "${named[@]}" | sort -u; fi
}

# write_variables: what this release runs with, quoted for a shell; 0600.
write_variables() {
    local name
    printf '# Written by the deploy. Secrets: for the deploy user alone.\n'
    for name in $SITE_NAMES NGINX_IMAGE POSTGIS_IMAGE REDIS_IMAGE CHAINS_IMAGE APP_IMAGE; do
        if [[ -n ${!name+set} ]]; then printf '%s=%q\n' "$name" "${!name}"; fi
    done
}

write_compose() {
    cat <<'SCRIPT'
#!/usr/bin/env bash
# docker-compose with the variables of the running release: /nexchange/compose ps
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
set -a
source target.env
NEXCHANGE_ROOT=$PWD COMPOSE_PROJECT_NAME=nexchange
set +a
if ((EUID == 0)); then exec /usr/local/bin/docker-compose "$@"; fi
exec sudo -n -E /usr/local/bin/docker-compose "$@"
SCRIPT
}
