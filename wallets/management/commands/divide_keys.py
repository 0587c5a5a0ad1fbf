"""Divide the key file of earlier releases, which held every network's key, into a file for each network's signer."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

EARLIER = "keys.json"


class Command(BaseCommand):
    help = (
        "Write NETWORK.json for each network that has none, out of keys.json if that is there. No key is made or lost."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 -- Django's own form; what they would ask for is not there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder")

    def handle(self, *args: Any, folder: str, **options: Any) -> None:
        for chain in settings.CHAINS:
            if (Path(folder) / EARLIER).exists() and hand_over(Path(folder), chain):
                self.stdout.write(f"{chain}.json is made of {EARLIER}")


def hand_over(folder: Path, chain: str) -> bool:
    """Write a network's own file out of the one of all networks, which stays; False when it has one already.

    Raises: CommandError when it has none and the one of all networks does not hold its part.
    """
    if (folder / f"{chain}.json").exists():
        return False
    try:
        fact = json.loads((folder / EARLIER).read_text(encoding="utf-8"))[chain]
    except (ValueError, KeyError, TypeError):
        # Neither the text nor the cause is shown: both may hold a key.
        raise CommandError(
            f"{folder / EARLIER} holds no part for {chain}, and {chain}.json is not there. Put one of them right."
        ) from None
    return write_key_file(folder, chain, fact)


def write_key_file(folder: Path, chain: str, fact: dict[str, str]) -> bool:
    """Write NETWORK.json (0600), complete or not at all, and of two at once only the first; False when it is there."""
    path = folder / f"{chain}.json"
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({chain: fact}, file)
    try:
        os.link(draft, path)  # unlike a rename this refuses to replace
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
