"""The arithmetic of a quote: from either side's amount to the full breakdown, exactly, rounded once for the house.

Source of the rules: docs/ARCHITECTURE.md, "Prices". The give side is rounded up and the get side down to the asset's
quote step; the fee is what remains, so the legs of the exchange entry always sum to zero.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from core.models import Asset
from core.money import Money, minor_factor, round_rate
from ticker.models import Pair

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What one pair costs now: `rate` in send asset per get asset (spread included), fee in basis points of the gross."""

    pair: Pair
    send_asset: Asset
    get_asset: Asset
    rate: Decimal
    fee_bps: int
    network_fee: Money  # in the get asset: what the payout is expected to cost, charged to the customer
    fee_cap: Money  # in the get asset: the most it may cost us
    rate_at: datetime  # when the market said so


@dataclass(frozen=True, slots=True)
class Priced:
    """A breakdown: gross = send / rate = get + fee + network fee, in the get asset."""

    send: Money
    get: Money
    fee: Money


@lru_cache(maxsize=256)
def customer_rate(*, ask: Decimal, spread_bps: int) -> Decimal:
    """Add the spread to the market's ask, rounded up: customers buy at the ask."""
    return round_rate(Fraction(ask) * (BPS + spread_bps) / BPS, up=True)


def gross_of(send: Money, *, rate: Decimal, into: Asset) -> Money:
    """Return what `send` is worth in `into` at `rate` (send asset per get asset), before fees, rounded down."""
    factor = 1 / minor_factor(rate, source=into, target=send.asset)
    return send.times_floor(factor, into, step=1)


def price_send(send: Money, terms: Terms) -> Priced:
    """Price an amount to send. The get side may come out at zero or below; the caller refuses it as too small."""
    gross = gross_of(send, rate=terms.rate, into=terms.get_asset)
    nominal = Fraction(gross.minor) * (BPS - terms.fee_bps) / BPS - terms.network_fee.minor
    step = terms.get_asset.quote_step
    get = Money(int(nominal // step) * step, terms.get_asset)
    return Priced(send=send, get=get, fee=gross - get - terms.network_fee)


def price_get(get: Money, terms: Terms) -> Priced:
    """Price an amount to receive: the smallest amount to send whose gross covers get, fee and network fee."""
    needed = Fraction(get.minor + terms.network_fee.minor) * BPS / (BPS - terms.fee_bps)
    exact = needed * minor_factor(terms.rate, source=terms.get_asset, target=terms.send_asset)
    step = terms.send_asset.quote_step
    send = Money(-int(-exact // step) * step, terms.send_asset)
    return Priced(
        send=send, get=get, fee=gross_of(send, rate=terms.rate, into=terms.get_asset) - get - terms.network_fee
    )


def pro_rata(*, deposit: Money, send: Money, get: Money) -> Money:
    """Return what `deposit` buys where `send` was promised to buy `get`: the same rate, rounded down to the step.

    A deposit within one quote step of the promised amount gets exactly what was promised.
    """
    if abs(deposit.minor - send.minor) <= (send.asset.quote_step if send.asset.quote_step > 1 else 0):
        return get
    return Money(
        int(Fraction(get.minor) * deposit.minor / send.minor // get.asset.quote_step) * get.asset.quote_step, get.asset
    )
