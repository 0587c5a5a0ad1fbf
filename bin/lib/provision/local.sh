# Sourced by bin/provision: checks of its options, and the way to the server.
# shellcheck shell=bash disable=SC2034

NAME_PATTERN='^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$'

check_options() {
    if [[ $HOST == *:* && $HOST != *:*:* ]]; then PORT=${HOST##*:} HOST=${HOST%:*}; fi
    [[ $HOST =~ ^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$ ]] || fail "'$HOST' is no host name and no address."
    if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || ((PORT > 65535)); then fail "'$PORT' is no port."; fi
    [[ $DEPLOY_USER =~ ^[a-z_][a-z0-9_-]{0,30}$ && $DEPLOY_USER != root ]] || fail "'$DEPLOY_USER' cannot be the deploy user's name."
    [[ $NGINX_IMAGE =~ ^[A-Za-z0-9][A-Za-z0-9._:/@-]*$ ]] || fail "'$NGINX_IMAGE' is no image's name."
    [[ -z $KEY ]] || readable "$KEY" "the key to sign in with"
    check_domain
    check_registry
    PUBLIC_KEY='' FULLCHAIN='' PRIVKEY='' ACME_CA=''
    if [[ -n $PUBLIC_KEY_FILE ]]; then check_public_key; fi
    if [[ -n $CERTIFICATE_DIR ]]; then check_certificate; fi
    if [[ -n $ACME_CA_FILE ]]; then readable "$ACME_CA_FILE" "the ACME server's authority" && ACME_CA=$(<"$ACME_CA_FILE"); fi
}

check_domain() {
    [[ -n $DOMAIN || -z $EMAIL ]] || fail "--email belongs to --domain." "bin/provision --help"
    [[ -n $DOMAIN ]] || return 0
    [[ -z $CERTIFICATE_DIR ]] || fail "--domain and --certificate exclude each other: from whom shall the certificate be?"
    [[ $DOMAIN =~ $NAME_PATTERN ]] || fail "'$DOMAIN' is no host name."
    [[ $EMAIL == *?@?* ]] || fail "a certificate from Let's Encrypt needs an address for its warnings." "Add --email ADDRESS"
}

check_registry() {
    REGISTRY_CA=''
    if [[ -z $REGISTRY && -z $REGISTRY_CA_FILE ]]; then return; fi
    [[ -n $REGISTRY && -n $REGISTRY_CA_FILE ]] || fail "--registry and --registry-ca go together."
    [[ $REGISTRY =~ ^[A-Za-z0-9.-]+(:[0-9]+)?$ ]] || fail "'$REGISTRY' is no registry's HOST:PORT."
    readable "$REGISTRY_CA_FILE" "the registry's authority"
    openssl x509 -in "$REGISTRY_CA_FILE" -noout 2>/dev/null || fail "$REGISTRY_CA_FILE holds no certificate (PEM)."
    REGISTRY_CA=$(<"$REGISTRY_CA_FILE")
}

check_public_key() {
    readable "$PUBLIC_KEY_FILE" "the public key"
    if grep -q 'PRIVATE KEY' "$PUBLIC_KEY_FILE"; then
        fail "$PUBLIC_KEY_FILE is the private half of the key, which stays here." "Give the public half, often $PUBLIC_KEY_FILE.pub"
    fi
    ssh-keygen -lf "$PUBLIC_KEY_FILE" >/dev/null 2>&1 || fail "$PUBLIC_KEY_FILE holds no public key of ssh."
    PUBLIC_KEY=$(grep -vE '^(#|$)' "$PUBLIC_KEY_FILE" | head -n 1)
}

# check_certificate: readable, belonging to each other, valid today; a chain's order is nginx's own check.
check_certificate() {
    local chain=$CERTIFICATE_DIR/fullchain.pem key=$CERTIFICATE_DIR/privkey.pem
    readable "$chain" "the certificate"
    readable "$key" "the certificate's key"
    openssl x509 -in "$chain" -noout 2>/dev/null || fail "$chain holds no certificate (PEM)."
    openssl pkey -in "$key" -passin pass: -noout 2>/dev/null || fail "$key holds no key that can be read without a password."
    if [[ $(openssl x509 -in "$chain" -noout -pubkey) != "$(openssl pkey -in "$key" -passin pass: -pubout)" ]]; then
        fail "$key does not belong to the certificate in $chain." "The certificate of the site itself must come first in fullchain.pem."
    fi
    openssl x509 -in "$chain" -noout -checkend 0 >/dev/null ||
        fail "the certificate in $chain has expired ($(openssl x509 -in "$chain" -noout -enddate | cut -d= -f2))." "Renew it first."
    openssl x509 -in "$chain" -noout -checkend $((14 * 86400)) >/dev/null ||
        say "warning: the certificate ends on $(openssl x509 -in "$chain" -noout -enddate | cut -d= -f2)."
    FULLCHAIN=$(<"$chain")
    PRIVKEY=$(<"$key")
}

# on_server COMMAND...: over ssh, never asking anything.
on_server() {
    local options=(-p "$PORT" -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o "StrictHostKeyChecking=$CHECKING")
    [[ -z $KEY ]] || options+=(-i "$KEY" -o IdentitiesOnly=yes)
    [[ -z $KNOWN_HOSTS ]] || options+=(-o "UserKnownHostsFile=$KNOWN_HOSTS")
    ssh "${options[@]}" -l "$LOGIN" "$HOST" "$@"
}

become_root() { if [[ $LOGIN == root ]]; then printf '%s' "$*"; else printf 'sudo -n %s' "$*"; fi; }

# check_connection: the first sign-in, whose failures are told apart by what ssh says.
check_connection() {
    local said place="$LOGIN@$HOST, port $PORT"
    said=$(on_server "$(become_root true)" 2>&1 </dev/null) && return
    case $said in
    *"Host key verification failed"* | *"IDENTIFICATION HAS CHANGED"*)
        if [[ $said == *CHANGED* ]]; then
            fail "the server at $HOST shows another key than the pinned one." "If it was set up anew: ssh-keygen -R $HOST" \
                "If not, somebody else may be answering in its place."
        fi
        fail "the key of the server at $HOST is not known yet." "It shows now:" \
            "$(ssh-keyscan -T 5 -p "$PORT" "$HOST" 2>/dev/null | ssh-keygen -lf - 2>/dev/null || echo '(nothing)')" \
            "Compare that with what the provider's console shows; if it is the same, add --accept-new"
        ;;
    *"Permission denied"*) fail "$place does not let us in with this key." "Name the key that the provider installed: --key FILE, and perhaps --user NAME" ;;
    *"Could not resolve"* | *"Name or service not known"*) fail "the name $HOST is not known to the DNS." "Check its spelling and its record." ;;
    *"Connection refused"*) fail "nothing answers ssh at $HOST, port $PORT." "Is sshd running there, and is this its port? --port N" ;;
    *"timed out"* | *"No route to host"* | *"unreachable"*) fail "$HOST cannot be reached." "Is it switched on, is the address right, does a firewall let port $PORT in?" ;;
    *"password is required"* | *"not in the sudoers"* | *"sudo: "*) fail "$LOGIN may not become root on $HOST without a password." "Sign in as root, or let $LOGIN use sudo without a password." ;;
    esac
    fail "signing in as $place failed: ${said:-no reason given}"
}

# run_phase NAME: the parts under bin/lib/provision as one script over standard input, so that no value is in an argument.
run_phase() {
    local variable status=0 out
    out=$(mktemp)
    {
        PHASE=$1
        for variable in PHASE DRY_RUN CHANGES_BEFORE DEPLOY_USER PUBLIC_KEY DOMAIN EMAIL FULLCHAIN PRIVKEY REGISTRY REGISTRY_CA \
            NGINX_IMAGE ACME_SERVER ACME_CA; do
            printf '%s=%q\n' "$variable" "${!variable:-}"
        done
        cat bin/lib/provision/{report,checks,system,site}.sh
    } | on_server "$(become_root bash -s)" | tee "$out" || status=$?
    CHANGES_BEFORE=$(sed -n 's/^ *changes so far: *//p' "$out" | tail -n 1)
    rm -f "$out"
    if ((status == 255)); then fail "the connection to $HOST was lost." "The step that was under way may still end there. Run this again: it goes on from where that stands."; fi
    ((status == 0)) || exit 1
}

# send_image: certbot lives in the nginx image. A new server has no password of a registry yet, so it goes over ssh when
# this machine has it; otherwise the server pulls it.
send_image() {
    [[ -n $DOMAIN && $DRY_RUN == no ]] || return 0
    if on_server "$(become_root test -s "/nexchange/letsencypt/live/$DOMAIN/fullchain.pem")" </dev/null ||
        on_server "$(become_root docker image inspect "$NGINX_IMAGE")" >/dev/null 2>&1 </dev/null; then
        return
    fi
    if command -v docker >/dev/null && docker image inspect "$NGINX_IMAGE" >/dev/null 2>&1; then
        say "  sending the image $NGINX_IMAGE"
        docker save "$NGINX_IMAGE" | gzip -1 | on_server "$(become_root docker load)" >/dev/null ||
            fail "the image $NGINX_IMAGE did not arrive on the server." "Run this again."
    else
        run_phase image
    fi
}

# say_next: what a target's file needs to know of this server; its key is read over the connection that was just proven.
say_next() {
    local pinned=$HOST address=$HOST
    if [[ $HOST == *:* ]]; then address=[$HOST]; fi
    [[ $DRY_RUN == no ]] || return 0
    [[ $PORT == 22 ]] || pinned="[$HOST]:$PORT"
    printf '\nFor targets/NAME.env:\n'
    say "X_SSH_USER=$DEPLOY_USER"
    say "X_DEST_HOST_ADDR=$address$([[ $PORT == 22 ]] || echo ":$PORT")"
    say "X_SSH_HOST_KEY=$pinned $(on_server cat /etc/ssh/ssh_host_ed25519_key.pub </dev/null | cut -d' ' -f1,2)"
}
