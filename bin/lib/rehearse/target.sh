# Sourced by the rehearsal: its target server, a container with sshd and a Docker engine of its own.
# shellcheck shell=bash

TARGET=$REHEARSAL-target
TARGET_IMAGE=nexchange/target:latest # bin/images target
TARGET_KEY=$REHEARSAL_DIR/root_key

# What an engine inside a container needs where --privileged is refused: every right but the one that no container gets here.
TARGET_RIGHTS=(--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined
    --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm')

# start_target: with root's key installed, at $TARGET_IP; known_hosts for it in $REHEARSAL_DIR/known_hosts.
# Its engine's data lives in the volume $TARGET-docker, removed by stop_target. Wants the network and $TARGET_IMAGE.
start_target() {
    [[ -f $TARGET_KEY ]] || ssh-keygen -q -t ed25519 -N '' -C rehearsal -f "$TARGET_KEY"
    docker run -d --name "$TARGET" --hostname target --network "$NETWORK" --ip "$TARGET_IP" "${TARGET_RIGHTS[@]}" \
        --volume "$TARGET-docker:/var/lib/docker" "$@" "$TARGET_IMAGE" >/dev/null ||
        fail "the target server did not start." "Its image comes from: bin/images target"
    docker exec -i "$TARGET" sh -c 'umask 077 && mkdir -p /root/.ssh && cat >/root/.ssh/authorized_keys' <"$TARGET_KEY.pub"
    wait_for 30 "sshd on the target server" docker exec "$TARGET" sh -c 'test -e /etc/ssh/ssh_host_ed25519_key.pub && ss -ltn | grep -q :22'
    target_known_hosts >"$REHEARSAL_DIR/known_hosts"
    wait_for 10 "the target server" target_ssh true
}

# target_known_hosts: the line that pins its key, read inside the container and not from the network.
target_known_hosts() { docker exec "$TARGET" cat /etc/ssh/ssh_host_ed25519_key.pub | sed "s/^/$TARGET_IP /; s/ [^ ]*$//"; }

# target_ssh COMMAND...: as root.
target_ssh() {
    ssh -n -i "$TARGET_KEY" -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=yes \
        -o UserKnownHostsFile="$REHEARSAL_DIR/known_hosts" "root@$TARGET_IP" "$@"
}

# target_docker ARGUMENT...: the docker command of the target's own engine.
target_docker() { docker exec -i "$TARGET" docker "$@"; }

wait_for_target_engine() { wait_for "${1:-60}" "the Docker engine of the target server" target_docker version; }

# kill_target_engine: as a crash would, without a chance to tidy up; the server's init starts it again.
kill_target_engine() { docker exec "$TARGET" sh -c 'kill -9 "$(cat /var/run/docker.pid)"'; }

# stop_target: the server and everything on it.
stop_target() {
    remove_container "$TARGET"
    docker volume rm "$TARGET-docker" >/dev/null 2>&1 || true
}
