"""The only ways an order changes: `move` to another state, `note` what happened without moving.

The caller holds the order's row lock. Nothing changes the exception, the hold, the next actor or the deadline of an
order but what names them: what a caller does not mention stays as it is.
"""

from datetime import datetime

from orders import states
from orders.models import Order, Transition
from orders.reasons import Reason
from orders.turn import Turn, usual_turn


def move(
    order: Order,
    target: str,
    *,
    actor: str,
    reason: Reason,
    at: datetime,
    exception: str | None = None,
    hold: str | None = None,
    turn: Turn | None = None,
    also: tuple[str, ...] = (),
) -> None:
    """Move the locked `order` to another state and record it: two statements. `also` names other changed fields to save.

    The turn passes to whoever the new state usually waits for, unless `turn` says otherwise. `exception` and `hold`
    stay unless they are named; a hold is lifted by `hold=""`.

    Raises: core.states.IllegalTransition.
    """
    source = order.state
    states.ORDER.check(source, target)
    order.state = target
    changed = _change(order, exception, hold) + _give(order, turn or usual_turn(order, target, at))
    _write(order, ("state", *changed, *also), source=source, actor=actor, reason=reason, at=at)


def note(
    order: Order,
    *,
    actor: str,
    reason: Reason,
    at: datetime,
    exception: str | None = None,
    hold: str | None = None,
    turn: Turn | None = None,
    also: tuple[str, ...] = (),
) -> None:
    """Record what happened to the locked `order` without moving it: two statements.

    Exception, hold, next actor and deadline stay as they are unless they are named.
    """
    changed = _change(order, exception, hold) + _give(order, turn)
    _write(order, (*changed, *also), source=order.state, actor=actor, reason=reason, at=at)


def _record(order: Order, *, source: str, actor: str, reason: Reason, at: datetime) -> None:
    Transition.objects.create(
        order=order,
        seq=order.transition_count,
        from_state=source,
        to_state=order.state,
        exception=order.exception,
        hold_reason=order.hold_reason,
        actor=actor,
        reason=Reason(reason).value,
        at=at,
    )


def _change(order: Order, exception: str | None, hold: str | None) -> tuple[str, ...]:
    """Set what was named and return the fields to save: what was not named is not even written."""
    changed: tuple[str, ...] = ()
    if exception is not None:
        order.exception, changed = exception, ("exception",)
    if hold is not None:
        order.hold_reason, changed = hold, (*changed, "hold_reason")
    return changed


def _give(order: Order, turn: Turn | None) -> tuple[str, ...]:
    if turn is None:
        return ()
    order.next_actor, order.deadline = turn.actor, turn.until
    return ("next_actor", "deadline")


def _write(order: Order, fields: tuple[str, ...], *, source: str, actor: str, reason: Reason, at: datetime) -> None:
    order.transition_count += 1
    order.save(update_fields=(*fields, "transition_count"))
    _record(order, source=source, actor=actor, reason=reason, at=at)
