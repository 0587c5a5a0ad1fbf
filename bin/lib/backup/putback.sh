# Sourced by core.sh: putting a backup back beside the running database, then exchanging the two in one transaction.
# shellcheck shell=bash disable=SC2034,SC2154

server() { psql -XqAt --set=ON_ERROR_STOP=1 --dbname=postgres --set=db="$PGDATABASE" --set=new="$LOADED" "$@"; }

# BESIDE: the database beside the present one is there, or may be; whatever ends this early removes it (core.sh).
BESIDE=''

# load FILE yes|no: restore into a database of its own and compare each table's hash. yes: the present one may be replaced.
load() {
    LOADED=${PGDATABASE}_restoring
    need_programs gpg pg_restore psql
    connect
    refuse_used "$2"
    inspect "$1" "$STAGE/checked"
    check_match "$1"
    attempt "making the role of the site" make_app_role
    BESIDE=yes
    attempt "making a database" make_empty
    attempt "restoring the tables" pg_restore --dbname="$LOADED" --exit-on-error --single-transaction "$STAGE/checked/database.dump"
    PGDATABASE=$LOADED hash_tables >"$STAGE/restored"
    if ! cmp -s "$STAGE/checked/hashes" "$STAGE/restored"; then
        diff "$STAGE/checked/hashes" "$STAGE/restored" | grep '^[<>]' >&2 || true
        fail "what was restored is not what was saved (above: <saved, >restored)." "Nothing was changed. Take another backup."
    fi
    printf 'restored beside the present database: %s tables, each with the hash it was saved with (taken %s)\n' \
        "$(wc -l <"$STAGE/restored")" "$(value_of taken_at)"
}

# refuse_used yes|no: nobody may be at work in the database, and tables in it are a reason to stop unless told.
refuse_used() {
    local tables others
    attempt "looking for tables" ask --command="SELECT count(*) FROM pg_class AS class JOIN pg_namespace AS namespace
        ON namespace.oid = relnamespace WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND deptype = 'e')" >"$STAGE/count"
    tables=$(<"$STAGE/count")
    if ((tables > 0)) && [[ $1 != yes ]]; then
        fail "the database $PGDATABASE is not empty: it has $tables tables." \
            "Nothing was changed. With --replace it is exchanged; the present one is then kept under another name."
    fi
    attempt "looking for sessions" ask --command="SELECT string_agg(DISTINCT usename || ' from ' || coalesce(host(client_addr), 'here'), ', ')
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'" >"$STAGE/others"
    others=$(<"$STAGE/others")
    [[ -z $others ]] || fail "somebody is at work in the database: $others." "Nothing was changed. Stop web, worker and beat first."
}

check_match() {
    local major owner
    major=$(value_of server_major) owner=$(value_of owner)
    ((SERVER_MAJOR >= major)) || fail "the backup is of PostgreSQL $major, this server is $SERVER_MAJOR." \
        "Nothing was changed. Restore it into PostgreSQL $major or newer."
    [[ $owner == "$PGUSER" ]] || fail "the backup's tables belong to $owner, here the owner is $PGUSER." \
        "Nothing was changed. Restore with POSTGIS_ENV_POSTGRES_USER=$owner."
}

# check_site FILE yes|no: the payout journal of a backup is added to this site's for good, so one passphrase for two sites must not
# be enough. Only what a new server with the same target.env has as well is compared.
check_site() {
    local site
    site=$(value_of site)
    if [[ -z $site ]]; then
        warn "$1 does not say of which site it is: it was taken before backups did, or without TOKEN_KEY." "It is taken for one of this site."
    elif [[ $site != "${IDENTITY:-}" && $2 == yes ]]; then
        warn "$1 is of another site, as you say. Its payouts will be in this site's journal from now on."
    elif [[ -z ${IDENTITY:-} ]]; then
        fail "TOKEN_KEY is not set: nobody can say whether $1 is of this site." "Nothing was changed. Set it to that of target.env."
    elif [[ $site != "$IDENTITY" ]]; then
        fail "$1 is of another site: it was taken with another TOKEN_KEY." \
            "Nothing was changed. Take one of this site: bin/backup --list." \
            "If TOKEN_KEY itself was changed, or the other site is what you want here, add --from-another-site:" \
            "the payouts of the backup are then in this site's payout journal for good."
    fi
}

# The rights in a backup speak of these roles; `manage.py release` gives them their passwords and the right to come in.
ROLES='app web worker beat operator worker_litecoin worker_ethereum signer_litecoin signer_ethereum'
make_app_role() {
    server --set=owner="$PGUSER" --set=kinds="$ROLES" <<'SQL'
SELECT format('CREATE ROLE %I NOLOGIN', :'owner' || '_' || kind) FROM unnest(string_to_array(:'kinds', ' ')) kind
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner' || '_' || kind) \gexec
SQL
}

# An owner without the rights of a superuser may not create the extension, but may start from a template that has it.
make_empty() {
    server <<'SQL'
DROP DATABASE IF EXISTS :"new" WITH (FORCE);
SELECT format('CREATE DATABASE %I TEMPLATE %I', :'new', coalesce(
    (SELECT datname FROM pg_database WHERE datname = 'template_postgis' AND datistemplate), 'template0')) \gexec
SQL
}

drop_beside() { server --command="DROP DATABASE IF EXISTS \"${LOADED//\"/\"\"}\" WITH (FORCE)"; }
remove_beside() { drop_beside || printf '       The database %s is left over; the next restore removes it.\n' "$LOADED" >&2; }

discard() {
    LOADED=${PGDATABASE}_restoring
    attempt "removing what was begun" drop_beside
}

# swap FILE yes|no: the journal and the media first, both only ever added to; the exchange of the databases comes last.
swap() {
    # PostgreSQL would cut a longer name beside it, to the name of the database itself.
    ((${#PGDATABASE} <= 40)) || fail "the database's name is longer than 40 characters: nothing can be restored beside it."
    LOADED=${PGDATABASE}_restoring BESIDE=yes
    OUTCOME="The database is what it was, and what was begun is removed. The journal and the media may have gained what they lacked."
    connect
    refuse_used "$2"
    inspect "$1" "$STAGE/checked"
    merge_journal "payout journal" "$JOURNAL" "$STAGE/checked/payouts.journal"
    merge_signers
    put_media "$STAGE/checked/media.tar"
    exchange
    attempt "reading the chains' heights" ask --command="SELECT code || ': the backup knew its blocks up to ' || height FROM wallets_chainstate"
}

# merge_journal NAME FILE SAVED: a journal on disk is never replaced. Lines of the backup that it lacks (a lost disk) are appended.
merge_journal() {
    local before after
    mkdir -p "$(dirname "$2")"
    if [[ ! -e $2 ]]; then
        : >"$2"
        like_folder "$2"
    fi
    before=$(grep -c . "$2" || true)
    attempt "completing the $1" append_missing "$2" "$3"
    attempt "completing the $1" sync "$2"
    after=$(grep -c . "$2" || true)
    printf '%s: %s lines on disk, %s in the backup, %s of those were missing and are appended\n' "$1" "$before" \
        "$(grep -c . "$3" || true)" $((after - before))
}

# merge_signers: what was signed before the backup counts against the ceilings again. A backup of before they were in it has none.
merge_signers() {
    local saved name
    if [[ ! -f $STAGE/checked/signers.tar ]]; then return; fi
    mkdir "$STAGE/signers"
    attempt "unpacking the signers' journals" tar --extract --no-same-owner --directory="$STAGE/signers" --file="$STAGE/checked/signers.tar"
    for saved in "$STAGE"/signers/*.journal; do
        if [[ ! -f $saved ]]; then continue; fi
        name=$(basename "$saved" .journal)
        merge_journal "journal of the signer of $name" "$(signer_journal "$name")" "$saved"
    done
}

# signer_journal NETWORK: on a server each signer has a folder of its own.
signer_journal() { if [[ -d $SIGNERS/$1 ]]; then printf '%s' "$SIGNERS/$1/$1.journal"; else printf '%s' "$SIGNERS/$1.journal"; fi; }

append_missing() {
    local end=''
    exec 7>>"$1" && flock --exclusive 7 || return
    cp "$1" "$STAGE/on-disk" || return
    grep -vxFf "$STAGE/on-disk" "$2" >"$STAGE/missing" || [[ $? == 1 ]] || return
    if [[ -s $STAGE/missing ]]; then
        if [[ -s $1 && -n $(tail -c 1 "$1") ]]; then end=$'\n'; fi # a torn last line stays one of its own
        { printf %s "$end" && cat "$STAGE/missing"; } >&7 || return
    fi
    exec 7>&-
}

# put_media ARCHIVE: what is newer on disk stays.
put_media() {
    mkdir -p "$MEDIA"
    attempt "putting the media back" tar --extract --keep-newer-files --warning=no-ignore-newer --directory="$MEDIA" --file="$1"
}

# exchange: both names change in one transaction. The former database is dropped only when it was empty. An error after that
# cannot take the exchange back, and says so.
exchange() {
    local kept
    kept=${PGDATABASE}_before_$(date -u +%Y%m%dt%H%M%S)
    attempt "exchanging the databases" server --set=kept="$kept" <<'SQL'
BEGIN;
ALTER DATABASE :"db" RENAME TO :"kept";
ALTER DATABASE :"new" RENAME TO :"db";
COMMIT;
SQL
    BESIDE='' OUTCOME="The backup IS in place, and payouts are frozen. Go on with docs/RUNBOOK.md, Payouts are frozen."
    if (($(<"$STAGE/count") == 0)); then
        attempt "removing the empty database" server --command="DROP DATABASE \"${kept//\"/\"\"}\""
    else
        printf 'the database of before is kept as %s; when all is well: DROP DATABASE "%s"\n' "$kept" "$kept"
    fi
}
