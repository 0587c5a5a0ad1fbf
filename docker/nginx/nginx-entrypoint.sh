#!/usr/bin/env bash
# Becomes nginx: nginx-entrypoint nginx | nginx -t | health | any other command, run as it is (certbot …, /bin/bash)
#
# GUNICORN_PORT (8000) is the app's port; API_REQUESTS_PER_MINUTE (300) is the app's own limit, of which nginx allows an
# address ten times; PROXY_NETWORKS (none) are the networks of a balancer or CDN before it, whose X-Forwarded-For is believed;
# RENEW_SECONDS (43200) is how often certbot is asked whether a certificate is due.
set -euo pipefail

RUN_DIR=/run/nexchange # what nginx.conf includes

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

require_number() { [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || fail "$1 is '$2', not a whole number above zero."; }

# nginx knows no variables in a rate, so those parts are written at the start, with variables for nginx in them. The burst is what the app lets an address do at
# once: whoever keeps the app's limit is never refused here.
write_parts() {
    local port=${GUNICORN_PORT:-8000} limit=${API_REQUESTS_PER_MINUTE:-300}
    require_number GUNICORN_PORT "$port"
    require_number API_REQUESTS_PER_MINUTE "$limit"
    require_number RENEW_SECONDS "${RENEW_SECONDS:-43200}"
    mkdir -p "$RUN_DIR"
    # shellcheck disable=SC2016
    printf 'limit_req_zone $caller zone=app:10m rate=%sr/m;\nmap "" $app_port { default %s; }\n' \
        $((10 * limit)) "$port" >"$RUN_DIR/http.conf"
    believe_proxies >>"$RUN_DIR/http.conf"
    write_listeners
    printf 'limit_req zone=app burst=%s nodelay;\n' "$limit" >"$RUN_DIR/limit.conf"
}

# From the right, the first address that is none of these networks is who calls: what a caller wrote himself stands further left.
believe_proxies() {
    local network networks proxies=${PROXY_NETWORKS:-}
    read -ra networks <<<"${proxies//,/ }"
    if ((${#networks[@]} == 0)); then return; fi
    for network in "${networks[@]}"; do
        [[ $network =~ ^[0-9a-fA-F.:]+(/[0-9]{1,3})?$ ]] || fail "PROXY_NETWORKS has '$network', which is no network." \
            "It is a list such as 10.0.0.0/8,2001:db8::/32; or nothing, where callers come to nginx themselves."
        printf 'set_real_ip_from %s;\n' "$network"
    done
    printf 'real_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n'
}

# A kernel without IPv6 refuses to listen there, and nginx would not start.
write_listeners() {
    rm -f "$RUN_DIR"/listen-{80,443}.conf
    if [[ ! -s /proc/net/if_inet6 ]]; then return; fi
    printf 'listen [::]:80 default_server;\n' >"$RUN_DIR/listen-80.conf"
    printf 'listen [::]:443 ssl http2 default_server;\n' >"$RUN_DIR/listen-443.conf"
}

ask_health() {
    local status
    exec 3<>/dev/tcp/127.0.0.1/8081
    printf 'GET / HTTP/1.0\r\n\r\n' >&3
    read -r _ status _ <&3
    [[ $status == 200 ]] || fail "nginx answered $status"
    kill -0 "$(<"$RUN_DIR/watch.pid")" 2>/dev/null || fail "nothing looks after the certificate any more: start this container anew."
}

role=${1:-nginx}
case $role in
    health) ask_health ;;
    nginx)
        [[ -f /etc/nginx/nginx.conf ]] || fail "/etc/nginx/nginx.conf is not there." "The server's folder etc/nginx is mounted at /etc/nginx."
        write_parts
        if (($# > 1)); then exec "$@"; fi
        certificate take
        nginx -t -q
        certificate watch &
        echo $! >"$RUN_DIR/watch.pid"
        exec nginx -g 'daemon off;'
        ;;
    *) exec "$@" ;;
esac
