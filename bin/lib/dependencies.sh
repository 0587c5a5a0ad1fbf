# What is installed or compiled inside the checkout, each in a step that leaves a stamp: the hash of its inputs.
# shellcheck shell=bash

# is_done STAMP HASH / mark_done STAMP HASH: a stamp lives in what it vouches for, so that removing that redoes the step.
is_done() { [[ -f $1 && $(cat "$1") == "$2" ]]; }
mark_done() { printf '%s\n' "$2" >"$1"; }

install_python_packages() {
    local hash stamp=.venv/.installed python version='import sys; print(sys.version_info[:2], sys.base_prefix)'
    if [[ -L .venv ]]; then return; fi # lent by another checkout, which keeps it up to date
    python=$(find_python)
    hash=$(hash_of requirements.txt requirements-dev.txt)-$("$python" -c "$version")
    if is_done $stamp "$hash"; then return; fi
    # What is there is kept when it is of the same Python, so that a new pin costs one package.
    if [[ "$(.venv/bin/python -c "$version" 2>/dev/null)" != "$("$python" -c "$version")" ]]; then
        step "virtual environment" "$python" -m venv --clear .venv
    fi
    step "Python packages" .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        --require-hashes --no-deps -r requirements.txt -r requirements-dev.txt
    mark_done $stamp "$hash"
}

install_front_end() {
    local hash
    if [[ ! -L node_modules ]]; then
        hash=$(hash_of package.json package-lock.json)-$(node --version)
        if ! is_done node_modules/.installed "$hash"; then
            step "npm packages" npm ci --no-audit --no-fund
            mark_done node_modules/.installed "$hash"
        fi
    fi
    hash=$(hash_of bower.json .bowerrc package-lock.json)
    if ! is_done static/vendor/.installed "$hash"; then
        step "bower packages" npm run bower
        mark_done static/vendor/.installed "$hash"
    fi
}

compile_translations() {
    local catalogue catalogues
    catalogues=$(list_files '*.po') || exit
    while read -r catalogue; do
        if [[ -z $catalogue || ${catalogue%.po}.mo -nt $catalogue ]]; then continue; fi
        msgfmt --check-format -o "${catalogue%.po}.mo" "$catalogue" || fail "$catalogue has mistakes (see above)."
    done <<<"$catalogues"
}
