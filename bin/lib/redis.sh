# A Redis of a run's own, on a socket, nothing saved: the rows in PostgreSQL are the truth.
# shellcheck shell=bash

redis_pid=''

# start_redis NAME [users]: start it, wait until it answers, and export REDIS_URL. With `users` nobody comes in without the password
# of a kind of process, which bin/as gives.
start_redis() {
    local dir waited users=()
    dir=$(socket_dir "redis-$1")
    rm -f "$dir/redis.sock"
    if [[ -n ${2:-} ]]; then
        (umask 077 && python3 bin/lib/redis_users.py >"$dir/users.acl")
        users=(--aclfile "$dir/users.acl")
        export RUN_REDIS_USERS=yes
    fi
    env ${MARK:+"$MARK"} redis-server "${users[@]}" --port 0 --unixsocket "$dir/redis.sock" --save '' --appendonly no --dir "$dir" --daemonize no \
        >"$LOG_DIR/redis-$1.log" 2>&1 </dev/null 7>&- 9>&- &
    redis_pid=$! redis_dir=$dir
    for ((waited = 0; ; waited++)); do
        case $(redis-cli -s "$dir/redis.sock" ping 2>/dev/null) in PONG | NOAUTH*) break ;; esac
        if ((waited > 200)) || ! kill -0 $redis_pid 2>/dev/null; then
            fail "Redis did not start." "$(tail -n 3 "$LOG_DIR/redis-$1.log")" "All of its output: $LOG_DIR/redis-$1.log"
        fi
        sleep 0.05
    done
    export REDIS_URL=unix://$dir/redis.sock
}

stop_redis() {
    if [[ -z $redis_pid ]]; then return; fi
    kill "$redis_pid" 2>/dev/null || true
    wait "$redis_pid" 2>/dev/null || true
    rm -rf "$redis_dir"
}
