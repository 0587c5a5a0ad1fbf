# Sourced by bin/rehearse: the developer's site, as `bin/wercker dev` serves it, and orders on it and on the server's.
# shellcheck shell=bash

DEV_PORT=8000 # as the block says
DEV_LOG=$REHEARSAL_DIR/dev.log
DEV_LIMIT_S=600

# start_dev: run the block `dev`, which does not end by itself; return when the site answers.
start_dev() {
    local limit=$((SECONDS + DEV_LIMIT_S))
    # A session of its own, so that one signal reaches all of it, as Ctrl-C in a terminal does.
    (cd "$DEVELOPER" && exec setsid bash -c "$(python3 "$ROOT/bin/lib/rehearse/block.py" readme_wercker.md dev)") \
        >"$DEV_LOG" 2>&1 </dev/null &
    printf '%s\n' $! >"$REHEARSAL_DIR/dev.pid"
    until curl --silent --fail --output /dev/null --max-time 5 "http://127.0.0.1:$DEV_PORT/en/"; do
        kill -0 "$(<"$REHEARSAL_DIR/dev.pid")" 2>/dev/null || { tail -n 30 "$DEV_LOG" && fail "dev ended before its site answered."; }
        ((SECONDS < limit)) || { tail -n 30 "$DEV_LOG" && fail "dev's site did not answer within $DEV_LIMIT_S s."; }
        sleep 1
    done
}

# end_dev: Ctrl-C; the containers must be gone and nothing may be left.
end_dev() {
    local pid waited run
    pid=$(<"$REHEARSAL_DIR/dev.pid")
    kill -INT -- "-$pid"
    for ((waited = 0; waited < 60; waited++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 1
    done
    ((waited < 60)) || fail "dev still runs a minute after Ctrl-C."
    rm "$REHEARSAL_DIR/dev.pid"
    run=$(sed -n 's/.*pipeline dev, run \([0-9a-f]*\)$/\1/p' "$DEV_LOG")
    [[ -n $run && -z $(docker ps --all --quiet --filter "name=$run") ]] || fail "dev left containers behind: $(docker ps --all --filter "name=$run")"
    grep -q "pipeline dev passed" "$DEV_LOG" || { tail -n 20 "$DEV_LOG" && fail "dev did not end well after Ctrl-C."; }
}

# stop_dev: whatever is left of it, when the rehearsal ends early.
stop_dev() {
    if [[ -f $REHEARSAL_DIR/dev.pid ]]; then kill -INT -- "-$(<"$REHEARSAL_DIR/dev.pid")" 2>/dev/null && sleep 15; fi
    rm -f "$REHEARSAL_DIR/dev.pid"
}

# order_on SITE: one order from the quote to its end, paid by the demo's wallet.
order_on() { python3 bin/lib/rehearse/order.py "$1" --ca "$SITE_CA" --seconds 400; }
