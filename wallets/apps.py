from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "wallets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from wallets import checks  # noqa: F401, PLC0415 -- registers itself; needs the settings to be ready
