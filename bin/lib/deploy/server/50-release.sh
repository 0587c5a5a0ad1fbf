# Runs on the server: one release from start to end, and the way back. Ends with the call's function, deploy_here.
# shellcheck shell=bash disable=SC2153,SC2154

NEW_IMAGE=${APP_IMAGE:-} OLD_IMAGE='' STAGE_REACHED=nothing

deploy_here() {
    take_turn
    check_server
    if [[ -s $STATE/running ]]; then OLD_IMAGE=$(<"$STATE/running"); fi
    choose_services
    trap 'go_back' EXIT
    trap 'exit 130' INT TERM HUP
    step "images" pull_images
    step "nginx: the new configuration" check_nginx
    if [[ -n $OLD_IMAGE ]]; then
        step "what an interrupted deploy left" mend
        if [[ $(state_of postgis '{{.State.Status}}') == running || ${DATABASE_CONTAINER:-postgis} != postgis ]]; then
            step "backup" bash "$NEXCHANGE_ROOT/bin/backup"
        fi
    fi
    STAGE_REACHED=files
    step "files" place_files
    step "keys of the demo" make_demo_keys
    use_demo_keys
    if is_demo; then write_variables >"$NEXCHANGE_ROOT/target.env"; fi
    step "database, Redis, nginx" start_services
    keep_services
    if [[ -n $OLD_IMAGE ]]; then step "nginx: taken up" reload_nginx; fi
    STAGE_REACHED=workers
    if [[ -n $OLD_IMAGE ]]; then step "workers stop: no payout in between" stop_workers; fi
    step "tables, roles, reference data" compose run --rm -T release
    if [[ -n $OLD_IMAGE ]]; then replace_app; else first_app; fi
    step "workers" start_workers
    step "the site through nginx" ask_site app
    conclude
}

first_app() {
    STAGE_REACHED=app
    step "app" compose up -d --no-deps app
    step "app is healthy" wait_healthy app
}

# replace_app: the new image serves beside the old one before that ends; nginx chooses by the flag, at each request.
replace_app() {
    step "app_next" compose up -d --no-deps --force-recreate app_next
    step "app_next is healthy" wait_healthy app_next
    mkdir -p "$(dirname "$FLAG")"
    touch "$FLAG"
    step "requests go to app_next" ask_site app_next
    step "last requests of the old release" drain
    STAGE_REACHED=app
    step "app" compose up -d --no-deps app
    step "app is healthy" wait_healthy app
    rm -f "$FLAG"
    step "requests go to app" drain
    step "app_next ends" remove_next
}

remove_next() { compose rm --stop --force app_next; }

# mend: the flag and app_next stand only during a release; finding them, the running release is made whole first.
mend() {
    if [[ -z $(state_of app_next '{{.State.Status}}') && ! -e $FLAG ]]; then return; fi
    APP_IMAGE=$OLD_IMAGE compose up -d --no-deps app
    wait_healthy app
    rm -f "$FLAG"
    drain
    remove_next
}

# conclude: the digest that runs must be the one that was pushed.
conclude() {
    local service image
    for service in app "${WORKERS[@]}"; do
        image=$(state_of "$service" '{{.Config.Image}}')
        [[ $image == "$NEW_IMAGE" ]] || fail "$service runs $image instead of $NEW_IMAGE."
    done
    trap - EXIT
    if [[ -n $OLD_IMAGE && $OLD_IMAGE != "$NEW_IMAGE" ]]; then printf '%s\n' "$OLD_IMAGE" >"$STATE/previous"; fi
    printf '%s\n' "$NEW_IMAGE" >"$STATE/running"
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$COMMIT" "$NEW_IMAGE" >>"$STATE/history"
    step "static files of older releases" docker exec "$(container app)" /entrypoint.sh prune-static || true # they cost only space
    forget_old_images
    rm -rf "$STAGE" "$STEP_LOG"
    printf '  running: %s\n' "$NEW_IMAGE"
}

# go_back: whatever ended the deploy early, the release before it serves and pays again. The tables stay: migrations only add.
go_back() {
    local status=$?
    trap '' INT TERM HUP PIPE
    trap - EXIT
    set +e
    ((status != 0)) || status=1
    if [[ $STAGE_REACHED != nothing && -n $OLD_IMAGE ]]; then
        printf '\nGoing back to %s\n' "$OLD_IMAGE"
        put_files_back
        set -a
        # shellcheck source=/dev/null
        source "$NEXCHANGE_ROOT/target.env"
        set +a
        export APP_IMAGE=$OLD_IMAGE
        if [[ $STAGE_REACHED == app ]]; then
            step "app, as before" compose up -d --no-deps app
            step "app is healthy" wait_healthy app
        fi
        if [[ -e $FLAG ]]; then rm -f "$FLAG" && drain; fi
        if [[ $STAGE_REACHED != files ]]; then
            step "app_next ends" remove_next
            step "workers, as before" start_workers
        fi
        step "the site through nginx" ask_site app
        printf 'error: the deploy of commit %s failed (above); %s serves.\n' "$COMMIT" "$OLD_IMAGE" >&2
    elif [[ $STAGE_REACHED == nothing ]]; then
        printf 'error: the deploy of commit %s failed (above) before anything was changed.\n' "$COMMIT" >&2
    else
        compose stop app "${WORKERS[@]}" >/dev/null 2>&1
        printf 'error: the first deploy failed (above); nothing served before it. Mend the cause and repeat it.\n' >&2
    fi
    rm -rf "$STAGE" "$STEP_LOG"
    exit $status
}
