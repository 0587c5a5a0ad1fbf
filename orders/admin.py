"""Orders and their transitions, to look at. Whatever is done to an order is done by a verb or a command."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.read_only import ReadOnlyAdmin, ReadOnlyInline, amount
from core.references import read_reference
from orders.models import Order, Transition
from orders.states import ORDER
from wallets.models import Address, Attempt, Deposit, PegoutSight

MAX_FOUND = 100


class StateFilter(admin.SimpleListFilter):
    """By state, from the table of states: asking the rows which states there are would read them all."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every state."""
        return [(state, state) for state in ORDER.states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """Keep the orders in the chosen state."""
        return queryset.filter(state=self.value()) if self.value() else queryset


class TransitionInline(ReadOnlyInline):
    """The life of one order."""

    model = Transition
    fields = ("seq", "from_state", "to_state", "exception", "hold_reason", "actor", "reason", "at")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders."""

    list_display = (
        "reference",
        "pair",
        "state",
        "exception",
        "hold_reason",
        "sends",
        "gets",
        "next_actor",
        "deadline",
        "created_at",
    )
    list_filter = (StateFilter, "created_at")
    list_select_related = ("send_asset", "get_asset", "user")
    exclude = ("owner_token_hash", "nonce")  # the nonce makes the owner's token again
    inlines = (TransitionInline,)
    search_help_text: ClassVar[str] = "Reference, or the beginning of a transaction id or of one of our addresses"

    @admin.display(description="sends")
    def sends(self, order: Order) -> str:
        """Show what was promised to be sent."""
        return amount(order.send_minor, order.send_asset)

    @admin.display(description="gets")
    def gets(self, order: Order) -> str:
        """Show what was promised to be paid out."""
        return amount(order.get_minor, order.get_asset)

    def find(self, queryset: QuerySet[Order], term: str) -> QuerySet[Order]:
        """Find by reference, else through the deposits, payouts and addresses that carry the order's reference."""
        reference = read_reference(term, "O")
        if reference:
            return queryset.filter(reference=reference)
        found: set[str] = set()
        for rows, column in (
            (Address.objects.filter(address__startswith=term), "owner_ref"),
            (Deposit.objects.filter(txid__startswith=term), "owner_ref"),
            (PegoutSight.objects.filter(txid__startswith=term), "address__owner_ref"),
            (Attempt.objects.filter(txid__startswith=term), "payout__owner_ref"),
        ):
            found.update(rows.values_list(column, flat=True)[:MAX_FOUND])
        return queryset.filter(Q(reference__in=found) | Q(reference__startswith=term.upper()))


@admin.register(Transition)
class TransitionAdmin(ReadOnlyAdmin):
    """Every recorded move of every order."""

    list_display = ("order", "seq", "from_state", "to_state", "exception", "actor", "reason", "at", "published_seq")
    list_select_related = ("order",)
    search_help_text: ClassVar[str] = "Reference of the order, or its beginning"

    def find(self, queryset: QuerySet[Transition], term: str) -> QuerySet[Transition]:
        """Find the moves of orders by reference."""
        orders = Order.objects.filter(reference__startswith=read_reference(term, "O") or term.upper())
        return queryset.filter(order_id__in=list(orders.values_list("pk", flat=True)[:MAX_FOUND]))
