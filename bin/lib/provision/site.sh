# Runs on the server: /nexchange, its owners and its certificate. Last of the parts sent over ssh; ends with the call.
# shellcheck shell=bash disable=SC2154

SSL=/nexchange/etc/nginx/ssl
APP_UID=1000 # the app's user inside its image, whoever has that number on the server

# list_folders: path, mode and owner. The deploy user owns what a deploy writes, the app's number what the app writes, root
# what containers write as root; the database's folder is PostGIS's own affair and made by it. Rights marked "first" are given
# to a new folder only: what runs in it may change them.
list_folders() {
    local owner
    owner=$(id -u "$DEPLOY_USER" 2>/dev/null || echo "$APP_UID") # in a dry run there may be no user yet
    printf '%s\n' "/nexchange 755 $owner always" "/nexchange/etc 755 $owner always" "/nexchange/etc/nginx 755 $owner always" \
        "$SSL 755 $owner always" "/nexchange/state 700 $owner always" "/nexchange/backups 700 $owner always" \
        "/nexchange/letsencypt 755 0 first" "/nexchange/acme 755 0 first" "/nexchange/html 755 $APP_UID first" \
        "/nexchange/journal 700 $APP_UID first" "/nexchange/keys 700 $APP_UID first"
}

make_folders() {
    local path mode owner when wrong=()
    while read -r path mode owner when; do
        if [[ ! -d $path || ($when == always && $(stat -c '%a %u' "$path") != "$mode $owner") ]]; then wrong+=("$path $mode $owner"); fi
    done < <(list_folders)
    if ((${#wrong[@]} == 0)); then already "/nexchange and its folders"; else
        change "/nexchange: ${#wrong[@]} folders" make_these_folders "${wrong[@]}"
    fi
    link /nexchange/ssl etc/nginx/ssl
}

make_these_folders() {
    local path mode owner
    while read -r path mode owner; do
        mkdir -p "$path"
        chmod "$mode" "$path"
        chown "$owner:$owner" "$path"
    done < <(printf '%s\n' "$@")
}

# link PATH TARGET: what stands there, such as the key of a bought certificate or a folder with one, is kept beside it.
link() { if [[ $(readlink "$1") != "$2" ]]; then change "link ${1#/nexchange/}" place_link "$1" "$2"; fi; }
place_link() {
    if [[ -e $1 && ! -L $1 ]]; then mv --no-target-directory --backup=numbered "$1" "$1.before"; fi
    ln -sfn "$2" "$1"
}

# install_certificate: one brought along, or the first of Let's Encrypt for $DOMAIN; renewing is the running nginx's affair.
install_certificate() {
    if [[ -n $FULLCHAIN ]]; then
        install_own_certificate
    elif [[ -n $DOMAIN ]]; then
        if has_acme_certificate "$DOMAIN"; then
            already "certificate for $DOMAIN"
        else
            change "certificate for $DOMAIN" ask_for_certificate
        fi
        # They dangle here and are valid inside the container, where /nexchange/letsencypt is /etc/letsencrypt.
        link "$SSL/fullchain.pem" "/etc/letsencrypt/live/$DOMAIN/fullchain.pem"
        link "$SSL/privkey.pem" "/etc/letsencrypt/live/$DOMAIN/privkey.pem"
    else
        already "certificate"
    fi
}

install_own_certificate() {
    if has_own_certificate && [[ $(cat "$SSL/fullchain.pem") == "$FULLCHAIN" && $(cat "$SSL/privkey.pem") == "$PRIVKEY" ]]; then
        already "certificate"
    else
        change "certificate" write_certificate
    fi
}

# The key first: nginx reads both only at a start or reload, and a certificate whose key is missing would stop it.
write_certificate() {
    (umask 077 && printf '%s\n' "$PRIVKEY" >"$SSL/.new.key" && printf '%s\n' "$FULLCHAIN" >"$SSL/.new.pem")
    chmod 644 "$SSL/.new.pem"
    mv -f "$SSL/.new.key" "$SSL/privkey.pem"
    mv -f "$SSL/.new.pem" "$SSL/fullchain.pem"
}

# ask_for_certificate: alone on port 80 on a new server; over the webroot of our own nginx where that serves already.
ask_for_certificate() {
    local command=(certonly --non-interactive --agree-tos --email "$EMAIL" -d "$DOMAIN" --server "$ACME_SERVER") trust=() nginx
    rm -f /nexchange/letsencypt/.acme-ca.pem
    if [[ -n $ACME_CA ]]; then # nginx's own renewals look for it at the same place
        printf '%s\n' "$ACME_CA" >/nexchange/letsencypt/.acme-ca.pem
        trust=(-e REQUESTS_CA_BUNDLE=/etc/letsencrypt/.acme-ca.pem)
    fi
    nginx=$(running_nginx)
    if [[ -n $nginx ]]; then
        docker exec "${trust[@]}" "$nginx" certbot "${command[@]}" --webroot --webroot-path /var/www/acme && return
    else
        docker run --rm -p 80:80 -v /nexchange/letsencypt:/etc/letsencrypt "${trust[@]}" --entrypoint certbot "$NGINX_IMAGE" \
            "${command[@]}" --standalone && return
    fi
    echo "Let's Encrypt asks http://$DOMAIN/ from outside: does the name point here, and does the firewall let port 80 in?"
    return 1
}

# own_files: everything that a deploy replaces belongs to the deploy user, also when that is another one than at the last
# deploy; the link's target included, never what it points at.
own_files() {
    local path written=() strangers=''
    for path in etc/nginx state bin compose docker-compose.yml docker-compose.override.yml target.env; do
        if [[ -e /nexchange/$path ]]; then written+=("/nexchange/$path"); fi
    done
    if ((${#written[@]} > 0)); then strangers=$(find "${written[@]}" ! -user "$DEPLOY_USER" 2>/dev/null | head -n 1 || true); fi
    if [[ -z $strangers ]]; then already "owner of what a deploy writes"; else
        change "owner of what a deploy writes" chown -Rh "$DEPLOY_USER:$DEPLOY_USER" "${written[@]}"
    fi
}

# prove_deploy_user: what the pipeline will do first, as the user that will do it.
prove_deploy_user() {
    [[ $DRY_RUN == no ]] || return 0
    runuser -u "$DEPLOY_USER" -- sudo -n /usr/bin/docker version >"$LOG" 2>&1 || explain_failure "docker as $DEPLOY_USER" $?
    runuser -u "$DEPLOY_USER" -- sudo -n /usr/local/bin/docker-compose version >"$LOG" 2>&1 ||
        explain_failure "docker-compose as $DEPLOY_USER" $?
    already "docker and docker-compose as $DEPLOY_USER"
}

need_image() { if ! docker image inspect "$NGINX_IMAGE" >/dev/null 2>&1; then change "image $NGINX_IMAGE" pull_image; fi; }
pull_image() {
    docker pull "$NGINX_IMAGE" && return
    echo "The image $NGINX_IMAGE, which brings certbot, is neither here nor on the server, nor can the server pull it."
    echo "Build it with bin/images nginx, or name another: --nginx-image IMAGE"
    return 1
}

summary() {
    if ((CHANGES == 0)); then
        echo "Server ready, nothing to change."
    elif [[ $DRY_RUN == yes ]]; then
        echo "$CHANGES changes would be made; none was."
    else
        echo "Server ready, $CHANGES changes made."
    fi
}

main() {
    case $PHASE in
    check) check_server ;;
    image) need_image ;;
    system)
        update_system
        install_basics
        install_docker
        install_compose
        make_deploy_user
        install_key
        allow_docker
        ;;
    site)
        make_folders
        install_certificate
        own_files
        prove_deploy_user
        summary
        ;;
    esac
    if [[ $PHASE != site ]]; then line "changes so far:" "$CHANGES"; fi
}

main
