"""Make the demo's keys, once: private ones for the worker, public account keys for everybody else."""

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from embit.bip32 import HDKey
from embit.networks import NETWORKS

# BIP-84 and BIP-44 accounts; coin type 1 is every test network's, 60 is Ethereum's. The versions make them tprv and xprv.
ACCOUNTS = {"litecoin": ("m/84h/1h/0h", "test"), "ethereum": ("m/44h/60h/0h", "main")}


class Command(BaseCommand):
    help = "Write keys.json (private, 0600) once and public.env beside it. Demo only; existing keys are never replaced."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", default=str(settings.VAR_DIR / "keys"))

    def handle(self, *args: Any, folder: str, **options: Any) -> None:
        if settings.SITE_MODE != "demo":
            raise CommandError("SITE_MODE is live: keys of a main network are never made by this command.")
        target = Path(folder)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = _make_private(target / "keys.json")
        _write_public(target)
        self.stdout.write(f"made keys in {target}" if made else f"keys are in {target} already")


def _make_private(path: Path) -> bool:
    """Write the private keys unless the file is there; complete or not at all, and of two at once only the first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    root = secrets.token_bytes(32)
    facts = {
        chain: {
            "account_private": HDKey.from_seed(root, version=NETWORKS[name]["xprv"]).derive(where).to_base58(),
            "path": where.removeprefix("m/"),
        }
        for chain, (where, name) in ACCOUNTS.items()
    }
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(facts, file)
    try:
        os.link(draft, path)  # unlike a rename this refuses to replace
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _write_public(folder: Path) -> None:
    """Derive public.env from the private file, whoever made that: the two can never belong to different seeds."""
    facts = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    keys = {chain: HDKey.from_string(fact["account_private"]).to_public() for chain, fact in facts.items()}
    lines = [f"{chain.upper()}_ACCOUNT_KEY={key.to_base58()}\n" for chain, key in keys.items()]
    draft = folder / f".public.env.{os.getpid()}"
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(folder / "public.env")
