# Sourced by bin/rehearse: customers who ask, order and keep connections open while something is done to the site.
# shellcheck shell=bash

LOAD_RATE=${LOAD_RATE:-9} # requests a second of each of the three kinds; the house can promise some 7000 orders
LOAD_WARM_S=3 # before and after what is tried
LOAD_AMOUNT=0.1 # LTC an order sends: the house must be able to promise thousands of them

# start_load REPORT: returns when it runs.
start_load() {
    mkdir -p "$(dirname "$1")"
    python3 bin/lib/rehearse/load.py run --site "$SITE" --address "$TARGET_IP" --ca "$SITE_CA" --out "$1" --rate "$LOAD_RATE" \
        --amount "$LOAD_AMOUNT" >"${1%.json}.log" 2>&1 </dev/null &
    printf '%s\n' $! >"$REHEARSAL_DIR/load.pid"
    wait_for 20 "the load's first report" test -s "$1"
    sleep "$LOAD_WARM_S"
}

# stop_load: what is under way is finished and counted.
stop_load() {
    local pid
    [[ -f $REHEARSAL_DIR/load.pid ]] || return 0
    sleep "$LOAD_WARM_S"
    pid=$(<"$REHEARSAL_DIR/load.pid")
    rm -f "$REHEARSAL_DIR/load.pid"
    kill "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
}
