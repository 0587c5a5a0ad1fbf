# Sourced by bin/backup, bin/restore and what they run: how a failure reads.
# shellcheck shell=bash

# fail WHAT WHAT-TO-DO...: one sentence says what is wrong, the others what to do about it.
fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# warn WHAT WHAT-TO-DO...: as fail, but the work goes on.
warn() {
    printf 'warning: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '         %s\n' "$@" >&2; fi
}

# attempt WHAT COMMAND...: run it; on failure name the cause as far as its own words tell, with the remedy. Its output stays.
attempt() {
    local what=$1
    shift
    "$@" 2>"$STAGE/errors" || explain "$what"
}

# What an error found when it ended this; whoever goes further says so (putback.sh).
OUTCOME="Nothing was changed, and what was begun is removed."

explain() {
    local said last
    said=$(<"$STAGE/errors")
    last=$(grep -v '^[[:space:]]*$' "$STAGE/errors" | tail -n 2)
    case $said in
        *"No space left on device"*)
            fail "the disk is full ($1)." "$OUTCOME" "Make room in $BACKUPS or ${TMPDIR:-/tmp}: df -h" ;;
        *"Permission denied"*) fail "a file cannot be read or written ($1): $last" "Run this as the user that owns it." ;;
        *"password authentication failed"* | *"no password supplied"*)
            fail "the database does not take the owner's password ($PGUSER)." "Check POSTGIS_ENV_POSTGRES_USER and POSTGIS_ENV_POSTGRES_PASSWORD." \
                "It keeps the password that it was made with until that is changed in it: docs/RUNBOOK.md, Change a secret." ;;
        *"server version mismatch"*)
            fail "PostgreSQL's programs here are older than the database: $last" "Use those of the server's own version: its image, or its Debian package." ;;
        *"could not translate host name"* | *"Connection refused"* | *"No such file or directory"* | *"timeout expired"* | *"could not connect"* | *"is the server running"* | *"the database system is"*)
            fail "the database at $PGHOST:$PGPORT does not answer ($1): $last" "Start it (docker-compose up -d postgis, or bin/run), or check DATABASE_CONTAINER." ;;
        *"does not exist"*) fail "the database does not know what it is asked for ($1): $last" "Check POSTGIS_ENV_POSTGRES_USER and POSTGIS_ENV_POSTGRES_DB." ;;
        *) fail "$1 failed: ${last:-no word why}" "$OUTCOME" ;;
    esac
}

need_programs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "the program $program is not here." \
            "On a server: build and pull the PostGIS image anew (bin/images postgis)." "In a checkout: apt-get install gpg gpg-agent, or bin/setup."
    done
}
