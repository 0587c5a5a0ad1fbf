"""May this pair be sold now, how much of it, and if not, why: the one place that answers, once per request.

`get_offer()` reads what everybody may know from memory, at most a second old; `read_offer()` answers again from the
database, under the caller's locks, when an order is opened.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.models import Asset
from core.money import Money
from orders import policy
from orders.facts import Facts, Side, get_facts, read_facts
from orders.pauses import WORDS, Pause, Reason, clock_is_off, find_pauses
from orders.pricing import Terms, customer_rate, price_get, price_send
from ticker.catalogue import get_catalogue
from ticker.models import Pair
from ticker.rates import RateUnavailable
from wallets.chains.coin_choice import most_payable
from wallets.chains.registry import has_outputs
from wallets.paying.fees import expected_fee, fee_cap


class PairUnknown(DomainError):
    code = "pair_unknown"
    message = _("There is no pair “%(pair)s”.")
    field = "pair"


class PairDisabled(DomainError):
    code = "pair_disabled"
    message = _("The pair %(pair)s cannot be exchanged at the moment.")
    field = "pair"


class PairPaused(DomainError):
    """`context["reason_code"]` is a Reason; not the customer's amount is at fault but something of ours."""

    code = "pair_paused"
    message = _("%(pair)s cannot be exchanged at the moment: %(reason)s. Please try again in some minutes.")
    field = "pair"


class LiquidityShort(DomainError):
    code = "liquidity_short"
    message = _("Our %(asset)s reserve does not cover this amount right now. Try a smaller amount or come back later.")


class ReservePromised(DomainError):
    """The coins are there, but unpaid orders of others may hold them for the moment."""

    code = "reserve_promised"
    message = _(
        "Unpaid orders of other customers hold our %(asset)s for the moment. Try a smaller amount or come back in some "
        "minutes."
    )


class CeilingReached(DomainError):
    """Larger than what a signer lets go by itself now: it would be paid only once a person has approved it."""

    code = "ceiling_reached"
    message = _(
        "We pay out at most %(most)s %(asset)s by ourselves at the moment. Try a smaller amount or come back within the hour."
    )


class TooManyOpenOrders(DomainError):
    code = "too_many_open_orders"
    message = _("You have too many open orders, or too large ones. Pay one of them or wait until it expires.")


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


@dataclass(frozen=True, slots=True)
class Offer:
    """What one pair costs now, between which amounts, and what keeps it from being sold; worked out once and handed on."""

    pair: Pair
    terms: Terms
    limits: Limits
    pauses: tuple[Pause, ...]
    room: "Room"

    @property
    def open(self) -> bool:
        return not self.pauses and not self.limits.closed

    def require_open(self) -> None:
        """Refuse a pair that cannot be sold, for its true cause.

        Raises: PairPaused, LiquidityShort, CeilingReached, ReservePromised.
        """
        self.require_unpaused()
        if self.limits.closed:
            self.room.refuse(self.limits.min_get.minor)

    def require_unpaused(self) -> None:
        """Raises: PairPaused."""
        for pause in self.pauses[:1]:
            raise PairPaused(pair=self.pair.name, reason=WORDS[pause.reason], reason_code=str(pause.reason))


@dataclass(frozen=True, slots=True)
class Room:
    """How much one more order may be promised of an asset, fee cap included, in minor units, and what bounds it.

    `coins`: what the books have and coin choice can pay; `signable`: what the signer lets go without a person, None while it
    has never said; `small` and `large`: what promises leave to a small order and to any other; `small_get`: up to which
    payout an order is small.
    """

    asset: Asset
    cap: int
    coins: int
    signable: int | None
    small: int
    large: int
    small_get: int

    @property
    def most_get(self) -> int:
        """Return the largest payout that fits, fee cap left out; 0 when none does."""
        there = self.coins if self.signable is None else min(self.coins, self.signable)
        large = min(there, self.large) - self.cap
        small = min(there, self.small) - self.cap
        return max(large, min(small, self.small_get), 0)

    def refuse(self, get_minor: int) -> None:
        """Refuse a payout that does not fit. Raises: LiquidityShort, CeilingReached, ReservePromised."""
        need = get_minor + self.cap
        if need > self.coins:
            raise LiquidityShort(asset=self.asset.code)
        if self.signable is not None and need > self.signable:
            raise CeilingReached(
                asset=self.asset.code, most=Money(max(self.signable - self.cap, 0), self.asset).format()
            )
        if need > (self.small if get_minor <= self.small_get else self.large):
            raise ReservePromised(asset=self.asset.code)


def find_pair(name: str) -> Pair:
    """Return the pair of this name, upper or lower case. Raises: PairUnknown, PairDisabled."""
    pair = get_catalogue().pairs.get(str(name).upper())
    if pair is None:
        raise PairUnknown(pair=str(name)[:24])
    if not pair.enabled:
        raise PairDisabled(pair=pair.name)
    return pair


def get_offer(name: str, *, at: datetime) -> Offer:
    """Return what `name` is offered at now, paused or not. Raises: PairUnknown, PairDisabled, RateUnavailable."""
    return offer_of(find_pair(name), get_facts(), at=at)


def offer_of(pair: Pair, facts: Facts, *, at: datetime) -> Offer:
    """Work out the offer of an enabled pair from facts.

    Raises: PairDisabled, RateUnavailable, PairPaused (a clock too wrong to tell how old a rate is).
    """
    sides = facts.sides
    if pair.base_id not in sides or pair.quote_id not in sides:
        raise PairDisabled(pair=pair.name)
    try:
        rate = get_catalogue().rate(pair.base_id, pair.quote_id, at)
    except RateUnavailable:
        if clock_is_off(facts):
            raise PairPaused(pair=pair.name, reason=WORDS[Reason.CLOCK], reason_code=str(Reason.CLOCK)) from None
        raise
    fees = _fees(sides[pair.base_id])
    terms = Terms(
        pair=pair,
        send_asset=pair.quote,
        get_asset=pair.base,
        rate=customer_rate(ask=rate.ask, spread_bps=pair.spread_bps),
        fee_bps=pair.fee_bps,
        network_fee=fees.expected,
        fee_cap=fees.cap,
        rate_at=rate.at,
    )
    room = room_of(pair, sides[pair.base_id])
    key = (pair.name, terms.rate, terms.fee_bps, room)
    limits = facts.worked_out.get(key)
    if limits is None:
        limits = facts.worked_out[key] = _bounds(terms, room)
    return Offer(pair, terms, limits, tuple(find_pauses(pair, facts, at=at)), room)


def is_sold(pair: Pair, *, at: datetime) -> bool:
    """Say whether a pair can be exchanged at this moment; from memory."""
    try:
        return pair.enabled and get_offer(pair.name, at=at).open
    except DomainError:
        return False


def get_limits(*, pair: str, at: datetime) -> Limits:
    """Return the bounds of a pair now. Raises: PairUnknown, PairDisabled, RateUnavailable."""
    return get_offer(pair, at=at).limits


def read_offer(pair: Pair, *, client_ref: str, at: datetime) -> tuple[Offer, Side]:
    """Return the offer of an enabled pair from the database, and what `client_ref` holds of its base. One statement.

    Raises: PairDisabled, RateUnavailable.
    """
    facts = read_facts(client_ref)
    offer = offer_of(pair, facts, at=at)
    return offer, facts.sides[pair.base_id]


def check_promise(offer: Offer, side: Side, *, get: Money, client_ref: str) -> None:
    """Do nothing when `get` may be promised to one more order of this client; pure.

    Raises: PairPaused, LiquidityShort, CeilingReached, ReservePromised, TooManyOpenOrders.
    """
    offer.require_unpaused()
    if side.client_count >= settings.PROMISES_PER_CLIENT:
        raise TooManyOpenOrders
    share = max(side.free + side.unfunded, 0) * policy.CLIENT_SHARE_PERCENT // 100
    # What is small may always be asked for: the count bounds it.
    small = get.minor <= offer.room.small_get
    if client_ref and not small and side.client_open + get.minor + offer.room.cap > share:
        raise TooManyOpenOrders
    offer.room.refuse(get.minor)


def room_of(pair: Pair, side: Side) -> Room:
    """Return how much of the base one more order may be promised; pure.

    A fixed rate is a free option until it is paid for: unfunded promises together may hold a share of what can be paid out
    now, by coins and by the signer's ceilings, and of one pair at most its cap; the last part of that is left to small orders.
    """
    asset = side.asset
    cap = _fees(side).cap.minor
    coins = max(side.free, 0)
    left = side.left_to_sign(pair.quote.network)
    free = side.free if left is None else min(side.free, left)
    if has_outputs(asset.network):
        rate = max(asset.fee_rate_floor_minor, side.fee_rate_minor)
        coins = min(coins, most_payable(side.coins, fee_cap_minor=cap, rate_minor=rate) + cap)
    promisable = max(free + side.unfunded, 0) * settings.PROMISED_SHARE_PERCENT // 100
    if pair.unfunded_cap_minor is not None:
        promisable = min(promisable, pair.unfunded_cap_minor)
    kept = promisable * policy.KEPT_FOR_SMALL_PERCENT // 100
    return Room(
        asset=asset,
        cap=cap,
        coins=coins,
        signable=None if left is None or side.ceilings is None else max(min(left, side.ceilings.payout), 0),
        small=promisable - side.unfunded,
        large=promisable - kept - side.unfunded,
        small_get=asset.minimum_minor * policy.SMALL_ORDER_MINIMUMS,
    )


@dataclass(frozen=True, slots=True)
class Fees:
    """What a payout of an asset is charged, as it is expected to cost, and what bounds its cost; wallets.paying.fees."""

    expected: Money
    cap: Money


def get_fees(asset: Asset) -> Fees:
    """Return the fees of `asset` now, from memory; zero for an asset that is not in use."""
    side = get_facts().sides.get(asset.code)
    return _fees(side) if side else Fees(Money(0, asset), Money(0, asset))


def read_fees(asset: Asset) -> Fees:
    """Return the fees of `asset` now, from the database: for what is decided. One statement."""
    return _fees(read_facts().sides[asset.code])


def _fees(side: Side) -> Fees:
    return Fees(expected_fee(side.asset, side.fee_rate_minor), fee_cap(side.asset, side.fee_rate_minor))


def _bounds(terms: Terms, room: Room) -> Limits:
    send_asset, get_asset = terms.send_asset, terms.get_asset
    floor_get = Money(_up(max(get_asset.minimum_minor, get_asset.quote_step), get_asset.quote_step), get_asset)
    from_get = price_get(floor_get, terms).send
    min_send = max(Money(_up(send_asset.minimum_minor, send_asset.quote_step), send_asset), from_get, key=_minor)
    min_get = _least_get(max(price_send(min_send, terms).get, floor_get, key=_minor), min_send, terms)
    ceiling = min(room.most_get, get_asset.maximum_minor)
    by_reserve = Money(ceiling // get_asset.quote_step * get_asset.quote_step, get_asset)
    own_max = Money(send_asset.maximum_minor // send_asset.quote_step * send_asset.quote_step, send_asset)
    max_get = min(by_reserve, price_send(own_max, terms).get, key=_minor)
    max_send = min(own_max, _most_send(max_get, terms), key=_minor) if max_get.minor else Money(0, send_asset)
    return Limits(min_send=min_send, max_send=max_send, min_get=min_get, max_get=max_get)


def _least_get(get: Money, min_send: Money, terms: Terms) -> Money:
    """Return `get`, or a step more when less than `min_send` would pay for it: the price was rounded down to a step."""
    return get if price_get(get, terms).send >= min_send else Money(get.minor + get.asset.quote_step, get.asset)


def _most_send(max_get: Money, terms: Terms) -> Money:
    """Return the most to send that gets no more than `max_get`: what pays for it, or a step less when that gets more."""
    send = price_get(max_get, terms).send
    over = price_send(send, terms).get > max_get
    return Money(send.minor - send.asset.quote_step, send.asset) if over else send


def _minor(money: Money) -> int:
    return money.minor


def _up(minor: int, step: int) -> int:
    return -(-minor // step) * step
