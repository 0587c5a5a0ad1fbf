import json
import threading
import time

import pytest
from django.test import Client

from orders.models import Order

PREFLIGHT = {
    "origin": "https://wallet.example",
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "authorization,content-type,x-referral-token,idempotency-key",
}


@pytest.mark.parametrize(
    "path", ["/en/api/v1/orders/", "/en/api/v1/orders/O1/", "/en/api/v1/nothing/here", "/api/v1/pair/"]
)
def test_any_origin_may_ask_with_the_headers_that_clients_send(path):
    answer = Client().options(path, headers=PREFLIGHT)

    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    allowed = {name.strip() for name in answer["Access-Control-Allow-Headers"].split(",")}
    assert allowed == {"authorization", "content-type", "x-referral-token", "idempotency-key"}
    methods = {name.strip() for name in answer["Access-Control-Allow-Methods"].split(",")}
    assert {"GET", "POST", "PUT", "PATCH"} <= methods


@pytest.mark.parametrize("path", ["pair/", "get_price/NOPE/", "nothing/", "orders/O0000000000000000/"])
def test_answers_and_errors_alike_are_readable_for_any_origin(house, anyone, path):
    assert anyone.get(path)["Access-Control-Allow-Origin"] == "*"


def test_leaves_pages_alone():
    answer = Client().get("/admin/")

    assert "Access-Control-Allow-Origin" not in answer


def test_redirects_a_get_without_slash_and_keeps_the_query(house):
    answer = Client().get("/en/api/v1/get_price/ETHLTC?amount_quote=1")

    assert answer.status_code == 301
    assert answer["Location"] == "/en/api/v1/get_price/ETHLTC/?amount_quote=1"
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_never_redirects_to_another_host():
    answer = Client().get("//evil.example/en/api/v1/pair")

    assert "evil" not in answer.get("Location", "")


def test_never_loses_a_body_to_a_redirect(house, open_order, anyone):
    body = {"amount_quote": 1, "pair": {"name": "ETHLTC"}, "withdraw_address": {}}

    posted = anyone.post("orders", body)
    anyone.bearer = posted.body["token"]
    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    patched = anyone.patch(f"orders/{posted.body['unique_reference']}", {"withdraw_address": {"address": address}})

    assert posted.status_code == 201
    assert patched.status_code == 200
    assert patched.body["withdraw_address"]["address"] == address


def test_refuses_a_body_of_ten_megabytes_with_a_code_and_saves_nothing(house, anyone):
    answer = anyone.post("orders/", b'{"pair": "' + b"A" * 10 * 1024 * 1024 + b'"}')

    assert answer.status_code == 413
    assert answer.body["code"] == "body_too_large"
    assert Order.objects.count() == 0


@pytest.mark.parametrize("size", [8 * 1024, 256 * 1024])
def test_two_hostile_bodies_delay_no_page(house, anyone, size):
    """FAULTS.md's figure: with two such bodies all pages were silent for 31 seconds."""
    body, path = b'"' + b'\\"' * ((size - 2) // 2), "/en/api/v1/orders/"
    statuses = []

    def attack():
        attacker = Client()
        statuses.extend(attacker.post(path, body, content_type="application/json").status_code for _ in range(10))

    attackers = [threading.Thread(target=attack) for _ in range(2)]
    for thread in attackers:
        thread.start()
    took = []
    while not took or any(thread.is_alive() for thread in attackers):
        began = time.perf_counter()
        assert anyone.get("pair/").status_code == 200
        took.append(time.perf_counter() - began)

    assert set(statuses) == {400 if size <= 8 * 1024 else 413}
    assert max(took) < 1


@pytest.mark.parametrize("prefix", ["", "/en", "/ru", "/de", "/pt-br"])
def test_says_the_same_under_every_language_prefix(house, prefix):
    here, plain = Client(), Client()
    for path in ("currency/", "pair/", "get_price/ETHLTC/?amount_quote=2", "price/ETHLTC/latest/"):
        answer = here.get(f"{prefix}/api/v1/{path}", headers={"accept-language": "ru"})

        assert answer.status_code == 200
        assert answer.content == plain.get(f"/en/api/v1/{path}").content


@pytest.mark.parametrize("path", ["nothing/", "orders/"])
def test_one_prefix_does_not_colour_the_next(house, path):
    def text(prefix):
        answer = Client().post(f"/{prefix}/api/v1/{path}", b"x" * 300_000, content_type="application/json")
        return answer.json()["detail"]

    assert text("en") == "The request is too large."
    text("ru")
    assert text("en") == "The request is too large."


def test_asks_for_the_length_of_a_body(house, anyone):
    answer = anyone.post("orders/", {}, transfer_encoding="chunked")

    assert (answer.status_code, answer.body["code"]) == (411, "length_required")


def test_sets_and_reads_no_cookie(house, django_assert_num_queries):
    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "stolen"
    client.get("/en/api/v1/pair/")

    with django_assert_num_queries(0):
        warm = client.get("/en/api/v1/pair/")
    posted = client.post("/en/api/v1/orders/", json.dumps({"pair": "ETHLTC", "amount_quote": 1}), "application/json")

    assert posted.status_code == 201
    assert not warm.cookies
    assert not posted.cookies
    assert "Cookie" not in warm["Vary"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "nothing/", "", 404, "not_found"),
        ("DELETE", "nothing/", "", 404, "not_found"),
        ("GET", "limit_order/L0000000000000000/", "", 404, "not_found"),
        ("GET", "orders/O0000000000000000/", "", 404, "not_found"),
        ("GET", "orders/1/", "", 404, "not_found"),
        ("GET", "orders/", "", 405, "method_not_allowed"),
        ("DELETE", "pair/", "", 405, "method_not_allowed"),
        ("POST", "orders/", "{", 400, "body_invalid"),
        ("POST", "orders/", b"\xff\xfe", 400, "body_invalid"),
        ("POST", "orders/", "[" * 8_000, 400, "body_invalid"),
        ("POST", "orders/", "[" * 100_000, 413, "body_too_large"),
        ("POST", "orders/", "[]", 400, "field_invalid"),
        ("POST", "orders/", '"text"', 400, "field_invalid"),
    ],
)
def test_fails_in_json_with_a_code(house, anyone, method, path, body, status, code):
    answer = anyone.send(method, path, body)

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    assert answer.body["code"] == code
    assert answer.body["detail"]


def test_refuses_bodies_that_are_not_json(house):
    answer = Client().post("/en/api/v1/orders/", {"pair": "ETHLTC"})

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


def test_old_clients_find_the_text_of_a_404_as_it_was(house, anyone):
    assert anyone.get("orders/O0000000000000000/").body["detail"] == "Not found."


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
def test_answers_json_whatever_the_client_accepts(house, anyone, accept):
    answer = anyone.get("pair/", accept=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"


def test_a_bug_is_a_json_500_without_details(house, anyone, monkeypatch):
    def broken(_pair):
        raise ValueError("secret")

    monkeypatch.setattr("api.v1.pair.simple_shape", broken)

    answer = anyone.get("pair/")

    assert answer.status_code == 500
    assert answer.body["code"] == "server_error"
    assert "secret" not in answer.content.decode()


def test_an_unknown_host_is_a_json_400(house):
    answer = Client().get("/en/api/v1/pair/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"
