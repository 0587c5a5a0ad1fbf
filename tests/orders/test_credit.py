"""Acting on a deposit's news: once, whoever is quicker, and what becomes of the promise and of dust."""

from typing import Any

import pytest

from ledger.models import Entry
from orders import credit, states
from orders.credit import follow_deposit
from orders.models import Promise
from tests.orders.conftest import NOW
from tests.orders.rows import follow, open_one, pay, reload
from wallets.models import Deposit
from wallets.states import CREDIT, DUST, WAITING

pytestmark = pytest.mark.usefixtures("site")


def act(deposit: Deposit) -> bool:
    return follow_deposit(deposit_id=deposit.pk, reference=deposit.owner_ref, at=NOW)


def test_news_is_acted_on_once() -> None:
    deposit = pay(open_one())

    assert (act(deposit), act(deposit)) == (True, False)


def test_whoever_finds_the_news_gone_under_the_lock_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    deposit = pay(open_one())
    real = credit.lock_rows

    def quicker(*rows: Any) -> Any:
        Deposit.objects.filter(pk=deposit.pk).update(news=False)  # another worker, while we wait for the lock
        return real(*rows)

    monkeypatch.setattr(credit, "lock_rows", quicker)
    assert act(deposit) is False
    deposit.refresh_from_db()
    assert deposit.disposition == ""


@pytest.mark.parametrize(
    ("share", "became", "exception"),
    [((1, 2), WAITING, states.UNDERPAID), ((2, 1), WAITING, states.OVERPAID), ((1, 1), CREDIT, states.NONE)],
)
def test_coins_are_promised_no_longer_to_who_has_to_decide(share: tuple[int, int], became: str, exception: str) -> None:
    order = open_one()
    deposit = follow(pay(order, order.send_minor * share[0] // share[1]))

    assert (deposit.disposition, reload(order).exception) == (became, exception)
    assert Promise.objects.get(order=order).closed_at == (NOW if became == WAITING else None)


def test_a_second_payment_leaves_the_promise_of_the_first_as_it_is() -> None:
    order = open_one()
    follow(pay(order))
    second = follow(pay(order))

    assert (second.disposition, second.reason) == (WAITING, states.SECOND)
    assert Promise.objects.get(order=order).closed_at is None


def test_dust_is_booked_under_the_number_of_its_first_output() -> None:
    order = open_one()
    outputs = [pay(order, 3_000, txid="ab" * 32, position=str(place)) for place in range(2)]

    assert [follow(output).disposition for output in outputs] == [DUST, DUST]
    assert list(Entry.objects.filter(reason="dust").values_list("reference", flat=True)) == [f"dust:{outputs[0].pk}"]
