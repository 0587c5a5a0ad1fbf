"""The ticks of the exchange. Each is safe to run twice, on two machines, at once: rows are claimed, never assumed."""

from typing import Any

from celery import shared_task

from core import clock
from core.assets import list_assets
from orders.credit import follow_deposits
from orders.expire import escalate_overdue, expire_due_orders, offer_refunds
from orders.payout import follow_payouts, request_payouts
from orders.publish import publish_transitions


@shared_task
def advance_orders(*, chain: str, **_: Any) -> None:
    """Move every order that has something to do with `chain` one step: deposits, payouts to ask for, payouts to follow."""
    at = clock.now()
    follow_deposits(chain=chain, at=at)
    for asset in list_assets():
        if asset.network == chain and asset.enabled:
            request_payouts(asset=asset.code, at=at)
    follow_payouts(chain=chain, at=at)


@shared_task
def watch_deadlines(**_: Any) -> None:
    """Expire what was not paid, hand over what is overdue."""
    at = clock.now()
    expire_due_orders(at=at)
    escalate_overdue(at=at)
    offer_refunds(at=at)


@shared_task
def publish_events(**_: Any) -> None:
    """Number the committed transitions."""
    publish_transitions()
