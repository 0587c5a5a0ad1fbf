"""The words of the order page: what a state means for the customer and what happens next. Display only; no decisions."""

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders import policy, states, trouble
from orders.reads import DepositView, OrderView
from orders.trouble import find_trouble
from wallets import states as wallet_states
from wallets.chains.networks import find_network

_NETWORKS: dict[str, Promise] = {
    "bitcoin": gettext_lazy("Bitcoin network"),
    "litecoin": gettext_lazy("Litecoin network"),
    "dogecoin": gettext_lazy("Dogecoin network"),
    "ethereum": gettext_lazy("Ethereum network"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A heading, what it means, and how it looks: "wait", "act", "good" or "over"."""

    title: str
    text: str
    tone: str


def network_name(network: str) -> str:
    """Name a network in words."""
    return str(_NETWORKS.get(network, network))


def payout_state(state: str) -> str:
    """Say where a payment of ours is."""
    words = {
        wallet_states.REQUESTED: _("being prepared"),
        wallet_states.SIGNED: _("signed, about to be sent"),
        wallet_states.BROADCAST: _("sent, waiting for confirmations"),
        wallet_states.CONFIRMED: _("confirmed"),
        wallet_states.IN_DOUBT: _("being checked by our team"),
        wallet_states.REJECTED: _("stopped before sending"),
        wallet_states.REVERTED: _("failed on the chain"),
    }
    return words.get(state, state)


def deposit_state(deposit: DepositView) -> str:
    """Say where a deposit of the customer's is."""
    if deposit.state == wallet_states.REMOVED:
        return _("no longer in the chain")
    if deposit.choice and deposit.choice.open:
        return _("refund requested")
    words = {
        wallet_states.CREDIT: _("exchanged"),
        wallet_states.WAITING: _("waiting for your decision"),
        wallet_states.REFUND: _("sent back to you"),
        wallet_states.DUST: _("too small to use or to send back"),
    }
    if deposit.disposition in words:
        return words[deposit.disposition]
    return _("confirmed") if deposit.state == wallet_states.CONFIRMED else _("confirming")


def why_waiting(reason: str) -> str:
    """Say why a deposit was not simply exchanged."""
    words = {
        states.PAID_LATE: _("It came after the payment time, when the agreed rate was no longer held."),
        states.UNDERPAID: _("It is smaller than the agreed amount."),
        states.OVERPAID: _("It is larger than the agreed amount."),
        states.SECOND: _("This order already had its deposit; this is another one."),
        "credited": _(
            "Your payout has not gone yet; that is our fault. You can go on waiting, or have your deposit back."
        ),
    }
    return words.get(reason, _("It needs a decision."))


# What keeps a payment of ours, a payout or a refund, from moving.
_HELD: dict[str, tuple[Promise, Promise]] = {
    trouble.CEILING: (
        gettext_lazy("Our payment to you waits for an approval"),
        gettext_lazy("It is more than leaves our wallet without a person looking at it. Nothing is wrong with it."),
    ),
    trouble.LANE: (
        gettext_lazy("Our payment to you waits behind an earlier one"),
        gettext_lazy("Payments on this network leave one after another; the network has not taken an earlier one yet."),
    ),
    trouble.STOPPED: (
        gettext_lazy("Payments are stopped for a check"),
        gettext_lazy("We stop all payments while something has to be looked at. Yours goes as soon as that is done."),
    ),
    trouble.FUNDING: (
        gettext_lazy("Your deposit is being confirmed again"),
        gettext_lazy("The network changed its latest blocks. Our payment goes once your deposit is confirmed again."),
    ),
    trouble.NETWORK: (
        gettext_lazy("A network cannot be reached at the moment"),
        gettext_lazy("Our connection to it is interrupted. Our payment goes by itself as soon as it is back."),
    ),
    trouble.FEE: (
        gettext_lazy("The network is very busy"),
        gettext_lazy("Its fees are far higher than usual. Our payment goes by itself as soon as they fall."),
    ),
    trouble.COINS: (
        gettext_lazy("Waiting for our reserve"),
        gettext_lazy("Our payment goes as soon as our wallet has been filled up."),
    ),
    trouble.LOST: (
        gettext_lazy("The network took your deposit back"),
        gettext_lazy(
            "It changed its latest blocks. The deposit usually comes back by itself; our team is looking as well."
        ),
    ),
    trouble.REFUND_COINS: (
        gettext_lazy("Your refund waits for coins of ours"),
        gettext_lazy("It is sent by itself as soon as they are there; our team has been told."),
    ),
}


def _held(view: OrderView) -> Notice | None:
    """Say what keeps the order from going on when that is none of its customer's doing."""
    found = find_trouble(view)
    if found is None or found.what not in _HELD or view.state == states.EXCHANGING:
        return None
    title, text = (str(words) for words in _HELD[found.what])
    if view.state == states.PAYING and view.next_actor == states.CUSTOMER:
        offer = _("You can go on waiting, or have your deposit back in full below.")
        return Notice(title, f"{text} {offer}", "act")
    return Notice(title, text, "wait")


def what_then(code: str) -> str:
    """Say what happens when a waiting order's time is over."""
    words = {
        trouble.REFUND: _("If it has not gone by then, you can have your deposit back in full."),
        trouble.OUR_TEAM: _("After that our team takes care of it."),
    }
    return words.get(code, "")


def describe(view: OrderView) -> Notice:
    """Say what an order's state means to its customer and what happens next."""
    held = _held(view)
    if held is not None:
        return held
    if view.next_actor == states.OPERATOR and view.hold_reason != states.LIQUIDITY:
        return Notice(
            _("Our team is looking at this order"),
            _("Nothing is lost. You do not need to do anything; this page shows the outcome."),
            "wait",
        )
    asked = [deposit for deposit in view.deposits if deposit.choice and deposit.choice.open]
    waiting = any(d.disposition == wallet_states.WAITING for d in view.deposits if d not in asked)
    if asked and not waiting and view.state not in (states.PAYING, states.SENT):
        return _refunding(view)
    if waiting and view.state == states.CONFIRMING:
        return Notice(
            _("Your deposit is here and needs your decision"),
            _("It is safe. Choose below what should happen with it."),
            "act",
        )
    notice = _BY_STATE[view.state](view)
    if waiting:
        return replace(notice, text=f"{notice.text} {_('Another deposit waits for your decision below.')}")
    return notice


def _awaiting(view: OrderView) -> Notice:
    return Notice(
        _("Send exactly %(amount)s") % {"amount": view.send},
        _(
            "If we see your payment in time, sent with an ordinary network fee, the rate is yours: the network then has "
            "%(minutes)s minutes to put it into a block."
        )
        % {"minutes": policy.minutes(find_network(view.send.asset.network).first_confirmation)},
        "act",
    )


def _confirming(_view: OrderView) -> Notice:
    return Notice(
        _("We see your deposit"),
        _("The network is confirming it. You can close this page: the exchange continues without it."),
        "wait",
    )


def _exchanging(view: OrderView) -> Notice:
    if view.hold_reason == states.ADDRESS:
        return Notice(
            _("Where should we send your %(asset)s?") % {"asset": view.get.asset.code},
            _("Your deposit is confirmed. Give the payout address below and we send at once."),
            "act",
        )
    if view.hold_reason == states.LIQUIDITY and view.next_actor == states.CUSTOMER:
        return Notice(
            _("We could not fill our reserve in time"),
            _(
                "We are sorry. Your rate stays fixed while you wait; below you can have your deposit back in full instead."
            ),
            "act",
        )
    if view.hold_reason == states.LIQUIDITY:
        return Notice(
            _("Waiting for our reserve"),
            _("Your deposit is confirmed and your rate is fixed. We send as soon as our wallet has been filled up."),
            "wait",
        )
    return Notice(_("Exchanging"), _("Your deposit is confirmed. We are preparing your payout."), "wait")


def _paying(view: OrderView) -> Notice:
    return Notice(_("Paying out"), _("We are sending %(amount)s to you.") % {"amount": received(view)}, "wait")


def _sent(view: OrderView) -> Notice:
    return Notice(
        _("Sent"),
        _("%(amount)s is on its way; the network is confirming it.") % {"amount": received(view)},
        "good",
    )


def _completed(view: OrderView) -> Notice:
    return Notice(_("Done"), _("%(amount)s has arrived at your address.") % {"amount": received(view)}, "good")


def _expired(_view: OrderView) -> Notice:
    return Notice(
        _("The payment time is over"),
        _(
            "If you have not paid, do nothing; make a new order when you like. If you have paid, your payment will "
            "appear here and you can have it back."
        ),
        "over",
    )


def _refunding(_view: OrderView) -> Notice:
    return Notice(
        _("Your refund is on its way"), _("We are sending your deposit back to the address you gave."), "wait"
    )


def _refund_failed(_view: OrderView) -> Notice:
    return Notice(
        _("The refund could not be sent"),
        _("Your money is still here. Our team finds out why and sends it again."),
        "wait",
    )


def _refunded(_view: OrderView) -> Notice:
    return Notice(_("Refunded"), _("Your deposit was sent back, less the network fee."), "good")


_BY_STATE = {
    states.AWAITING_DEPOSIT: _awaiting,
    states.CONFIRMING: _confirming,
    states.EXCHANGING: _exchanging,
    states.PAYING: _paying,
    states.SENT: _sent,
    states.COMPLETED: _completed,
    states.EXPIRED: _expired,
    states.REFUNDING: _refunding,
    states.REFUND_FAILED: _refund_failed,
    states.REFUNDED: _refunded,
}


def received(view: OrderView) -> str:
    """Return what the customer receives: what was executed, or what was promised until then."""
    return str(view.get if view.credited_get is None else view.credited_get)
