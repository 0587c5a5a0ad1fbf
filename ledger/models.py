"""The books: accounts, immutable entries, and their postings. Written only by ledger.post; the database checks all of it.

Sign convention: a positive amount debits, a negative one credits. Assets and expenses are normally positive,
liabilities, equity and revenue negative; the postings of an entry sum to zero per asset.
"""

from django.db import models
from django.db.models.functions import Now

from core.models import Asset, MinorField
from ledger.chart import CHART


def _in_chart() -> models.Q:
    """Return the condition that an account is one the chart knows, with its floor and with an owner or without."""
    known = models.Q()
    for floor, owned in sorted({(kind.floor, kind.owned) for kind in CHART.values()}):
        codes = [kind.code for kind in CHART.values() if (kind.floor, kind.owned) == (floor, owned)]
        has_owner = models.Q(owner_ref="")
        known |= models.Q(kind__in=codes, floor=floor) & (~has_owner if owned else has_owner)
    return known


class LedgerAccount(models.Model):
    """A kind of the chart (ledger.chart) in one asset, perhaps of one owner, who is named by text: the books know no people.

    `floor` is +1 where the balance may not fall below zero, -1 where it may not rise above zero (liabilities), 0 where
    there is no limit. Only accounts with a floor keep a Balance row.
    """

    kind = models.CharField(max_length=40)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT)
    owner_ref = models.CharField(max_length=40, blank=True)
    floor = models.SmallIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("kind", "asset", "owner_ref"), name="ledger_account_unique"),
            # A new kind in the chart needs a migration, so that the database refuses what the chart does not know.
            models.CheckConstraint(condition=_in_chart(), name="ledger_account_in_chart"),
        )

    def __str__(self) -> str:
        return ":".join(filter(None, (self.kind, self.asset_id, self.owner_ref)))


class Entry(models.Model):
    """One movement of value. `reference` names the business fact and is unique; `input_hash` tells a repeat from a clash."""

    reference = models.CharField(max_length=120, unique=True)
    input_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by")

    class Meta:
        indexes = (models.Index(fields=("occurred_at", "id"), name="ledger_entry_occurred"),)

    def __str__(self) -> str:
        return self.reference


class Posting(models.Model):
    """One leg of an entry: signed minor units into one account.

    That both exist is judged once per statement by the trigger that keeps the balances (migration 0003): a look-up per
    row cost a third of a batch, and neither entries nor accounts are ever deleted.
    """

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings", db_constraint=False)
    account = models.ForeignKey(
        LedgerAccount, on_delete=models.PROTECT, related_name="postings", db_index=False, db_constraint=False
    )
    amount_minor = MinorField()

    class Meta:
        constraints = (models.CheckConstraint(condition=~models.Q(amount_minor=0), name="posting_amount_not_zero"),)
        indexes = (models.Index(fields=("account", "id"), include=("amount_minor",), name="ledger_posting_by_account"),)

    def __str__(self) -> str:
        return f"{self.amount_minor} in account {self.account_id}"


class Balance(models.Model):
    """The balance of an account with a floor, kept by a trigger on postings; the row that concurrent spenders queue for."""

    account = models.OneToOneField(LedgerAccount, primary_key=True, on_delete=models.PROTECT)
    floor = models.SmallIntegerField()
    amount_minor = MinorField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(amount_minor=0)
                | models.Q(floor=1, amount_minor__gt=0)
                | models.Q(floor=-1, amount_minor__lt=0),
                name="balance_within_floor",
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount_minor} in account {self.account_id}"


class Checkpoint(models.Model):
    """A sum of all postings of an account up to `posting_id`, so that reading a house account adds only what came since."""

    account = models.OneToOneField(LedgerAccount, primary_key=True, on_delete=models.PROTECT)
    posting_id = models.BigIntegerField()
    amount_minor = MinorField()

    def __str__(self) -> str:
        return f"{self.amount_minor} in account {self.account_id} up to posting {self.posting_id}"
