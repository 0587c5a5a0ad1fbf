# Runs on the server: one release from start to end, and the way back. Ends with the call's function, deploy_here.
# shellcheck shell=bash disable=SC2153,SC2154

NEW_IMAGE=${APP_IMAGE:-} NEW_APP_DB_PASSWORD=${APP_DB_PASSWORD:-} OLD_IMAGE='' WITHOUT_SIGNERS='' STAGE_REACHED=nothing

deploy_here() {
    trap 'rm -rf "$STAGE" "$STEP_LOG"' EXIT # until there is something to go back to
    take_turn
    check_server
    if [[ -s $STATE/running ]]; then OLD_IMAGE=$(<"$STATE/running"); fi
    if [[ -n $OLD_IMAGE ]] && ! names_service signer_litecoin "$(good_file docker-compose.yml)"; then WITHOUT_SIGNERS=yes; fi
    choose_services
    check_front
    trap 'go_back' EXIT
    trap 'exit 130' INT TERM HUP PIPE # PIPE: whoever started this is gone
    step "images" pull_images
    step "keys" check_keys
    step "nginx: the new configuration" check_nginx
    if [[ -n $OLD_IMAGE ]]; then
        step "what an interrupted deploy left" mend || printf '  the release that serves is ill itself: the new one may mend that\n'
        choose_services
    fi
    if has_data; then step "backup" bash "$STAGE/bin/backup"; fi
    STAGE_REACHED=files
    step "files" place_files
    step "keys of the demo" make_demo_keys
    use_demo_keys
    if [[ ${SITE_MODE:-live} == demo ]]; then place_variables; fi
    step "folders of the signers" make_signer_folders
    step "database, Redis, nginx" start_services
    keep_services
    if [[ -n $OLD_IMAGE ]]; then step "nginx: taken up" reload_nginx; fi
    STAGE_REACHED=workers
    if [[ -n $OLD_IMAGE ]]; then step "payouts stop" stop_payers; fi
    if [[ -n $WITHOUT_SIGNERS ]]; then step "journals to the signers" carry_journals; fi
    step "tables, roles, reference data" compose run --rm -T release
    if [[ -n $OLD_IMAGE ]]; then replace_app; else first_app; fi
    step "the site through nginx" ask_site app
    step "workers, still" check_starts
    step "the replacement is over" payers_work
    conclude
}

# has_data: a local database that runs, or one elsewhere that this server has already used.
has_data() {
    if [[ ${DATABASE_CONTAINER:-postgis} != postgis ]]; then [[ -n $OLD_IMAGE ]]; else
        [[ $(state_of postgis '{{.State.Status}}') == running ]]
    fi
}

first_app() {
    STAGE_REACHED=app
    step "app" compose up -d --no-deps app
    step "app is healthy" wait_healthy app
    step "workers" start_workers
    note_starts
}

# replace_app: the new image serves beside the old one before that ends; nginx chooses by the flag, at each request.
replace_app() {
    step "app_next" compose up -d --no-deps --force-recreate app_next
    step "app_next is healthy" wait_healthy app_next
    step "app_next has pages to show" ask_app app_next
    mkdir -p "$(dirname "$FLAG")"
    touch "$FLAG"
    step "requests go to app_next" ask_site app_next
    step "workers" start_workers # before app, which still is the old one: if they fail, nothing needs replacing
    note_starts
    step "last requests of the old release" drain
    STAGE_REACHED=app
    step "app" compose up -d --no-deps app
    step "app is healthy" wait_healthy app
    rm -f "$FLAG"
    step "requests go to app" drain
    step "app_next ends" remove_next
}

remove_next() { compose rm --stop --force app_next; }

# mend: the flag, app_next, stopped payers, an app of another image and other files than those of the running release stand only
# during a release. Finding one of them, the running release is made whole with its own files and variables first; in a
# subshell, so that those of the new release stay what they are.
mend() {
    if [[ -z $(container app_next) && ! -e $FLAG ]] && payers_run && runs app "$OLD_IMAGE"; then
        if [[ ! -d $STATE/good ]]; then keep_files; fi
        if files_are_good; then return 0; fi
    fi
    put_files_back
    use_old_variables
    keep_services
    set_old_password
    DEPLOY_SERVICES=yes start_services # none that is as it was is started anew
    if [[ -e $FLAG ]] || ! runs app "$OLD_IMAGE"; then restore_app; fi
    remove_next
    start_workers
}

# set_old_password: the release that failed may have given the site's role another one. Only `release` can tell; it changes no
# table that it does not know.
set_old_password() { if [[ ${NEW_APP_DB_PASSWORD:-} != "${APP_DB_PASSWORD:-}" ]]; then compose run --rm -T release; fi; }

# restore_app: the old release in place of a new one, while app_next answers. If nobody does, the old one comes at once.
restore_app() {
    if [[ ! -e $FLAG ]]; then
        compose up -d --no-deps --force-recreate app_next
        wait_healthy app_next
        touch "$FLAG"
        drain
    fi
    compose up -d --no-deps app
    wait_healthy app
    rm -f "$FLAG"
    drain
}

# runs SERVICE REFERENCE: whether its container was made from that image.
runs() { [[ $(state_of "$1" '{{.Image}}') == "$(docker image inspect --format '{{.Id}}' "$2")" ]]; }

# conclude: the digest that runs must be the one that was pushed. What is recorded is written whole before it counts.
conclude() {
    local service
    know_workers
    for service in app "${WORKERS[@]}"; do
        runs "$service" "$NEW_IMAGE" || fail "$service runs $(state_of "$service" '{{.Image}}') instead of $NEW_IMAGE."
    done
    printf '%s\n' "$NEW_IMAGE" >"$STATE/running.new"
    printf '%s\n' "$OLD_IMAGE" >"$STATE/previous.new"
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$COMMIT" "$NEW_IMAGE" >>"$STATE/history"
    trap '' INT TERM HUP PIPE
    keep_files
    trap - EXIT
    mv "$STATE/running.new" "$STATE/running"
    if [[ -n $OLD_IMAGE && $OLD_IMAGE != "$NEW_IMAGE" ]]; then mv "$STATE/previous.new" "$STATE/previous"; fi
    step "static files of older releases" docker exec "$(container app)" /entrypoint.sh prune-static || true # they cost only space
    forget_old_images
    if names_service broker && [[ -n $(container redis) ]]; then docker rm --force "$(container redis)" >/dev/null; fi # its forerunner
    rm -rf "$STAGE" "$STEP_LOG" "$STATE/previous.new"
    printf '  running: %s\n' "$NEW_IMAGE"
}

# go_back: whatever ended the deploy early, the release before it serves and pays again. The tables stay: migrations only add.
go_back() {
    local status=$? kept=''
    trap '' INT TERM HUP PIPE
    trap - EXIT
    set +e
    ((status != 0)) || status=1
    end_step
    if [[ $STAGE_REACHED != nothing && -n $OLD_IMAGE ]]; then
        printf '\nGoing back to %s\n' "$OLD_IMAGE"
        put_files_back
        use_old_variables
        keep_services
        if [[ ${DEPLOY_SERVICES:-no} == yes ]]; then
            step "database, Redis, nginx, as before" start_services
            step "the site's password, as before" set_old_password
        fi
        if [[ $STAGE_REACHED == app ]]; then
            step "app, as before" restore_app || kept=yes
        elif [[ -e $FLAG ]]; then
            rm -f "$FLAG"
            drain
        fi
        if [[ $STAGE_REACHED != files ]]; then
            docker logs --tail 1000 "$(container app_next)" >"$STATE/app_next.log" 2>&1
            if [[ -z $kept ]]; then step "app_next ends" remove_next; fi
            if [[ -n $WITHOUT_SIGNERS ]]; then
                # Its chains' workers sign as all kinds together, which the newer release has taken away.
                step "roles, as before" compose run --rm -T release
                step "journals back from the signers" carry_journals back
            fi
            step "workers, as before" start_workers
            step "the replacement is over" payers_work
        fi
        if step "the site through nginx" ask_site app; then
            printf 'error: the deploy of commit %s failed (above); %s serves.\n' "$COMMIT" "$OLD_IMAGE" >&2
        else
            printf 'error: the deploy of commit %s failed (above), and %s does not answer through nginx.\n' "$COMMIT" "$OLD_IMAGE" >&2
            printf '       On the server: %s/compose ps; docs/RUNBOOK.md goes on from there.\n' "$NEXCHANGE_ROOT" >&2
        fi
    elif [[ $STAGE_REACHED == nothing ]]; then
        printf 'error: the deploy of commit %s failed (above) before anything was changed.\n' "$COMMIT" >&2
    else
        know_workers
        compose stop app "${WORKERS[@]}" >/dev/null 2>&1
        printf 'error: the first deploy failed (above); nothing served before it. Mend the cause and repeat it.\n' >&2
    fi
    rm -rf "$STAGE" "$STEP_LOG"
    exit $status
}
