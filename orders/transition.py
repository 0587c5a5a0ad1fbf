"""The only way an order changes state: check the table, set, record. The caller holds the order's row lock."""

from datetime import datetime, timedelta

from django.conf import settings

from orders import states
from orders.models import Order, Transition


def who_is_next(order: Order, at: datetime) -> tuple[str, datetime | None]:
    """Return the next actor of the order's present state, and until when, before the operator is asked; pure."""
    state, hold = order.state, order.hold_reason
    if states.ORDER.is_final(state) or state in (states.EXPIRED, states.REFUNDED):
        return states.NOBODY, None
    if state == states.AWAITING_DEPOSIT:
        return states.CUSTOMER, order.payment_deadline
    if hold == states.ADDRESS or state == states.REFUND_FAILED:
        return states.CUSTOMER, at + timedelta(hours=settings.WAITING_HOURS)
    return states.MACHINE, at + timedelta(minutes=settings.CONFIRM_WINDOW_MINUTES)


def move(
    order: Order,
    target: str,
    *,
    actor: str,
    reason: str,
    at: datetime,
    exception: str | None = None,
    hold: str = "",
    next_actor: str | None = None,
    deadline: datetime | None = None,
    also: tuple[str, ...] = (),
) -> None:
    """Move the locked `order` to `target` and record it: two statements. `also` names other changed fields to save.

    A target equal to the present state records a change of exception, hold or next actor without a move.

    Raises: core.states.IllegalTransition.
    """
    source = order.state
    if target != source:
        states.ORDER.check(source, target)
    order.state, order.hold_reason = target, hold
    if exception is not None:
        order.exception = exception
    actor_next, until = who_is_next(order, at)
    order.next_actor = actor_next if next_actor is None else next_actor
    order.deadline = until if deadline is None else deadline
    order.transition_count += 1
    order.save(
        update_fields=(
            "state",
            "exception",
            "hold_reason",
            "next_actor",
            "deadline",
            "transition_count",
            *also,
        )
    )
    record(order, source=source, actor=actor, reason=reason, at=at)


def record(order: Order, *, source: str, actor: str, reason: str, at: datetime) -> None:
    """Write the event of the order's present state: one statement. For `move` and for the opening of an order."""
    Transition.objects.create(
        order=order,
        seq=order.transition_count,
        from_state=source,
        to_state=order.state,
        exception=order.exception,
        hold_reason=order.hold_reason,
        actor=actor,
        reason=reason,
        at=at,
    )
