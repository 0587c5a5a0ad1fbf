"""Published vectors: BIP-84 (its own), BIP-44 for Ethereum (the development mnemonic that every node tool knows)."""

import pytest
from embit import bip39
from embit.bip32 import HDKey
from eth_account import Account

from wallets.chains import derivation
from wallets.chains.derivation import DerivationMismatch, derive_checked, derive_key

ABANDON = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
JUNK = "test test test test test test test test test test test junk"


def account(mnemonic: str, path: str) -> HDKey:
    return HDKey.from_seed(bip39.mnemonic_to_seed(mnemonic)).derive(path)


def public(mnemonic: str, path: str) -> str:
    return account(mnemonic, path).to_public().to_base58()


@pytest.mark.parametrize(
    ("branch", "index", "address"),
    [
        (0, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
        (0, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
        (1, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
    ],
)
def test_bip84_vectors(branch, index, address) -> None:
    assert derive_checked("bitcoin", "main", public(ABANDON, "m/84h/0h/0h"), branch, index) == address


def test_litecoin_has_its_own_coin_type_and_prefix() -> None:
    first = derive_checked("litecoin", "main", public(ABANDON, "m/84h/2h/0h"), 0, 0)

    assert first == "ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh"


@pytest.mark.parametrize(
    ("index", "address"),
    [
        (0, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        (1, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        (2, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    ],
)
def test_bip44_vectors(index, address) -> None:
    assert derive_checked("ethereum", "main", public(JUNK, "m/44h/60h/0h"), 0, index) == address


def test_the_private_side_gives_the_keys_of_the_public_one() -> None:
    key = derive_key(account(JUNK, "m/44h/60h/0h").to_base58(), 0, 1)

    assert Account.from_key(key).address == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.mark.parametrize("network", ["litecoin", "ethereum"])
def test_two_derivations_that_differ_show_no_address(network, monkeypatch) -> None:
    honest = derivation.derive_again
    monkeypatch.setattr(derivation, "derive_again", lambda *place: honest(*place[:-1], place[-1] + 1))

    with pytest.raises(DerivationMismatch):
        derive_checked(network, "main", public(JUNK, "m/44h/60h/0h"), 0, 7)


def test_every_index_has_an_address_of_its_own() -> None:
    key = public(JUNK, "m/84h/1h/0h")

    assert len({derive_checked("litecoin", "regtest", key, branch, i) for branch in (0, 1) for i in range(50)}) == 100
