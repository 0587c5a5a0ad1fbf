"""Everything a page or the API may show of an order, in at most four statements, masked for everyone but its owner."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Count, Max, Min, OuterRef, Subquery, Sum, Value, When
from django.db.models.functions import JSONObject

from core.assets import confirmations_required
from core.money import Money
from core.references import read_reference
from core.tokens import token_matches
from orders import states
from orders.actions import may_refund, may_set_payout_address, may_set_refund_address, refund_offered
from orders.choices import explain
from orders.models import Choice, Order, Transition
from wallets import states as wallet_states
from wallets.chain_ids import chain_id_of
from wallets.chains.uri import has_chain_id, payment_uri
from wallets.models import Attempt, ChainState, Deposit, Payout


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """What the owner asked for: still `open`, or why a worker refused it. `waits`: for our coins, as a code."""

    address: str
    asked_at: datetime
    open: bool
    waits: str
    refusal: str


@dataclass(frozen=True, slots=True)
class DepositView:
    """What one transaction paid, as its owner sees it; `confirmations` counts up to `required`.

    Dust is one line for all of it: `count` payments, no transaction.
    """

    id: int
    txid: str
    amount: Money
    count: int
    confirmations: int
    required: int
    state: str
    disposition: str
    reason: str
    deadline: datetime | None
    next_actor: str
    first_seen_at: datetime
    explorer_url: str
    choice: ChoiceView | None


@dataclass(frozen=True, slots=True)
class PayoutView:
    """A payment to the customer: `purpose` is "settle" or "refund"."""

    id: int
    purpose: str
    deposit_id: int | None
    txid: str
    amount: Money
    address: str
    state: str
    confirmations: int
    required: int
    requested_at: datetime
    explorer_url: str
    problem: str  # why it does not move, as a code (Payout.problem); empty when it does, or for strangers


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as (owner or not) may see it. Amounts are what was promised; `credited_*` what was executed."""

    order: Order
    is_owner: bool
    reference: str
    state: str
    label: str
    exception: str
    hold_reason: str
    next_actor: str
    deadline: datetime | None
    step: int
    status_code: int
    status_name: str
    pair: str
    send: Money
    get: Money
    credited_send: Money | None
    credited_get: Money | None
    rate: Decimal
    fee: Money
    network_fee: Money
    deposit_address: str
    payment_uri: str
    payout_address: str
    refund_address: str
    created_at: datetime
    payment_deadline: datetime
    deposits: tuple[DepositView, ...]
    payouts: tuple[PayoutView, ...]
    transitions: tuple[Transition, ...]
    may: frozenset[str]

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more without a new deposit: a page may stop asking."""
        waiting = any(d.disposition in ("", wallet_states.WAITING) for d in self.deposits)
        refunding = any(p.state not in _ENDED for p in self.payouts)
        return self.state in (states.COMPLETED, states.EXPIRED, states.REFUNDED) and not waiting and not refunding


_UNDER_WAY = (wallet_states.REQUESTED, wallet_states.SIGNED, wallet_states.BROADCAST, wallet_states.IN_DOUBT)
_ENDED = (wallet_states.CONFIRMED, wallet_states.REJECTED, wallet_states.REVERTED)


def find_order(text: str) -> Order | None:
    """Return the order of a reference as typed, or None. One statement."""
    reference = read_reference(text, "O")
    if reference is None:
        return None
    return Order.objects.select_related("send_asset", "get_asset").filter(reference=reference).first()


def owns(order: Order, *, owner_token: str = "", user_id: int | None = None) -> bool:
    """Say whether a token or a login is the owner's."""
    if user_id is not None and order.user_id == user_id:
        return True
    return bool(owner_token) and token_matches(owner_token, order.owner_token_hash)


def build_view(order: Order, *, at: datetime, is_owner: bool, with_transitions: bool = True) -> OrderView:
    """Read the rest of an order (two statements, three with its transitions) and lay it out."""
    deposits = tuple(_deposit(deposit, order, is_owner) for deposit in _deposits(order))
    payouts = tuple(_payout(payout, is_owner) for payout in _payouts(order))
    transitions = (
        tuple(Transition.objects.filter(order=order).order_by("seq")[:200]) if with_transitions and is_owner else ()
    )
    return _lay_out(order, deposits, payouts, transitions, is_owner)


def view_of_new(order: Order) -> OrderView:
    """Lay out, for its owner, an order that was opened a moment ago: nothing can have been paid, nothing is read."""
    return _lay_out(order, (), (), (), is_owner=True)


def _lay_out(
    order: Order,
    deposits: tuple[DepositView, ...],
    payouts: tuple[PayoutView, ...],
    transitions: tuple[Transition, ...],
    is_owner: bool,  # noqa: FBT001 -- internal
) -> OrderView:
    face = states.FACES[order.state]
    send, get = Money(order.send_minor, order.send_asset), Money(order.get_minor, order.get_asset)
    return OrderView(
        order=order,
        is_owner=is_owner,
        reference=order.reference,
        state=order.state,
        label=str(face.label),
        exception=order.exception,
        hold_reason=order.hold_reason,
        next_actor=order.next_actor,
        deadline=order.deadline,
        step=face.step,
        status_code=face.v1,
        status_name=face.v1_name,
        pair=order.pair,
        send=send,
        get=get,
        credited_send=_credited(order.credited_send_minor, send),
        credited_get=_credited(order.credited_get_minor, get),
        rate=order.rate,
        fee=Money(order.fee_minor, order.get_asset),
        network_fee=Money(order.network_fee_minor, order.get_asset),
        deposit_address=order.deposit_address,
        payment_uri=_payment_uri(order, send),
        payout_address=order.payout_address if is_owner else "",
        refund_address=order.refund_address if is_owner else "",
        created_at=order.created_at,
        payment_deadline=order.payment_deadline,
        deposits=deposits,
        payouts=payouts,
        transitions=transitions,
        may=_may(order, deposits) if is_owner else frozenset(),
    )


def _payment_uri(order: Order, send: Money) -> str:
    """Return the payment request; one of Ethereum says which chain, or wallets pay on whichever is selected in them."""
    chain = order.send_asset.network
    chain_id = chain_id_of(chain) if has_chain_id(chain) else 0
    return payment_uri(chain, order.deposit_address, send, chain_id=chain_id)


def _credited(minor: int | None, like: Money) -> Money | None:
    return None if minor is None else Money(minor, like.asset)


def _height(chain_field: str) -> Subquery:
    return Subquery(ChainState.objects.filter(code=OuterRef(chain_field)).values("height")[:1])


_LISTED = 100


def _rank(order: Order) -> Case:
    """Sort what needs its owner first, then payments, then dust in one line, then what may become dust.

    So no list of a hundred hides the payment itself, whatever anybody sends to the address.
    """
    return Case(
        When(disposition=wallet_states.WAITING, then=0),
        When(disposition=wallet_states.DUST, then=2),
        When(state=wallet_states.REMOVED, then=4),
        When(sum__gt=order.send_asset.dust_minor, then=1),
        default=3,
    )


def _deposits(order: Order) -> list[dict[str, Any]]:
    """Read what was paid to an order, by transaction, with what its owner asked for: one statement."""
    asked = (
        Choice.objects.filter(order=order.pk)
        .order_by("pk")
        .values(
            row=JSONObject(
                deposit="deposit_id",
                address="address",
                asked_at="asked_at",
                done_at="done_at",
                problem="problem",
                outcome="outcome",
                details="details",
            )
        )
    )
    rows = (
        Deposit.objects.filter(owner_ref=order.reference)
        .annotate(payment=Case(When(disposition=wallet_states.DUST, then=Value("")), default="txid"))
        .values("payment", "disposition", "state")
        .annotate(
            first=Min("pk"),
            sum=Sum("amount_minor"),
            count=Count("txid", distinct=True),
            paid_by=Max("paid_by_txid"),
            height=Max("block_height"),
            why=Max("reason"),
            until=Min("deadline"),
            next=Max("next_actor"),
            seen_at=Min("first_seen_at"),
            tip=Subquery(ChainState.objects.filter(code=order.send_asset.network).values("height")[:1]),
            choices=ArraySubquery(asked),
        )
        .annotate(rank=_rank(order))
    )
    return list(rows.order_by("rank", "-sum", "first")[:_LISTED])


def _payouts(order: Order) -> list[Payout]:
    latest = Attempt.objects.filter(payout=OuterRef("pk"), sent_at__isnull=False).order_by("-n").values("txid")[:1]
    rows = Payout.objects.filter(owner_ref=order.reference).select_related("asset")
    return list(rows.annotate(tip=_height("chain"), sent_txid=Subquery(latest)).order_by("pk")[:100])


def _depth(height: int | None, tip: int | None) -> int:
    return 0 if height is None or tip is None else max(tip - height + 1, 0)


def _deposit(row: dict[str, Any], order: Order, is_owner: bool) -> DepositView:  # noqa: FBT001 -- internal
    required = confirmations_required(order.send_asset)
    txid = (row["payment"] and (row["paid_by"] or row["payment"])) if is_owner else ""
    choices = {asked["deposit"]: asked for asked in row["choices"]} if is_owner else {}  # the latest of each payment
    return DepositView(
        id=row["first"],
        txid=txid,
        amount=Money(row["sum"], order.send_asset),
        count=row["count"],
        confirmations=min(_depth(row["height"], row["tip"]), required),
        required=required,
        state=row["state"],
        disposition=row["disposition"],
        reason=row["why"],
        deadline=row["until"],
        next_actor=row["next"],
        first_seen_at=row["seen_at"],
        explorer_url=_explorer(order.send_asset.explorer_tx_url, txid),
        choice=_choice(choices.get(row["first"])),
    )


def _choice(asked: dict[str, Any] | None) -> ChoiceView | None:
    if asked is None:
        return None
    return ChoiceView(
        address=asked["address"],
        asked_at=datetime.fromisoformat(asked["asked_at"]),
        open=asked["done_at"] is None,
        waits=asked["problem"] if asked["done_at"] is None else "",
        refusal=explain(asked["outcome"], asked["details"]),
    )


def _payout(payout: Payout, is_owner: bool) -> PayoutView:  # noqa: FBT001 -- internal
    kind, number, _what = payout.purpose.split(":")
    required = confirmations_required(payout.asset)
    txid = (payout.txid or payout.sent_txid or "") if is_owner else ""  # type: ignore[attr-defined]  # annotated
    return PayoutView(
        id=payout.pk,
        purpose="settle" if kind == "order" else "refund",
        deposit_id=int(number) if kind == "deposit" else None,
        txid=txid,
        amount=Money(payout.amount_minor, payout.asset),
        address=payout.address if is_owner else "",
        state=payout.state,
        confirmations=min(_depth(payout.block_height, payout.tip), required),  # type: ignore[attr-defined]  # annotated
        required=required,
        requested_at=payout.requested_at,
        explorer_url=_explorer(payout.asset.explorer_tx_url, txid),
        problem=payout.problem.partition(":")[0] if is_owner and payout.state in _UNDER_WAY else "",
    )


def _explorer(template: str, txid: str) -> str:
    return template.replace("{txid}", txid) if template and txid else ""


def _may(order: Order, deposits: tuple[DepositView, ...]) -> frozenset[str]:
    """List what the owner can do now: what a page offers and the verbs accept. What was asked for is not offered again."""
    offered = refund_offered(state=order.state, hold=order.hold_reason, next_actor=order.next_actor)
    allowed = {
        f"refund:{deposit.id}"
        for deposit in deposits
        if may_refund(deposit.disposition, deposit.state, offered=offered)
        and not (deposit.choice and deposit.choice.open)
    }
    if may_set_payout_address(order.state, given=bool(order.payout_address), paid=bool(deposits)):
        allowed.add("set_payout_address")
    if may_set_refund_address(given=bool(order.refund_address)):
        allowed.add("set_refund_address")
    return frozenset(allowed)
