# Sourced by bin/rehearse: the checkout that a developer works in, its commits, and the commands of the documentation.
# shellcheck shell=bash disable=SC2030,SC2031

DEVELOPER=$REHEARSAL_DIR/developer # a clone of this checkout's HEAD
MIGRATION_S=75

# run_block NAME: the commands of readme_wercker.md's block of that name, as they stand there, in the developer's clone. The log
# shows them as they are written, never with values: some are secrets.
run_block() {
    (
        cd "$DEVELOPER" || exit
        export HOST=$TARGET_IP TARGET=rehearsal REGISTRY=$REGISTRY_HOST REPOSITORY=$REHEARSAL_DIR/site.git
        export BASE_IMAGE=$LOCAL_BASE_IMAGE ROOT_KEY=$TARGET_KEY KNOWN_HOSTS=$REHEARSAL_DIR/known_hosts
        export DOCKER_HUB_REPO=$REGISTRY_HOST/nexchange/site DOCKER_HUB_USER=$REGISTRY_USER DOCKER_HUB_PASSWORD=$REGISTRY_PASSWORD
        python3 "$ROOT/bin/lib/rehearse/block.py" readme_wercker.md "$1" >"$REHEARSAL_DIR/block-$1.sh"
        bash -euvo pipefail "$REHEARSAL_DIR/block-$1.sh"
    )
}

# on_server COMMAND...: as the deploy user. run_server_block NAME: the commands of a block that is meant for the server.
on_server() { docker exec --interactive --user wercker "$TARGET" "$@"; }
run_server_block() { python3 bin/lib/rehearse/block.py readme_wercker.md "$1" | on_server bash -euvo pipefail; }

clone_developer() {
    git clone --quiet --no-hardlinks "$ROOT" "$DEVELOPER"
    git -C "$DEVELOPER" config user.name developer
    git -C "$DEVELOPER" config user.email developer@localhost
}

# commit_change SUBJECT: what stands changed in the developer's clone.
commit_change() { git -C "$DEVELOPER" add -A && git -C "$DEVELOPER" commit --quiet --no-verify -m "$1"; }

# A release that changes what a page shows.
change_page() {
    sed -i "s#</main>#<p hidden>release $1</p></main>#" "$DEVELOPER/templates/base.html"
    commit_change "Show release $1"
}

# A release whose database has one column more; the code before it does not know that column. Where tables are full it takes
# longer than a price may be used, as such migrations do.
change_tables() {
    local last
    last=$(basename "$(find "$DEVELOPER/ticker/migrations" -name '[0-9]*.py' | sort | tail -n 1)" .py)
    cat >"$DEVELOPER/ticker/migrations/9000_rehearsal.py" <<PYTHON
"""Adds a column that nothing reads yet, while the code before it serves."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ticker", "$last")]
    operations = [
        migrations.RunSQL(
            "SELECT pg_sleep($MIGRATION_S) FROM (SELECT FROM ticker_round LIMIT 1) AS served", migrations.RunSQL.noop
        ),
        migrations.RunSQL("ALTER TABLE ticker_pair ADD COLUMN rehearsal integer", migrations.RunSQL.noop),
    ]
PYTHON
    commit_change "Add a column to the pairs"
}

# A release that builds, migrates, and whose web process ends at once.
break_web() {
    printf '\nraise RuntimeError("this release is broken on purpose")\n' >>"$DEVELOPER/nexchange/wsgi.py"
    commit_change "Break the web process"
}

# A release that starts, says that it is healthy, and has no page to show.
break_pages() {
    sed -i 's#</main>#{% url "nowhere" %}</main>#' "$DEVELOPER/templates/base.html"
    commit_change "Break every page"
}

# take_back: as a developer would, by a commit more.
take_back() {
    git -C "$DEVELOPER" revert --no-commit HEAD
    commit_change "Take the broken release back"
}

# change_services: from now on the registry has other images of nginx and the database than those that the server runs.
change_services() {
    local name
    service_images >"$REHEARSAL_DIR/services"
    for name in nginx postgis; do printf 'LABEL rehearsal="another image"\n' >>"$DEVELOPER/docker/$name/Dockerfile"; done
    commit_change "Label the images of nginx and the database"
    run_block push-images
}

# services_stayed: a release replaces neither.
services_stayed() { diff "$REHEARSAL_DIR/services" <(service_images) || fail "a release replaced an image beside the app (above)."; }

# deliver_with_services: from build to deploy, and this time nginx and the database are replaced, because it was asked for.
deliver_with_services() {
    printf 'X_DEPLOY_SERVICES=yes\n' >>"$DEVELOPER/targets/rehearsal.env"
    run_block workflow
    service_images >"$REHEARSAL_DIR/services.after"
    [[ $(diff "$REHEARSAL_DIR/services" "$REHEARSAL_DIR/services.after" | grep -c '^>') == 2 ]] ||
        fail "DEPLOY_SERVICES=yes should replace two images: $(<"$REHEARSAL_DIR/services") before, $(<"$REHEARSAL_DIR/services.after") now."
    wait_for "$COMES_BACK_S" "the site, with another nginx and database," site_serves_prices
}

# push_main / push_refused: what the developer's last commit does to the build host's repository.
push_main() { run_block push; }

push_refused() {
    local before after said=$REHEARSAL_DIR/refused
    before="$(running_digest) $(registry_digest rehearsal)"
    printf '\nimport os\n' >>"$DEVELOPER/core/money.py"
    commit_change "Import what nothing uses"
    if run_block push 2>&1 | tee "$said"; then fail "a push that static validation does not pass was accepted."; fi
    grep -q "the step 'static validation' failed" "$said" || fail "the push was refused for another reason than static validation."
    after="$(running_digest) $(registry_digest rehearsal)"
    [[ $before == "$after" ]] || fail "a refused push changed what runs or what the plain tag stands for: $before became $after."
    [[ -z $(git -C "$REHEARSAL_DIR/site.git" branch --contains "$(git -C "$DEVELOPER" rev-parse HEAD)") ]] ||
        fail "a refused push is in the repository all the same."
    git -C "$DEVELOPER" reset --quiet --hard HEAD~1
}

# running_digests: the images of all roles.
running_digests() {
    local role
    for role in app worker worker_litecoin worker_ethereum beat; do target_docker inspect --format '{{.Config.Image}}' "nexchange_${role}_1"; done
}
service_images() {
    local service
    for service in nginx postgis broker; do target_docker inspect --format '{{.Config.Image}}' "nexchange_${service}_1"; done
}
running_digest() { target_docker inspect --format '{{.Config.Image}}' nexchange_app_1; }

# release_broken: must fail, name the cause, and leave the digest that served before, in every role and under the plain tag.
release_broken() {
    local before after
    before=$(running_digests)
    if run_block deploy; then fail "a broken release was taken for a good one."; fi
    after=$(running_digests)
    [[ $before == "$after" ]] || fail "the broken release left $after running instead of $before."
    [[ $(running_digest) == *@$(registry_digest rehearsal) ]] || fail "the plain tag stands for $(registry_digest rehearsal), not for what runs."
}

# engine_tests PATH...: with the image that serves; the last one built here is the broken one.
engine_tests() { APP_IMAGE=$(running_digest) BASE_IMAGE=$LOCAL_BASE_IMAGE bin/test -m docker "$@"; }
