# What tests stand on: a database cluster (kept between runs, stopped after the last) and a Redis of the run's own. With
# DATABASE_URL or POSTGIS_PORT_5432_TCP_ADDR, and REDIS_URL, those are used instead. Sourced after steps.sh.
# shellcheck shell=bash
source bin/lib/redis.sh

leave_ground() {
    stop_redis
    if [[ -n ${cluster:-} ]] && flock --exclusive --nonblock 7; then bin/postgis stop test; fi
}

# take_ground NAME: export what finds them. Children that outlive the run must not hold descriptor 7: start them with 7>&-.
take_ground() {
    trap leave_ground EXIT
    trap 'exit 130' INT TERM
    if [[ -z ${DATABASE_URL:-}${POSTGIS_PORT_5432_TCP_ADDR:-} ]]; then
        exec 7>var/postgis-test.users
        flock --shared 7
        cluster=private
        bin/postgis start test 7>&-
        set -a
        # KEY=value lines
        # shellcheck disable=SC1090
        source <(bin/postgis env test)
        set +a
    fi
    if [[ -z ${REDIS_URL:-} ]]; then start_redis "$1-$$"; fi
    export APP_DB_PASSWORD=${APP_DB_PASSWORD:-test-only} DJANGO_SETTINGS_MODULE=nexchange.settings_test PYTHONUNBUFFERED=1
}
