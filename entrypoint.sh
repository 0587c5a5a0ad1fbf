#!/usr/bin/env bash
# What a container of the production image becomes: web | worker QUEUE | signer NETWORK | beat | release |
# manage ARGUMENTS… | prune-static
#
# web, worker, signer and beat wait for PostGIS and for the schema that their code expects; only release changes it. Each role
# ends in exec, so that the program gets the signals that are meant for it. `health` asks the web role of this container.
set -euo pipefail

APP_DIR=${APP_DIR:-/app}
HTML_ROOT=${HTML_ROOT:-/usr/share/nginx/html} # a volume, shared with nginx
RECORD=${TMPDIR:-/tmp}/static-files.record    # the path of the list of what this container's release has there
cd "$APP_DIR"

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

usage() { fail "'$*' is not a role." "roles: web | worker QUEUE | signer NETWORK | beat | release | manage ARGUMENTS… | prune-static | health"; }

# What the settings and the agents read. A variable that is set but empty counts as not set, as compose passes them.
export_variables() {
    export DJANGO_SETTINGS_MODULE=${DJANGO_SETTINGS_MODULE:-nexchange.settings_prod}
    export POSTGIS_PORT_5432_TCP_ADDR=${POSTGIS_PORT_5432_TCP_ADDR:-${DATABASE_CONTAINER:-postgis}}
    export POSTGIS_PORT_5432_TCP_PORT=${POSTGIS_PORT_5432_TCP_PORT:-5432}
    export POSTGIS_ENV_POSTGRES_USER=${POSTGIS_ENV_POSTGRES_USER:-nexchange}
    export POSTGIS_ENV_POSTGRES_DB=${POSTGIS_ENV_POSTGRES_DB:-nexchange}
    export GUNICORN_PORT=${GUNICORN_PORT:-8000}
    [[ $GUNICORN_PORT =~ ^[0-9]{1,5}$ ]] || fail "GUNICORN_PORT is '$GUNICORN_PORT', not a port number."
    export_new_relic
}

# The agent stays silent without a key: it neither connects nor complains.
export_new_relic() {
    local file=${NEW_RELIC_CONFIG_FILE:-newrelic.ini}
    if [[ -f $file ]]; then
        NEW_RELIC_CONFIG_FILE=$(realpath "$file")
        export NEW_RELIC_CONFIG_FILE
    else
        [[ -z ${NEW_RELIC_CONFIG_FILE:-} ]] || fail "NEW_RELIC_CONFIG_FILE=$file is not in the image." "The project's own is newrelic.ini."
        unset NEW_RELIC_CONFIG_FILE
    fi
    if [[ -z ${NEW_RELIC_ENVIRONMENT:-} ]]; then unset NEW_RELIC_ENVIRONMENT; fi
    if [[ -z ${NEW_RELIC_LICENSE_KEY:-} ]]; then
        unset NEW_RELIC_LICENSE_KEY
        # The file's section switches the agent on again whatever NEW_RELIC_ENABLED says; monitoring is what it asks first.
        export NEW_RELIC_ENABLED=false NEW_RELIC_MONITOR_MODE=false
    fi
    export NEW_RELIC_LOG=${NEW_RELIC_LOG:-stderr}
}

# One process waits for both: for PostGIS to let this role in, then for the schema.
wait_for_schema() {
    python manage.py release --wait --database-seconds "${POSTGIS_WAIT_SECONDS:-60}" --seconds "${SCHEMA_WAIT_SECONDS:-120}"
}

run_web() {
    wait_for_schema
    bin/static-files publish staticfiles media "$HTML_ROOT" >"$RECORD"
    # The heartbeat files of gunicorn's workers stay in memory; a disk that stalls must not look like a dead worker.
    exec newrelic-admin run-program gunicorn nexchange.wsgi --bind "0.0.0.0:$GUNICORN_PORT" \
        --workers "${GUNICORN_WORKERS:-2}" --threads "${GUNICORN_THREADS:-4}" --worker-tmp-dir /dev/shm --no-control-socket \
        --keep-alive 75 --graceful-timeout "${GRACEFUL_SECONDS:-30}" --access-logfile - --error-logfile -
}

run_release() {
    python manage.py release --database-seconds "${POSTGIS_WAIT_SECONDS:-60}" --seconds "${SCHEMA_WAIT_SECONDS:-120}"
    exec python manage.py ensure_superuser
}

# Bash asks by itself: starting a Python each few seconds would cost more than the question. A container that answers
# vouches for the static files of its release, which prune-static then leaves alone.
ask_health() {
    local status
    exec 3<>"/dev/tcp/127.0.0.1/${GUNICORN_PORT:-8000}"
    printf 'GET /health/ HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
    read -r _ status _ <&3
    [[ $status == 200 ]] || fail "GET /health/ answered $status"
    if [[ -s $RECORD ]]; then touch --no-create "$(<"$RECORD")"; fi
}

# connect_as KIND: as which of the database's roles this process works, unless its container says. `release`, which is given what
# all passwords are derived from, derives its own; every other container has one of its own, DB_PASSWORD.
connect_as() { export DB_ROLE=${DB_ROLE:-$1}; }

role=${1:-web}
if (($# > 0)); then shift; fi
case $role in
    health) ask_health ;;
    web)
        export_variables
        connect_as web
        run_web
        ;;
    worker)
        [[ $# -eq 1 ]] || fail "worker wants the name of one queue." "For example: worker default"
        export_variables
        connect_as "worker$([[ $1 == default ]] || printf '_%s' "$1")"
        wait_for_schema
        exec bin/worker "$1"
        ;;
    signer)
        [[ $# -eq 1 ]] || fail "signer wants the name of one network." "For example: signer litecoin"
        export_variables
        connect_as "signer_$1"
        wait_for_schema
        exec python manage.py signer "$1"
        ;;
    beat)
        export_variables
        connect_as beat
        wait_for_schema
        exec celery --app nexchange beat --schedule /tmp/beat --pidfile= --loglevel "${BEAT_LOG_LEVEL:-WARNING}"
        ;;
    release)
        export_variables
        connect_as operator # makes the superuser; the tables are changed as their owner
        run_release
        ;;
    manage)
        export_variables
        connect_as operator # in a container of another kind, as that kind
        exec python manage.py "$@"
        ;;
    prune-static) exec bin/static-files prune staticfiles "$HTML_ROOT" "${STATIC_KEEP_HOURS:-24}" ;;
    *) usage "$role" ;;
esac
