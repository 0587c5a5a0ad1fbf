# The parts of a run (database, nodes, workers, site), in the order in which bin/run and dev start and end them.
# shellcheck shell=bash

MARK=NEXCHANGE_RUN=$CHECKOUT_ID # in the environment of every process of a run: none is forgotten, also after a crash
supervisor='' database=''
parts=() checks=() # of the Procfile, and of wait_ready.py: none means all
mkdir -p "$RUN_DIR"

processes() { python3 bin/lib/processes.py "$@"; }

check_port_number() {
    if [[ $PORT =~ ^[0-9]+$ ]] && ((PORT > 0 && PORT < 65536)); then return; fi
    fail "PORT is '$PORT', not a port number (1-65535)." \
        "For example: PORT=8001 bin/run"
}

refuse_second_copy() {
    exec 9>>"$RUN_DIR/lock"
    if ! flock --nonblock 9; then
        fail "another copy of this checkout is running (process $(cat "$RUN_DIR/pid" 2>/dev/null))," \
            "at $(cat "$RUN_DIR/address" 2>/dev/null). Stop it with Ctrl-C there, or: kill $(cat "$RUN_DIR/pid" 2>/dev/null)"
    fi
    printf '%s\n' $$ >"$RUN_DIR/pid"
    printf 'http://localhost:%s\n' "$PORT" >"$RUN_DIR/address"
}

# A copy that was killed hard leaves its processes behind; holding the lock, this one may end them.
end_leftovers() {
    local ended
    ended=$(processes end "$MARK")
    if ((ended > 0)); then say "  ended $ended processes that an earlier run had left behind"; fi
}

check_port() {
    local who
    if processes is-free "$PORT"; then return; fi
    who=$(processes holder "$PORT")
    fail "port $PORT is taken by ${who:-a process of another user}." \
        "Stop that, or choose another port: PORT=$(processes free $((PORT + 1))) bin/run"
}

start_database() {
    if [[ -n ${DATABASE_URL:-}${POSTGIS_PORT_5432_TCP_ADDR:-} ]]; then return; fi
    database=private
    bin/postgis start run 9>&-
    set -a
    # KEY=value lines
    # shellcheck disable=SC1090
    source <(bin/postgis env run)
    set +a
}

# The nodes keep their ports from run to run where they can; whoever wants to speak to them reads var/run/env.
choose_node_ports() {
    local ltc='' eth=''
    if [[ -f $RUN_DIR/env ]]; then
        ltc=$(sed -n 's/^LITECOIN_RPC_PORT=//p' "$RUN_DIR/env")
        eth=$(sed -n 's/^ETHEREUM_RPC_PORT=//p' "$RUN_DIR/env")
    fi
    LITECOIN_RPC_PORT=$(processes free "${ltc:-19443}")
    ETHEREUM_RPC_PORT=$(processes free "${eth:-18545}")
    export LITECOIN_RPC_PORT ETHEREUM_RPC_PORT
    export LITECOIN_RPC_URL=http://demo:demo@127.0.0.1:$LITECOIN_RPC_PORT
    export ETHEREUM_RPC_URL=http://127.0.0.1:$ETHEREUM_RPC_PORT
}

# Keys of local chains, made once, a file for each network. Only that network's signer is told where (bin/as).
make_keys() {
    if [[ $SITE_MODE != demo ]]; then return; fi
    "$VENV/bin/python" manage.py make_demo_keys var/keys >/dev/null
    RUN_SIGNER_DIR=$(socket_dir signer)
    export RUN_KEYS_DIR=$ROOT/var/keys RUN_SIGNER_DIR
    set -a
    source var/keys/public.env
    set +a
}

write_env() {
    local name
    (umask 077 && : >"$RUN_DIR/env.new")
    for name in PORT SITE_MODE DJANGO_SETTINGS_MODULE DATABASE_URL POSTGIS_PORT_5432_TCP_ADDR POSTGIS_PORT_5432_TCP_PORT \
        POSTGIS_ENV_POSTGRES_USER POSTGIS_ENV_POSTGRES_PASSWORD POSTGIS_ENV_POSTGRES_DB APP_DB_PASSWORD REDIS_URL \
        LITECOIN_RPC_PORT ETHEREUM_RPC_PORT LITECOIN_RPC_URL ETHEREUM_RPC_URL LITECOIN_ACCOUNT_KEY ETHEREUM_ACCOUNT_KEY \
        RUN_KEYS_DIR RUN_SIGNER_DIR RUN_REDIS_USERS; do
        if [[ -n ${!name:-} ]]; then printf '%s=%q\n' "$name" "${!name}" >>"$RUN_DIR/env.new"; fi
    done
    mv "$RUN_DIR/env.new" "$RUN_DIR/env"
}

start_supervisor() {
    write_env
    # A session of its own: Ctrl-C reaches this script alone, which then stops the parts in order.
    env "$MARK" setsid "$VENV/bin/honcho" --no-colour start "${parts[@]}" >"$LOG_DIR/run.log" 2>&1 </dev/null 9>&- &
    supervisor=$!
}

wait_until_ready() {
    local ready
    env "$MARK" "$VENV/bin/python" bin/lib/wait_ready.py "${checks[@]}" 9>&- &
    ready=$!
    while kill -0 $ready 2>/dev/null; do
        if ! kill -0 "$supervisor" 2>/dev/null; then
            kill $ready 2>/dev/null || true
            say "" && fail_part "while starting"
        fi
        sleep 0.2
    done
    wait $ready || fail "the site did not get ready." "What its parts say: var/log/run.log"
}

# fail_part WHEN: name the part that ended first and show what it said last.
fail_part() {
    local part
    part=$(sed -nE 's/^.* system +\| ([a-z_]+)\.1 stopped .*/\1/p' "$LOG_DIR/run.log" | head -n 1)
    grep -F " ${part:-system}.1 " "$LOG_DIR/run.log" | tail -n 25 >&2 || true
    fail "the part '${part:-supervisor}' ended, $1." "All output: var/log/run.log"
}

# watch: until a part ends. Redis is none of the supervisor's: it has to be there before the parts, and end after them.
watch() {
    wait -n "$supervisor" ${redis_pid:+"$redis_pid"} || true
    if [[ -n ${redis_pid:-} ]] && ! kill -0 "$redis_pid" 2>/dev/null; then
        fail "Redis ended, so the rest was stopped." "All output: var/log/redis-run.log"
    fi
    fail_part "so the rest was stopped"
}

stop_everything() {
    local status=$?
    # Nothing may end the stopping early, not even that nobody reads what it says.
    trap '' INT TERM HUP PIPE
    set +e
    if [[ -n $supervisor ]]; then
        say "Stopping"
        kill "$supervisor" 2>/dev/null || true
        wait "$supervisor" 2>/dev/null || true
        processes end "$MARK" >/dev/null
    fi
    stop_redis
    if [[ -n $database ]]; then bin/postgis stop run; fi
    rm -f "$RUN_DIR/pid" "$RUN_DIR/address"
    exit $status
}
