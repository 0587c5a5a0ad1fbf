"""Registries: which one an image belongs to, and a login that lasts for one push or pull."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wercker.engine import Engine, EngineFailure
from wercker.failures import RunnerFailure
from wercker.pipelines import Image
from wercker.variables import fill_in

HUB = "https://index.docker.io/v1/"


class LoginRefused(RunnerFailure):
    """A registry does not know this name with this password."""


@contextmanager
def logged_in(engine: Engine, registry: str, username: str, password: str) -> Iterator[dict[str, str]]:
    """Lend the variables under which docker is logged in; the login is gone with its folder. Raises: LoginRefused."""
    with tempfile.TemporaryDirectory(prefix="wercker-") as config:
        env = {**_endpoint(engine), "DOCKER_CONFIG": config}
        command = ["login", "--username", username, "--password-stdin", registry]
        try:
            engine.call(*command, given=password.encode(), env=env)
        except EngineFailure as error:
            raise LoginRefused(f"the registry {registry} refuses the login.", error.said) from error
        yield env


def registry_host(given: str, repository: str) -> str:
    """Return where to log in: what is given, without its scheme, else the host that a repository begins with."""
    if given:
        return given if given == HUB else re.sub(r"^https?://|/v\d+/?$", "", given).rstrip("/")
    first, slash, _ = repository.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else HUB


def image_name(image: Image, values: Mapping[str, str]) -> str:
    """Return the name of a box's or service's image, with its registry's host unless the id begins with that."""
    reference = fill_in(image.reference, values)
    host = registry_host(fill_in(image.registry, values), reference)
    return reference if host == HUB or reference.startswith(f"{host}/") else f"{host}/{reference}"


def need_image(engine: Engine, image: Image, values: Mapping[str, str], *, pull: bool) -> None:
    """Make sure of the image of a box or service; one that is missing is pulled with its own login. Raises: RunnerFailure."""
    name = image_name(image, values)
    password = fill_in(image.password, values)
    if not (pull and password) or engine.has_image(name):
        engine.need_image(name, pull=pull)
        return
    host = registry_host(fill_in(image.registry, values), name)
    with logged_in(engine, host, fill_in(image.username, values), password) as env:
        engine.need_image(name, pull=True, env=env)


def _endpoint(engine: Engine) -> dict[str, str]:
    """Where the engine is that the user's Docker context names: an empty configuration knows no context."""
    if os.environ.get("DOCKER_HOST"):
        return {}
    try:
        host = engine.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
    except EngineFailure:  # a client so old that it has no contexts
        return {}
    return {"DOCKER_HOST": host} if host else {}
