# Sourced by the rehearsal: a certificate authority with ACME, so that issuing and renewing are done, not imagined.
# shellcheck shell=bash

ACME=$REHEARSAL-acme
ACME_IMAGE=nexchange/acme:latest # bin/images acme
# shellcheck disable=SC2034 # given to bin/provision --acme-server
ACME_URL=https://$ACME_IP:14000/dir

# start_acme: at $ACME_URL, to be trusted by $CA_FILE; every name that it is asked about is the target server.
start_acme() {
    ensure_ca
    issue_certificate "$REHEARSAL_DIR/acme" "$ACME_IP"
    chmod -R a+rX "$REHEARSAL_DIR/acme" # the server in the container is nobody; the folder above is closed
    docker run -d --name "$ACME" --network "$NETWORK" --ip "$ACME_IP" --volume "$REHEARSAL_DIR/acme:/etc/rehearsal:ro" \
        "$ACME_IMAGE" "$TARGET_IP" >/dev/null || fail "the rehearsal's ACME server did not start."
    wait_for 20 "the rehearsal's ACME server (docker logs $ACME)" curl --silent --max-time 2 --cacert "$CA_FILE" "$ACME_URL"
}

# acme_root FILE: the certificate that signs what it issues; made anew at each start, so fetch it after start_acme.
acme_root() { curl --silent --fail --cacert "$CA_FILE" --output "$1" "https://$ACME_IP:15000/roots/0"; }

# issue_acme_certificate [NAME]: the served site changes over to a certificate for NAME, without giving up its port.
# Afterwards $ACME_TRUST holds what a client must trust, before and after; the certificate has no address in it, so clients
# ask for https://NAME at $TARGET_IP (curl --resolve, load.py --address).
ACME_TRUST=$REHEARSAL_DIR/acme-trust.pem
issue_acme_certificate() {
    local name=${1:-exchange.rehearsal}
    bin/provision "$TARGET_IP" --key "$TARGET_KEY" --known-hosts "$REHEARSAL_DIR/known_hosts" --domain "$name" \
        --email "keeper@$name" --acme-server "$ACME_URL" --acme-ca "$CA_FILE"
    acme_root "$REHEARSAL_DIR/acme-root.pem"
    cat "$CA_FILE" "$REHEARSAL_DIR/acme-root.pem" >"$ACME_TRUST"
    wait_for 30 "nginx with the new certificate" acme_certificate_is_served "$name"
}

acme_certificate_is_served() {
    curl --silent --output /dev/null --max-time 3 --cacert "$REHEARSAL_DIR/acme-root.pem" --resolve "$1:443:$TARGET_IP" "https://$1/"
}

# renew_acme_certificate [NAME]: as the running nginx does when a certificate is due, now, over its webroot; returns when the
# new one is served.
renew_acme_certificate() {
    local name=${1:-exchange.rehearsal} before
    before=$(served_serial "$name")
    target_docker exec nexchange_nginx_1 certificate renew --force-renewal
    wait_for 30 "nginx with the renewed certificate" serves_another "$name" "$before"
}

serves_another() { [[ $(served_serial "$1") != "$2" ]]; }

# served_serial NAME: the serial number of the certificate that the target presents for this name.
served_serial() {
    openssl s_client -connect "$TARGET_IP:443" -servername "$1" </dev/null 2>/dev/null | openssl x509 -noout -serial | cut -d= -f2
}

stop_acme() { remove_container "$ACME"; }
