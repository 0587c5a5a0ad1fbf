# Sourced by the rehearsal: an image registry with a password and a certificate, reached by every engine under one name.
# shellcheck shell=bash

REGISTRY=$REHEARSAL-registry
REGISTRY_IMAGE=nexchange/registry:latest # bin/images registry
REGISTRY_HOST=$REGISTRY_IP:5000
REGISTRY_USER=rehearsal
REGISTRY_CERTS=/etc/docker/certs.d/$REGISTRY_HOST # of the host's engine: read at each request, no restart needed

# start_registry PASSWORD: at https://$REGISTRY_HOST for user $REGISTRY_USER. Root on this machine is needed for one file:
# $REGISTRY_CERTS/ca.crt tells the host's engine to trust the rehearsal's authority for this registry alone.
start_registry() {
    local dir=$REHEARSAL_DIR/registry
    may_become_root || fail "the rehearsal's registry needs root once, to write $REGISTRY_CERTS/ca.crt." "Run bin/rehearse as root."
    ensure_ca
    issue_certificate "$dir" "$REGISTRY_IP" registry
    printf '%s' "$1" | docker run --rm -i --entrypoint htpasswd "$REGISTRY_IMAGE" -iBn "$REGISTRY_USER" >"$dir/htpasswd" 2>/dev/null
    chmod -R a+rX "$dir" # the registry is not root; the folder above is closed to everybody else
    docker run -d --name "$REGISTRY" --network "$NETWORK" --ip "$REGISTRY_IP" --volume "$REGISTRY-data:/var/lib/registry" \
        --volume "$dir:/etc/rehearsal:ro" "$REGISTRY_IMAGE" >/dev/null || fail "the rehearsal's registry did not start."
    as_root mkdir -p "$REGISTRY_CERTS"
    as_root cp "$CA_FILE" "$REGISTRY_CERTS/ca.crt"
    wait_for 20 "the rehearsal's registry" registry_answers
}

registry_answers() { curl --silent --output /dev/null --max-time 2 --cacert "$CA_FILE" "https://$REGISTRY_HOST/v2/"; }

# registry_digest TAG: what the site's repository has under it.
registry_digest() {
    curl --silent --fail --head --cacert "$CA_FILE" --config - \
        --header "Accept: application/vnd.docker.distribution.manifest.v2+json" \
        "https://$REGISTRY_HOST/v2/nexchange/site/manifests/$1" <<<"user = \"$REGISTRY_USER:$REGISTRY_PASSWORD\"" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip'
}

# stop_registry: with its images; the host's engine forgets the authority.
stop_registry() {
    remove_container "$REGISTRY"
    docker volume rm "$REGISTRY-data" >/dev/null 2>&1 || true
    if [[ -e $REGISTRY_CERTS/ca.crt ]]; then as_root rm -f "$REGISTRY_CERTS/ca.crt" && as_root rmdir "$REGISTRY_CERTS"; fi
}
