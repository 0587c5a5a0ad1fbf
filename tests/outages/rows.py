"""The table of outages as data: which part, what happens to it, and what the site may then not sell, for which reasons.

Ten seconds after the fault an order of a pair in `refuses` is refused for one of the causes given, in the words of that
cause; one of any other pair is taken. `pairs_free`: pairs of which the row says nothing, as the part concerns their refunds.
"""

from dataclasses import dataclass, field

from orders.pauses import Reason
from tests.outages.customers import NO_ANSWER
from tests.outages.site import PROCESSES

BOTH = ("ETHLTC", "LTCETH")
UNAVAILABLE = "unavailable"
STOPPED, KILLED, GONE, SILENT = "stopped", "killed", "gone", "silent"
CLOCKS = {"clock +5 s": 5, "clock -5 s": -5, "clock +10 min": 600, "clock -10 min": -600}
# What a worker is silent about, its queue's site-wide cause first.
DEFAULT = frozenset({Reason.WORKER_SILENT})
CHAIN = frozenset({Reason.SCAN_SILENT, Reason.ORDERS_SILENT, Reason.PAYOUTS_SILENT})
SIGNER = frozenset({Reason.PAYOUTS_SILENT, Reason.PAYOUTS_WAITING, Reason.SIGNER_SILENT})
NODE = frozenset({Reason.NODE_PROBLEM, Reason.SCAN_SILENT})
PAYS = {"litecoin": "LTCETH", "ethereum": "ETHLTC"}  # the pair that a chain pays out


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the site and a fault of it; `refuses` names by pair the causes that may be told."""

    part: str
    fault: str
    refuses: dict[str, frozenset[str]] = field(default_factory=dict)
    pairs_free: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.part} {self.fault}"


def _both(causes: frozenset[str]) -> dict[str, frozenset[str]]:
    return dict.fromkeys(BOTH, causes)


def _refuses(part: str, fault: str) -> dict[str, frozenset[str]]:
    """What a site without this part, or with one whose clock is ten minutes wrong, must not sell."""
    clock = fault in CLOCKS
    kind, _, chain = part.partition("_")
    if kind == "web":
        return _both(frozenset({Reason.CLOCK}) if clock else frozenset({NO_ANSWER}))
    if kind == "beat":
        return {} if clock else _both(DEFAULT)  # it counts by uptime
    if kind == "signer":
        return {PAYS[chain]: SIGNER}
    return _both(CHAIN if chain else DEFAULT)


def _rows() -> tuple[Row, ...]:
    rows = []
    for part in PROCESSES:
        for fault in (STOPPED, KILLED, *CLOCKS):
            within = abs(CLOCKS.get(fault, 600)) <= 5  # settings.CLOCK_LIMIT_S, as published
            kind, _, chain = part.partition("_")
            free = tuple(pair for pair in BOTH if kind == "signer" and pair != PAYS[chain])
            rows.append(Row(part, fault, {} if within else _refuses(part, fault), free))
    for fault in (GONE, SILENT):
        rows.append(Row("redis", fault, _both(DEFAULT)))
        rows += [Row(node, fault, _both(NODE)) for node in ("litecoin", "ethereum")]
    rows.append(Row("postgres", GONE, _both(frozenset({UNAVAILABLE}))))
    return tuple(rows)


ROWS = _rows()
