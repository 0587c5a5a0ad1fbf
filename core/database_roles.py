"""The database's roles, one per kind of process: their names, their passwords, and the table of what each may do.

The table itself is data: the module that `settings.RIGHTS` names.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

UNION = "app"  # every other role's rights together: for tests and a developer's shell
VERBS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
# Which column of the table of rights a kind of process is judged by; the network follows an underscore.
WORKER, SIGNER = "worker", "signer"
PLAIN_KINDS = ("web", WORKER, "beat", "operator")
# How long one statement of a role may take; the operator's and the union's may take their time.
STATEMENT_TIMEOUTS = {"web": "10s", "worker": "60s", "chain": "60s", "beat": "5s", "signer": "20s", "operator": "10min"}

# No role but the union holds more than one in so many of the server's connections: a stolen one keeps nobody else out.
CONNECTION_SHARE = 2


class RightsError(Exception):
    """The table of rights speaks of a verb, a column or a kind that is not known."""


@dataclass(frozen=True, slots=True)
class Right:
    """One verb that a kind may use on a table; UPDATE on `columns` alone unless they are empty."""

    verb: str
    columns: tuple[str, ...] = ()


def list_kinds(chains: Sequence[str]) -> tuple[str, ...]:
    """Name every kind of process that has a role of its own."""
    return (*PLAIN_KINDS, *(f"{WORKER}_{chain}" for chain in chains), *(f"{SIGNER}_{chain}" for chain in chains))


def column_of(kind: str) -> str:
    """Name the column of the table of rights that a kind is judged by: `worker_litecoin` by `chain`."""
    if kind.startswith(f"{WORKER}_"):
        return "chain"
    return SIGNER if kind.startswith(f"{SIGNER}_") else kind


def chain_of(kind: str) -> str:
    """Return the network of a kind that belongs to one, else nothing."""
    prefix, _, chain = kind.partition("_")
    return chain if prefix in (WORKER, SIGNER) else ""


def role_name(owner: str, kind: str) -> str:
    """Return the role of a kind of process in the database of `owner`; without a kind, the union's."""
    return f"{owner}_{kind or UNION}"


def derive_password(master: str, role: str) -> str:
    """Return a role's own password: HMAC-SHA256 of its name under APP_DB_PASSWORD, in hexadecimal.

    `openssl dgst -sha256 -hmac` of the name computes the same. Empty when there is no master.
    """
    return hmac.new(master.encode(), role.encode(), hashlib.sha256).hexdigest() if master else ""


def read_rights(text: str) -> list[Right]:
    """Read a cell of the table: "S I U(state deadline) D". Raises: RightsError."""
    return list(_read(text))


def _read(text: str) -> Iterator[Right]:
    rest = text
    while rest := rest.strip():
        verb, rest = rest[0], rest[1:]
        if verb not in VERBS:
            raise RightsError(f"{verb!r} in {text!r} is none of {', '.join(VERBS)}")
        columns: tuple[str, ...] = ()
        if rest.startswith("("):
            inside, closed, rest = rest[1:].partition(")")
            columns = tuple(inside.split())
            if verb != "U" or not closed or not columns:
                raise RightsError(f"{text!r}: only U takes columns, in brackets")
        yield Right(VERBS[verb], columns)
