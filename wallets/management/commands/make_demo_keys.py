"""Make the demo's keys, once: a private one for each network's signer, public account keys for everybody else."""

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

from wallets.management.commands.divide_keys import EARLIER, hand_over, write_key_file

# BIP-84 and BIP-44 accounts; coin type 1 is every test network's, 60 is Ethereum's. The versions make them tprv and xprv.
ACCOUNTS = {"litecoin": ("m/84h/1h/0h", "test"), "ethereum": ("m/44h/60h/0h", "main")}


class Command(BaseCommand):
    help = "Write NETWORK.json (private, 0600) for each network once, and public.env beside. Demo only; existing keys stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", default=str(settings.VAR_DIR / "keys"))

    def handle(self, *args: Any, folder: str, **options: Any) -> None:
        if settings.SITE_MODE != "demo":
            raise CommandError("SITE_MODE is live: keys of a main network are never made by this command.")
        target = Path(folder)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = [chain for chain in ACCOUNTS if _make_private(target, chain)]
        _write_public(target)
        self.stdout.write(f"made keys in {target}" if made else f"keys are in {target} already")


def _make_private(folder: Path, chain: str) -> bool:
    """Write a network's private key unless its file is there; one file of all networks' keys hands its part over."""
    if (folder / EARLIER).exists():
        return hand_over(folder, chain)
    where, name = ACCOUNTS[chain]
    root = HDKey.from_seed(secrets.token_bytes(32), version=NETWORKS[name]["xprv"])
    fact = {"account_private": root.derive(where).to_base58(), "path": where.removeprefix("m/")}
    return write_key_file(folder, chain, fact)


def _write_public(folder: Path) -> None:
    """Derive public.env from the private files, whoever made those: the two can never belong to different seeds."""
    lines = []
    for chain in ACCOUNTS:
        fact = json.loads((folder / f"{chain}.json").read_text(encoding="utf-8"))[chain]
        key = HDKey.from_string(fact["account_private"]).to_public()
        lines.append(f"{chain.upper()}_ACCOUNT_KEY={key.to_base58()}\n")
    draft = folder / f".public.env.{os.getpid()}"
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(folder / "public.env")
