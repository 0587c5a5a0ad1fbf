"""What an order waits for when it does not go on by itself: a code, since when, until when, and what happens then; pure."""

from dataclasses import dataclass
from datetime import datetime

from orders import policy, states
from orders.reads import OrderView, PayoutView
from wallets import states as wallet_states

# What keeps a payout of ours from moving, by the code in Payout.problem. Whatever else stands there is our team's to solve.
CEILING, LANE, STOPPED, FUNDING, NETWORK, FEE, COINS = (
    "approval",
    "earlier_payment",
    "payouts_stopped",
    "deposit_unconfirmed",
    "network_unreachable",
    "network_fee",
    "our_coins",
)
_PAYOUT = {
    "ceiling": CEILING,
    "above_price": CEILING,
    "behind_in_lane": LANE,
    "lane_over_cap": LANE,
    "lane_ceiling": LANE,
    "waits_for_parent": LANE,
    "nonce_ahead": LANE,
    "chain_too_long": LANE,
    "frozen": STOPPED,
    "funding_unconfirmed": FUNDING,
    "funding_chain_unread": NETWORK,
    "node_silent": NETWORK,
    "fee_refused": FEE,
    "fee_over_cap": FEE,
    "coins_short": COINS,
}
DECISION, ADDRESS, REFUND_COINS, LOST, TEAM = (
    "your_decision",
    "payout_address",
    "refund_coins",
    "deposit_lost",
    "our_team",
)
REFUND, OUR_TEAM, NOTHING = "free_refund", "our_team", ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`what` it waits for, `since`, `until`, and what happens `then`: a free refund is offered, our team decides, nothing."""

    what: str
    since: datetime
    until: datetime | None
    then: str


def find_trouble(view: OrderView) -> Trouble | None:
    """Return what an order waits for; None when it goes on by itself, is over, or simply waits to be paid."""
    if view.exception == states.REORG:
        return Trouble(LOST, _since(view), view.deadline, OUR_TEAM)
    found = _of_deposits(view) or _of_hold(view) or _of_payouts(view)
    if found is None and view.next_actor == states.OPERATOR:
        return Trouble(TEAM, _since(view), view.deadline, NOTHING)
    return found


def _of_deposits(view: OrderView) -> Trouble | None:
    asked = next((d.choice for d in view.deposits if d.choice and d.choice.open and d.choice.waits), None)
    if asked is not None:
        return Trouble(REFUND_COINS, asked.asked_at, view.deadline, OUR_TEAM)
    waiting = [d for d in view.deposits if d.disposition == wallet_states.WAITING and not (d.choice and d.choice.open)]
    if waiting and view.state in (states.CONFIRMING, *states.RESTING):
        return Trouble(DECISION, waiting[0].first_seen_at, waiting[0].deadline, OUR_TEAM)
    return None


def _of_hold(view: OrderView) -> Trouble | None:
    if view.state != states.EXCHANGING or view.hold_reason == states.NO_HOLD:
        return None
    if view.hold_reason == states.ADDRESS:
        return Trouble(ADDRESS, _since(view), view.deadline, OUR_TEAM)
    if view.next_actor == states.CUSTOMER:
        return Trouble(COINS, _since(view), None, NOTHING)
    return Trouble(COINS, _since(view), view.deadline, REFUND)


def _of_payouts(view: OrderView) -> Trouble | None:
    return next((_of_payout(view, payout) for payout in view.payouts if payout.problem), None)


def _of_payout(view: OrderView, payout: PayoutView) -> Trouble:
    what = _PAYOUT.get(payout.problem, TEAM)
    unsigned = payout.purpose == "settle" and payout.state == wallet_states.REQUESTED and not payout.txid
    if not unsigned or view.next_actor == states.CUSTOMER:
        return Trouble(what, payout.requested_at, None, NOTHING)
    return Trouble(what, payout.requested_at, payout.requested_at + policy.LIQUIDITY_WINDOW, REFUND)


def _since(view: OrderView) -> datetime:
    """Return when the order's last recorded step was, as far as it was read; else when its payment was seen."""
    if view.transitions:
        return view.transitions[-1].at
    return max((d.first_seen_at for d in view.deposits), default=view.created_at)
