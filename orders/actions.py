"""What an owner may do with an order: the one table, read by the page, the API and the verbs themselves; pure."""

from orders import states
from wallets import states as wallet_states

# Whether the payout address may be given, by state: "missing": while there is none; "unpaid": also another one, until
# the first deposit is seen. In every other state coins have left, or none will.
PAYOUT_ADDRESS: dict[str, str] = {
    states.AWAITING_DEPOSIT: "unpaid",
    states.CONFIRMING: "missing",
    states.EXCHANGING: "missing",
}


def may_set_payout_address(state: str, *, given: bool, paid: bool) -> bool:
    """Say whether the owner may set the payout address. `given`: there is one; `paid`: a deposit was seen."""
    rule = PAYOUT_ADDRESS.get(state, "")
    return bool(rule) and (not given or (rule == "unpaid" and not paid))


def may_set_refund_address(*, given: bool) -> bool:
    """Say whether the owner may set the refund address: once, whatever state the order is in."""
    return not given


def refund_offered(*, state: str, hold: str, next_actor: str) -> bool:
    """Say whether a credited deposit may go back, free: it waited for us until its deadline.

    For coins, before the payout was asked for; or for whatever keeps an asked one from being signed.
    """
    ours = (state == states.EXCHANGING and hold == states.LIQUIDITY) or state == states.PAYING
    return ours and next_actor == states.CUSTOMER


def may_refund(disposition: str, deposit_state: str, *, offered: bool) -> bool:
    """Say whether a payment may be sent back: it waits for that decision, or it is offered, and the chain has it.

    In every state of the order, whatever its exception: what waits belongs to its owner.
    """
    decided = disposition == wallet_states.WAITING or (offered and disposition == wallet_states.CREDIT)
    return decided and deposit_state == wallet_states.CONFIRMED
