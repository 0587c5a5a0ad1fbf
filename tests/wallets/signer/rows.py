"""Payouts, attempts and coins as rows alone, for rules of the signer that read nothing else."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from embit.transaction import Transaction, TransactionInput, TransactionOutput

from core.assets import get_asset
from wallets import states
from wallets.addresses import house_address
from wallets.chains.signing import build_and_sign_evm, script_of
from wallets.models import Attempt, Coin, CoinHold, Payout

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = b"\x07" * 32
LTC_TARGET = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"
ETH_TARGET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
_numbers = itertools.count(1)
Outpoint = tuple[str, int]


def txid_of(name: str) -> str:
    """Return an id of 64 characters that a person can tell from others: its name, repeated."""
    return (name.encode().hex() * 64)[:64]


def make_payout(chain: str = "litecoin", *, state: str = states.SIGNED, **fields: Any) -> Payout:
    """Write a payout of 1000 units with a cap of 500, unless told otherwise."""
    amount, cap = fields.pop("amount_minor", 1000), fields.pop("fee_cap_minor", 500)
    defaults = {
        "purpose": f"order:O{next(_numbers)}:settle",
        "chain": chain,
        "asset": get_asset("ETH" if chain == "ethereum" else "LTC"),
        "owner_ref": "O1",
        "address": ETH_TARGET if chain == "ethereum" else LTC_TARGET,
        "amount_minor": amount,
        "fee_cap_minor": cap,
        "reserved_minor": amount + cap,
        "state": state,
        "requested_at": NOW,
    }
    return Payout.objects.create(**(defaults | fields))


def raw_spending(*inputs: Outpoint, pays: int = 1000) -> tuple[str, str]:
    """Return the bytes and the id of an unsigned transaction that spends these outputs."""
    vin = [TransactionInput(bytes.fromhex(txid), vout) for txid, vout in inputs]
    tx = Transaction(vin=vin, vout=[TransactionOutput(pays, script_of(LTC_TARGET))])
    return tx.serialize().hex(), tx.txid().hex()


def raw_numbered(nonce: int, *, max_fee: int = 10, priority: int = 1, gas: int = 21_000) -> tuple[str, str]:
    """Return the bytes and the id of a signed payment with a nonce."""
    return build_and_sign_evm(31337, nonce, ETH_TARGET, 1000, gas, max_fee, priority, KEY)


def make_attempt(payout: Payout, made: tuple[str, str], n: int = 1, **fields: Any) -> Attempt:
    """Write an attempt with these bytes."""
    raw, txid = made
    defaults = {"fee_minor": 100, "rate_minor": 1, "signed_at": NOW, "next_send_at": NOW}
    return Attempt.objects.create(payout=payout, n=n, chain=payout.chain, txid=txid, raw=raw, **(defaults | fields))


def make_coin(name: str, minor: int = 2000, *, vout: int = 0, **fields: Any) -> Coin:
    """Write a coin of the house's own that is free to spend, unless told otherwise; its id is its name. Wants account keys."""
    fields.setdefault("txid", txid_of(name))
    fields.setdefault("chain", "litecoin")
    return Coin.objects.create(vout=vout, amount_minor=minor, address=house_address(chain="litecoin", at=NOW), **fields)


def hold(payout: Payout, coins: Sequence[Coin], *, chain: str = "litecoin") -> None:
    """Let a payout hold coins."""
    for coin in coins:
        CoinHold.objects.create(chain=chain, txid=coin.txid, vout=coin.vout, payout=payout)
