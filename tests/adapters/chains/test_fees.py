"""How far a node is believed about fees: cases at the edge of the bounds, for both families."""

from typing import Any

import pytest

from tests.adapters.chains.test_core_rpc import ScriptedNode
from wallets.chains.core_rpc import CoreChain
from wallets.chains.evm import quote_gas
from wallets.chains.fees import FEE_BOUNDS, FeeBounds
from wallets.chains.protocol import FeeQuote, Tx

MOST = FEE_BOUNDS["litecoin"].most
GAS = FeeBounds(least=1, most=2000, most_tip=100)


class CoreNode(ScriptedNode):
    def batch(self, questions: list[tuple[str, list[Any]]]) -> list[Any]:
        return [self.answers[f"{m}{p[0]}{p[1][0]}" if p else m] for m, p in questions]


def core(steady: str | None, urgent: str | None, soon: str | None, mempool: str, relay: str = "0.00001") -> FeeQuote:
    """Ask a node that advises these coins per kilobyte."""
    chain = CoreChain("litecoin", "http://localhost")
    answers: dict[str, Any] = {"getmempoolinfo": {"mempoolminfee": mempool, "minrelaytxfee": relay}}
    for name, rate in (("6C", steady), ("2C", urgent), ("2E", soon)):
        answers["estimatesmartfee" + name] = {"feerate": rate} if rate else {"errors": ["Insufficient data"]}
    chain.rpc = CoreNode(answers)  # type: ignore[assignment]
    return chain.fee_quote()


@pytest.mark.parametrize(
    ("said", "later", "fast", "floor", "sight"),
    [
        # steady, urgent, soon, mempool minimum: six blocks, two blocks, floor, sight; per virtual byte
        (("0.0002", "0.0005", "0.0004", "0.00001"), 20, 50, 1, 40),
        ((None, None, None, "0.00001"), 1, 1, 1, 1),
        ((None, None, None, "0.0003"), 30, 30, 30, 30),
        (("0.0002", "0.0005", "0.0004", "0.0003"), 30, 50, 30, 40),
        (("0.0009", "0.0005", "0.0004", "0.00001"), 50, 50, 1, 40),
        (("0.0002", "0.0004", "0.0005", "0.00001"), 20, 50, 1, 50),
        (("0.00001001", "0.00002001", "0.00002001", "0.00001"), 2, 3, 1, 2),
        (("0.0002", "0.00999", "0.00999", "0.00001"), 20, 999, 1, 999),
        (("0.0002", "0.01", "0.01", "0.00001"), 20, 1000, 1, 1000),
    ],
    ids=["ordinary", "no-data", "busy-mempool", "floor-above", "crossed", "economical-dearer", "round", "below", "at"],
)
def test_what_a_core_node_advises(said, later: int, fast: int, floor: int, sight: int) -> None:
    quote = core(*said)

    assert (quote.per_unit_minor, quote.fast_minor, quote.floor_minor, quote.sight_minor) == (later, fast, floor, sight)
    assert quote.clamped == ""


@pytest.mark.parametrize("rate", ["0.01000001", "0.13", "1", "1000"])
def test_advice_over_the_bound_is_cut_and_said(rate: str) -> None:
    quote = core(rate, rate, rate, "0.00001")

    assert (quote.per_unit_minor, quote.fast_minor, quote.sight_minor, quote.floor_minor) == (MOST, MOST, MOST, 1)
    assert "over the bound" in quote.clamped


def test_a_node_that_relays_nothing_payable_is_not_believed() -> None:
    quote = core("0.0002", "0.0005", "0.0004", "5")

    assert (quote.floor_minor, quote.per_unit_minor) == (MOST, MOST)
    assert "the relay fee" in quote.clamped


def test_every_network_has_bounds_in_order() -> None:
    assert all(0 < bounds.least < bounds.most >= bounds.most_tip for bounds in FEE_BOUNDS.values())


@pytest.mark.parametrize(
    ("base", "advised", "mined", "tip", "fast", "sight", "sight_tip"),
    [
        (80, 10, [], 10, 100, 90, 10),
        (80, 10, [(4, 10, 20)], 10, 110, 84, 4),
        (80, 30, [(4, 10, 20)], 30, 120, 84, 4),
        (80, 40, [(4, 10, 20)], 40, 130, 84, 4),
        (80, 41, [(4, 10, 20)], 40, 130, 84, 4),
        (80, 10, [(15, 16, 20)], 10, 110, 90, 10),
        (80, 2, [(4, 5, 6), (1, 2, 90)], 2, 180, 81, 1),
        (80, 99, [], 99, 189, 179, 99),
        (80, 100, [], 100, 190, 180, 100),
        (0, 0, [], 0, 1, 0, 0),
    ],
)
def test_what_a_chain_with_gas_costs(base, advised, mined, tip, fast, sight, sight_tip) -> None:
    quote = quote_gas(GAS, base=base, advised_tip=advised, mined_tips=mined)

    assert (quote.base_minor, quote.priority_minor, quote.fast_minor) == (base, tip, fast)
    assert (quote.per_unit_minor, quote.max_fee_minor) == (max(base + tip, 1), max(2 * base + tip, 1))
    assert (quote.sight_minor, quote.sight_priority_minor) == (sight, sight_tip)
    assert quote.clamped == ""


@pytest.mark.parametrize(
    ("base", "advised", "base_taken", "tip_taken", "said"),
    [
        (2000, 0, 2000, 0, ""),
        (2001, 0, 2000, 0, "the base fee 2001 is over the bound, 2000 is taken"),
        (0, 100, 0, 100, ""),
        (0, 101, 0, 100, "the advised tip 101 is over the bound, 100 is taken"),
    ],
)
def test_gas_over_the_bound_is_cut_and_said(base, advised, base_taken, tip_taken, said) -> None:
    quote = quote_gas(GAS, base=base, advised_tip=advised, mined_tips=[])

    assert (quote.base_minor, quote.priority_minor, quote.clamped) == (base_taken, tip_taken, said)


@pytest.mark.parametrize(
    ("rate", "tip", "counts"),
    [
        (110, 10, True),
        (109, 10, False),
        (110, 9, False),
        (111, 11, True),
        (10**9, 9, False),  # any maximum, but a tip that no miner takes
        (110, 10**9, True),
    ],
)
def test_a_sight_counts_by_the_maximum_and_by_what_is_left_of_it_as_a_tip(rate: int, tip: int, counts: bool) -> None:
    quote = FeeQuote(110, base_minor=100, sight_minor=110, sight_priority_minor=10)

    assert quote.covers(Tx("1", (), rate_minor=rate, priority_minor=tip)) is counts


def test_a_payment_that_does_not_say_what_it_offers_never_counts() -> None:
    assert not FeeQuote(0).covers(Tx("1", ()))
