# Sourced by bin/deploy: one ssh connection to the target's server, with its key pinned and ours in a file for as long as it lasts.
# shellcheck shell=bash

open_connection() {
    local host=$DEST_HOST_ADDR port=22 key
    if [[ $host =~ ^(.*):([0-9]+)$ ]]; then host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}; fi
    host=${host#[} host=${host%]}
    SSH_FOLDER=$(umask 077 && mktemp -d)
    key=${PEM_FILE_CONTENT:-$PEM_FILE_CONTENT_PRIVATE}
    (umask 077 && printf '%s\n' "${key//\\n/$'\n'}" >"$SSH_FOLDER/key" && printf '%b\n' "$SSH_HOST_KEY" >"$SSH_FOLDER/known_hosts")
    ssh-keygen -y -P '' -f "$SSH_FOLDER/key" >/dev/null 2>&1 ||
        fail "PEM_FILE_CONTENT is no private key without a passphrase." "bin/keypair TARGET makes one: one line, \\n for its line breaks."
    SSH_OPTIONS=(-o "IdentityFile=$SSH_FOLDER/key" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=15
        -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=$SSH_FOLDER/known_hosts" -o GlobalKnownHostsFile=/dev/null
        -o ServerAliveInterval=15 -o ServerAliveCountMax=8 -o LogLevel=ERROR -o "Port=$port")
    SERVER=$SSH_USER@$host COPY_TO=$SSH_USER@$host
    if [[ $host == *:* ]]; then COPY_TO=$SSH_USER@[$host]; fi # scp would take an IPv6 address for a host and a path
}

close_connection() { if [[ -n ${SSH_FOLDER:-} ]]; then rm -rf "$SSH_FOLDER"; fi; }

# check_connection: the failures of the first sign-in, told apart by what ssh says.
check_connection() {
    local said
    if said=$(ssh -n "${SSH_OPTIONS[@]}" "$SERVER" true 2>&1); then return; fi
    case $said in
        *"Host key verification failed"* | *"host key"*) fail "the server at $DEST_HOST_ADDR shows another key than SSH_HOST_KEY." \
            "If it was set up anew, bin/provision prints its line; compare it with the provider's." ;;
        *"Permission denied"*) fail "the server does not take the key of $SSH_USER." "Install its public half: bin/provision HOST --public-key FILE" ;;
        *) fail "the server at $DEST_HOST_ADDR cannot be reached: ${said:-no answer}." "Is the address right, is it up, is the port open?" ;;
    esac
}

# ask_running: print the digest that the server has recorded as its release; nothing when it cannot be asked or has none.
ask_running() {
    if [[ -z ${SERVER:-} ]]; then return; fi
    ssh -n "${SSH_OPTIONS[@]}" "$SERVER" "cat '${NEXCHANGE_ROOT:-/nexchange}/state/running'" 2>/dev/null | sed -nE 's/^.*@(sha256:[0-9a-f]{64})$/\1/p'
}

# send_files: to a staging folder, since what lies in place may be in use. Of two deploys each has its own.
send_files() {
    local state=${NEXCHANGE_ROOT:-/nexchange}/state
    STAGE=$(ssh -n "${SSH_OPTIONS[@]}" "$SERVER" "umask 022 && mkdir -p '$state' && stage=\$(mktemp -d '$state/incoming-XXXXXXXX') &&
        chmod 755 \"\$stage\" && mkdir -p \"\$stage/bin/lib\" && echo \"\$stage\"") ||
        fail "${NEXCHANGE_ROOT:-/nexchange} cannot be written by $SSH_USER." \
            "bin/provision makes /nexchange; another NEXCHANGE_ROOT is yours to make, with the same folders and owner."
    send docker-compose.yml nginx.conf "$STAGE/"
    send bin/backup bin/restore "$STAGE/bin/"
    send bin/lib/backup "$STAGE/bin/lib/"
}

# send FILE... FOLDER
send() {
    scp -q -r "${SSH_OPTIONS[@]}" "${@:1:$#-1}" "$COPY_TO:${*: -1}" ||
        fail "the files could not be copied to the server (see above)." "Is its disk full? df -h on the server."
}

# run_on_server: all of the script first, then the call, so that a lost connection finds it complete.
run_on_server() {
    local name status=0
    {
        for name in $(sent_names | sort -u); do
            if [[ -n ${!name+set} ]]; then printf 'export %s=%q\n' "$name" "${!name}"; fi
        done
        printf 'SITE_NAMES=%q\nSTAGE=%q\nCOMMIT=%q\n' "$(site_names | sort -u | tr '\n' ' ')" "$STAGE" "$(<COMMIT)"
        cat bin/lib/deploy/server/*.sh
        printf 'deploy_here </dev/null; exit $?\n'
    } | ssh "${SSH_OPTIONS[@]}" "$SERVER" bash -s || status=$?
    if ((status == 255)); then
        fail "the connection to the server was lost." "What runs there keeps serving; repeat the deploy, it mends what was half-done."
    fi
    return $status
}
