"""What every app speaks of: assets, filled from fixtures/assets.json and changed only by a release; and heartbeats."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    DecimalField = models.DecimalField[Any, Any]  # takes its types for the checker alone
else:
    DecimalField = models.DecimalField


class MinorField(DecimalField):
    """An integer amount in minor units: NUMERIC(38,0), read and written as int, because wei do not fit 64 bits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(max_digits=38, decimal_places=0)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: Any, expression: object, connection: object) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, float):
            raise TypeError("a float near money")
        value = super().to_python(value)
        if value is None:
            return None
        if value != int(value):
            raise TypeError(f"{value} is not a whole number of minor units")
        return int(value)


class Asset(models.Model):
    """A currency on a network. `scale` never changes after the first posting; `quote_step` is in minor units."""

    code = models.CharField(primary_key=True, max_length=12)
    currency = models.CharField(max_length=12)
    network = models.CharField(max_length=32, blank=True)  # "litecoin", "ethereum"; empty for money in a bank
    name = models.CharField(max_length=64)
    is_crypto = models.BooleanField()
    scale = models.PositiveSmallIntegerField()
    quote_step = MinorField(default=1)
    enabled = models.BooleanField(default=False)
    confirmations_required = models.PositiveSmallIntegerField(null=True, blank=True)
    demo_confirmations = models.PositiveSmallIntegerField(null=True, blank=True)  # the same on a chain of our own
    minimum_minor = MinorField(default=0)  # smallest order amount, on either side
    maximum_minor = MinorField(default=0)  # largest order amount, on either side
    dust_minor = MinorField(default=0)  # a deposit of at most this much is not refunded by policy
    payout_units = models.PositiveIntegerField(default=0)  # virtual bytes or gas that a payout may use at most
    fee_rate_floor_minor = MinorField(default=0)  # per unit: never priced below this
    uri_scheme = models.CharField(max_length=20, blank=True)  # BIP-21 or EIP-681
    extra_id = models.CharField(max_length=20, blank=True)  # destination_tag, payment_id or memo
    explorer_tx_url = models.CharField(max_length=200, blank=True)  # "{txid}" is replaced
    explorer_address_url = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(scale__lte=18), name="asset_scale_at_most_18"),
            models.CheckConstraint(condition=models.Q(quote_step__gte=1), name="asset_quote_step_positive"),
        )

    def __str__(self) -> str:
        return self.code


class Heartbeat(models.Model):
    """When a kind of work was done last, written by that work itself (core.heartbeat)."""

    name = models.CharField(primary_key=True, max_length=60)  # "prices", "scan:litecoin"
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at}"
