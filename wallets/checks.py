"""Which account keys and nodes a site refuses: a main network's on a demo, play keys on a live one, nodes in clear text."""

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from core.database_roles import SIGNER, chain_of
from wallets.signer.keys import SignerRefused, check_keys

# Prefixes of extended public keys (SLIP-132, and Litecoin's own): what a wallet shows of a main and of a test network.
MAIN_KEYS = ("xpub", "ypub", "zpub", "Ltub", "Mtub")
TEST_KEYS = ("tpub", "upub", "vpub", "ttub")
PRIVATE_KEYS = ("xprv", "yprv", "zprv", "Ltpv", "Mtpv", "tprv", "uprv", "vprv", "ttpv")


@register()
def check_account_keys(**_: Any) -> list[CheckMessage]:
    """Each account key is public and of the network that SITE_MODE speaks of.

    Ethereum's keys say nothing of a network, and its demo uses `xpub`: there only a live site is particular.
    """
    found: list[CheckMessage] = []
    for chain, key in settings.ACCOUNT_KEYS.items():
        name = f"{chain.upper()}_ACCOUNT_KEY"
        if key.startswith(PRIVATE_KEYS):
            found.append(
                Error(
                    f"{name} is a private key: whoever reads it has the coins.",
                    hint="Set the extended public key of the account there, make a new account and move the coins to it.",
                    id="wallets.E001",
                )
            )
        elif settings.SITE_MODE == "live" and key.startswith(TEST_KEYS):
            found.append(
                Error(
                    f"SITE_MODE is live, but {name} is of a test network ({key[:4]}).",
                    hint="Set the extended public key of the main network's account (xpub).",
                    id="wallets.E002",
                )
            )
        elif settings.SITE_MODE == "demo" and chain != "ethereum" and key.startswith(MAIN_KEYS):
            found.append(
                Error(
                    f"SITE_MODE is demo, but {name} is of a main network ({key[:4]}).",
                    hint="Set the key of a test network's account (tpub), or SITE_MODE=live.",
                    id="wallets.E003",
                )
            )
    return found


@register()
def check_ceilings(**_: Any) -> list[CheckMessage]:
    """A signer knows its network's ceilings: on a live site somebody has to have thought of them."""
    return [
        Error(
            f"{chain.upper()}_CEILING_{name.upper()} is {most!r}, no amount of coins.",
            hint="Set in whole coins what this signer may let go by itself; docs/SECURITY.md says how to choose.",
            id="wallets.E005",
        )
        for chain in _signed_for()
        for name, most in settings.CEILINGS[chain].items()
        if not re.fullmatch(r"\d{1,12}(\.\d{1,18})?", most)
    ]


def _signed_for() -> list[str]:
    """Return the networks that this process signs for: a signer's own, else what its key file is named after."""
    if settings.DB_ROLE.startswith(SIGNER):
        return [chain_of(settings.DB_ROLE)]
    return [chain for chain in settings.CEILINGS if settings.KEY_FILE and chain in Path(settings.KEY_FILE).name]


@register()
def check_key_file(**_: Any) -> list[CheckMessage]:
    """The key file is there, of this network alone, and of the account that deposit addresses come from.

    Else everything would look well, coins be taken in, and no payout ever be signed.
    """
    found: list[CheckMessage] = []
    for chain in _signed_for():
        try:
            check_keys(chain)
        except SignerRefused as refusal:
            found.append(
                Error(
                    f"No payout of {chain} could be signed: {refusal}.",
                    hint=f"Put its private key there, in a file of its own; readme_wercker.md says how ({settings.KEY_FILE}).",
                    id="wallets.E007",
                )
            )
    return found


@register()
def check_keys_stay_with_signers(**_: Any) -> list[CheckMessage]:
    """On a served site no process but a signer is given a key file."""
    if not settings.KEY_FILE or not settings.DB_ROLE or settings.DB_ROLE.startswith(SIGNER):
        return []
    return [
        Error(
            f"KEY_FILE is set for {settings.DB_ROLE}: private keys belong to a network's signer alone.",
            hint="Take KEY_FILE away here; a worker reaches its signer by SIGNER_SOCKET.",
            id="wallets.E006",
        )
    ]


@register()
def check_nodes(**_: Any) -> list[CheckMessage]:
    """A live site speaks in clear text with nodes of this machine, of its containers and of private networks alone."""
    if settings.SITE_MODE != "live":
        return []
    return [
        Error(
            f"{chain.upper()}_RPC_URL is http:// to {_host(url)}: anybody on the way reads its password and answers for it.",
            hint="Use https://, or reach the node by a private address (a tunnel, a VPN) or as a container of the same engine.",
            id="wallets.E004",
        )
        for chain, url in settings.CHAIN_RPC_URLS.items()
        if url and urlsplit(url).scheme != "https" and not _is_near(_host(url))
    ]


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_near(host: str) -> bool:
    """Say whether a host is this machine, a private address, or a name without dots, which only an engine resolves."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and "." not in host
    return address.is_loopback or address.is_private or address.is_link_local
