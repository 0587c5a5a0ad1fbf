"""The books, to look at: entries with their postings, and the accounts."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet

from core.assets import list_assets
from core.read_only import ReadOnlyAdmin, ReadOnlyInline, amount
from ledger.chart import CHART
from ledger.models import Entry, LedgerAccount, Posting


class PostingInline(ReadOnlyInline):
    """The legs of one entry."""

    model = Posting
    fields = ("account", "posted", "amount_minor")
    readonly_fields = ("posted",)
    select_related = ("account__asset",)

    @admin.display(description="amount")
    def posted(self, posting: Posting) -> str:
        """Show the amount with its sign: debits positive, credits negative."""
        return amount(posting.amount_minor, posting.account.asset)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Movements of value."""

    list_display = ("reference", "reason", "occurred_at", "recorded_at", "reverses")
    list_filter = ("occurred_at",)
    list_select_related = ("reverses",)
    inlines = (PostingInline,)
    search_help_text: ClassVar[str] = "The beginning of an entry's reference, for example deposit:"

    def find(self, queryset: QuerySet[Entry], term: str) -> QuerySet[Entry]:
        """Find by reference."""
        return queryset.filter(reference__startswith=term)


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    """Accounts: a kind of the chart in one asset, perhaps of one order."""

    list_display = ("kind", "asset", "owner_ref", "floor", "balance_now")
    list_select_related = ("asset", "balance")
    search_help_text: ClassVar[str] = "A kind of the chart, or the reference of an order"

    @admin.display(description="balance")
    def balance_now(self, account: LedgerAccount) -> str:
        """Show the balance of accounts that keep one; for the others the command trial_balance adds up."""
        kept = getattr(account, "balance", None)
        return amount(kept.amount_minor if kept else None, account.asset)

    def find(self, queryset: QuerySet[LedgerAccount], term: str) -> QuerySet[LedgerAccount]:
        """Find by kind, or the accounts of an order: spelled out so that the one index (kind, asset, owner) serves."""
        owned = [kind.code for kind in CHART.values() if kind.owned]
        assets = [asset.code for asset in list_assets()]
        return queryset.filter(Q(kind=term.lower()) | Q(kind__in=owned, asset_id__in=assets, owner_ref=term.upper()))
