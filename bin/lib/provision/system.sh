# Runs on the server: updates, Docker, docker-compose, the deploy user and what it may do.
# shellcheck shell=bash disable=SC2154

install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"; }

# update_system: refresh the lists, then upgrade what has a newer version. A dry run reads the lists it finds.
update_system() {
    local waiting
    # A lost connection may have ended an earlier run in the middle of a package.
    if [[ -n $(dpkg --audit) ]]; then change "packages left half-installed" dpkg --configure -a; fi
    if have_fresh_lists; then
        already "package lists"
    elif [[ $DRY_RUN == yes ]]; then
        line "package lists" "would be refreshed"
    else
        CHANGES=$((CHANGES - 1)) # reading lists changes nothing
        change "package lists" refresh_lists
    fi
    waiting=$(apt-get -s upgrade 2>/dev/null | grep -c '^Inst ' || true)
    if ((waiting == 0)); then already "updates"; else change "updates: $waiting packages" upgrade_system; fi
}

# have_fresh_lists: read within the last quarter of an hour, so that repeating a run does not take longer than looking.
have_fresh_lists() {
    [[ -n $(find /var/lib/apt/lists -maxdepth 0 -mmin -15) ]] && compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# refresh_lists: the lock on the lists knows no time-out of its own, and a run that lost its connection may still hold it.
refresh_lists() {
    local said
    for _ in {1..60}; do
        said=$(apt-get update 2>&1) && touch /var/lib/apt/lists && return
        [[ $said == *"Could not get lock"* ]] || break
        sleep 2
    done
    printf '%s\n' "$said"
    return 1
}

upgrade_system() { apt-get upgrade -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold; }

# install_basics: small things that a minimal server may lack.
install_basics() {
    local missing=()
    [[ -x /usr/bin/sudo ]] || missing+=(sudo)
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
    command -v openssl >/dev/null || missing+=(openssl)
    if ((${#missing[@]} == 0)); then already "sudo, openssl, certificates"; else change "packages: ${missing[*]}" install "${missing[@]}"; fi
}

install_docker() {
    configure_docker # first, so that the engine never runs without
    trust_registry
    if [[ -x /usr/bin/docker ]] && command -v dockerd >/dev/null; then
        already "Docker"
    else
        change "Docker" install docker.io iptables
    fi
    if docker version >/dev/null 2>&1; then already "Docker engine runs"; else change "Docker engine" start_docker; fi
}

# Containers keep running while the engine is restarted or upgraded, and come back after a crash of it, which they do not
# by themselves; their logs cannot fill the disk.
DAEMON_JSON='{
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": {"max-size": "20m", "max-file": "5"}
}'

configure_docker() {
    local file=/etc/docker/daemon.json
    if [[ ! -e $file ]]; then
        change "Docker's settings: live-restore, log size" write_daemon_json "$file"
    elif [[ $(cat "$file") == "$DAEMON_JSON" ]]; then
        already "Docker's settings"
    else
        line "Docker's settings" "kept; yours in $file"
        grep -q '"live-restore": *true' "$file" || line "  hint" '"live-restore": true keeps the site up while Docker restarts'
    fi
}

write_daemon_json() {
    mkdir -p /etc/docker
    printf '%s\n' "$DAEMON_JSON" >"$1"
    pkill -HUP -x dockerd || true # live-restore is taken up at once, log sizes by new containers after the next restart
}

trust_registry() {
    local dir=/etc/docker/certs.d/$REGISTRY
    [[ -n $REGISTRY ]] || return 0
    if [[ $(cat "$dir/ca.crt" 2>/dev/null) == "$REGISTRY_CA" ]]; then already "authority of $REGISTRY"; else
        change "authority of $REGISTRY" write_registry_ca "$dir"
    fi
}

write_registry_ca() {
    mkdir -p "$1"
    printf '%s\n' "$REGISTRY_CA" >"$1/ca.crt"
}

# start_docker: with systemd where it runs; elsewhere by the init script, unless something else starts it meanwhile.
start_docker() {
    local waited
    if [[ -d /run/systemd/system ]]; then systemctl enable --now docker; fi
    for waited in {1..300}; do
        docker version >/dev/null 2>&1 && return
        if ((waited == 50)) && [[ ! -d /run/systemd/system ]]; then service docker start || true; fi
        sleep 0.2
    done
    echo "the engine does not answer; its log: journalctl -u docker, or /var/log/docker*.log"
    return 1
}

install_compose() {
    if [[ -x /usr/bin/docker-compose || -x /usr/local/bin/docker-compose || -x $COMPOSE_PLUGIN ]]; then
        already "docker-compose"
    else
        change "docker-compose" install docker-compose
    fi
    if [[ -x /usr/local/bin/docker-compose ]]; then
        already "/usr/local/bin/docker-compose"
    else
        change "/usr/local/bin/docker-compose" link_compose
    fi
}

# Docker's own packages bring compose as a plug-in, which also runs by itself.
COMPOSE_PLUGIN=/usr/libexec/docker/cli-plugins/docker-compose

link_compose() {
    local program=/usr/bin/docker-compose
    [[ -x $program ]] || program=$COMPOSE_PLUGIN
    ln -sfn "$program" /usr/local/bin/docker-compose
    /usr/local/bin/docker-compose version
}

make_deploy_user() {
    local uid=1000
    if id -u "$DEPLOY_USER" >/dev/null 2>&1; then
        if [[ $(getent passwd "$DEPLOY_USER" | cut -d: -f6,7) == "/home/$DEPLOY_USER:/bin/bash" && -d /home/$DEPLOY_USER ]]; then
            already "user $DEPLOY_USER, uid $(id -u "$DEPLOY_USER")"
        else
            change "user $DEPLOY_USER: home and shell" mend_user
        fi
        return
    fi
    while getent passwd "$uid" >/dev/null || getent group "$uid" >/dev/null; do uid=$((uid + 1)); done
    change "user $DEPLOY_USER, uid $uid" add_user "$uid"
}

# The password "*" fits nothing and, unlike "!", does not lock the account for keys where sshd runs without PAM.
add_user() { useradd -u "$1" -U -m -s /bin/bash --comment "Deployment User" -d "/home/$DEPLOY_USER" -p '*' "$DEPLOY_USER"; }

mend_user() {
    usermod -s /bin/bash -d "/home/$DEPLOY_USER" "$DEPLOY_USER"
    mkdir -p "/home/$DEPLOY_USER"
    chown "$DEPLOY_USER:" "/home/$DEPLOY_USER"
}

# install_key: added to those already there, so that a key can be replaced without locking the old one out first.
install_key() {
    local ssh=/home/$DEPLOY_USER/.ssh
    if [[ -z $PUBLIC_KEY ]]; then
        [[ -s $ssh/authorized_keys ]] || fail "the deploy user has no key yet, and none was named." \
            "Make one with bin/keypair, then: --public-key FILE"
    elif ! grep -qxF "$PUBLIC_KEY" "$ssh/authorized_keys" 2>/dev/null; then
        change "the deploy key" add_key "$ssh"
        return
    fi
    if has_mode "$ssh" 700 "$DEPLOY_USER" && has_mode "$ssh/authorized_keys" 600 "$DEPLOY_USER"; then
        already "the deploy key"
    else
        change "rights of the deploy key" close_ssh_folder "$ssh"
    fi
}

add_key() {
    mkdir -p "$1"
    if [[ -n $(tail -c 1 "$1/authorized_keys" 2>/dev/null) ]]; then echo >>"$1/authorized_keys"; fi # its last line has no end
    printf '%s\n' "$PUBLIC_KEY" >>"$1/authorized_keys"
    close_ssh_folder "$1"
}

close_ssh_folder() {
    chmod 700 "$1"
    chmod 600 "$1/authorized_keys"
    chown -R "$DEPLOY_USER:" "$1"
}

# allow_docker: these programs and no others, with the caller's variables, without a password.
allow_docker() {
    local file=/etc/sudoers.d/$DEPLOY_USER
    SUDO_LINE="$DEPLOY_USER ALL=(ALL) NOPASSWD:SETENV: /usr/bin/docker, /usr/bin/docker-compose, /usr/local/bin/docker-compose"
    if [[ $(cat "$file" 2>/dev/null) == "$SUDO_LINE" ]] && has_mode "$file" 440 root; then
        already "sudo for docker and docker-compose"
    else
        change "sudo for docker and docker-compose" write_sudoers "$file"
    fi
}

# A mistake in sudoers locks everybody out: the line is checked apart, put in place in one move, and checked again.
write_sudoers() {
    local new=/etc/sudoers.d/.new.$DEPLOY_USER # sudo reads no names with a dot
    (umask 226 && rm -f "$new" && printf '%s\n' "$SUDO_LINE" >"$new")
    visudo -cf "$new" && chmod 440 "$new" && mv "$new" "$1" && visudo -c
}
