"""The stored facts that decide what can be sold: one SQL statement, kept in memory for a second at most.

Each app tells its own through a reader of its own (wallets_standing, wallets_frozen, ledger_free_coins); here they are only
brought together with the promises, which are orders' own (orders_promised).
"""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from core.clock import machine_now
from core.database_clock import offset_s, seconds_of
from core.heartbeat import AGES, is_silent
from core.models import Asset
from core.snapshot import Snapshot

_FACTS = f"""
    SELECT to_jsonb(a), w.facts, wallets_frozen(), {AGES}, EXTRACT(EPOCH FROM clock_timestamp()),
           to_jsonb(p)
    FROM core_asset a
    CROSS JOIN LATERAL orders_promised(a.code, %s) p
    LEFT JOIN wallets_standing() w ON w.chain = a.network
    WHERE a.enabled AND a.is_crypto
"""  # noqa: S608 -- constants


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a network's signer lets go without a person, as it last said, in minor units; `asked`: what waits to be signed.

    `payout`: one payment, fee cap included, at the most. What is left is never below zero.
    """

    payout: int
    hour_left: int
    day_left: int
    funded_left: Mapping[str, int]
    asked: int


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one asset. Amounts in minor units; `coins` are the free ones, largest first, at most 20.

    `free`: what the books call spendable, less every open promise; may be negative.
    """

    asset: Asset
    free: int
    promised: int  # all open promises together
    unfunded: int  # promised to orders nobody has paid for yet
    scanned: bool  # a node was ever read
    problem: str
    set_aside: int  # deposits and payouts of ours whose next step failed, and that nobody has looked into
    scan_started_at: datetime | None
    fee_rate_minor: int
    coins: tuple[int, ...]
    untried_since: datetime | None
    unsent_since: datetime | None
    lane_since: datetime | None
    ceilings: Ceilings | None  # None: its signer has never said
    client_open: int  # promised to the client asked about, in this asset
    client_count: int  # how many open promises that client has, in all assets together

    def left_to_sign(self, funding: str) -> int | None:
        """Return how much more may be promised before an hour or a day of the signer is used up; may be negative.

        What waits for its signature and every open promise count against it, also against the hour of `funding`, the network
        that is paid in. None while the signer has never said what it lets go.
        """
        said = self.ceilings
        if said is None:
            return None
        spans = [said.hour_left, said.day_left]
        if funding != self.asset.network:
            spans.append(said.funded_left.get(funding, 0))
        return min(spans) - said.asked - self.promised


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one instant. `ages`: seconds since each heartbeat; `clock_off_s`: our clock less the database's.

    `worked_out`: what follows from these facts and was asked for before; it ends with them.
    """

    sides: Mapping[str, Side]
    frozen: frozenset[str]
    ages: Mapping[str, Decimal]
    clock_off_s: Decimal
    worked_out: dict[Hashable, Any] = field(init=False, default_factory=dict, compare=False, repr=False)

    def is_silent(self, name: str) -> bool:
        """Say whether the heartbeat `name` was older than its limit when the facts were read."""
        key = ("silent", name)
        if key not in self.worked_out:
            self.worked_out[key] = is_silent(name, self.ages)
        return bool(self.worked_out[key])


def read_facts(client_ref: str = "") -> Facts:
    """Read all facts from the database, and what `client_ref` holds of the promises: one statement."""
    started = seconds_of(machine_now())
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [client_ref])
        rows = cursor.fetchall()
    ended = seconds_of(machine_now())
    if not rows:
        return Facts({}, frozenset(), {}, Decimal(0))
    sides = [_side(json.loads(row[0]), json.loads(row[1] or "{}"), json.loads(row[5])) for row in rows]
    return Facts(
        sides={side.asset.code: side for side in sides},
        frozen=frozenset(json.loads(rows[0][2])),
        ages={name: Decimal(age) for name, age in json.loads(rows[0][3], parse_float=Decimal).items()},
        clock_off_s=offset_s(started, ended, rows[0][4]),
    )


def _side(fields: dict[str, object], chain: dict[str, object], promises: dict[str, Any]) -> Side:
    free_coins: Any = chain.get("coins") or []
    return Side(
        asset=Asset(**fields),
        free=int(promises["coins"]) - int(promises["promised"]),
        promised=int(promises["promised"]),
        unfunded=int(promises["unfunded"]),
        scanned=bool(chain.get("identity")),
        problem=str(chain.get("problem") or ""),
        set_aside=int(str(chain.get("set_aside") or 0)),
        scan_started_at=_instant(chain.get("scan_started_at")),
        fee_rate_minor=int(str(chain.get("fee_rate") or 0)),
        coins=tuple(int(minor) for minor in free_coins),
        untried_since=_instant(chain.get("untried_since")),
        unsent_since=_instant(chain.get("unsent_since")),
        lane_since=_instant(chain.get("lane_since")),
        ceilings=_ceilings(chain.get("signer"), chain.get("asked")),
        client_open=int(promises["client_minor"]),
        client_count=int(promises["client_count"]),
    )


def _ceilings(row: Any, asked: Any) -> Ceilings | None:
    if row is None:
        return None
    return Ceilings(
        payout=int(row["payout_minor"]),
        hour_left=int(row["hour_left_minor"]),
        day_left=int(row["day_left_minor"]),
        funded_left={name: int(minor) for name, minor in row["funded_left"].items()},
        asked=int(asked or 0),
    )


def _instant(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


_kept = Snapshot(read_facts)


def get_facts() -> Facts:
    """Return the facts, at most a second old."""
    return _kept.get()
