"""Pages are counted by network with the API, and nothing larger than a form is read."""

import json

import pytest
from django.test import RequestFactory

from tests.api.conftest import forget_requests
from tests.website.conftest import ETH_ADDRESS, form_of
from website.intake import PagesMiddleware

pytestmark = pytest.mark.usefixtures("site")

QUESTIONS = [
    ("get", "/en/quote/", {"pair": "ETHLTC", "side": "send", "amount": "2"}),
    ("post", "/en/address-check/", {"pair": "ETHLTC", "field": "payout_address", "address": ETH_ADDRESS}),
    ("get", "/en/history/", {"pair": "ETHLTC"}),
]
JSON = {"accept": "application/json"}  # as the scripts of the pages ask


@pytest.fixture(autouse=True)
def _three_a_minute(settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    forget_requests()
    yield
    forget_requests()


@pytest.mark.parametrize(("method", "path", "asked"), QUESTIONS)
def test_refuses_the_fourth_question_of_a_minute_in_words(alice, method, path, asked):
    answers = [getattr(alice, method)(path, asked, headers=JSON) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert "Too many requests" in answers[3].json()["message"]
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert "max-age=10" not in answers[3].get("Cache-Control", "")


@pytest.mark.parametrize("path", ["/en/", "/ru/", "/en/nothing/", "/admin/login/", "/en/order/O0000000000000000/"])
def test_refuses_the_fourth_page_of_a_minute_with_a_page(alice, path, django_assert_num_queries):
    for _ in range(3):
        assert alice.get(path).status_code != 429

    with django_assert_num_queries(0):
        refused = alice.get(path)

    assert refused.status_code == 429
    assert refused["Content-Type"].startswith("text/html")
    assert ("Слишком много запросов" if path.startswith("/ru") else "Too many requests") in refused.content.decode()
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_pages_count_with_the_api_and_a_chosen_forwarded_address_changes_nothing(alice):
    for n in range(3):
        alice.get("/en/api/v1/pair/", headers={"x-forwarded-for": f"198.51.100.{n}"})

    assert alice.get("/en/", headers={"x-forwarded-for": "198.51.100.9"}).status_code == 429


def test_static_files_and_probes_are_not_counted(alice, settings):
    settings.WHITENOISE_USE_FINDERS = True
    for _ in range(4):
        assert alice.get("/static/css/site.css").status_code == 200
        assert alice.get("/health/").status_code == 200

    assert alice.get("/en/").status_code == 200


@pytest.mark.parametrize("path", ["/en/order/", "/en/quote/", "/admin/login/"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_reads_no_body_that_is_larger_than_a_form(alice, settings, path, kind):
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    refused = alice.post(path, b"a" * (most + 1), content_type=kind)
    as_json = alice.post(path, b"a" * (most + 1), content_type=kind, headers=JSON)
    taken = alice.post(path, b"a=" + b"a" * (most - 2), content_type="application/x-www-form-urlencoded")

    assert refused.status_code == 413
    assert "The request is too large." in refused.content.decode()
    assert (as_json.status_code, as_json.json()["code"]) == (413, "body_too_large")
    assert taken.status_code != 413


def test_an_order_with_everything_a_person_can_type_is_no_larger_than_half_the_limit(alice, settings):
    form = form_of(payout_address="0" * 200, refund_address="0" * 200)

    assert len(json.dumps(form)) * 2 < settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_no_backslash_reaches_the_reader_of_cookies():
    """Python 3.11 takes 80 ms for one line of them; tests/core/test_linear_time.py measures what is left."""
    request = RequestFactory().get("/en/", headers={"cookie": 'a="' + "\\" * 8000 + '"; csrftoken=abc'})

    seen = PagesMiddleware(lambda passed: passed)(request)

    assert "\\" not in seen.META["HTTP_COOKIE"]
    assert seen.COOKIES["csrftoken"] == "abc"
