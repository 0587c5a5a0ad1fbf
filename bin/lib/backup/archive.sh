# Sourced by core.sh: the encrypted file: written under another name, read back, checked, then named; old ones removed.
#
# gpg with a passphrase, because it is in every Debian, is kept up, notices each changed or missing byte, and takes the
# passphrase from a file descriptor; age would want a person at a terminal for that, openssl enc notices no damage.
# shellcheck shell=bash disable=SC2154

# run_gpg ARGUMENTS…: with a key folder of this run's own. The cache of passphrases is not used.
run_gpg() {
    mkdir -p "$STAGE/gnupg"
    gpg --homedir "$STAGE/gnupg" --no-options --batch --yes --no-tty --quiet --no-symkey-cache --pinentry-mode loopback \
        --passphrase-fd 3 "$@" 3< <(printf '%s\n' "$PASSPHRASE")
}

lock_folder() {
    [[ -d $BACKUPS ]] || mkdir -p "$BACKUPS"
    exec 8>>"$BACKUPS/.lock"
    wait_for_folder
    like_folder "$BACKUPS/.lock"
    rm -f "$BACKUPS"/.partial-* # of a run that was killed; the lock says that none is under way
}

# wait_for_folder: asked once a second, because a trap of bash comes only after the command that is being run.
wait_for_folder() {
    local end=$((SECONDS + ${WAIT:-0}))
    if flock --nonblock 8; then return; fi
    printf 'another backup is being taken in %s: waiting for its end, at most %s s\n' "$BACKUPS" "${WAIT:-0}" >&2
    until flock --nonblock 8; do
        ((SECONDS < end)) || fail "the other backup in $BACKUPS has not ended within ${WAIT:-0} s; none was taken here." \
            "See what keeps it (ps, docker ps), or wait longer: BACKUP_WAIT_SECONDS."
        sleep 1
    done
}

# like_folder FILE: root in a container leaves files to whom their folder belongs.
like_folder() { if ((EUID == 0)); then chown --reference="$(dirname "$1")" "$1"; fi; }

free_name() {
    local name
    while name=nexchange-$(date -u +%Y%m%dT%H%M%SZ).backup && [[ -e $BACKUPS/$name ]]; do sleep 0.2; done
    printf '%s\n' "$name"
}

# copy_media TARGET: a file that changes while it is read is read again.
copy_media() {
    local status turn
    if [[ ! -d $MEDIA ]]; then
        attempt "copying the media" tar --create --file="$1" --files-from=/dev/null
        return
    fi
    for turn in 1 2 3; do
        status=0
        tar --create --file="$1" --directory="$MEDIA" . 2>"$STAGE/errors" || status=$?
        if ((status == 0)); then return; fi
        if ((status > 1 || turn == 3)); then explain "copying the media"; fi
    done
}

# copy_journal TARGET: under the lock that a writer of the journal holds, so that its last line is whole.
copy_journal() {
    if [[ -f $JOURNAL ]]; then
        attempt "copying the payout journal" flock --shared "$JOURNAL" cat "$JOURNAL" >"$1"
    else
        : >"$1"
    fi
}

# copy_signers TARGET: the signers' journals, one file after the other as a tar; read under the lock that a signer writes under.
copy_signers() {
    local file chain
    mkdir "$STAGE/signers"
    for file in "$SIGNERS"/*/*.journal "$SIGNERS"/*.journal; do
        if [[ ! -f $file ]]; then continue; fi
        chain=$(basename "$file")
        attempt "copying a signer's journal" flock --shared "$file" cat "$file" >"$STAGE/signers/$chain"
    done
    attempt "copying the signers' journals" tar --create --file="$1" --directory="$STAGE/signers" .
}

write_manifest() {
    (
        cd "$1" || exit
        printf '%s\n' "format=1" "name=$2" "taken_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)" "database=$PGDATABASE" "owner=$PGUSER" \
            "server_major=$SERVER_MAJOR" "site=${IDENTITY:-}" >manifest
        sha256sum database.dump hashes media.tar payouts.journal signers.tar manifest >sums
    )
}

pack() {
    tar --create --directory="$1" . |
        run_gpg --symmetric --cipher-algo AES256 --s2k-mode 3 --s2k-digest-algo SHA512 --s2k-count 65011712 --compress-algo none \
            --output "$PARTIAL"
}

seal() {
    PARTIAL=$BACKUPS/.partial-$2
    attempt "writing the backup" pack "$1"
    attempt "writing the backup" sync "$PARTIAL"
}

publish() {
    like_folder "$PARTIAL"
    mv "$PARTIAL" "$BACKUPS/$1"
    PARTIAL=''
    sync "$BACKUPS"
}

# rotate NAME: only after a good one was written, which itself stays in any case. The last one of a day stays beside the newest
# ones, because each deploy takes a backup: a day of failing deploys would else push out those of all nights before it.
rotate() {
    local old
    while read -r old; do
        if [[ $old != "$1" ]]; then
            rm -f "${BACKUPS:?}/$old"
            printf 'removed %s: the %s newest are kept, and the last one of each of %s days\n' "$old" "$KEEP" "$KEEP"
        fi
    done < <(find "$BACKUPS" -maxdepth 1 -type f -name 'nexchange-*Z.backup' -printf '%f\n' | sort -r | superfluous)
}

# superfluous: of names, newest first, those that neither reason keeps. The days are those of the names, in UTC, and count only
# when they have a backup.
superfluous() {
    awk -v keep="$KEEP" '{
        last_of_day = !seen[substr($0, length("nexchange-") + 1, 8)]++
        days += last_of_day
        if (NR > keep && !(last_of_day && days <= keep)) print
    }'
}

# inspect FILE FOLDER: decrypt it and check all that can be checked without a database. The content stays in FOLDER.
inspect() {
    [[ -f $1 && -r $1 ]] || fail "there is no backup $1 that can be read." "bin/backup --list shows those that are there."
    mkdir -p "$2"
    unpack "$1" "$2" || explain_archive "$1"
    (cd "$2" && sha256sum --check --strict --status sums) 2>/dev/null || damaged "$1" "a checksum inside does not agree"
    [[ $(sed -n 's/^format=//p' "$2/manifest") == 1 ]] || fail "$1 was written by another version of this program." "Restore it with that one."
    pg_restore --list "$2/database.dump" >"$STAGE/contents" 2>"$STAGE/errors" || damaged "$1" "$(tail -n 1 "$STAGE/errors")"
    local table
    while read -r table _; do
        grep -qF " TABLE DATA ${table%%.*} ${table#*.} " "$STAGE/contents" || damaged "$1" "the rows of $table are not in the dump"
    done <"$2/hashes"
}

unpack() {
    run_gpg --status-fd 4 --decrypt "$1" 4>"$STAGE/gpg.status" 2>"$STAGE/errors" |
        tar --extract --no-same-owner --directory="$2" 2>>"$STAGE/errors"
}

damaged() {
    fail "the backup $1 is damaged: $2." "Nothing was changed. Take another one: bin/backup --list, and look at the disk."
}

# explain_archive FILE: a wrong passphrase ends before a first byte is decrypted, damage comes later.
explain_archive() {
    if grep -qi 'no space left' "$STAGE/errors"; then explain "reading the backup"; fi
    if grep -qiE 'bad session key|bad passphrase|invalid passphrase' "$STAGE/errors"; then
        fail "the passphrase does not open $1." "Nothing was changed. BACKUP_PASSPHRASE must be the one of the time it was taken."
    fi
    damaged "$1" "it is cut off or changed ($(grep -m 1 '^gpg:' "$STAGE/errors" || tail -n 1 "$STAGE/errors"))"
}

value_of() { sed -n "s/^$1=//p" "$STAGE/checked/manifest"; }
