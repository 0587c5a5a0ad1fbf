"""Prices: what each venue says, whether it counts, and the rate that follows. Ends at a rate; knows no orders."""

from django.apps import AppConfig


class TickerConfig(AppConfig):
    name = "ticker"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from ticker import checks  # noqa: F401, PLC0415 -- registers itself; needs the settings to be ready
