"""wallets.bump: which payouts have waited long enough to be outbid, to the microsecond, and what becomes of the answer."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from tests.simulated import SimulatedExchange
from tests.wallets.signer.rows import NOW, make_attempt, make_payout, raw_numbered
from tests.wallets.test_stuck_payouts import payout_of, want_payout
from wallets import states
from wallets.bump import UNTAKEN_AFTER, _stuck, bump_stuck_payouts
from wallets.models import Payout
from wallets.signer.advice import Outcome

TICK = timedelta(microseconds=1)
HALF_AN_HOUR = timedelta(minutes=30)
REFUSED = "fee_refused: -26 min relay fee not met"

# state, problem, how long ago the attempts were signed, whether one is mined; whether it is outbid
CASES: list[tuple[str, str, list[timedelta], bool, bool]] = [
    (states.BROADCAST, "", [HALF_AN_HOUR], False, False),
    (states.BROADCAST, "", [HALF_AN_HOUR + TICK], False, True),
    (states.SIGNED, "", [HALF_AN_HOUR + TICK], False, True),
    (states.BROADCAST, "", [HALF_AN_HOUR + TICK, timedelta(0)], False, False),  # outbid a moment ago
    (states.BROADCAST, "", [2 * HALF_AN_HOUR], True, False),
    (states.IN_DOUBT, "", [2 * HALF_AN_HOUR], False, False),
    (states.REQUESTED, "", [2 * HALF_AN_HOUR], False, False),
    (states.CONFIRMED, "", [2 * HALF_AN_HOUR], False, False),
    # No node takes it for its fee: two minutes are enough.
    (states.SIGNED, REFUSED, [UNTAKEN_AFTER], False, False),
    (states.SIGNED, REFUSED, [UNTAKEN_AFTER + TICK], False, True),
    (states.SIGNED, REFUSED, [HALF_AN_HOUR, UNTAKEN_AFTER], False, False),
    (states.SIGNED, "node_silent: x", [UNTAKEN_AFTER + TICK], False, False),
    (states.SIGNED, REFUSED, [UNTAKEN_AFTER + TICK], True, False),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "problem", "ago", "mined", "stuck"), CASES)
def test_a_payout_is_outbid_once_it_has_waited(
    settings: LazySettings, state: str, problem: str, ago: list[timedelta], mined: bool, stuck: bool
) -> None:
    settings.BUMP_AFTER_MINUTES = 30
    assert timedelta(minutes=2) == UNTAKEN_AFTER
    payout = make_payout("ethereum", state=state, problem=problem)
    for n, span in enumerate(ago, start=1):
        height = 5 if mined else None
        make_attempt(payout, raw_numbered(n), n, signed_at=NOW - span, block_height=height)
    make_payout("litecoin", state=states.BROADCAST)
    assert list(_stuck("ethereum", NOW)) == ([payout] if stuck else [])


def stuck_payout(site: SimulatedExchange) -> Payout:
    payout = payout_of(want_payout(site, "ethereum"))
    site.later(minutes=31)
    site.scan("ethereum")
    return payout


def held_back(site: SimulatedExchange, payout: Payout) -> None:
    """Nothing is offered, however often the round comes, and what stood about the payout stays."""
    assert bump_stuck_payouts(node=site.client_of("ethereum"), at=site.now()) == 0
    assert payout.attempts.count() == 1


def test_one_that_waits_is_outbid_once(simulated: SimulatedExchange) -> None:
    simulated.ethereum.dear = 10**12
    payout = stuck_payout(simulated)
    node = simulated.client_of("ethereum")
    assert bump_stuck_payouts(node=node, at=simulated.now()) == 1
    assert bump_stuck_payouts(node=node, at=simulated.now()) == 0
    assert payout.attempts.count() == 2


def test_without_a_signer_or_a_node_nothing_happens(simulated: SimulatedExchange, settings: LazySettings) -> None:
    simulated.ethereum.dear = 10**12
    payout = stuck_payout(simulated)
    simulated.ethereum.down = True
    held_back(simulated, payout)
    simulated.ethereum.down = False
    key_file, settings.KEY_FILE = settings.KEY_FILE, ""
    held_back(simulated, payout)
    settings.KEY_FILE = key_file
    assert bump_stuck_payouts(node=simulated.client_of("ethereum"), at=simulated.now()) == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("behind_in_lane", ""),
        ("child_pays", ""),
        ("mined", ""),
        ("not_sent", ""),
        ("fee_over_cap", "fee_over_cap: words"),
        ("signer_unreachable", "signer_unreachable: words"),
    ],
)
def test_an_answer_is_kept_when_it_is_about_the_payout_itself(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    simulated.ethereum.dear = 10**12
    payout = stuck_payout(simulated)
    asked: list[Any] = []

    def answer(**request: Any) -> Outcome:
        asked.append((request["action"], request["payout_id"]))
        return Outcome(code=code, words="words")

    monkeypatch.setattr("wallets.bump.request_signature", answer)
    assert bump_stuck_payouts(node=simulated.client_of("ethereum"), at=simulated.now()) == 0
    assert asked == [("outbid", payout.pk)]
    payout.refresh_from_db()
    assert payout.problem == problem
