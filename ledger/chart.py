"""The chart of accounts: every kind the books may use, on which side it stands, and whether it has a floor.

docs/LEDGER.md explains each kind with the entries that touch it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kind:
    """`floor`: +1 never below zero, -1 never above zero, 0 no limit. `owned`: one account per order."""

    code: str
    side: Literal["asset", "liability", "equity", "revenue", "expense"]
    floor: Literal[-1, 0, 1]
    owned: bool
    meaning: str


_KINDS = (
    Kind("chain:spendable", "asset", 1, False, "coins on our chain addresses that a payout may use now"),
    Kind("chain:reserved", "asset", 1, False, "coins set aside for payouts that were asked for"),
    Kind("chain:unswept", "asset", 0, False, "coins on deposit addresses that a sweep has to collect first"),
    Kind("chain:missing", "asset", 0, False, "coins a reorganisation took away (negative), until they are mined again"),
    Kind("customer", "liability", -1, True, "what an order's customer has paid in and not yet received"),
    Kind("position", "equity", 0, False, "the house's own trading position: the other side of every exchange"),
    Kind("capital", "equity", 0, False, "coins the operator put into or took out of the house wallet"),
    Kind("revenue:fee", "revenue", 0, False, "exchange fees earned"),
    Kind("revenue:network", "revenue", 0, False, "network fees charged to customers"),
    Kind("expense:network", "expense", 0, False, "network fees paid to miners and validators"),
    Kind("receivable:reorg", "asset", 0, False, "deposits that vanished after we had paid out"),
    Kind("unidentified", "liability", 0, False, "coins received that belong to no order"),
    Kind("dust", "revenue", 0, False, "deposits too small to refund, kept by the published policy"),
)

CHART: dict[str, Kind] = {kind.code: kind for kind in _KINDS}
