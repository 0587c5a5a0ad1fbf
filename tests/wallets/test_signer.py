"""wallets.signer.keys and the size of what it signs: no fee over the cap, no missing key unnoticed, no size understated."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import LazySettings
from embit.bip32 import HDKey

from wallets.addresses import derive, house_text
from wallets.chains.signing import build_and_sign_utxo
from wallets.chains.sizes import size_vb
from wallets.models import Address, Coin
from wallets.signer.keys import SignerRefused, sign_coins

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
# A pay-to-witness-script-hash address: the largest output that a customer may ask for (BIP-173's test vector, re-encoded).
P2WSH = "rltc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q22ldvf"


@pytest.fixture
def account(settings: LazySettings, tmp_path: Path) -> HDKey:
    account = HDKey.from_seed(secrets.token_bytes(32)).derive("m/84h/1h/0h")
    settings.ACCOUNT_KEYS = {"litecoin": account.to_public().to_base58()}
    keys = tmp_path / "keys.json"
    keys.write_text(f'{{"litecoin": {{"account_private": "{account.to_base58()}", "path": ""}}}}', encoding="utf-8")
    settings.KEY_FILE = str(keys)
    return account


def coin(minor: int) -> Coin:
    address = Address(chain="litecoin", branch=0, index=0, address="")
    return Coin(chain="litecoin", txid="11" * 32, vout=0, amount_minor=minor, address=address)


def sign(minor: int, fee: int, cap: int, address: str):
    return sign_coins(
        chain="litecoin", coins=[coin(minor)], address=address, amount_minor=10**7, fee_minor=fee, fee_cap_minor=cap
    )


def test_refuses_a_fee_over_the_cap(account):
    target = derive(chain="litecoin", branch=0, index=7)
    assert sign(10**8, 2000, 2000, target).fee_minor == 2000
    with pytest.raises(SignerRefused, match="over the cap"):
        sign(10**8, 2001, 2000, target)


def test_refuses_to_pay_the_house_itself(account):
    with pytest.raises(SignerRefused, match="own address"):
        sign(10**8, 2000, 2000, house_text("litecoin"))


def test_refuses_coins_that_do_not_cover_amount_and_fee(account):
    with pytest.raises(SignerRefused, match="do not cover"):
        sign(10**7 + 1999, 2000, 2000, derive(chain="litecoin", branch=0, index=7))


def test_leaves_change_that_is_not_worth_an_output_to_the_fee_within_the_cap(account):
    target = derive(chain="litecoin", branch=0, index=7)
    signed = sign(10**7 + 3000, 2000, 5000, target)
    assert (signed.change_minor, signed.fee_minor) == (0, 3000)
    with pytest.raises(SignerRefused, match="over the cap"):
        sign(10**7 + 3000, 2000, 2500, target)


def test_says_when_the_key_file_is_missing(account, settings: LazySettings, tmp_path: Path):
    settings.KEY_FILE = str(tmp_path / "nowhere.json")
    with pytest.raises(SignerRefused, match="key file"):
        sign(10**8, 2000, 2000, derive(chain="litecoin", branch=0, index=7))


@pytest.mark.parametrize("inputs", [1, 2, 5, 20])
def test_never_understates_the_size(account, inputs: int):
    target = P2WSH
    house = house_text("litecoin")
    coins = [(f"{number:064x}", 0, 10**8, 0, number) for number in range(inputs)]
    _raw, _txid, vsize = build_and_sign_utxo(coins, [(target, 10**7), (house, 10**7)], account.to_base58())
    assert vsize <= size_vb(inputs, 2) <= vsize + 10 * inputs + 20
