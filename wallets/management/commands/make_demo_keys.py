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

# BIP-84 and BIP-44 accounts; coin type 1 is every test network's, 60 is Ethereum's.
ACCOUNTS = {"litecoin": "m/84h/1h/0h", "ethereum": "m/44h/60h/0h"}


class Command(BaseCommand):
    help = "Write keys.json (private, 0600) and public.env into a folder, unless they are there. Demo only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", default=str(settings.VAR_DIR / "keys"))

    def handle(self, *args: Any, folder: str, **options: Any) -> None:
        if settings.SITE_MODE != "demo":
            raise CommandError("SITE_MODE is live: keys of a main network are never made by this command.")
        target = Path(folder)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        private, public = target / "keys.json", target / "public.env"
        if private.exists():
            self.stdout.write(f"keys are in {target} already")
            return
        root = HDKey.from_seed(secrets.token_bytes(32))
        accounts = {chain: root.derive(path) for chain, path in ACCOUNTS.items()}
        lines = [f"{chain.upper()}_ACCOUNT_KEY={key.to_public().to_base58()}\n" for chain, key in accounts.items()]
        public.write_text("".join(lines), encoding="utf-8")
        facts = {c: {"account_private": key.to_base58(), "path": ACCOUNTS[c]} for c, key in accounts.items()}
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(facts, file)
        self.stdout.write(f"made keys in {target}")
