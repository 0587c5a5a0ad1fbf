#!/usr/bin/env bash
# Makes the cluster at the first start, then becomes the server: postgis-entrypoint postgres [options]
#
# POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is required for a new cluster; POSTGRES_USER is `postgres` and POSTGRES_DB
# the user's name unless given. The first start works in a folder of its own inside the data's and moves it into place when
# all is done: an interrupted one is done again. Whatever else is to run (`postgis-entrypoint psql …`) runs as it is.
set -euo pipefail

bin=/usr/lib/postgresql/15/bin
new=$PGDATA/.new

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

become_postgres() {
    mkdir -p "$PGDATA"
    chown postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
}

refuse_other_major() {
    local ours theirs
    ours=$("$bin/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    theirs=$(<"$PGDATA/PG_VERSION")
    [[ $ours == "$theirs" ]] || fail "the data in $PGDATA was written by PostgreSQL $theirs; this image holds PostgreSQL $ours." \
        "Nothing was changed. Either run the image with PostgreSQL $theirs again, or move the data over:" \
        "1. with the old image running: pg_dumpall --username=USER >all.sql" \
        "2. stop it, move the data folder away (keep it), start this image on an empty one" \
        "3. psql --username=USER --dbname=postgres <all.sql"
}

read_password() {
    if [[ -n ${POSTGRES_PASSWORD_FILE:-} ]]; then
        [[ -z ${POSTGRES_PASSWORD:-} ]] || fail "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set." "Set one of them."
        [[ -r $POSTGRES_PASSWORD_FILE ]] || fail "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE cannot be read."
        POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
    fi
    [[ -n ${POSTGRES_PASSWORD:-} ]] || fail "a new database needs POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE)."
}

make_cluster() {
    local user=${POSTGRES_USER:-postgres} database
    database=${POSTGRES_DB:-$user}
    read_password
    [[ -z $(find "$PGDATA" -mindepth 1 -maxdepth 1 -not -name .new -not -name lost+found -print -quit) ]] ||
        fail "$PGDATA is neither empty nor a PostgreSQL cluster." "Mount an empty folder, or the right one."
    printf 'making the database %s of %s\n' "$database" "$user"
    rm -rf "$new"
    initdb --pgdata="$new" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 \
        --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 >/tmp/initdb.log 2>&1 || {
        cat /tmp/initdb.log >&2
        fail "the cluster could not be made in $PGDATA."
    }
    printf 'host all all all scram-sha-256\n' >>"$new/pg_hba.conf"
    pg_ctl --pgdata="$new" --options="-c listen_addresses='' -c jit=off" --wait start >/tmp/first.log
    make_database "$user" "$database"
    pg_ctl --pgdata="$new" --mode=fast --wait stop >>/tmp/first.log
    touch "$new/.finished"
}

# PG_VERSION last: with it the folder counts as a cluster. Interrupted, the next start goes on here.
move_into_place() {
    find "$new" -mindepth 1 -maxdepth 1 -not -name PG_VERSION -not -name .finished -exec mv --target-directory="$PGDATA" {} +
    mv "$new/PG_VERSION" "$PGDATA/PG_VERSION"
    rm -r "$new"
}

# The extension stands in a template too: databases that somebody without rights of a superuser makes can start from it.
make_database() {
    local run=(psql --username="$1" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=database="$2")
    "${run[@]}" --dbname=postgres <<'SQL'
CREATE DATABASE template_postgis IS_TEMPLATE true;
\connect template_postgis
CREATE EXTENSION postgis;
SQL
    if [[ $2 == postgres ]]; then
        "${run[@]}" --dbname=postgres --command='CREATE EXTENSION postgis'
    else
        "${run[@]}" --dbname=postgres <<<'CREATE DATABASE :"database" TEMPLATE template_postgis;'
    fi
}

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
if [[ ${1:-} != postgres ]]; then exec "$@"; fi
if ((EUID == 0)); then become_postgres "$@"; fi
shift
if [[ -f $PGDATA/PG_VERSION ]]; then
    refuse_other_major
else
    if [[ ! -f $new/.finished ]]; then make_cluster; fi
    move_into_place
fi
unset POSTGRES_PASSWORD
exec "$bin/postgres" -c listen_addresses='*' -c jit=off -c password_encryption=scram-sha-256 -c log_destination=stderr \
    -c logging_collector=off -c timezone=UTC "$@"
