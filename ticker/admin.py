"""Prices, to look at: where each market stands, its history, and what every round heard."""

from django.contrib import admin

from core.read_only import ReadOnlyAdmin, ReadOnlyInline
from ticker.models import MarketRate, MarketState, Observation, Round


class ObservationInline(ReadOnlyInline):
    """What each source said in one round, and why it counted or not."""

    model = Observation
    fields = ("market", "source", "quote", "bid", "ask", "venue_at", "received_at", "verdict", "reason")
    select_related = ("market",)


@admin.register(Round)
class RoundAdmin(ReadOnlyAdmin):
    """Askings of all venues."""

    list_display = ("id", "at", "finished_at", "generated", "rated")
    list_filter = ("at",)
    inlines = (ObservationInline,)


@admin.register(MarketState)
class MarketStateAdmin(ReadOnlyAdmin):
    """Where each market stands after the latest round."""

    list_display = ("market", "code", "reason", "bid", "ask", "sources", "rate_at", "checked_at", "paused_at")
    list_select_related = ("market",)


@admin.register(MarketRate)
class MarketRateAdmin(ReadOnlyAdmin):
    """The history of good rates."""

    list_display = ("market", "at", "bid", "ask", "sources")
    list_filter = ("market",)
    list_select_related = ("market",)
