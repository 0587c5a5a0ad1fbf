"""The ticks of the exchange. Each is safe to run twice, on two machines, at once: rows are claimed, never assumed."""

from typing import Any

from celery import shared_task

from core import clock
from core.assets import list_assets
from core.database_clock import clock_is_right
from core.heartbeat import beat
from orders.choices import carry_out_choices
from orders.credit import follow_deposits
from orders.expire import escalate_overdue, expire_due_orders, offer_refunds
from orders.payout import follow_payouts, request_payouts
from orders.promises import lapse_promises
from orders.publish import publish_transitions
from wallets.tasks import pay, reconcile, scan


@shared_task
def follow_chain(*, chain: str, **_: Any) -> None:
    """Give a chain its turn: read it, hold the books against it, move its orders, pay.

    One task for all, since ticks that nobody takes in time expire: as tasks of their own those behind a slow scan
    would expire at every tick, and with a slow node no payout would ever be made. What one raises keeps the others from
    nothing. Raises: ExceptionGroup of what they raised.
    """
    if not clock_is_right():
        return
    raised = []
    for turn in (scan, reconcile, advance_orders, pay):
        try:
            turn(chain=chain)
        except Exception as error:  # noqa: BLE001 -- raised again below
            raised.append(error)
    if raised:
        raise ExceptionGroup(f"the turn of {chain} was not completed", raised)


def advance_orders(*, chain: str) -> None:
    """Move every order that has something to do with `chain` one step: deposits, choices, payouts to ask for and follow."""
    at = clock.now()
    follow_deposits(chain=chain, at=at)
    carry_out_choices(chain=chain, at=at)
    for asset in list_assets():
        if asset.network == chain and asset.enabled:
            request_payouts(asset=asset.code, at=at)
    follow_payouts(chain=chain, at=at)
    beat(f"orders:{chain}")


@shared_task
def watch_deadlines(**_: Any) -> None:
    """Free what is promised in vain, expire what was not paid, hand over what is overdue."""
    if not clock_is_right():
        return
    at = clock.now()
    lapse_promises(at=at)
    expire_due_orders(at=at)
    escalate_overdue(at=at)
    offer_refunds(at=at)
    beat("deadlines")
    beat("default")


@shared_task
def publish_events(**_: Any) -> None:
    """Number the committed transitions; no clock decides anything of that, but one that is wrong is of no use otherwise."""
    publish_transitions()
    beat("publish")
    if clock_is_right():
        beat("default")
