#!/usr/bin/env bash
# The part of bin/backup and bin/restore that runs where PostgreSQL's programs, gpg and the folders are: in a container of
# the PostGIS image on a server, directly in a checkout. Called by them alone (place.sh): core.sh VERB ARGUMENTS…
#
# Standard input: the passphrase on the first line, the database owner's password on the second. Environment: PGHOST, PGPORT,
# PGUSER, PGDATABASE, BACKUPS, MEDIA, JOURNAL, SIGNERS (paths), KEEP (how many backups stay), WAIT (seconds, for another backup),
# IDENTITY (what tells this site's backups from another's).
set -euo pipefail
umask 077
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=bin/lib/backup/words.sh
source "$TOOLS/words.sh"
# shellcheck source=bin/lib/backup/database.sh
source "$TOOLS/database.sh"
# shellcheck source=bin/lib/backup/archive.sh
source "$TOOLS/archive.sh"
# shellcheck source=bin/lib/backup/putback.sh
source "$TOOLS/putback.sh"

PASSPHRASE='' PASSWORD=''
IFS= read -r PASSPHRASE || true
IFS= read -r PASSWORD || true
export -n PASSPHRASE PASSWORD
exec </dev/null

STAGE=$(mktemp -d "${TMPDIR:-/tmp}/nexchange-backup.XXXXXX")
cleanup() {
    local status=$?
    if ((status != 0)) && [[ -n ${BESIDE:-} ]]; then remove_beside; fi
    release_snapshot
    if command -v gpgconf >/dev/null; then gpgconf --homedir "$STAGE/gnupg" --kill all 2>/dev/null || true; fi
    rm -rf --one-file-system "$STAGE"
    if [[ -n ${PARTIAL:-} ]]; then rm -f "$PARTIAL"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
prepare_connection

# take: one backup: the tables in one snapshot, then the media, then the journals, which so are never older than the tables.
take() {
    local name
    lock_folder
    need_programs gpg pg_dump pg_restore psql
    connect
    [[ -n ${IDENTITY:-} ]] || warn "TOKEN_KEY is not set: the backup will not say of which site it is." "Set it to that of target.env."
    mkdir "$STAGE/content"
    dump_snapshot "$STAGE/content"
    copy_media "$STAGE/content/media.tar"
    copy_journal "$STAGE/content/payouts.journal"
    copy_signers "$STAGE/content/signers.tar"
    name=$(free_name)
    write_manifest "$STAGE/content" "$name"
    seal "$STAGE/content" "$name"
    rm -rf "$STAGE/content"
    inspect "$PARTIAL" "$STAGE/checked"
    publish "$name"
    rotate "$name"
    printf 'backup %s: %s, %s tables, %s lines of the payout journal; read back and checked\n' "$name" \
        "$(du -h "$BACKUPS/$name" | cut -f1)" "$(wc -l <"$STAGE/checked/hashes")" "$(wc -l <"$STAGE/checked/payouts.journal")"
}

verify() {
    need_programs gpg pg_restore
    inspect "$1" "$STAGE/checked"
    printf '%s is whole: taken %s, PostgreSQL %s, %s tables, %s lines of the payout journal\n' "$(basename "$1")" \
        "$(value_of taken_at)" "$(value_of server_major)" "$(wc -l <"$STAGE/checked/hashes")" \
        "$(wc -l <"$STAGE/checked/payouts.journal")"
}

# check FILE yes|no: whatever can be refused before the site is stopped. yes: the backup may be another site's.
check() {
    need_programs gpg pg_restore
    inspect "$1" "$STAGE/checked"
    check_site "$1" "$2"
}

hashes() {
    need_programs psql
    connect
    hash_tables
}

# branch: how far the present database got with its branches of deposit addresses; 0 when it is empty.
branch() {
    need_programs psql
    connect
    attempt "looking for branches of addresses" ask <<'SQL'
SELECT to_regclass('wallets_chainstate') IS NOT NULL AS known \gset
\if :known
SELECT coalesce(max(account), 0) FROM wallets_chainstate;
\else
SELECT 0;
\endif
SQL
}

case ${1:-} in
    take | verify | check | hashes | branch | load | swap | discard) "$@" ;;
    *) fail "core.sh is called by bin/backup and bin/restore, not by hand." ;;
esac
