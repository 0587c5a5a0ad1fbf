"""Fees that rise many times over for an hour and fall again, while payouts are at every moment of their life.

Each storm comes from a seed: when customers pay, how the fee goes, what the node and the worker suffer meanwhile. At every
step each payout moves or is held by name, none offers more than its cap, and no customer is paid twice; when it is over all
are paid, once, and the books agree with the chains. FEE_STORMS says how many on each chain (bin/nightly: many), FEE_STORM_SEED
which.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from core.errors import DomainError
from orders import states
from orders.models import Order
from orders.offer import get_offer
from orders.pauses import Reason
from tests.simulated import SimulatedExchange, SimulatedNode
from tests.wallets.test_stuck_payouts import GWEI, PAIR_OF, check_paid_once, describe, settle, wait
from wallets import states as wallet_states
from wallets.models import Attempt, Payout
from wallets.signer.lane import find_head, self_transfer_cap

STORMS = int(os.environ.get("FEE_STORMS", "2"))
SEED = int(os.environ.get("FEE_STORM_SEED", "1"))
USUAL = {"litecoin": 10, "ethereum": GWEI}
PLATEAU = 3  # a cap is four times what the largest payout costs, eight times an ordinary one: wallets.paying.fees
RISES = (3, 8, 20, 60, 150, 700)
# What a payout that does not move may be held by. Anything else, or nothing, is a payout that nobody knows of.
HELD = (
    *("fee_over_cap", "fee_refused", "lane_over_cap", "at_fee_cap", "nonce_used_up", "coins_short", "reopened"),
    *("node_silent", "inputs_missing", "inputs_spent", "waits_for_parent", "nonce_ahead", "chain_too_long"),
)
FINAL = (wallet_states.CONFIRMED, wallet_states.REVERTED)


@dataclass
class Storm:
    """One run of two hours on one chain."""

    site: SimulatedExchange
    chain: str
    choose: random.Random
    patch: pytest.MonkeyPatch
    orders: list[Order] = field(default_factory=list)
    rate: int = 0

    @property
    def node(self) -> SimulatedNode:
        node: SimulatedNode = self.site.node_of(self.chain)
        return node

    def charge(self, times: float) -> None:
        self.rate = int(USUAL[self.chain] * times)
        self.node.charge(self.rate)

    # --- moments of a payout's life, brought about before the storm ---------------------------------------------------

    def queue(self) -> None:
        """Paid for, and not signed yet."""
        pair, send = PAIR_OF[self.chain]
        try:
            order = self.site.open(pair, send).order
        except DomainError:
            return  # not sold in these minutes, by name
        self.site.pay(order)
        self.site.node_of(order.send_asset.network).mine(14)
        self.orders.append(order)

    def sign(self) -> None:
        """Signed by a worker that dies before it sends."""
        self.queue()
        with self.patch.context() as dying:
            dying.setattr("tests.exchange.send_due_attempts", lambda **_: 0)
            self.site.tick()
            self.site.tick()

    def send(self) -> None:
        """Sent, and in the mempool."""
        self.queue()
        self.site.tick()
        self.site.tick()

    def evict(self) -> None:
        """Sent, and the node has lost it."""
        self.send()
        self.node.forget_mempool()

    def outbid(self) -> None:
        """Outbid once already."""
        self.send()
        self.charge(2)
        wait(self.site)

    def chain_up(self) -> None:
        """A parent, its child and a grandchild, or so many nonces behind each other."""
        for _ in range(3):
            self.send()

    def lose_answer(self) -> None:
        """Taken by the node, whose answer never comes."""
        self.node.lose_answers = 1
        self.send()
        self.node.lose_answers = 0

    def stick(self) -> None:
        """At its cap, so that the lane stands or is freed."""
        self.chain_up()
        self.charge(RISES[-2])
        wait(self.site)
        wait(self.site)


MOMENTS: tuple[Callable[[Storm], None], ...] = (
    *(Storm.queue, Storm.sign, Storm.send, Storm.evict, Storm.outbid, Storm.chain_up, Storm.lose_answer, Storm.stick),
)


def check_step(storm: Storm) -> None:
    """What must hold at every moment."""
    held = storm.node.pool
    for payout in Payout.objects.filter(chain=storm.chain).exclude(state__in=FINAL):
        mined = payout.attempts.filter(block_height__isnull=False).exists()
        waiting = any(attempt.txid in held for attempt in payout.attempts.all())
        assert mined or waiting or payout.problem.startswith(HELD), (payout.pk, payout.state, payout.problem)
    for attempt in Attempt.objects.filter(chain=storm.chain).select_related("payout"):
        most = attempt.payout.fee_cap_minor if attempt.pays else self_transfer_cap(storm.chain)
        assert attempt.fee_minor <= most, (attempt.payout_id, attempt.n)
    for order in storm.orders:
        assert storm.site.paid(order) in (0, order.get_minor), order.reference
    check_lane(storm)


def check_lane(storm: Storm) -> None:
    """Where the head of the lane stands for more than an hour, nothing more is sold that would stand behind it."""
    head = find_head(storm.chain) if storm.chain == "ethereum" else None
    first = head and head.payout.attempts.order_by("n").first()
    if first is None or (storm.site.now() - first.signed_at).total_seconds() <= 3660:
        return
    offer = get_offer(PAIR_OF[storm.chain][0], at=storm.site.now())
    assert Reason.LANE_STUCK in [pause.reason for pause in offer.pauses], offer.pauses


@pytest.mark.parametrize("chain", USUAL)
@pytest.mark.parametrize("number", range(SEED, SEED + STORMS))
def test_a_storm(simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, chain: str, number: int) -> None:
    choose = random.Random(f"{chain}:{number}")
    storm = Storm(simulated, chain, choose, monkeypatch)
    MOMENTS[number % len(MOMENTS)](storm)
    highest = choose.choice(RISES)
    passed = 0
    while passed < 60:
        step = choose.choice((2, 5, 15, 31))
        passed += step
        storm.charge(max(1, highest * choose.uniform(0.3, 1)))
        if choose.random() < 0.4:
            choose.choice((storm.queue, storm.sign, storm.send, storm.evict, storm.lose_answer))()
        wait(simulated, minutes=step)
        check_step(storm)
    # It falls to what every cap allows and nothing offered before would reach: who waited is outbid, and paid.
    storm.charge(PLATEAU)
    for _ in range(8):
        wait(simulated)
        check_step(storm)
    settle(simulated)
    for order in storm.orders:
        assert simulated.reload(order).state == states.COMPLETED, describe(order)
    storm.charge(1)
    settle(simulated)
    assert storm.orders
    check_paid_once(simulated, *storm.orders)
