"""Deposits, payouts, attempts, coins and freezes, to look at. Payments are released or stopped by commands."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.assets import list_assets
from core.read_only import ReadOnlyAdmin, ReadOnlyInline, amount
from wallets import states
from wallets.models import (
    Address,
    Attempt,
    ChainState,
    Coin,
    Deposit,
    Freeze,
    HouseMovement,
    Payout,
    PegoutSight,
    Quarantine,
    Reconciliation,
)

MAX_FOUND = 100


class OpenDepositFilter(admin.SimpleListFilter):
    """The deposits that somebody or something still has to act on; each choice has an index of its own."""

    title, parameter_name = "open", "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the two kinds of open deposits."""
        return [("waiting", "waiting for a decision"), ("unconfirmed", "not confirmed yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> QuerySet[Deposit]:
        """Keep the chosen kind."""
        chosen = {"waiting": Q(disposition=states.WAITING), "unconfirmed": Q(state=states.SEEN)}.get(self.value() or "")
        return queryset.filter(chosen) if chosen else queryset


class PayoutStateFilter(admin.SimpleListFilter):
    """By state; naming every chain lets the index (chain, state, id) serve."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every state."""
        return [(state, state) for state in states.PAYOUT.states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payout]) -> QuerySet[Payout]:
        """Keep the payouts in the chosen state."""
        if not self.value():
            return queryset
        chains = {asset.network for asset in list_assets() if asset.network}
        return queryset.filter(chain__in=chains, state=self.value())


class AttemptInline(ReadOnlyInline):
    """The signed transactions of one payout."""

    model = Attempt
    fields = ("n", "txid", "fee_minor", "signed_at", "journaled_at", "sent_at", "answer", "block_height", "reverted")


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    """What was paid to addresses of ours."""

    list_display = (
        "txid",
        "position",
        "received",
        "owner_ref",
        "state",
        "disposition",
        "next_actor",
        "deadline",
        "block_height",
        "first_seen_at",
    )
    list_filter = (OpenDepositFilter, "first_seen_at")
    list_select_related = ("asset", "address")
    search_help_text: ClassVar[str] = "Reference of the order, or the beginning of a transaction id or address"

    @admin.display(description="amount")
    def received(self, deposit: Deposit) -> str:
        """Show the amount."""
        return amount(deposit.amount_minor, deposit.asset)

    def find(self, queryset: QuerySet[Deposit], term: str) -> QuerySet[Deposit]:
        """Find by transaction, order or address."""
        addresses = Address.objects.filter(address__startswith=term).values_list("pk", flat=True)[:MAX_FOUND]
        pegouts = PegoutSight.objects.filter(txid__startswith=term, deposit__isnull=False).values_list(
            "deposit", flat=True
        )
        by_id = Q(txid__startswith=term) | Q(pk__in=list(pegouts[:MAX_FOUND]))
        return queryset.filter(by_id | Q(owner_ref=term.upper()) | Q(address_id__in=list(addresses)))


@admin.register(PegoutSight)
class PegoutSightAdmin(ReadOnlyAdmin):
    """Payments out of MWEB that were seen unmined, and the deposits that they became."""

    list_display = (
        *("first_seen_at", "txid", "position", "address", "amount_minor", "counts"),
        *("missing_since", "gone", "deposit"),
    )
    list_select_related = ("address", "deposit")
    search_help_text: ClassVar[str] = "Reference of the order, or the beginning of a transaction id"

    def find(self, queryset: QuerySet[PegoutSight], term: str) -> QuerySet[PegoutSight]:
        """Find by transaction or order."""
        addresses = Address.objects.filter(owner_ref=term.upper()).values_list("pk", flat=True)[:MAX_FOUND]
        return queryset.filter(Q(txid__startswith=term) | Q(address_id__in=list(addresses)))


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin):
    """What we owe and paid."""

    list_display = (
        "purpose",
        "owed",
        "address",
        "state",
        "txid",
        "paid_fee",
        "requested_at",
        "confirmed_at",
        "problem",
    )
    list_filter = (PayoutStateFilter, "requested_at")
    list_select_related = ("asset",)
    inlines = (AttemptInline,)
    search_help_text: ClassVar[str] = "Reference of the order, purpose, or the beginning of a transaction id"

    @admin.display(description="amount")
    def owed(self, payout: Payout) -> str:
        """Show the amount."""
        return amount(payout.amount_minor, payout.asset)

    @admin.display(description="fee paid")
    def paid_fee(self, payout: Payout) -> str:
        """Show what the miners got."""
        return amount(payout.fee_minor, payout.asset)

    def find(self, queryset: QuerySet[Payout], term: str) -> QuerySet[Payout]:
        """Find by order, purpose or the transaction of any attempt."""
        attempts = Attempt.objects.filter(txid__startswith=term).values_list("payout_id", flat=True)[:MAX_FOUND]
        return queryset.filter(Q(owner_ref=term.upper()) | Q(purpose__startswith=term) | Q(pk__in=list(attempts)))


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Signed transactions; the bytes themselves are not shown in lists."""

    list_display = ("txid", "payout", "n", "signed_at", "sent_at", "next_send_at", "answer", "block_height", "reverted")
    list_filter = ("signed_at",)
    list_select_related = ("payout",)
    search_help_text: ClassVar[str] = "The beginning of a transaction id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        """Leave the bytes out of lists; a detail reads them when it shows them."""
        return super().get_queryset(request).defer("raw")

    def find(self, queryset: QuerySet[Attempt], term: str) -> QuerySet[Attempt]:
        """Find by transaction."""
        return queryset.filter(txid__startswith=term)


@admin.register(Coin)
class CoinAdmin(ReadOnlyAdmin):
    """Outputs of ours. Amounts are in the chain's smallest unit."""

    list_display = ("txid", "vout", "chain", "amount_minor", "address", "usable", "spent_txid", "spent_height")
    list_select_related = ("address", "attempt", "deposit")
    search_help_text: ClassVar[str] = "The beginning of a transaction id"

    def find(self, queryset: QuerySet[Coin], term: str) -> QuerySet[Coin]:
        """Find by the transaction that made the coin."""
        return queryset.filter(txid__startswith=term)


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    """When payouts were stopped, by whom, and why they run again."""

    list_display = ("scope", "reason", "frozen_at", "frozen_by", "lifted_at", "lifted_by", "lifted_because")


@admin.register(Quarantine)
class QuarantineAdmin(ReadOnlyAdmin):
    """What chains showed and could not be taken in; closed with `manage.py quarantine`."""

    list_display = ("at", "chain", "what", "txid", "position", "owner_ref", "problem", "resolved_at", "resolved_by")
    list_filter = ("what", "at")
    search_help_text: ClassVar[str] = "Reference of the order, or a whole transaction id"

    def find(self, queryset: QuerySet[Quarantine], term: str) -> QuerySet[Quarantine]:
        """Find by order or transaction."""
        return queryset.filter(Q(owner_ref=term.upper()) | Q(txid=term))


@admin.register(ChainState)
class ChainStateAdmin(ReadOnlyAdmin):
    """How far each chain has been read, and what is wrong with its node, if anything."""

    list_display = (
        *("code", "height", "block_at", "scan_started_at", "problem", "sees_internal"),
        *("next_index", "next_nonce"),
    )


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """The latest comparison of books and chain, per asset, in its smallest unit."""

    list_display = (
        "asset",
        "at",
        "height",
        "on_chain_minor",
        "in_books_minor",
        "deposits_in_flight_minor",
        "payouts_in_flight_minor",
        "difference_minor",
        "acted",
        "said",
    )
    list_select_related = ("asset",)


@admin.register(HouseMovement)
class HouseMovementAdmin(ReadOnlyAdmin):
    """Transactions that a person made by hand."""

    list_display = (
        "txid",
        "chain",
        "kind",
        "said_at",
        "said_by",
        "block_height",
        "left_minor",
        "booked_at",
        "booked_by",
    )
    search_help_text: ClassVar[str] = "A transaction id"

    def find(self, queryset: QuerySet[HouseMovement], term: str) -> QuerySet[HouseMovement]:
        """Find by transaction."""
        return queryset.filter(txid=term)
