# Sourced by bin/rehearse: what must be true when all is done.
# shellcheck shell=bash

LEAST_OF_EACH_KIND=2000 # over the three releases
OTHER_ORDERS=1          # placed apart from the load, over https

target_sql() { target_docker exec -i nexchange_postgis_1 psql --quiet --tuples-only --no-align --username exchange exchange; }

# orders_exist_once: every order that a customer was told of is in the database, once, and no POST made two.
orders_exist_once() {
    local accepted=$REHEARSAL_DIR/accepted found=$REHEARSAL_DIR/found
    python3 - "$REHEARSAL_DIR"/load/*.json >"$accepted" <<'PYTHON'
import json, sys
references = [reference for file in sys.argv[1:] for reference in json.load(open(file, encoding="utf-8"))["orders"]]
print("\n".join(sorted(references)))
PYTHON
    echo "SELECT reference FROM orders_order ORDER BY reference" | target_sql | LC_ALL=C sort >"$found"
    LC_ALL=C sort -o "$accepted" "$accepted"
    [[ -s $accepted ]] || fail "no order was accepted at all."
    [[ -z $(uniq -d "$accepted") ]] || fail "an order was promised twice: $(uniq -d "$accepted" | head -n 3)"
    [[ -z $(comm -23 "$accepted" "$found") ]] || fail "promised, but not in the database: $(comm -23 "$accepted" "$found" | head -n 3)"
    # The orders that were placed apart from the load are the only others.
    printf '%s accepted, %s in the database\n' "$(wc -l <"$accepted")" "$(wc -l <"$found")"
    (($(wc -l <"$found") - $(wc -l <"$accepted") <= OTHER_ORDERS)) || fail "the database has orders that nobody was told of."
}

# log_agrees: nginx counted the same accepted orders, and answered nothing with a 5xx.
log_agrees() {
    local log=$REHEARSAL_DIR/nginx.log accepted
    target_docker logs nexchange_nginx_1 2>/dev/null >"$log"
    accepted=$(grep '"agent":"rehearsal-post"' "$log" | grep -c '"status":201' || true)
    (($(wc -l <"$REHEARSAL_DIR/accepted") == accepted)) ||
        fail "nginx answered $accepted orders of the load with 201, customers counted $(wc -l <"$REHEARSAL_DIR/accepted")."
    if grep -E '"status":5[0-9][0-9]' "$log" | head -n 5 | grep .; then fail "nginx answered requests with 5xx (above)."; fi
}

# watch_processes / end_watch: the arguments of every program that is started while releases are made.
watch_processes() {
    WATCHED=$LOG_DIR/programs.log
    python3 bin/lib/rehearse/arguments.py </dev/null >"$WATCHED" 2>&1 &
    WATCH=$!
    wait_for 5 "the watch over the programs that are started" grep -qx watching "$WATCHED"
}

end_watch() {
    if ! kill -TERM "$WATCH" || ! wait "$WATCH"; then fail "the watch over programs broke off: $(tail -n 2 "$WATCHED")"; fi
    tail -n 1 "$WATCHED"
    grep -q 'bin/deploy' "$WATCHED" || fail "the watch over programs saw no deploy."
}

# find_no_canary: every secret of the target, searched for in the images that were pushed, in what the server's containers say,
# in the files that the pipelines and hooks left, and in the processes of this machine (the server's are among them).
find_no_canary() {
    local search=(bin/canaries --secrets "$DEVELOPER/targets/rehearsal.env") containers images files
    mapfile -t containers < <(target_docker ps --all --format '--container={{.Names}}')
    "${search[@]}" --docker "docker exec -i $TARGET docker" "${containers[@]}"
    mapfile -t images < <(docker image ls --format '--image={{.Repository}}:{{.Tag}}' "$REGISTRY_HOST/nexchange/site" | grep -v '<none>')
    # Logs, and what builds and hooks keep: outputs, checkouts, anything that should have been removed. The target's file is elsewhere.
    mapfile -t files < <(
        find "$LOG_DIR" "$DEVELOPER/var" -type f -name '*.log' -printf '--file=%p\n'
        find "$REHEARSAL_DIR/site.git" "$DEVELOPER/.wercker" -path '*/objects' -prune -o -path '*/cache' -prune -o -type f -printf '--file=%p\n'
    )
    "${search[@]}" --processes "${images[@]}" "${files[@]}"
}

# enough_requests: at least $LEAST_OF_EACH_KIND of each kind over the releases that went well.
enough_requests() {
    python3 - "$LEAST_OF_EACH_KIND" "$REHEARSAL_DIR"/load/release-[123]*.json <<'PYTHON'
import json, sys
least, *files = sys.argv[1:]
totals = {}
for file in files:
    for kind, figures in json.load(open(file, encoding="utf-8"))["kinds"].items():
        totals[kind] = totals.get(kind, 0) + figures["requests"]
print(totals)
short = [f"{kind}: {count}" for kind, count in totals.items() if count < int(least)]
if short or len(totals) < 3:
    sys.exit(f"error: too few requests for a proof: {short or totals}")
PYTHON
}

nothing_failed() {
    local failed report
    failed=$(awk -F '\t' '$4 ~ /^[1-9]/ {print $1}' "$TABLE")
    if [[ -z $failed ]]; then return; fi
    for report in "$REHEARSAL_DIR"/load/*.json; do
        python3 bin/lib/rehearse/load.py failures "$report" | sed "s#^#  $(basename "$report" .json): #;/: $/d"
    done
    fail "requests failed (above) in: ${failed//$'\n'/, }" "Everything that was asked and answered then: $REHEARSAL_DIR/nginx.log, $LOG_DIR"
}
