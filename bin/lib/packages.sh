# What the machine needs, whether it has it, how it gets it: Debian packages, for every script that wants some.
# shellcheck shell=bash

# find_python: print the first interpreter that is new enough and can make environments and compile psycopg2.
find_python() {
    local python
    for python in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null && "$python" - 2>/dev/null <<'PYTHON'; then command -v "$python" && return; fi
import ensurepip, os, sys, sysconfig
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
sys.exit(not (sys.version_info >= (3, 11) and os.path.exists(header)))
PYTHON
    done
    return 1
}

has_node() { command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }
has_postgis() { compgen -G '/usr/share/postgresql/*/extension/postgis.control' >/dev/null; }

# missing_packages: print the Debian packages of what this machine cannot do yet, nothing when it can do all.
missing_packages() {
    local lacking=()
    find_python >/dev/null || lacking+=(python3 python3-venv python3-dev)
    [[ -e /usr/include/stdio.h ]] && command -v gcc >/dev/null || lacking+=(gcc libc6-dev)
    command -v pg_config >/dev/null || lacking+=(libpq-dev)
    has_postgis || lacking+=(POSTGIS) # brings GDAL, GEOS and PROJ, which GeoDjango loads
    command -v redis-server >/dev/null || lacking+=(redis-server)
    [[ -x /usr/lib/litecoin/litecoind ]] || command -v litecoind >/dev/null || lacking+=(litecoind)
    command -v chromium >/dev/null || lacking+=(chromium)
    command -v msgfmt >/dev/null || lacking+=(gettext)
    command -v git >/dev/null || lacking+=(git)
    command -v shellcheck >/dev/null || lacking+=(shellcheck)
    command -v gpg >/dev/null && command -v gpg-agent >/dev/null || lacking+=(gpg gpg-agent) # bin/backup
    command -v ssh-keygen >/dev/null && command -v ssh >/dev/null || lacking+=(openssh-client) # bin/keypair, bin/deploy
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || lacking+=(python3-yaml) # bin/wercker reads wercker.yml
    has_node || lacking+=(nodejs npm)
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || lacking+=(ca-certificates)
    printf '%s' "${lacking[*]}"
}

check_system() {
    command -v apt-get >/dev/null || fail "this needs Debian 12 or a relative of it: apt-get is not there." \
        "bin/lib/packages.sh names what has to be installed by other means."
    [[ -w $ROOT/var ]] || fail "$ROOT/var cannot be written by $(id -un)." "Use a clone that belongs to you."
}

# postgis_package: the newest one that the package lists know; PostgreSQL's number differs between releases.
postgis_package() {
    local package
    package=$(apt-cache search --names-only '^postgresql-[0-9]+-postgis-3$' | cut -d' ' -f1 | sort -V | tail -n 1)
    printf '%s' "${package:-postgresql-15-postgis-3}"
}

# install_packages "NAMES": with apt as root or through sudo. PostgreSQL and Redis are installed, never started.
install_packages() {
    local packages=$1 policy=/usr/sbin/policy-rc.d
    if ! may_become_root; then
        fail "system packages are missing, and $(id -un) may not install them." "Run this line as root, then try again:" \
            "apt-get update && apt-get install -y --no-install-recommends ${packages/POSTGIS/$(postgis_package)}"
    fi
    say "System packages: $packages"
    step "package lists" as_root apt-get update
    packages=${packages/POSTGIS/$(postgis_package)}
    ( # with a trap of its own: the caller has one too
        if [[ ! -e $policy ]]; then
            trap 'as_root rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 755 "$policy"
        fi
        # shellcheck disable=SC2086 # a list of names
        step "system packages" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
    )
}

check_programs() {
    local left
    left=$(missing_packages)
    [[ -z $left ]] || fail "still missing after the installation: $left" \
        "Needed are Python 3.11 or newer, Node 18 or newer, and the programs of these packages." "See $LOG_DIR."
}
