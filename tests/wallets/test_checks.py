"""Which keys and nodes a site does not start with; a table of cases."""

import json
import secrets

import pytest
from embit.bip32 import HDKey

from wallets.checks import check_account_keys, check_key_file, check_nodes


def ids(found):
    assert all(message.hint for message in found)
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("mode", "chain", "key", "codes"),
    [
        ("live", "litecoin", "xpub6Bi", []),
        ("live", "litecoin", "zpub6Bi", []),
        ("live", "litecoin", "Ltub2Bi", []),
        ("live", "litecoin", "", []),
        ("live", "litecoin", "tpubDDS", ["wallets.E002"]),
        ("live", "litecoin", "vpub5Bi", ["wallets.E002"]),
        ("live", "ethereum", "tpubDDS", ["wallets.E002"]),
        ("live", "ethereum", "xpub6Bi", []),
        ("live", "litecoin", "xprv9Bi", ["wallets.E001"]),
        ("demo", "litecoin", "tprv8Bi", ["wallets.E001"]),
        ("demo", "litecoin", "tpubDDS", []),
        ("demo", "litecoin", "xpub6Bi", ["wallets.E003"]),
        ("demo", "litecoin", "Ltub2Bi", ["wallets.E003"]),
        ("demo", "ethereum", "xpub6Bi", []),  # Ethereum's derivation knows no networks; the demo's own key is one
    ],
)
def test_account_keys_are_public_and_of_the_network_of_the_mode(settings, mode, chain, key, codes):
    settings.SITE_MODE, settings.ACCOUNT_KEYS = mode, {chain: key}

    found = check_account_keys()

    assert ids(found) == codes
    assert not any(key in message.msg for message in found)


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("", False),
        ("https://node.example", False),
        ("http://127.0.0.1:9332", False),
        ("http://[::1]:9332", False),
        ("http://user:pass@localhost:9332", False),
        ("http://litecoin:9332", False),  # a container of the same engine
        ("http://user:pass@10.1.2.3:9332", False),
        ("http://192.168.0.7:8545", False),
        ("http://[fd00::7]:8545", False),
        ("http://user:secret@node.example:9332", True),
        ("http://8.8.8.8:8545", True),
        ("http://[2001:4860:4860::8888]:8545", True),
        ("http://node.example.:8545", True),
        ("http://", True),
        ("HTTP://node.example", True),
        ("ws://node.example", True),
    ],
)
def test_a_live_site_speaks_with_no_distant_node_in_clear_text(settings, url, refused):
    settings.SITE_MODE, settings.CHAIN_RPC_URLS = "live", {"litecoin": url}

    found = check_nodes()

    assert ids(found) == (["wallets.E004"] if refused else [])
    assert not any("secret" in message.msg for message in found)


def test_a_demo_may_have_its_nodes_anywhere(settings):
    settings.SITE_MODE, settings.CHAIN_RPC_URLS = "demo", {"litecoin": "http://node.example"}

    assert check_nodes() == []


def account(seed):
    """The private and the public key of an account, as texts."""
    private = HDKey.from_seed(seed).derive("m/84h/1h/0h")
    return private.to_base58(), private.to_public().to_base58()


MINE, OTHERS = account(b"1" * 32), account(b"2" * 32)


@pytest.mark.parametrize(
    ("role", "name", "held", "public", "said"),
    [
        ("", "litecoin.json", {"litecoin": MINE[0]}, MINE[1], ""),
        ("signer_litecoin", "key", {"litecoin": MINE[0]}, MINE[1], ""),
        ("", "litecoin.json", {"litecoin": MINE[0]}, "", ""),  # without one no order is opened at all
        ("", "litecoin.json", None, MINE[1], "No such file"),  # as a server of before has only keys.json
        ("", "litecoin.json", "{", MINE[1], "no JSON"),
        ("", "litecoin.json", {}, MINE[1], "no account_private of litecoin"),
        ("", "litecoin.json", {"litecoin": MINE[0], "ethereum": OTHERS[0]}, MINE[1], "also holds keys of ethereum"),
        ("", "litecoin.json", {"litecoin": OTHERS[0]}, MINE[1], "another account than LITECOIN_ACCOUNT_KEY"),
        ("", "litecoin.json", {"litecoin": "xprv1"}, MINE[1], "no extended key"),
        ("signer_litecoin", "", None, MINE[1], "no KEY_FILE"),
        ("worker", "", None, MINE[1], ""),
    ],
)
def test_who_signs_has_the_key_of_the_account(settings, tmp_path, role, name, held, public, said):
    """A worker without its key took coins in, called itself well, and signed nothing."""
    path = tmp_path / secrets.token_hex(4) / name if name else None
    settings.DB_ROLE, settings.KEY_FILE = role, str(path or "")
    settings.ACCOUNT_KEYS = {"litecoin": public, "ethereum": ""}
    if path and held is not None:
        path.parent.mkdir()
        facts = held if isinstance(held, str) else {chain: {"account_private": key} for chain, key in held.items()}
        path.write_text(facts if isinstance(facts, str) else json.dumps(facts))

    found = check_key_file()

    assert ids(found) == (["wallets.E007"] if said else [])
    assert said in "".join(message.msg for message in found)
    assert not any(key in f"{message.msg}{message.hint}" for message in found for key in (MINE[0], OTHERS[0], "xprv1"))
