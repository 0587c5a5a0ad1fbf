"""Between which amounts a pair can be exchanged right now: the assets' own bounds and what the reserves can pay."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.money import Money
from orders.pricing import Terms, customer_rate, price_get, price_send
from orders.reserves import Reserve, get_reserves
from ticker.catalogue import get_catalogue
from ticker.models import Pair


class PairUnknown(DomainError):
    code = "pair_unknown"
    message = _("There is no pair “%(pair)s”.")
    field = "pair"


class PairDisabled(DomainError):
    code = "pair_disabled"
    message = _("The pair %(pair)s cannot be exchanged at the moment.")
    field = "pair"


class LiquidityShort(DomainError):
    code = "liquidity_short"
    message = _("Our %(asset)s reserve does not cover this amount right now. Try a smaller amount or come back later.")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of both sides, inclusive. When `max_get` is below `min_get`, nothing can be exchanged at the moment."""

    min_send: Money
    max_send: Money
    min_get: Money
    max_get: Money

    @property
    def closed(self) -> bool:
        return self.max_get < self.min_get


def find_pair(name: str) -> Pair:
    """Return the pair of this name, upper or lower case. Raises: PairUnknown, PairDisabled."""
    pair = get_catalogue().pairs.get(str(name).upper())
    if pair is None:
        raise PairUnknown(pair=str(name)[:24])
    if not pair.enabled:
        raise PairDisabled(pair=pair.name)
    return pair


def get_terms(*, pair: Pair, at: datetime) -> tuple[Terms, Reserve]:
    """Return today's terms of a pair and the reserve that would pay it. Raises: RateUnavailable, LiquidityShort."""
    rate = get_catalogue().rate(pair.base_id, pair.quote_id, at)
    reserve = get_reserves().get(pair.base_id)
    if reserve is None:
        raise PairDisabled(pair=pair.name)
    terms = Terms(
        pair=pair,
        send_asset=pair.quote,
        get_asset=pair.base,
        rate=customer_rate(ask=rate.ask, spread_bps=pair.spread_bps),
        fee_bps=pair.fee_bps,
        network_fee=reserve.network_fee,
        fee_cap=reserve.fee_cap,
        rate_at=rate.at,
    )
    return terms, reserve


def payable_minor(pair: Pair, reserve: Reserve) -> int:
    """Return the most that one more order of `pair` may promise to pay, fee cap left out, in minor units; pure.

    Bounded by the reserve and by what unpaid orders of the pair may hold together (Pair.unfunded_cap_minor).
    """
    if reserve.paused:
        return 0
    payable = reserve.available.minor - reserve.fee_cap.minor
    if pair.unfunded_cap_minor is not None:
        payable = min(payable, pair.unfunded_cap_minor - reserve.unfunded.minor - reserve.fee_cap.minor)
    return max(payable, 0)


_kept: dict[str, tuple[Terms, Reserve, Limits]] = {}


def limits_of(terms: Terms, reserve: Reserve) -> Limits:
    """Return the bounds that follow from terms and reserve; worked out once while both stay the same objects' facts."""
    name = terms.get_asset.code + terms.send_asset.code
    kept = _kept.get(name)
    # Reserve and pair are new objects with every snapshot: the same ones and the same rate have the same bounds.
    if kept and kept[1] is reserve and kept[0].pair is terms.pair and kept[0].rate == terms.rate:
        return kept[2]
    limits = _work_out(terms, reserve)
    _kept[name] = (terms, reserve, limits)
    return limits


def _work_out(terms: Terms, reserve: Reserve) -> Limits:
    send_asset, get_asset = terms.send_asset, terms.get_asset
    floor_get = Money(_up(max(get_asset.minimum_minor, get_asset.quote_step), get_asset.quote_step), get_asset)
    from_get = price_get(floor_get, terms).send
    min_send = max(Money(_up(send_asset.minimum_minor, send_asset.quote_step), send_asset), from_get, key=_minor)
    min_get = max(price_send(min_send, terms).get, floor_get, key=_minor)
    ceiling = min(payable_minor(terms.pair, reserve), get_asset.maximum_minor)
    by_reserve = Money(ceiling // get_asset.quote_step * get_asset.quote_step, get_asset)
    own_max = Money(send_asset.maximum_minor // send_asset.quote_step * send_asset.quote_step, send_asset)
    max_get = min(by_reserve, price_send(own_max, terms).get, key=_minor)
    max_send = min(own_max, price_get(max_get, terms).send, key=_minor) if max_get.minor else Money(0, send_asset)
    return Limits(min_send=min_send, max_send=max_send, min_get=min_get, max_get=max_get)


def get_limits(*, pair: str, at: datetime) -> Limits:
    """Return the bounds of a pair now. Raises: PairUnknown, PairDisabled, RateUnavailable."""
    return limits_of(*get_terms(pair=find_pair(pair), at=at))


def _minor(money: Money) -> int:
    return money.minor


def _up(minor: int, step: int) -> int:
    return -(-minor // step) * step
