"""Which secrets a server refuses: those that stand in the tracked file ENVIRONMENT, for everybody to read."""

from django.conf import settings

from core.database_roles import derive_password


class DevelopmentSecret(Exception):
    """A secret is the one that the repository publishes; the message names it and never holds its value."""


def refuse_development_secrets() -> None:
    """Do nothing unless the settings list refused values (settings_prod does). Raises: DevelopmentSecret."""
    # Reading an empty SECRET_KEY raises.
    keys = {"SECRET_KEY": settings.SECRET_KEY} if settings.SPEAKS_TO_PEOPLE else {}
    used = keys | {
        "TOKEN_KEY": settings.TOKEN_KEY,
        "POSTGIS_ENV_POSTGRES_PASSWORD": settings.DATABASES["owner"]["PASSWORD"],
        "APP_DB_PASSWORD": settings.APP_DB_PASSWORD,
        "DB_PASSWORD": settings.DB_PASSWORD,
    }
    refused = {
        *settings.REFUSED_SECRETS,
        *(derive_password(master, settings.APP_ROLE) for master in settings.REFUSED_SECRETS),
    }
    if names := [name for name, value in used.items() if value in refused]:
        raise DevelopmentSecret(
            f"{', '.join(names)} of this server: the value is the one in the file ENVIRONMENT, which everybody can read. "
            "Give it a value of its own."
        )
