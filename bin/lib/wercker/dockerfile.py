"""Which images a Dockerfile is built on: its FROM lines, their variables filled in as the engine's builder does."""

import re
import shlex
from collections.abc import Iterator, Mapping

FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
ARG = re.compile(r"ARG\s+(?P<rest>.+)", re.IGNORECASE)
VARIABLE = re.compile(r"\$(?:\{(?P<name>\w+)(?:(?P<when>:?[-+])(?P<word>[^}]*))?\}|(?P<bare>\w+))")
NOTHING = "scratch"


def base_images(text: str, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images that FROM names, each once; `given` are the build arguments. Stages and `scratch` are none."""
    known: dict[str, str] = {}
    found: dict[str, None] = {}
    stages = {NOTHING}
    began = False
    for line in _instructions(text):
        if match := FROM.fullmatch(line):
            began = True
            # What is filled in to nothing is left to the builder, which names the line.
            if (image := _fill_in(match["image"], known)) and image.lower() not in stages:
                found[image] = None
            if match["stage"]:
                stages.add(match["stage"].lower())
        elif not began and (match := ARG.fullmatch(line)):  # later ones belong to their stage; FROM does not see them
            for name, default in _arguments(match["rest"]):
                if name in given:
                    known[name] = given[name]
                elif default is not None:
                    known[name] = _fill_in(default, known)
    return tuple(found)


def with_tag(reference: str) -> str:
    """Return the reference with the tag that it means when it has none."""
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def _instructions(text: str) -> Iterator[str]:
    """Lines as the builder sees them: without comments, those that end in a backslash joined with the next."""
    joined = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield joined + line
        joined = ""


def _arguments(text: str) -> Iterator[tuple[str, str | None]]:
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that does not end, which the builder refuses
        return
    for word in words:
        name, equals, default = word.partition("=")
        yield name, default if equals else None


def _fill_in(text: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match["name"] or match["bare"]
        when, word = match["when"] or "", match["word"] or ""
        is_set = bool(known.get(name)) if when.startswith(":") else name in known
        if when.endswith("+"):
            return word if is_set else ""
        return known[name] if is_set else word

    return VARIABLE.sub(value, text.strip("\"'"))
