# Runs on the server: everything that must hold before bin/provision changes anything.
# shellcheck shell=bash disable=SC2154

NEEDED_MB=4000 # the images of one release and of the one before it

check_server() {
    ((EUID == 0)) || fail "$(id -un) on this server is not root." "Sign in as root, or as a user who may run sudo without a password: --user NAME"
    # shellcheck disable=SC1091
    . /etc/os-release
    case " $ID ${ID_LIKE:-} " in
    *" debian "* | *" ubuntu "*) ;;
    *) fail "the server runs ${PRETTY_NAME:-$ID}; this knows Debian and Ubuntu." "Take a Debian 12 or an Ubuntu with long-term support." ;;
    esac
    command -v apt-get >/dev/null || fail "the server has no apt-get." "Take a Debian 12 or an Ubuntu with long-term support."
    line "system" "$PRETTY_NAME"
    check_disk
    check_certificate_choice
}

check_disk() {
    local free_mb
    free_mb=$(df -Pm / /var/lib | awk 'NR > 1 && (least == "" || $4 < least) { least = $4 } END { print least }')
    ((free_mb >= NEEDED_MB)) || fail "only $free_mb MB are free on the server's disk; a release needs $NEEDED_MB." \
        "Free some space (docker image prune, journalctl --vacuum-size=100M) or take a larger disk."
    line "free disk space" "$((free_mb / 1000)) GB"
}

has_own_certificate() { [[ -f $SSL/fullchain.pem && ! -L $SSL/fullchain.pem && -f $SSL/privkey.pem && ! -L $SSL/privkey.pem ]]; }
has_acme_certificate() { [[ -n $1 && -s /nexchange/letsencypt/live/$1/fullchain.pem && -s /nexchange/letsencypt/live/$1/privkey.pem ]]; }

# check_certificate_choice: without any certificate nginx would not start; a new one by ACME needs port 80 for a moment.
check_certificate_choice() {
    if [[ -z $DOMAIN && -z $FULLCHAIN ]]; then
        has_own_certificate || [[ -L $SSL/fullchain.pem ]] || fail "the server has no certificate yet, and none was named." \
            "Give --domain NAME --email ADDRESS for one of Let's Encrypt, or --certificate DIR for one of your own."
    fi
    if [[ -n $DOMAIN && -z $(running_nginx) ]] && ! has_acme_certificate "$DOMAIN"; then check_port 80; fi
}

# running_nginx: print our own nginx's container while it serves: it answers for a certificate without giving up its port.
running_nginx() {
    docker ps --quiet --filter label=com.docker.compose.project=nexchange --filter label=com.docker.compose.service=nginx \
        --filter status=running 2>/dev/null || true
}

# check_port NUMBER: read from /proc, since a new server need not have a program for it.
check_port() {
    local hex holder
    hex=$(printf '%04X' "$1")
    awk -v port=":$hex\$" '$2 ~ port && $4 == "0A" { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null || return 0
    holder=$(ss -ltnpH "sport = :$1" 2>/dev/null | grep -oE '"[^"]+",pid=[0-9]+' | head -n 1 | tr -d '"') || true
    fail "port $1 of the server is taken${holder:+ by ${holder/,pid=/, process }}; the certificate's proof is answered there." \
        "Stop it for a moment (systemctl stop nginx apache2; docker stop …), or bring a certificate: --certificate DIR"
}
