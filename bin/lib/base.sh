# Sourced by scripts that build images where none can be pulled: makes the Debian base image from Debian's packages.
# shellcheck shell=bash

LOCAL_BASE_IMAGE=nexchange/base:bookworm
DEBIAN_MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
DEBIAN_SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}

# ensure_base: make $LOCAL_BASE_IMAGE unless the engine has it. Needs root (debootstrap) and Debian's mirror, no registry.
ensure_base() {
    local missing=()
    docker image inspect "$LOCAL_BASE_IMAGE" >/dev/null 2>&1 && return
    may_become_root || fail "the base image $LOCAL_BASE_IMAGE is not there, and making it takes root." \
        "Run this as root once, or name an image that can be pulled: --base debian:bookworm-slim"
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
    if ((${#missing[@]})); then
        # shellcheck source=bin/lib/packages.sh
        source "$ROOT/bin/lib/packages.sh"
        install_packages "${missing[*]}"
    fi
    (
        tree=$(as_root mktemp -d "${TMPDIR:-/tmp}/nexchange-base.XXXXXX")
        trap 'as_root rm -rf --one-file-system "$tree"' EXIT
        step "base: Debian packages" as_root debootstrap --variant=minbase --include=ca-certificates \
            bookworm "$tree" "$DEBIAN_MIRROR"
        step "base: updates, certificates" finish_base_tree "$tree"
        step "base: $LOCAL_BASE_IMAGE" import_base_tree "$tree"
    )
}

# finish_base_tree TREE: sources, the host's own certificate authorities, updates; then as slim as Debian's own image for Docker.
finish_base_tree() {
    # shellcheck disable=SC2016 # expanded by the shell that becomes root
    as_root env tree="$1" mirror="$DEBIAN_MIRROR" security="$DEBIAN_SECURITY_MIRROR" bash -euo pipefail -c '
        printf "deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n" \
            "$mirror" "$mirror" "$security" >"$tree/etc/apt/sources.list"
        echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/docker-apt-speedup" # an image that a crash interrupts is built anew
        printf "%s\n" "path-exclude /usr/share/doc/*" "path-include /usr/share/doc/*/copyright" "path-exclude /usr/share/man/*" \
            "path-exclude /usr/share/info/*" "path-exclude /usr/share/locale/*" "path-exclude /usr/share/lintian/*" \
            force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/slim"
        printf "#!/bin/sh\nexit 101\n" >"$tree/usr/sbin/policy-rc.d" # installing a package starts nothing in a container
        chmod 755 "$tree/usr/sbin/policy-rc.d"
        if compgen -G "/usr/local/share/ca-certificates/*.crt" >/dev/null; then
            cp /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/"
            chroot "$tree" update-ca-certificates
        fi
        export DEBIAN_FRONTEND=noninteractive
        chroot "$tree" apt-get update
        chroot "$tree" apt-get upgrade -y
        find "$tree/usr/share/doc" ! -type d ! -name copyright -delete
        find "$tree/usr/share/doc" -depth -type d -empty -delete
        rm -rf "$tree"/usr/share/{man,info,locale,lintian}/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* \
            "$tree"/var/cache/debconf/*-old "$tree"/var/log/*.log "$tree"/var/log/apt/*
        : >"$tree/etc/resolv.conf"
        rm -f "$tree/etc/hostname"
    '
}

# import_base_tree TREE: programs with certificate stores of their own (pip, npm) are told to use the system store, but only
# where the host has authorities of its own: behind such a one nothing can be downloaded without.
import_base_tree() {
    local changes=(-c 'CMD ["bash"]') store=/etc/ssl/certs/ca-certificates.crt name
    if compgen -G "/usr/local/share/ca-certificates/*.crt" >/dev/null; then
        for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS; do
            changes+=(-c "ENV $name=$store")
        done
    fi
    as_root tar --one-file-system --numeric-owner -C "$1" --exclude=./proc/* --exclude=./sys/* -c . |
        docker import "${changes[@]}" - "$LOCAL_BASE_IMAGE"
}
