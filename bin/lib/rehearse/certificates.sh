# Sourced by the rehearsal: a certificate authority of its own, for the registry and for the site. Its certificates live for three
# months, as Let's Encrypt's do; of one that ends within weeks testssl disapproves.
# shellcheck shell=bash

CA_FILE=$REHEARSAL_DIR/ca/ca.pem

# ensure_ca: key and certificate in $REHEARSAL_DIR/ca; kept when they are there and still good for a day.
ensure_ca() {
    local dir=$REHEARSAL_DIR/ca
    if [[ -f $CA_FILE ]] && openssl x509 -in "$CA_FILE" -noout -checkend 86400 >/dev/null; then return; fi
    (umask 077 && mkdir -p "$dir")
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key"
    openssl req -x509 -new -key "$dir/ca.key" -sha256 -days 91 -subj "/CN=nexchange rehearsal authority" -out "$CA_FILE" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# issue_certificate DIR NAME...: fullchain.pem and privkey.pem for the host names and IPv4 addresses given, 90 days.
issue_certificate() {
    local dir=$1 name names=()
    shift
    for name in "$@"; do
        if [[ $name =~ ^[0-9.]+$ ]]; then names+=("IP:$name"); else names+=("DNS:$name"); fi
    done
    (umask 077 && mkdir -p "$dir")
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/privkey.pem"
    openssl req -new -key "$dir/privkey.pem" -subj "/CN=$1" |
        openssl x509 -req -sha256 -days 90 -CA "$CA_FILE" -CAkey "$REHEARSAL_DIR/ca/ca.key" -CAcreateserial -out "$dir/cert.pem" \
            -extfile <(printf '%s\n' "subjectAltName=$(IFS=, && echo "${names[*]}")" "basicConstraints=CA:FALSE" \
                "keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth") 2>/dev/null
    cat "$dir/cert.pem" "$CA_FILE" >"$dir/fullchain.pem"
}
