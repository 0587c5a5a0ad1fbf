# Sourced by bin/rehearse: what the operator of the rehearsal's server chose, secrets with tell-tale values included.
# shellcheck shell=bash disable=SC2034

SITE=https://$TARGET_IP
SITE_CA=$CA_FILE # the authority that the site's certificate is checked with

# canary NAME: a secret that nobody else has, with every character that shells and files like to change.
canary() { printf '%s' "\$canary-$1-$(openssl rand -hex 6) \$HOME #1 'x' \"y\""; }

REGISTRY_PASSWORD=$(openssl rand -hex 12)

# write_target_file FILE: every variable of the target, as its operator would write it. New Relic has a key and the one
# environment in which its agent sends nothing: no rehearsal speaks to a company.
write_target_file() {
    (umask 077 && : >"$1")
    cat >>"$1" <<VARIABLES
X_DEST_HOST_ADDR=$TARGET_IP
X_SSH_USER=wercker
X_SSH_HOST_KEY=$(target_known_hosts)
X_DOCKER_HUB_REPO=$REGISTRY_HOST/nexchange/site
X_DOCKER_HUB_USER=$REGISTRY_USER
XXX_DOCKER_HUB_PASSWORD=$REGISTRY_PASSWORD
X_DOCKER_REGISTRY_CA=$(sed ':a;N;$!ba;s/\n/\\n/g' "$CA_FILE")
X_DOCKER_IMAGE_TAG=rehearsal
X_BASE_IMAGE=$LOCAL_BASE_IMAGE
X_TESTS=$([[ -n ${full:-} ]] || echo fast)
X_DJANGO_SETTINGS_MODULE=nexchange.settings_prod
X_SITE_MODE=demo
X_COMPOSE_PROFILES=demo
X_DATABASE_CONTAINER=postgis
X_POSTGIS_ENV_POSTGRES_DB=exchange
X_POSTGIS_ENV_POSTGRES_USER=exchange
XXX_POSTGIS_ENV_POSTGRES_PASSWORD=$(canary postgres)
XXX_APP_DB_PASSWORD=$(canary app)
XXX_SECRET_KEY=$(canary secret-key-of-more-than-fifty-characters-for-django)
XXX_TOKEN_KEY=$(canary token-key)
XXX_BACKUP_PASSPHRASE=$(canary backup)
X_DJANGO_SUPERUSER_USERNAME=admin
X_DJANGO_SUPERUSER_EMAIL=admin@exchange.rehearsal
XXX_DJANGO_SUPERUSER_PASSWORD=$(canary superuser)
X_ALLOWED_HOSTS=$TARGET_IP,exchange.rehearsal
X_CSRF_TRUSTED_ORIGINS=$SITE
X_GUNICORN_PORT=8017
X_PORTS_PARAM=-p 80:80 -p 443:443
X_VOLUMES_PARAM=
X_DRAIN_SECONDS=5
X_NEW_RELIC_CONFIG_FILE=newrelic.ini
X_NEW_RELIC_ENVIRONMENT=test
XXX_NEW_RELIC_LICENSE_KEY=$(canary new-relic)
X_API_REQUESTS_PER_MINUTE=1000000
X_PROMISES_PER_CLIENT=1000000
X_PROMISED_SHARE_PERCENT=100
X_DEMO_BLOCK_SECONDS=3
VARIABLES
}

# prepare_target: the operator's preparations: variables, certificate, root's key, the registry's authority, the key pair.
prepare_target() {
    local folder=$DEVELOPER/targets/rehearsal
    issue_certificate "$folder" "$TARGET_IP" exchange.rehearsal
    cp "$CA_FILE" "$folder/registry-ca.pem"
    run_block target-file
    write_target_file "$DEVELOPER/targets/rehearsal.env"
    run_block keypair
}

# provision_again: a second time nothing may change.
provision_again() {
    run_block provision | tee "$REHEARSAL_DIR/provision-again.log"
    grep -q 'nothing to change' "$REHEARSAL_DIR/provision-again.log" || fail "a second bin/provision changed something (above)."
}

# make_registry: with a password of its own, and logged in to from nowhere yet.
make_registry() { start_registry "$REGISTRY_PASSWORD"; }
