# Sourced by bin/rehearse: what bin/rehearse --full does to the served site, and how it must come back by itself.
# shellcheck shell=bash

COMES_BACK_S=120
RESTORED=$REHEARSAL_DIR/restored # what bin/restore said
WRITERS=(app worker worker_litecoin worker_ethereum signer_litecoin signer_ethereum beat miner)
CHANGED_BY_A_RESTORE='wallets_freeze\|wallets_chainstate' # it stops payouts and opens another branch of addresses

rehearse_disasters() {
    local part
    for part in postgis broker app nginx; do timed "killed: $part" kill_part "$part"; done
    timed "engine killed" kill_engine
    timed "order after all that" order_on "$SITE"
    timed "volume wiped, restored" wipe_and_restore
    timed "reconciled, payouts go" lift_freeze
    timed "order after the restore" order_on "$SITE"
    timed "TLS, rated by testssl" bin/tls-check exchange.rehearsal --address "$TARGET_IP" --test-ca "$CA_FILE"
    timed "ACME server" start_acme
    timed "certificate issued" issue_acme_certificate
    SITE=https://exchange.rehearsal SITE_CA=$ACME_TRUST # from here on by name: that certificate has no address in it
    under_load "certificate renewed" renew_under_eyes
}

# renew_under_eyes: customers go on for a while, until the connections of before the change are gone.
renew_under_eyes() {
    renew_acme_certificate
    sleep 10
}

site_answers() { curl --resolve "exchange.rehearsal:443:$TARGET_IP" --silent --fail --output /dev/null --max-time 5 --cacert "$SITE_CA" "$SITE/en/"; }
site_serves_prices() { curl --resolve "exchange.rehearsal:443:$TARGET_IP" --silent --fail --max-time 5 --cacert "$SITE_CA" "$SITE/en/api/v1/pair/" | grep -q ETHLTC; }

# kill_part SERVICE: as the kernel would, from inside the server; the restart policy brings it back.
kill_part() {
    local pid
    pid=$(target_docker inspect --format '{{.State.Pid}}' "nexchange_$1_1")
    docker exec "$TARGET" kill -9 "$pid"
    wait_for "$COMES_BACK_S" "the site, after $1 was killed," site_serves_prices
    [[ $(target_docker inspect --format '{{.State.Pid}}' "nexchange_$1_1") != "$pid" ]] || fail "$1 was not killed: process $pid still runs."
}

kill_engine() {
    kill_target_engine
    sleep 2
    wait_for_target_engine 60
    wait_for "$COMES_BACK_S" "the site, after the engine was killed," site_serves_prices
}

database_is_healthy() { target_docker inspect --format '{{.State.Health.Status}}' nexchange_postgis_1 | grep -qx healthy; }

manage() { on_server /nexchange/compose run --rm -T operator "$@"; }

# lift_freeze: what docs/RUNBOOK.md asks for after a restore, from the heights that bin/restore has printed.
lift_freeze() {
    local chain height
    for chain in litecoin ethereum; do
        height=$(sed -nE "s/^$chain: the backup knew its blocks up to ([0-9]+)$/\\1/p" "$RESTORED")
        manage reconcile --chain "$chain" --since "${height:?bin/restore named no block of $chain}"
    done
    manage freeze ALL --lift --because "rehearsal: reconciled from the blocks that the backup knew"
}

# wipe_and_restore: backup, the hash of every table, the database's folder gone, restore, the same hashes.
wipe_and_restore() {
    local before=$REHEARSAL_DIR/hashes.before after=$REHEARSAL_DIR/hashes.after
    on_server /nexchange/compose stop "${WRITERS[@]}" # by hand, so that nobody writes between the two looks
    on_server /nexchange/bin/backup --hashes | grep -v "$CHANGED_BY_A_RESTORE" >"$before"
    run_server_block backup
    on_server sudo -n docker stop nexchange_postgis_1
    docker exec "$TARGET" sh -c 'find /nexchange/database -mindepth 1 -delete'
    on_server sudo -n docker start nexchange_postgis_1
    wait_for 60 "the new, empty database" database_is_healthy
    run_server_block restore | tee "$RESTORED"
    on_server /nexchange/bin/backup --hashes | grep -v "$CHANGED_BY_A_RESTORE" >"$after"
    on_server /nexchange/compose start "${WRITERS[@]}"
    diff "$before" "$after" || fail "the restored tables differ (above)."
    wait_for "$COMES_BACK_S" "the site, after the restore," site_answers
}
