"""What was said about prices and what was made of it: markets and their rules, the pairs we offer, rounds, history.

Reference data (Market, Listing, Pair) comes from fixtures; the rest is written by `ticker.record` and `ticker.prune`.
"""

from typing import Any

from django.db import models
from django.db.models import F, Q

from core.models import Asset, DecimalField, MinorField


class PriceField(DecimalField):
    """A price in whole coins: 18 digits before the point, 12 after."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(max_digits=30, decimal_places=12)
        super().__init__(*args, **kwargs)


class Market(models.Model):
    """One base currency priced in US dollars, with the rules a price must meet before it is used."""

    code = models.CharField(primary_key=True, max_length=24)  # "LTC-USD"
    base = models.CharField(max_length=12)
    quote = models.CharField(max_length=12, default="USD")
    enabled = models.BooleanField(default=True)
    minimum_sources = models.PositiveSmallIntegerField(default=3)
    max_age_s = models.PositiveIntegerField(default=60)
    max_spread_bps = models.PositiveIntegerField(default=100)  # of one venue; wider is dropped
    agree_bps = models.PositiveIntegerField(default=100)  # farther from the median is dropped
    jump_bps = models.PositiveIntegerField(default=1000)  # farther from the latest good rate pauses the market
    resume_rounds = models.PositiveSmallIntegerField(default=3)  # agreeing rounds that end a pause
    lowest = PriceField()  # outside these two nothing is believed, whoever says it
    highest = PriceField()
    demo_price = PriceField()  # where the generated market of the demo starts and returns to

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("base", "quote"), name="market_base_quote_unique"),
            models.CheckConstraint(condition=Q(minimum_sources__gte=1), name="market_needs_a_source"),
            models.CheckConstraint(condition=Q(lowest__gt=0, highest__gt=F("lowest")), name="market_bounds_ordered"),
        )

    def __str__(self) -> str:
        return self.code


class Listing(models.Model):
    """How one venue names a market, and in which currency it quotes it there."""

    code = models.CharField(primary_key=True, max_length=48)  # "kraken:LTC-USD"
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="listings")
    source = models.CharField(max_length=16)
    symbol = models.CharField(max_length=24)
    quote = models.CharField(max_length=12, default="USD")  # "USDT" is converted by the rate of USDT-USD
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("market", "source"), name="listing_market_source_unique"),)

    def __str__(self) -> str:
        return self.code


class Pair(models.Model):
    """What a customer may exchange: they send `quote` and receive `base`; the price is quote per base."""

    name = models.CharField(primary_key=True, max_length=24)  # "ETHLTC": receive ETH, send LTC
    base = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    quote = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    fee_bps = models.PositiveIntegerField()
    spread_bps = models.PositiveIntegerField()  # added to the market's ask
    enabled = models.BooleanField(default=False)
    test_mode = models.BooleanField(default=False)
    unfunded_cap_minor = MinorField(null=True, blank=True)  # open unpaid promises, in base; null: reserves alone limit

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("base", "quote"), name="pair_base_quote_unique"),
            models.CheckConstraint(condition=~Q(base=F("quote")), name="pair_of_two_assets"),
            models.CheckConstraint(condition=Q(fee_bps__lt=10000, spread_bps__lt=10000), name="pair_charges_below_all"),
        )

    def __str__(self) -> str:
        return self.name


class SourceState(models.Model):
    """What we remember of a venue between rounds: how often it failed in a row, when to ask again, what it said."""

    source = models.CharField(primary_key=True, max_length=16)
    failures = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=32, blank=True)
    # {market: [fingerprint, ISO instant at which it last changed]}: for venues that give no time of their own.
    seen = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return self.source


class MarketState(models.Model):
    """Where a market stands after the latest round: its latest good rate, and the pause if it jumped."""

    market = models.OneToOneField(Market, primary_key=True, on_delete=models.CASCADE, related_name="state")
    checked_at = models.DateTimeField()  # the latest round
    code = models.CharField(max_length=32)  # "ok" or why that round gave no rate
    reason = models.CharField(max_length=200, blank=True)
    bid = PriceField(null=True, blank=True)
    ask = PriceField(null=True, blank=True)
    sources = models.JSONField(default=list, blank=True)
    rate_at = models.DateTimeField(null=True, blank=True)  # when the oldest datum in the rate was true
    generated = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    candidate = PriceField(null=True, blank=True)  # the middle that the rounds of the pause agree on
    agreeing_rounds = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(bid__isnull=True, ask__isnull=True, rate_at__isnull=True)
                | Q(bid__gt=0, ask__gte=F("bid"), rate_at__isnull=False),
                name="market_state_rate_whole",
            ),
        )

    def __str__(self) -> str:
        return f"{self.market_id} {self.code}"


class Round(models.Model):
    """One asking of all venues. Its row is also the claim that keeps two workers from asking at once."""

    at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    generated = models.BooleanField(default=False)
    rated = models.PositiveSmallIntegerField(default=0)  # markets that got a rate

    def __str__(self) -> str:
        return f"round {self.pk}"


class Observation(models.Model):
    """What one source said of one market in one round, and why it counted or not. Removed after some hours."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="observations")
    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=16)
    quote = models.CharField(max_length=12, blank=True)  # the currency of bid and ask, as the venue quoted
    bid = PriceField(null=True, blank=True)  # null when there was none, or none that fits
    ask = PriceField(null=True, blank=True)
    venue_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()  # when all answers of the round were in
    verdict = models.CharField(max_length=32)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("round", "market", "source"), name="observation_once_per_round"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.market_id} {self.verdict}"


class MarketRate(models.Model):
    """The history of good rates, thinned as it ages: what the chart shows."""

    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="rates")
    at = models.DateTimeField()
    bid = PriceField()
    ask = PriceField()
    sources = models.JSONField(default=list)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("market", "at"), name="market_rate_once_per_instant"),
            models.CheckConstraint(condition=Q(bid__gt=0, ask__gte=F("bid")), name="market_rate_positive_not_crossed"),
        )

    def __str__(self) -> str:
        return f"{self.market_id} {self.bid}/{self.ask}"
