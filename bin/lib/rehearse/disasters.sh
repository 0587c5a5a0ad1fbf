# Sourced by bin/rehearse: what bin/rehearse --full does to the served site, and how it must come back by itself.
# shellcheck shell=bash

COMES_BACK_S=120

rehearse_disasters() {
    local part
    for part in postgis redis app nginx; do timed "killed: $part" kill_part "$part"; done
    timed "engine killed" kill_engine
    timed "order after all that" order_on "$SITE"
    timed "certificate issued" issue_acme_certificate
    under_load "certificate renewed" renew_acme_certificate
    timed "volume wiped, restored" wipe_and_restore
}

site_answers() { curl --silent --fail --output /dev/null --max-time 5 --cacert "$SITE_CA" "$SITE/en/"; }
site_serves_prices() { curl --silent --fail --max-time 5 --cacert "$SITE_CA" "$SITE/en/api/v1/pair/" | grep -q ETHLTC; }

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

# wipe_and_restore: backup, the hash of every table, the database's folder gone, restore, the same hashes.
wipe_and_restore() {
    local before=$REHEARSAL_DIR/hashes.before after=$REHEARSAL_DIR/hashes.after
    on_server /nexchange/bin/backup --hashes >"$before"
    run_server_block backup
    on_server sudo -n docker stop nexchange_postgis_1
    docker exec "$TARGET" sh -c 'find /nexchange/database -mindepth 1 -delete'
    on_server sudo -n docker start nexchange_postgis_1
    run_server_block restore
    on_server /nexchange/bin/backup --hashes >"$after"
    diff "$before" "$after" || fail "the restored tables differ (above)."
    wait_for "$COMES_BACK_S" "the site, after the restore," site_answers
}
