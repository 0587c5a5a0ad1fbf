# Our images: what each is called, what its build gets to see, how it is pushed.
# shellcheck shell=bash

declare -A TAGS=(
    [app]=nexchange/app:latest
    [box]=pitervergara/geodjango:nexchange
    [postgis]=mdillon/postgis:latest
    [redis]=redis:latest
    [nginx]=onitsoft/nginx:latest
    [chains]=nexchange/chains:latest
    [target]=nexchange/target:latest
    [registry]=nexchange/registry:latest
    [acme]=nexchange/acme:latest
)
# shellcheck disable=SC2034 # read by bin/images; the others are the rehearsal's
DEFAULT=(postgis redis nginx chains box app)
PUSHED=(nginx postgis redis chains) # the box and the rehearsal's stay where they are built, the pipeline pushes the app

# folder_of NAME: where an image's Dockerfile stands.
folder_of() { case $1 in app) echo . ;; box) echo docker/geodjango ;; *) echo "docker/$1" ;; esac; }

check_engine() {
    command -v docker >/dev/null || fail "the program docker is not there." "Install it: apt-get install docker.io"
    engine_answers || fail "no Docker engine answers${DOCKER_HOST:+ at $DOCKER_HOST}." \
        "Start it (systemctl start docker), or join the group that may use its socket."
}

# context NAME FOLDER: gather what the build gets to see, and nothing else: the classic builder sends a folder as it is.
context() {
    local name=$1 folder=$2
    if [[ $name == app ]]; then
        collect_static
        STATIC_ROOT=$ROOT/var/images/static bin/steps/copy-files "$folder" >/dev/null
        return
    fi
    rm -rf "$folder"
    mkdir -p "$folder"
    cp -R "$(folder_of "$name")/." "$folder/"
    case $name in
        box) cp requirements.txt requirements-dev.txt package.json package-lock.json .npmrc "$folder/" ;;
        chains) cp package.json package-lock.json .npmrc bin/node "$folder/" ;;
    esac
}

# The pages' files as production serves them. No secret is needed for that, but the settings insist on some.
collect_static() {
    bin/setup
    step "static files" env DJANGO_SETTINGS_MODULE=nexchange.settings_prod SECRET_KEY=collect TOKEN_KEY=collect \
        STATIC_ROOT="$ROOT/var/images/static" .venv/bin/python manage.py collectstatic --noinput --clear --verbosity 0
}

build_image() {
    local name=$1 base=$2 folder=$ROOT/var/images/$1 arguments=()
    context "$name" "$folder"
    if [[ -n $base ]]; then arguments+=(--build-arg "BASE_IMAGE=$base"); fi
    if [[ $name == app ]]; then arguments+=(--build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"); fi
    step "image ${TAGS[$name]}" env DOCKER_BUILDKIT=0 docker build --tag "${TAGS[$name]}" "${arguments[@]}" "$folder"
}

check_repository() {
    [[ -n ${DOCKER_HUB_REPO:-} ]] || fail "--push needs DOCKER_HUB_REPO, the repository to push to." \
        "For example: DOCKER_HUB_REPO=registry.example:5000/nexchange/app bin/images --push"
    source bin/lib/repository.sh
}

# push_images NAME...: each to a tag of its own, with a record of its digest. A deploy asks the registry for the digest that
# the tag has then, and a server keeps to the one of its first deploy.
push_images() {
    local name reference digest record=$ROOT/var/images/digests.env
    touch "$record"
    for name in "$@"; do
        if [[ " ${PUSHED[*]} " != *" $name "* ]]; then continue; fi
        reference=$DOCKER_HUB_REPO:$name
        docker tag "${TAGS[$name]}" "$reference"
        step "push $reference" docker push "$reference"
        digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$reference" |
            awk -v repository="$DOCKER_HUB_REPO@" 'index($0, repository) == 1 { found = $0 } END { print found }')
        [[ -n $digest ]] || fail "the registry gave no digest for $reference."
        sed -i "/^${name^^}_IMAGE=/d" "$record"
        say "${name^^}_IMAGE=$digest" >>"$record"
        say "  $digest"
    done
}
