"""What can be done next about an order, and by whom: one pure function for every state, exception, hold and fault.

Read by the operator's list (`manage.py cases`); a test walks every combination and finds none without a next move.
"""

from dataclasses import dataclass

from orders import states
from orders.actions import may_refund, may_set_payout_address, refund_offered
from wallets import states as wallet_states


@dataclass(frozen=True, slots=True)
class DepositFact:
    """A deposit of an order, as its row says."""

    id: int
    state: str
    disposition: str


@dataclass(frozen=True, slots=True)
class PayoutFact:
    """The latest intent of a debt of an order, as its row says; `signed`: there are attempts, `approval`: it waits for one."""

    id: int
    state: str
    settles: bool
    signed: bool = False
    approval: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An order with what was paid to it and by it."""

    reference: str
    state: str
    exception: str = states.NONE
    hold: str = states.NO_HOLD
    next_actor: str = ""
    address: bool = True
    deposits: tuple[DepositFact, ...] = ()
    payouts: tuple[PayoutFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Next:
    """One possible move: who makes it, and the command or the form with which; the machine needs neither."""

    actor: str
    how: str


def next_moves(case: Case) -> tuple[Next, ...]:
    """Return every move that can be made now; empty only for an order that is over, with nothing left to do."""
    return (*_of_deposits(case), *_of_payouts(case), *_of_order(case))


def _of_deposits(case: Case) -> list[Next]:
    moves = []
    offered = refund_offered(state=case.state, hold=case.hold, next_actor=case.next_actor)
    for deposit in case.deposits:
        if may_refund(deposit.disposition, deposit.state, offered=offered):
            moves.append(Next(states.CUSTOMER, "asks for a refund on the order page"))
            moves.append(Next(states.OPERATOR, f"refund {case.reference} {deposit.id} ADDRESS ADDRESS"))
        elif deposit.state == wallet_states.SEEN:
            moves.append(Next(states.MACHINE, "waits for its confirmations"))
        elif deposit.state == wallet_states.CONFIRMED and deposit.disposition == "":
            moves.append(Next(states.MACHINE, "decides the deposit"))
        elif deposit.state == wallet_states.REMOVED and deposit.disposition == "":
            moves.append(Next(states.MACHINE, "lets the order wait for a payment again"))
        elif deposit.state == wallet_states.REMOVED and case.exception == states.REORG:
            moves.append(Next(states.MACHINE, "looks whether the chain has the deposit again"))
            moves.append(Next(states.OPERATOR, f"write_off {case.reference} --because REASON"))
    return moves


def _of_payouts(case: Case) -> list[Next]:
    moves = []
    for payout in case.payouts:
        elsewhere = Next(states.OPERATOR, f"redirect {case.reference} {payout.id} ADDRESS ADDRESS")
        if payout.state == wallet_states.REQUESTED:
            moves.append(Next(states.MACHINE, "signs as soon as nothing stands in the way"))
            if payout.approval:
                moves.append(Next(states.OPERATOR, f"approve_payout {payout.id} --because REASON"))
            if not payout.signed:
                moves.append(elsewhere)
        elif payout.state in (wallet_states.SIGNED, wallet_states.BROADCAST):
            moves.append(Next(states.MACHINE, "sends, outbids, or asks again once it is proven dead"))
        elif payout.state == wallet_states.CONFIRMED and case.state not in states.RESTING:
            moves.append(Next(states.MACHINE, "notes that it arrived"))
        elif payout.state == wallet_states.IN_DOUBT:
            moves.append(Next(states.MACHINE, "follows what the chain decides"))
            moves.append(Next(states.OPERATOR, f"payout {payout.id}: --paid-by or --again, by what the chain shows"))
        elif payout.state in (wallet_states.REJECTED, wallet_states.REVERTED):
            if payout.state == wallet_states.REVERTED:
                moves.append(Next(states.OPERATOR, f"payout {payout.id} --again"))
            moves.append(elsewhere)
    return moves


def _of_order(case: Case) -> list[Next]:
    moves = []
    if not case.address and may_set_payout_address(case.state, given=False, paid=True):
        moves.append(Next(states.CUSTOMER, "gives the payout address on the order page"))
    if case.state == states.AWAITING_DEPOSIT:
        moves.append(Next(states.CUSTOMER, "pays"))
        moves.append(Next(states.MACHINE, "lets it expire"))
    elif case.state == states.EXCHANGING and case.hold == states.LIQUIDITY:
        moves.append(Next(states.OPERATOR, "fills up the wallet; the payout then goes by itself"))
        moves.append(Next(states.MACHINE, "pays once the coins are there, and offers a free refund after the deadline"))
    elif case.state == states.EXCHANGING and case.hold == states.NO_HOLD:
        moves.append(Next(states.MACHINE, "asks for the payout"))
    return moves
