"""Every list and every detail of the admin site: shown, paged without counting, and closed to writing."""

import hashlib
import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from core import clock
from core.models import Asset
from core.money import Money
from ledger.models import Entry, LedgerAccount
from ledger.post import Leg, NewEntry, post_entries
from orders.models import Order, Transition
from ticker.models import MarketRate, MarketState, Observation, Round
from wallets.models import (
    Address,
    Attempt,
    ChainState,
    Coin,
    Deposit,
    Freeze,
    HouseMovement,
    Payout,
    PegoutSight,
    Quarantine,
    Reconciliation,
)

SHOWN = (
    Order,
    Transition,
    Deposit,
    PegoutSight,
    Payout,
    Attempt,
    Coin,
    Freeze,
    Quarantine,
    ChainState,
    Reconciliation,
    HouseMovement,
    Entry,
    LedgerAccount,
    Round,
    MarketState,
    MarketRate,
)
OPERATOR = re.compile(r'FROM "(django_session|accounts_user)"')
COUNTS = re.compile(r"\bCOUNT\(", re.IGNORECASE)
RECONCILED = ("LTC", "ETH", "BTC", "DOGE")
MARKETS = ("ETH-USD", "LTC-USD", "BTC-USD", "USDT-USD", "DOGE-USD")


def reference(n):
    return f"O{n:016d}"


def txid(n):
    return hashlib.sha256(str(n).encode()).hexdigest()


@pytest.fixture
def make_rows(db):
    """Return a function that makes the rows number `start` to `stop` of every kind."""
    at = clock.now()
    ltc = Asset.objects.get(pk="LTC")

    def make(start, stop):
        entries = []
        for n in range(start, stop):
            when = at - timedelta(hours=n)
            user = User.objects.create(username=f"u{n}")
            order = Order.objects.create(
                reference=reference(n),
                user=user,
                pair="ETHLTC",
                send_asset_id="LTC",
                get_asset_id="ETH",
                quote_id=uuid4(),
                side="send",
                send_minor=10**8,
                get_minor=10**17,
                rate=Decimal(30),
                fee_minor=1,
                network_fee_minor=1,
                fee_cap_minor=1,
                next_actor="customer",
                deadline=when,
                created_at=when,
                payment_deadline=when,
                deposit_address=f"rltc1deposit{n}",
                owner_token_hash="h",
                nonce=f"secret{n}",
                transition_count=1,
            )
            Transition.objects.create(
                order=order, seq=1, to_state="AWAITING_DEPOSIT", exception="NONE", actor="customer", reason="o", at=when
            )
            address = Address.objects.create(
                chain="litecoin",
                address=f"rltc1deposit{n}",
                account=0,
                branch=0,
                index=n,
                owner_ref=order.reference,
                created_at=when,
            )
            deposit = Deposit.objects.create(
                chain="litecoin",
                txid=txid(n),
                position="0",
                asset=ltc,
                address=address,
                owner_ref=order.reference,
                amount_minor=10**8,
                first_seen_at=when,
            )
            PegoutSight.objects.create(
                chain="litecoin",
                txid=txid(1000 + n),
                position="0.0",
                address=address,
                amount_minor=10**8,
                first_seen_at=when,
                counts=True,
                deposit=deposit,
            )
            payout = Payout.objects.create(
                purpose=f"order:{order.reference}:settle",
                chain="litecoin",
                asset=ltc,
                owner_ref=order.reference,
                address="rltc1customer",
                amount_minor=1,
                fee_cap_minor=1,
                reserved_minor=2,
                requested_at=when,
            )
            attempt = Attempt.objects.create(
                payout=payout,
                n=1,
                chain="litecoin",
                txid=txid(-n - 1),
                raw="00",
                fee_minor=1,
                rate_minor=1,
                signed_at=when,
            )
            Coin.objects.create(
                chain="litecoin",
                txid=txid(n),
                vout=0,
                address=address,
                amount_minor=1,
                deposit=deposit,
                attempt=attempt,
            )
            Freeze.objects.create(scope="LTC", reason=f"drill {n}", frozen_at=when, frozen_by="operator")
            Quarantine.objects.create(chain="ethereum", what="token", txid=txid(n), problem="a token", at=when)
            ChainState.objects.create(code=f"chain{n}", height=n)
            HouseMovement.objects.create(
                chain="litecoin", txid=txid(-n - 1), kind="withdrawal", said_at=when, said_by="operator"
            )
            if n < len(RECONCILED):
                zero = dict.fromkeys(
                    ("on_chain", "in_books", "deposits_in_flight", "payouts_in_flight", "difference"), 0
                )
                Reconciliation.objects.create(
                    asset_id=RECONCILED[n],
                    at=when,
                    height=n,
                    **{f"{name}_minor": minor for name, minor in zero.items()},
                )
            asked = Round.objects.create(at=when)
            Observation.objects.create(
                round=asked, market_id=MARKETS[n % 5], source="kraken", received_at=when, verdict="ok"
            )
            MarketRate.objects.create(market_id=MARKETS[n % 5], at=when, bid=1, ask=1, sources=["kraken"])
            if n < len(MARKETS):
                MarketState.objects.create(market_id=MARKETS[n], checked_at=when, code="ok")
            legs = (Leg("customer", Money(-1, ltc), order.reference), Leg("chain:spendable", Money(1, ltc)))
            entries.append(NewEntry(reference=f"deposit:{n}", reason="deposit", occurred_at=when, legs=legs))
        post_entries(entries)

    return make


@pytest.fixture
def operator(db):
    client = Client()
    client.force_login(User.objects.create_superuser("operator", password="x"))
    return client


def list_url(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def detail_url(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def statements(client, url):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert answer.status_code == 200, url
    # Every page's banner may look at prices, once a second at most: not part of what a list costs.
    return [row["sql"] for row in queries if "ticker_pair" not in row["sql"]], answer


def rows_of(answer):
    return len(answer.context["cl"].result_list)


def test_shows_these_and_nothing_else():
    assert set(admin.site._registry) == set(SHOWN)


def test_every_list_costs_the_same_for_one_row_and_for_thirty_and_never_counts(operator, make_rows):
    make_rows(0, 1)
    few = {model: statements(operator, list_url(model))[0] for model in SHOWN}
    make_rows(1, 30)

    for model in SHOWN:
        many, answer = statements(operator, list_url(model))
        assert rows_of(answer) == min(model.objects.count(), 50) >= 2
        assert len(many) == len(few[model]), model
        assert not [sql for sql in many + few[model] if COUNTS.search(sql)]


def test_every_detail_is_shown_without_counting_and_without_a_form(operator, make_rows):
    make_rows(0, 2)

    for model in SHOWN:
        sqls, answer = statements(operator, detail_url(model.objects.last()))
        page = answer.content.decode()
        assert not [sql for sql in sqls if COUNTS.search(sql)]
        assert 'name="_save"' not in page
        assert "deletelink" not in page


def test_an_order_shows_its_life_and_keeps_its_secrets(operator, make_rows):
    make_rows(0, 1)

    page = operator.get(detail_url(Order.objects.get())).content.decode()

    assert "AWAITING_DEPOSIT" in page
    assert "secret0" not in page


def test_an_entry_shows_its_legs(operator, make_rows):
    make_rows(0, 1)

    page = operator.get(detail_url(Entry.objects.get())).content.decode()

    assert "chain:spendable" in page
    assert "0.00000001 LTC" in page


def test_a_detail_costs_the_same_for_one_leg_and_for_many(operator, db):
    ltc = Asset.objects.get(pk="LTC")
    for n, owners in ((1, 1), (2, 20)):
        legs = [Leg("customer", Money(-1, ltc), reference(100 * n + i)) for i in range(owners)]
        legs.append(Leg("chain:spendable", Money(owners, ltc)))
        post_entries([NewEntry(reference=f"e:{n}", reason="r", occurred_at=clock.now(), legs=tuple(legs))])

    small, _ = statements(operator, detail_url(Entry.objects.get(reference="e:1")))
    large, _ = statements(operator, detail_url(Entry.objects.get(reference="e:2")))

    assert len(small) == len(large)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_nothing_can_be_written(operator, make_rows, model, method):
    make_rows(0, 1)
    row = model.objects.last()
    before = model.objects.values().get(pk=row.pk)
    add = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    delete = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_delete", args=[row.pk])
    action = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}

    send = getattr(operator, method)
    for url in (list_url(model), detail_url(row), add, delete):
        body = action if method == "post" else ""
        assert send(url, body, **({} if method == "post" else {"content_type": "text/plain"})).status_code == 405, url

    assert operator.get(add).status_code == 403
    assert operator.get(delete).status_code == 403
    assert model.objects.values().get(pk=row.pk) == before


def test_pages_through_without_counting(operator, make_rows):
    make_rows(0, 53)

    _, first = statements(operator, list_url(Order))
    _, second = statements(operator, list_url(Order) + "?p=2")

    assert (rows_of(first), rows_of(second)) == (50, 3)
    assert 'rel="next"' in first.content.decode()
    assert 'rel="prev"' not in first.content.decode()
    assert 'rel="prev"' in second.content.decode()
    assert 'rel="next"' not in second.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999"])
def test_a_page_that_is_none_is_no_error(operator, make_rows, page):
    make_rows(0, 1)

    assert operator.get(f"{list_url(Order)}?p={page}").status_code in (200, 302)


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        (Order, [reference(7), reference(7).lower(), txid(7)[:12], txid(-8)[:12], "rltc1deposit7", txid(1007)[:12]]),
        (Transition, [reference(7)]),
        (Deposit, [reference(7), txid(7)[:12], "rltc1deposit7", txid(1007)[:12]]),
        (PegoutSight, [reference(7), txid(1007)[:12]]),
        (Payout, [reference(7), f"order:{reference(7)}", txid(-8)[:12]]),
        (Attempt, [txid(-8), txid(-8)[:12]]),
        (Coin, [txid(7)[:12]]),
        (Entry, ["deposit:7"]),
        (LedgerAccount, [reference(7)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_finds_one_row_by_what_an_operator_has_in_hand(operator, make_rows, model, terms):
    make_rows(0, 10)

    for term in terms:
        sqls, answer = statements(operator, f"{list_url(model)}?q={term}")
        assert rows_of(answer) == 1, term
        assert not [sql for sql in sqls if "COUNT(" in sql or "UPPER(" in sql]
    assert rows_of(operator.get(f"{list_url(model)}?q=nothing%25")) == 0


def has_index(table, column, *, prefix):
    """Say whether an index begins with the column, and for a prefix search also with the operators that LIKE needs."""
    wanted = rf"\(\"?{column}\"?( varchar_pattern_ops)" + ("" if prefix else "?") + r"[,)]"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexdef NOT LIKE '%%WHERE%%'", [table]
        )
        return any(re.search(wanted, definition) for (definition,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("model", "term"),
    [
        (Order, reference(7)),
        (Order, txid(7)[:12]),
        (Order, "rltc1deposit7"),
        (Transition, reference(7)),
        (Deposit, txid(7)[:12]),
        (Payout, f"order:{reference(7)}"),
        (Attempt, txid(-8)[:12]),
        (Coin, txid(7)[:12]),
        (Entry, "deposit:7"),
        (LedgerAccount, reference(7)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_column_that_is_searched_has_its_index(operator, make_rows, model, term):
    make_rows(0, 8)
    sqls, _ = statements(operator, f"{list_url(model)}?q={term}")

    conditions = [sql.split(" WHERE ")[1] for sql in sqls if " WHERE " in sql and not OPERATOR.search(sql)]
    prefixes = [found for text in conditions for found in re.findall(r'"(\w+)"\."(\w+)"::text LIKE \'[^%\']', text)]
    equals = [found for text in conditions for found in re.findall(r'"(\w+)"\."(\w+)" (?:=|IN) [\'(]', text)]
    likes = sum(text.count(" LIKE ") for text in conditions)

    assert len(prefixes) == likes  # none begins with a wildcard or folds the case
    assert prefixes or equals
    for table, column in prefixes:
        assert has_index(table, column, prefix=True), (table, column)
    # Of the account's three columns the index names kind first; the search gives all three.
    for table, column in equals if model is not LedgerAccount else [("ledger_ledgeraccount", "kind")]:
        assert has_index(table, column, prefix=False), (table, column)


@pytest.mark.parametrize(
    ("model", "query", "found"),
    [
        (Order, "state=AWAITING_DEPOSIT", 3),
        (Order, "state=SENT", 0),
        (Order, "created_at__gte=2000-01-01+00:00:00%2B00:00", 3),
        (Order, "created_at__gte=2100-01-01+00:00:00%2B00:00", 0),
        (Deposit, "open=unconfirmed", 3),
        (Deposit, "open=waiting", 0),
        (Payout, "state=REQUESTED", 3),
        (Payout, "state=IN_DOUBT", 0),
        (Round, "at__gte=2100-01-01+00:00:00%2B00:00", 0),
        (MarketRate, "market__code__exact=ETH-USD", 1),
    ],
)
def test_filters(operator, make_rows, model, query, found):
    make_rows(0, 3)

    assert rows_of(operator.get(f"{list_url(model)}?{query}")) == found


def test_only_staff_may_look(make_rows):
    make_rows(0, 1)
    client = Client()
    client.force_login(User.objects.get(username="u0"))

    for model in SHOWN:
        assert client.get(list_url(model)).status_code == 302
        assert Client().get(detail_url(model.objects.last())).status_code == 302
