from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let /health/ say what is sold."""
        from orders import standing  # noqa: F401, PLC0415 -- registers itself once the models are there
