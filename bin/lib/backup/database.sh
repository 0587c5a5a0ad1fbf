# Sourced by core.sh: the connection, one snapshot for all that is read, a hash for each table.
# shellcheck shell=bash disable=SC2154

holder=''

# prepare_connection: the password goes through a file that only this process's user can read, never through arguments.
prepare_connection() {
    local escaped=${PASSWORD//\\/\\\\}
    printf '*:*:*:*:%s\n' "${escaped//:/\\:}" >"$STAGE/pgpass"
    export PGPASSFILE=$STAGE/pgpass PGCONNECT_TIMEOUT=10 PGAPPNAME=nexchange-backup
    # Long on purpose: a hash over all rows, a snapshot held for the length of a dump.
    export PGOPTIONS="-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c client_min_messages=warning"
}

# shellcheck disable=SC2120 # called with arguments from other files
ask() { psql -XqAt --set=ON_ERROR_STOP=1 "$@"; }

# connect: say what is wrong before any work, and learn the server's version. Sets SERVER_MAJOR.
connect() {
    local ours
    attempt "reading the database's version" ask --command='SHOW server_version_num' >"$STAGE/version"
    SERVER_MAJOR=$(($(<"$STAGE/version") / 10000))
    ours=$(pg_dump --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    ((ours >= SERVER_MAJOR)) || fail "the database is PostgreSQL $SERVER_MAJOR, the programs here are of $ours." \
        "Use those of the server's own version: its image, or the Debian package postgresql-client-$SERVER_MAJOR."
}

# hold_snapshot: keep a transaction open whose view of all rows others can share. Sets SNAPSHOT.
hold_snapshot() {
    coproc HOLDER { ask --quiet 2>"$STAGE/errors"; }
    # shellcheck disable=SC2153 # set by coproc
    holder=$HOLDER_PID
    printf 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();\n' >&"${HOLDER[1]}"
    read -r -t 60 SNAPSHOT <&"${HOLDER[0]}" || explain "taking a snapshot"
}

release_snapshot() {
    if [[ -n $holder ]]; then
        kill "$holder" 2>/dev/null || true
        wait "$holder" 2>/dev/null || true
        holder=''
    fi
}

# dump_snapshot FOLDER: the dump and the hashes of exactly the rows that are in it.
dump_snapshot() {
    hold_snapshot
    attempt "the dump" pg_dump --format=custom --no-comments --lock-wait-timeout=60s --snapshot="$SNAPSHOT" --file="$1/database.dump"
    hash_tables --set=snapshot="$SNAPSHOT" >"$1/hashes"
    release_snapshot
}

# hash_tables [PSQL OPTIONS]: a line for each table: name, rows, hash. Equal rows, in whatever order, make equal lines.
hash_tables() { attempt "hashing the tables" ask -F ' ' "$@" --file="$TOOLS/tables.sql"; }
