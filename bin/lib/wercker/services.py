"""The services of a run: containers beside the box, and the variables by which the box knows them."""

import re
from collections.abc import Mapping

from wercker.engine import Engine, EngineFailure, env_file, explain_start
from wercker.pipelines import Image
from wercker.registries import image_name
from wercker.variables import fill_in, split_words

NOT_PASSED = ("PATH", "HOME")


def start_service(engine: Engine, service: Image, *, run: str, network: str, values: Mapping[str, str]) -> str:
    """Start one service on the run's network and return its container's name. Raises: RunnerFailure."""
    container = f"wercker-service-{service.name}-{run}"
    command = ["run", "--detach", "--name", container, "--network", network, "--network-alias", service.name]
    with env_file({name: fill_in(value, values) for name, value in service.env.items()}) as file:
        command += ["--env-file", str(file), image_name(service, values)]
        command += split_words(fill_in(service.command, values), f"the cmd of the service {service.name}")
        try:
            engine.call(*command)
        except EngineFailure as error:
            raise explain_start(error, f"the service {service.name}") from error
    return container


def describe_service(engine: Engine, container: str, service: Image, *, network: str) -> dict[str, str]:
    """Return NAME_PORT_…, NAME_ENV_… and NAME_NAME of a running service, as links used to make them."""
    known = engine.inspect(container)
    address = known["NetworkSettings"]["Networks"][network]["IPAddress"]
    exposed = {*(known["Config"].get("ExposedPorts") or {}), *map(_with_protocol, service.ports)}
    prefix = re.sub(r"[^A-Z0-9]", "_", service.name.upper())
    found = {f"{prefix}_NAME": f"/{container}/{service.name}"}
    for at, port in enumerate(sorted(exposed, key=lambda text: int(text.partition("/")[0]))):
        number, _, protocol = port.partition("/")
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        found |= {
            name: f"{protocol}://{address}:{number}",
            f"{name}_ADDR": address,
            f"{name}_PORT": number,
            f"{name}_PROTO": protocol,
        }
        if at == 0:
            found[f"{prefix}_PORT"] = found[name]
    for entry in known["Config"]["Env"] or ():
        name, _, value = entry.partition("=")
        if name not in NOT_PASSED:
            found[f"{prefix}_ENV_{name}"] = value
    return found


def _with_protocol(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"
