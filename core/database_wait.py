"""Waiting for the database server: a container may start before it, and after a mistake it should say which one."""

import time
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connections

PAUSE_S = 1
REPORT_S = 5
# What the server said -> what to do about it, besides waiting.
REMEDIES = (
    (
        "password authentication failed",
        "check {user}'s password; the role {user} may also not be there yet: run `release` first",
    ),
    ("does not exist", "check POSTGIS_ENV_POSTGRES_USER and POSTGIS_ENV_POSTGRES_DB"),
    (
        "no password supplied",
        "the password of {user} is empty: APP_DB_PASSWORD, or POSTGIS_ENV_POSTGRES_PASSWORD for release",
    ),
    ("could not translate host name", "check DATABASE_CONTAINER (or POSTGIS_PORT_5432_TCP_ADDR) and the network"),
)
OTHERWISE = "check that the database runs and can be reached from here"


class DatabaseSilent(Exception):
    """The database let nobody in within the time given; the message holds its last answer and what to do."""


def wait_for_database(alias: str, *, wait_s: int, report: Callable[[str], Any]) -> None:
    """Return once `alias` can connect. Raises: DatabaseSilent after `wait_s`."""
    connection = connections[alias]
    values = connection.settings_dict
    address = f"{values['HOST']}:{values['PORT']}"
    deadline = time.monotonic() + wait_s
    reported = time.monotonic() - REPORT_S
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            answer = str(error).strip().splitlines()[-1]
        else:
            return
        now = time.monotonic()
        if now > deadline:
            remedy = next((remedy for sign, remedy in REMEDIES if sign in answer), OTHERWISE).format(
                user=values["USER"]
            )
            raise DatabaseSilent(
                f"PostGIS at {address} did not let {values['USER']} into {values['NAME']} within {wait_s} s. "
                f"It said: {answer} What to do: {remedy}."
            )
        if now - reported >= REPORT_S:
            report(f"waiting for PostGIS at {address}")
            reported = now
        time.sleep(PAUSE_S)
