import gzip
import re
import socket
import threading
import time
from contextlib import closing, contextmanager
from decimal import Decimal

import pytest

from core.http import HTTPClient, HTTPFailure, parse_json


def read_request(connection):
    """Read one request with its body, which may come in pieces."""
    received = connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]) and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*pieces, pause_s=0.0):
    """Answer each connection on loopback with `pieces`, pausing between them; yields the address and what was asked."""
    asked = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(read_request(connection))
                    try:
                        for piece in pieces:
                            connection.sendall(piece)
                            time.sleep(pause_s)
                    except OSError:  # the client has had enough
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", asked
        listener.shutdown(socket.SHUT_RDWR)


def answer(body, *, status="200 OK", extra=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n".encode() + body


def test_numbers_are_decimals():
    with serving(answer(b'{"price": 0.1, "count": 3}')) as (url, _):
        assert HTTPClient().get_json(url) == {"price": Decimal("0.1"), "count": 3}


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "-Infinity",
        "",
        "<html>",
        "[" * 100_000,
        "1" * 5000,
        "1e" + "9" * 30,
        "[1]".encode("utf-16"),
    ],
)
def test_what_is_no_plain_json_is_a_failure(text):
    with pytest.raises(HTTPFailure):
        parse_json(text)


def test_a_silent_server_times_out_and_may_have_acted():
    with serving(b"", pause_s=3) as (url, _), pytest.raises(HTTPFailure) as failure:
        HTTPClient(timeout_s=(1, 1)).post_json(url, {})
    assert failure.value.sent


@pytest.mark.slow
def test_a_server_that_drips_is_cut_off():
    began = time.monotonic()
    drops = (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", *[b"x"] * 40)
    with serving(*drops, pause_s=0.3) as (url, _), pytest.raises(HTTPFailure, match="too long"):
        HTTPClient(timeout_s=(1, 1)).get_bytes(url)
    assert time.monotonic() - began < 6


def test_a_closed_port_was_certainly_not_reached():
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(HTTPFailure) as failure:
        HTTPClient().post_json(f"http://127.0.0.1:{port}/", {})
    assert not failure.value.sent


def test_a_broken_connection_may_have_acted():
    with serving() as (url, _), pytest.raises(HTTPFailure) as failure:
        HTTPClient().post_json(url, {})
    assert failure.value.sent


def test_a_body_that_ends_early_is_a_failure():
    with serving(answer(b"[1, 2]").replace(b"th: 6", b"th: 60")) as (url, _), pytest.raises(HTTPFailure) as failure:
        HTTPClient().get_json(url)
    assert failure.value.sent


def test_a_large_answer_is_cut_off_whatever_its_header_says():
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with serving(head, b"x" * 200_000) as (url, _), pytest.raises(HTTPFailure, match="over 1000 bytes"):
        HTTPClient(max_bytes=1000).get_bytes(url)


def test_chunked_and_compressed_answers_are_read():
    packed = gzip.compress(b'{"a": 1.50}')
    chunked = f"{len(packed):x}\r\n".encode() + packed + b"\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    with serving(head + chunked) as (url, _):
        assert HTTPClient().get_json(url) == {"a": Decimal("1.50")}


def test_a_redirect_is_not_followed():
    with serving(answer(b"{}")) as (target, asked_there):
        redirect = answer(b"", status="302 Found", extra=f"Location: {target}\r\n")
        with serving(redirect) as (url, _), pytest.raises(HTTPFailure) as failure:
            HTTPClient().get_json(url)
        assert failure.value.status == 302
        assert asked_there == []


def test_an_error_status_with_json_answers_a_post_and_fails_a_get():
    with serving(answer(b'{"error": {"code": -5}}', status="500 Internal Server Error")) as (url, _):
        assert HTTPClient().post_json(url, {}) == {"error": {"code": -5}}
        with pytest.raises(HTTPFailure) as failure:
            HTTPClient().get_json(url)
    assert failure.value.status == 500


def test_nothing_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(answer(b"[]")) as (url, asked):
        assert HTTPClient().get_json(url) == []
    assert b"User-Agent: nexchange" in asked[0]


def test_an_answer_is_given_as_it_is():
    with serving(answer(b'{"a": 0.1}', status="404 Not Found")) as (url, _):
        got = HTTPClient().ask("GET", url)
    assert (got.status, got.json()) == (404, {"a": Decimal("0.1")})

    with serving(answer(b"", status="302 Found", extra="Location: /there/\r\n")) as (url, _):
        assert HTTPClient().ask("POST", url, form={"a": "b"}).headers["location"] == "/there/"


def test_a_form_goes_out_as_a_browser_sends_it_with_the_cookies_of_its_path():
    given = answer(b"", extra="Set-Cookie: owner=me; Path=/mine\r\nSet-Cookie: all=yes; Path=/\r\n")
    with serving(given) as (url, asked):
        client = HTTPClient()
        client.ask("GET", url)
        client.ask("POST", url + "mine", form={"amount": "1 & 2"}, headers={"X-One": "1"})
        client.ask("POST", url + "other", payload={"amount": "1"})
    _, form, payload = asked
    assert form.endswith(b"amount=1+%26+2")
    assert b"X-One: 1" in form
    assert b"owner=me" in form
    assert b"all=yes" in form
    assert b"owner=me" not in payload
    assert payload.endswith(b'{"amount": "1"}')
