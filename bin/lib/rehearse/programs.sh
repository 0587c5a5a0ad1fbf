# Sourced by bin/rehearse: the programs that it calls itself, beside the Docker engine.
# shellcheck shell=bash

# ensure_programs [PROGRAM:PACKAGE...]: install those that are missing, and these.
ensure_programs() {
    local pair missing=()
    for pair in curl:curl git:git iptables:iptables openssl:openssl python3:python3 ssh-keygen:openssh-client "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || missing+=(python3-yaml) # bin/wercker
    if ((${#missing[@]} == 0)); then return; fi
    # shellcheck source=bin/lib/packages.sh
    source bin/lib/packages.sh
    install_packages "${missing[*]}"
}
