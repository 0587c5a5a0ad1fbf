#!/usr/bin/env bash
# The certificate that nginx presents: certificate take | renew [certbot's options] | watch
#
# take copies /etc/nginx/ssl/{fullchain,privkey}.pem (files, or links into /etc/letsencrypt) to where nginx's workers read it
# at each handshake: no reload is needed, so no connection is cut. A pair that does not fit together is refused and the one
# in use stays, also over a restart. renew asks certbot for whatever is due and takes it. watch does both again and again,
# and says when a certificate is about to end that nobody renews.
set -euo pipefail

SOURCE=/etc/nginx/ssl
TAKEN=/run/nexchange/tls
KEPT=/etc/letsencrypt/.in-use.pem # what was taken last, for a start with a pair that cannot be taken
WEBROOT=/var/www/acme
ACME_CA=/etc/letsencrypt/.acme-ca.pem # there only where the ACME server is a private one, with an authority of its own
LOOK_SECONDS=${LOOK_SECONDS:-5}

say() { printf 'certificate: %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

check_pair() {
    local chain=$SOURCE/fullchain.pem key=$SOURCE/privkey.pem file
    for file in "$chain" "$key"; do
        [[ -r $file ]] || fail "there is no certificate: $file $([[ -L $file ]] && echo "points to $(readlink "$file"), which" || echo) is not there." \
            "Put fullchain.pem and privkey.pem into the server's folder etc/nginx/ssl, or links to the ones below /etc/letsencrypt."
    done
    openssl pkey -in "$key" -noout 2>/dev/null || fail "$key holds no private key without a passphrase."
    openssl x509 -in "$chain" -noout 2>/dev/null || fail "$chain holds no certificate."
    [[ $(openssl x509 -in "$chain" -noout -pubkey) == "$(openssl pkey -in "$key" -pubout 2>/dev/null)" ]] ||
        fail "the private key in $key does not belong to the certificate in $chain."
}

# Both in one file under one name, which is replaced in one go.
take() {
    local pair=$TAKEN/site.pem problem
    if [[ -f $pair ]] && cat "$SOURCE/privkey.pem" "$SOURCE/fullchain.pem" 2>/dev/null | cmp -s - "$pair"; then return; fi
    if ! problem=$(check_pair 2>&1); then
        printf '%s\n' "$problem" >&2
        if [[ -f $pair || ! -r $KEPT ]]; then exit 1; fi
        put "$pair" "$KEPT"
        say "WARNING: the pair that was in use before is used on"
        return
    fi
    put "$pair" "$SOURCE/privkey.pem" "$SOURCE/fullchain.pem"
    if [[ -w $(dirname "$KEPT") ]]; then (umask 077 && cp "$pair" "$KEPT.new" && mv "$KEPT.new" "$KEPT"); fi # a trial has it read-only
    say "in use: $(openssl x509 -in "$pair" -noout -subject -enddate | tr '\n' ' ')"
    warn_of_end
}

# put PAIR FILE...: where the workers read it.
put() {
    install -d -m 0750 -g www-data "$TAKEN"
    (umask 077 && cat "${@:2}" >"$1.new")
    chgrp www-data "$1.new"
    chmod 0440 "$1.new"
    mv "$1.new" "$1"
}

warn_of_end() {
    local pair=$TAKEN/site.pem
    if ! openssl x509 -in "$pair" -noout -checkend 0 >/dev/null; then
        say "WARNING: the certificate has expired"
    elif ! openssl x509 -in "$pair" -noout -checkend $((14 * 86400)) >/dev/null; then
        say "WARNING: the certificate ends on $(openssl x509 -in "$pair" -noout -enddate | cut -d= -f2)"
    fi
}

# Bought certificates have no entry there, and nobody to ask. What standalone has issued is renewed over nginx's webroot.
renew() {
    if ! compgen -G '/etc/letsencrypt/renewal/*.conf' >/dev/null; then return; fi
    if [[ -r $ACME_CA ]]; then export REQUESTS_CA_BUNDLE=$ACME_CA; fi
    certbot renew --quiet --non-interactive --no-random-sleep-on-renew --webroot --webroot-path "$WEBROOT" "$@"
    take
}

watch() {
    local every=${RENEW_SECONDS:-43200} said='' problem due
    due=$((every < 60 ? every : 60))
    while sleep "$LOOK_SECONDS"; do
        if problem=$("$0" take 2>&1 >/dev/null); then
            if [[ -n $problem ]]; then printf '%s\n' "$problem" >&2; fi
            said=''
        elif [[ $problem != "$said" ]]; then
            printf '%s\n       The certificate in use stays.\n' "$problem" >&2
            said=$problem
        fi
        if ((SECONDS >= due)); then
            "$0" renew || say "certbot could not renew; the next try is in $every s"
            warn_of_end
            due=$((SECONDS + every))
        fi
    done
}

case ${1:-} in
    take | renew | watch) "$@" ;;
    *) fail "usage: certificate take | renew [certbot's options] | watch" ;;
esac
