"""The one place that touches private keys: it checks what it is asked to sign and never trusts a node's proposal.

Runs in a network's signer alone, which has that network's key file. Plain functions; nothing is sent or stored.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from embit.bip32 import HDKey

from wallets.addresses import HOUSE, house_text
from wallets.chains.coin_choice import least_change
from wallets.chains.derivation import derive_key
from wallets.chains.signing import build_and_sign_evm, build_and_sign_utxo
from wallets.models import Coin


class SignerRefused(Exception):
    """What was asked for breaks a rule (cap, change path, amounts): nothing was signed. `code` is stable."""

    def __init__(self, words: str, *, code: str = "signer_refused") -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes ready to send. `fee_minor` is the most they can cost; `change_minor` comes back at output `change_vout`."""

    raw: str
    txid: str
    fee_minor: int
    rate_minor: int
    change_minor: int = 0
    change_vout: int = 1


@lru_cache(maxsize=1)
def _keys(path: str) -> dict[str, dict[str, str]]:
    if not path:
        raise SignerRefused("no KEY_FILE: this process may not sign")
    try:
        loaded: dict[str, dict[str, str]] = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SignerRefused(f"the key file cannot be read: {error.strerror}") from error
    except ValueError:
        raise SignerRefused("the key file is no JSON") from None  # whose words would hold the key
    return loaded


def has_keys() -> bool:
    """Say whether this process has a key file."""
    return bool(settings.KEY_FILE)


def check_keys(chain: str) -> None:
    """Do nothing when this process has the key of `chain`, of that network alone and of its account. Raises: SignerRefused."""
    private = _key_of(chain)
    try:
        mine = HDKey.from_string(private).to_public()
        public = HDKey.from_string(settings.ACCOUNT_KEYS[chain]) if settings.ACCOUNT_KEYS[chain] else mine
    except Exception:  # noqa: BLE001 -- embit raises several kinds for malformed text; all mean the same here
        raise SignerRefused(f"{settings.KEY_FILE} or {chain.upper()}_ACCOUNT_KEY holds no extended key") from None
    if (mine.key.sec(), mine.chain_code) != (public.key.sec(), public.chain_code):
        raise SignerRefused(f"{settings.KEY_FILE} is of another account than {chain.upper()}_ACCOUNT_KEY")
    others = _keys(settings.KEY_FILE).keys() - {chain}
    if others:
        raise SignerRefused(f"{settings.KEY_FILE} also holds keys of {', '.join(sorted(others))}: one file per network")


def _key_of(chain: str) -> str:
    try:
        return _keys(settings.KEY_FILE)[chain]["account_private"]
    except KeyError:
        raise SignerRefused(f"the key file holds no account_private of {chain}", code="no_key") from None


def sign_coins(
    *, chain: str, coins: Sequence[Coin], address: str, amount_minor: int, fee_minor: int, fee_cap_minor: int
) -> Signed:
    """Sign a payment of coins with change to the house's own address, which is derived here, not given.

    Change below the dust limit is left to the fee, within the cap. Raises: SignerRefused.
    """
    total = sum(coin.amount_minor for coin in coins)
    change = total - amount_minor - fee_minor
    if amount_minor <= 0 or change < 0:
        raise SignerRefused(f"{len(coins)} coins of {total} do not cover {amount_minor} + {fee_minor}")
    change_address = house_text(chain)
    if address == change_address:
        raise SignerRefused("a payout to the house's own address")
    outputs = [(address, amount_minor)]
    if change >= least_change(fee_minor, len(coins)):
        outputs.append((change_address, change))
    else:
        fee_minor, change = fee_minor + change, 0
    if fee_minor > fee_cap_minor:
        raise SignerRefused(f"fee {fee_minor} over the cap {fee_cap_minor}", code="fee_over_cap")
    inputs = [(c.txid, c.vout, c.amount_minor, c.address.branch, c.address.index) for c in coins]
    private = _key_of(chain)
    raw, txid, vsize = build_and_sign_utxo(inputs, outputs, private)
    return Signed(raw, txid, fee_minor, fee_minor // vsize, change, 1)


def sign_join(*, chain: str, coins: Sequence[Coin], fee_minor: int, fee_cap_minor: int) -> Signed:
    """Sign coins together into one at the house's own address, which is derived here, not given. Raises: SignerRefused."""
    total = sum(coin.amount_minor for coin in coins)
    if len(coins) <= 1 or not 0 < fee_minor < total:
        raise SignerRefused(f"{len(coins)} coins of {total} make no larger one at a fee of {fee_minor}")
    if fee_minor > fee_cap_minor:
        raise SignerRefused(f"fee {fee_minor} over the cap {fee_cap_minor}", code="fee_over_cap")
    inputs = [(c.txid, c.vout, c.amount_minor, c.address.branch, c.address.index) for c in coins]
    raw, txid, vsize = build_and_sign_utxo(inputs, [(house_text(chain), total - fee_minor)], _key_of(chain))
    return Signed(raw, txid, fee_minor, fee_minor // vsize, total - fee_minor, 0)


def sign_nonce(
    *,
    chain: str,
    chain_id: int,
    nonce: int,
    address: str,
    amount_minor: int,
    gas: int,
    max_fee_minor: int,
    priority_minor: int,
    fee_cap_minor: int,
) -> Signed:
    """Sign a payment from the house's sender with this nonce. Raises: SignerRefused."""
    fee = gas * max_fee_minor
    if fee > fee_cap_minor or amount_minor < 0 or priority_minor > max_fee_minor:
        raise SignerRefused(f"fee {fee} over the cap {fee_cap_minor}, or nonsense")
    key = derive_key(_key_of(chain), HOUSE, 0)
    raw, txid = build_and_sign_evm(chain_id, nonce, address, amount_minor, gas, max_fee_minor, priority_minor, key)
    return Signed(raw, txid, fee, max_fee_minor)
