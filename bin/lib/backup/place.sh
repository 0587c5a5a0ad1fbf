# Sourced by bin/backup and bin/restore: whether this is a checkout or a server, and how core.sh is run there.
# shellcheck shell=bash

set -euo pipefail
BIN=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=bin/lib/backup/words.sh
source "$BIN/lib/backup/words.sh"
SITE='^(app|app_next|worker|worker_.*|beat|release|miner|operator|signer_.*)$' # the services that use the database
stopped=() own_cluster='' given=''

# know_place: set PLACE (checkout or server), HERE and WAIT, without reading anything.
know_place() {
    HERE=${NEXCHANGE_ROOT:-$(dirname "$BIN")}
    if [[ -f $HERE/manage.py ]]; then PLACE=checkout; else PLACE=server; fi
    WAIT=${BACKUP_WAIT_SECONDS:-600}
    [[ $WAIT =~ ^(0|[1-9][0-9]{0,5})$ ]] || fail "BACKUP_WAIT_SECONDS is '$WAIT', not a number from 0 on."
}

# find_place: set the folders, the connection and what this site is known by.
find_place() {
    know_place
    "find_$PLACE"
    BACKUPS=$(realpath --canonicalize-missing --no-symlinks "$BACKUPS") # the engine wants a whole path
    : "${KEEP:=${BACKUP_KEEP:-14}}"
    [[ $KEEP =~ ^[1-9][0-9]{0,4}$ ]] || fail "BACKUP_KEEP is '$KEEP', not a number from 1 on."
    read_connection
    know_site
    export PGUSER PGDATABASE PGPORT PGHOST BACKUPS MEDIA JOURNAL SIGNERS KEEP WAIT IDENTITY
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

read_connection() {
    PGUSER=${POSTGIS_ENV_POSTGRES_USER:-nexchange} PGDATABASE=${POSTGIS_ENV_POSTGRES_DB:-nexchange}
    PGPORT=${POSTGIS_PORT_5432_TCP_PORT:-5432} PASSWORD=${POSTGIS_ENV_POSTGRES_PASSWORD:-}
}

# know_site: a digest of TOKEN_KEY, which is of one target alone and stays the same on a new server. The key itself goes through a
# pipe only; nothing leads from the digest back to it.
know_site() {
    local key=${TOKEN_KEY:-}
    if [[ $PLACE == checkout ]]; then key=${key:-development-only}; fi # that of nexchange/settings_dev.py
    IDENTITY=''
    if [[ -n $key ]]; then IDENTITY=$(printf 'a site of nexchange: %s' "$key" | sha256sum | cut -c1-16); fi
}

find_server() {
    if [[ -z ${POSTGIS_ENV_POSTGRES_USER:-} ]]; then load_variables "$HERE/target.env"; fi
    BACKUPS=${BACKUP_DIR:-$HERE/backups} MEDIA=$HERE/html/media JOURNAL=$HERE/journal/payouts.journal SIGNERS=$HERE/signers
    PROJECT=${COMPOSE_PROJECT_NAME:-nexchange}
    PGHOST=${DATABASE_CONTAINER:-postgis}
    command -v docker >/dev/null || fail "$HERE is neither a checkout nor a server: docker is not here."
    if docker version >/dev/null 2>&1; then DOCKER=(docker) COMPOSE=(docker-compose); else
        DOCKER=(sudo -n /usr/bin/docker) COMPOSE=(sudo -n -E /usr/local/bin/docker-compose)
    fi
    "${DOCKER[@]}" version >/dev/null 2>&1 || fail "the Docker engine does not answer $(id -un)." \
        "Start it (systemctl start docker), or run this as the deploy user or root."
}

find_checkout() {
    if [[ -n ${POSTGIS_PORT_5432_TCP_ADDR:-} ]]; then given=yes; else load_variables "${RUN_DIR:-$HERE/var/run}/env"; fi
    [[ -z ${DATABASE_URL:-} || -n ${POSTGIS_PORT_5432_TCP_ADDR:-} ]] || fail "DATABASE_URL is not understood here." \
        "Set POSTGIS_PORT_5432_TCP_ADDR and POSTGIS_ENV_POSTGRES_USER, _PASSWORD and _DB instead."
    BACKUPS=${BACKUP_DIR:-$HERE/var/backups} MEDIA=${MEDIA_ROOT:-$HERE/var/media}
    JOURNAL=${PAYOUT_JOURNAL:-$HERE/var/payouts.journal} SIGNERS=${SIGNER_JOURNAL_DIR:-$HERE/var/signer}
    PGHOST=${POSTGIS_PORT_5432_TCP_ADDR:-}
}

# load_variables FILE: the BACKUP_… that whoever calls this has set win over those of the file, because an older backup wants the
# passphrase of its time. A passphrase and a file with one are two ways to say the same: either replaces both of the file's.
load_variables() {
    local name
    local -A own=()
    if [[ ! -e $1 ]]; then return; fi
    [[ -r $1 ]] || fail "$1 cannot be read by $(id -un)." "It belongs to the deploy user: run this as that one."
    for name in "${!BACKUP_@}"; do if [[ -n ${!name} ]]; then own[$name]=${!name}; fi; done
    set -a
    # shellcheck disable=SC1090 # KEY=value lines, quoted for a shell
    source "$1"
    set +a
    if [[ -n ${own[BACKUP_PASSPHRASE]:-}${own[BACKUP_PASSPHRASE_FILE]:-} ]]; then unset BACKUP_PASSPHRASE BACKUP_PASSPHRASE_FILE; fi
    for name in "${!own[@]}"; do declare -g "$name=${own[$name]}"; done
}

read_passphrase() {
    PASSPHRASE=${BACKUP_PASSPHRASE:-}
    if [[ -z $PASSPHRASE && -n ${BACKUP_PASSPHRASE_FILE:-} ]]; then
        [[ -r $BACKUP_PASSPHRASE_FILE ]] || fail "BACKUP_PASSPHRASE_FILE=$BACKUP_PASSPHRASE_FILE cannot be read."
        PASSPHRASE=$(<"$BACKUP_PASSPHRASE_FILE")
    fi
    if [[ -z $PASSPHRASE && -t 0 ]]; then
        read -rsp "Passphrase of the backup: " PASSPHRASE
        printf '\n'
    fi
    [[ -n $PASSPHRASE ]] || fail "BACKUP_PASSPHRASE is not set: backups are never written in the clear." \
        "Set it, or BACKUP_PASSPHRASE_FILE; keep a copy away from this machine."
    [[ $PASSPHRASE != *$'\n'* ]] || fail "BACKUP_PASSPHRASE has more than one line."
    export -n PASSPHRASE
    unset BACKUP_PASSPHRASE
}

path_of() {
    local file=$1
    if [[ ! -e $file && -e $BACKUPS/$file ]]; then file=$BACKUPS/$file; fi
    [[ -f $file ]] || fail "there is no backup $1." "bin/backup --list shows those that are there."
    realpath "$file"
}

# begin_database: in a checkout whose site does not run, its own cluster is started and stopped again.
begin_database() {
    if [[ $PLACE == checkout && -z $given ]]; then
        mkdir -p "${RUN_DIR:-$HERE/var/run}"
        exec 9>>"${RUN_DIR:-$HERE/var/run}/lock"
        if flock --nonblock 9; then
            own_cluster=yes
            "$BIN/postgis" start run 9>&-
            load_variables <("$BIN/postgis" env run)
            PGHOST=$POSTGIS_PORT_5432_TCP_ADDR
            read_connection
        fi
    fi
}

# core VERB [FILE] [ARGUMENT]: the secrets go in by standard input, so that no process list and no `docker inspect` has them.
core() {
    if [[ $PLACE == checkout ]]; then
        printf '%s\n' "${PASSPHRASE:-}" "$PASSWORD" | bash "$BIN/lib/backup/core.sh" "$@" 9>&-
    else
        printf '%s\n' "${PASSPHRASE:-}" "$PASSWORD" | core_in_container "$@"
    fi
}

core_in_container() {
    local image run folder
    mkdir -p "$BACKUPS" # a folder that is not there would be made by the engine, as root's
    image=$(service_image)
    run=(run --rm --interactive --network "${PROJECT}_back" --user 0:0 --entrypoint bash --cap-drop ALL --cap-add DAC_OVERRIDE
        --cap-add CHOWN --cap-add FOWNER --security-opt no-new-privileges --volume "$BIN/lib/backup:$BIN/lib/backup:ro"
        --env PGHOST="$PGHOST" --env PGPORT="$PGPORT" --env PGUSER="$PGUSER" --env PGDATABASE="$PGDATABASE"
        --env BACKUPS="$BACKUPS" --env MEDIA="$MEDIA" --env JOURNAL="$JOURNAL" --env SIGNERS="$SIGNERS" --env KEEP="$KEEP" --env WAIT="$WAIT"
        --env IDENTITY="$IDENTITY")
    for folder in "$BACKUPS" "$(dirname "$MEDIA")" "$(dirname "$JOURNAL")"; do run+=(--volume "$folder:$folder"); done
    if [[ -d $SIGNERS ]]; then run+=(--volume "$SIGNERS:$SIGNERS"); fi # made by a server's first deploy with signers
    if [[ ${2:-} == /* && $(dirname "$2") != "$BACKUPS" ]]; then run+=(--volume "$(dirname "$2"):$(dirname "$2"):ro"); fi
    "${DOCKER[@]}" "${run[@]}" "$image" "$BIN/lib/backup/core.sh" "$@"
}

containers() { "${DOCKER[@]}" ps --filter "label=com.docker.compose.project=$PROJECT" --format '{{.Label "com.docker.compose.service"}} {{.ID}}'; }

# service_image: that of the running database, whose programs are of the right version.
service_image() {
    local id
    id=$(containers | awk '$1 == "postgis" { print $2; exit }')
    if [[ -n $id ]]; then "${DOCKER[@]}" inspect --format '{{.Image}}' "$id"; else printf '%s\n' "${POSTGIS_IMAGE:-mdillon/postgis:latest}"; fi
}

# take_turn ARGUMENTS…: on a server one deploy or restore at a time; a deploy would start the workers that are stopped here, and
# migrate the database that is about to be replaced. The lock is that of deploys and lasts as long as this shell. Whoever had to
# wait begins anew and keeps the lock: variables and scripts may be those of another release now. Not for bin/backup, which a
# deploy calls while it has the lock.
take_turn() {
    local lock
    know_place
    if [[ $PLACE == checkout ]]; then return; fi
    lock=$HERE/state/deploy.lock
    if [[ ! /proc/$$/fd/9 -ef $lock ]]; then open_lock "$lock"; fi
    if flock --nonblock 9; then return; fi
    printf 'a deploy or another restore is under way: waiting for its end, at most %s s\n' "$WAIT"
    flock --wait "$WAIT" 9 || fail "the deploy or restore that is under way has not ended within $WAIT s." \
        "Nothing was changed. Try again later, or wait longer: BACKUP_WAIT_SECONDS."
    exec bash "$BIN/restore" "$@"
}

# open_lock FILE: as the ninth descriptor. One that root makes would keep the deploy user from deploying.
open_lock() {
    local folder
    folder=$(dirname "$1")
    { mkdir -p "$folder" && exec 9>>"$1"; } 2>/dev/null ||
        fail "$1 cannot be written by $(id -un)." "It belongs to the deploy user: run this as that one."
    if ((EUID == 0)); then chown --reference="$folder" "$1"; fi
}

# stop_site yes|no: refuse while the site runs, or stop it until this script ends.
stop_site() {
    local service id running=()
    if [[ $PLACE == checkout ]]; then
        [[ ! -e ${RUN_DIR:-$HERE/var/run}/pid ]] || flock --nonblock "${RUN_DIR:-$HERE/var/run}/lock" true ||
            fail "the site runs from this checkout." "Stop bin/run (Ctrl-C there), then try again."
        return
    fi
    while read -r service id; do
        if [[ $service =~ $SITE ]]; then running+=("$service:$id"); fi
    done < <(containers)
    if ((${#running[@]} == 0)); then return; fi
    [[ $1 == yes ]] || fail "the site runs: ${running[*]%%:*}." "Nothing was changed. With --stop it is stopped meanwhile."
    printf 'stopping %s\n' "${running[*]%%:*}"
    stopped=("${running[@]##*:}")
    "${DOCKER[@]}" stop --time 100 "${stopped[@]}" >/dev/null
}

# manage_restoring release | COMMAND ARGUMENTS…: run it on the database that waits to take the present one's place.
manage_restoring() {
    local command=("$@")
    printf 'manage.py %s\n' "$1"
    if [[ $PLACE == checkout ]]; then
        POSTGIS_ENV_POSTGRES_DB=${PGDATABASE}_restoring APP_DB_PASSWORD=${APP_DB_PASSWORD:-demo-only} POSTGIS_PORT_5432_TCP_ADDR=$PGHOST \
            DJANGO_SETTINGS_MODULE=${DJANGO_SETTINGS_MODULE:-nexchange.settings_dev} \
            "${VENV:-$HERE/.venv}/bin/python" "$HERE/manage.py" "$@" 9>&-
        return
    fi
    if [[ $1 != release ]]; then command=(manage "$@"); fi
    (cd "$HERE" && "${COMPOSE[@]}" --project-name "$PROJECT" run --rm --no-deps -T -e "POSTGIS_ENV_POSTGRES_DB=${PGDATABASE}_restoring" \
        release "${command[@]}" </dev/null)
}

finish() {
    local status=$?
    trap '' INT TERM HUP
    if ((${#stopped[@]})); then
        printf 'starting the site again\n'
        "${DOCKER[@]}" start "${stopped[@]}" >/dev/null || status=1
    fi
    if [[ -n $own_cluster ]]; then "$BIN/postgis" stop run || status=1; fi
    exit "$status"
}
