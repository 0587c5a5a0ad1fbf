"""Which keys and nodes a site does not start with; a table of cases."""

import pytest

from wallets.checks import check_account_keys, check_nodes


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
