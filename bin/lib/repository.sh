# What docker reads in DOCKER_HUB_REPO, found once for build and deploy: the repository without Docker Hub's own name in front,
# and REGISTRY_HOST, the registry's host, empty for Docker Hub.
# shellcheck shell=bash

DOCKER_HUB_REPO=${DOCKER_HUB_REPO#docker.io/} DOCKER_HUB_REPO=${DOCKER_HUB_REPO#index.docker.io/}
REGISTRY_HOST=''
if [[ $DOCKER_HUB_REPO =~ ^([^/]*[.:][^/]*|localhost)/ ]]; then REGISTRY_HOST=${BASH_REMATCH[1]}; fi
export DOCKER_HUB_REPO REGISTRY_HOST
