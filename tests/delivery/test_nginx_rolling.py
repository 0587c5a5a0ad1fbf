"""A rolling release as the deploy performs it, with the file that nginx looks for, under load that repeats nothing."""

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException

import pytest

from tests.delivery.nginx_site import Site, ask, make_certificate

pytestmark = pytest.mark.docker

DRAIN_S = 2  # for requests that nginx had already given to the old one


@dataclass
class Load:
    """Callers in threads: each sends its requests once, and what is not answered as it should be counts as failed."""

    site: Site
    stop: threading.Event = field(default_factory=threading.Event)
    sent: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    answered_by: Counter[str] = field(default_factory=Counter)
    taken: list[str] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, kind: str) -> None:
        kept = self.site.connect()
        while not self.stop.is_set():
            body = f"{kind}-{next(self.numbers)}"
            connection = kept if kind.startswith("kept") else self.site.connect()
            method = "POST" if kind.endswith("post") else "GET"
            self.sent[kind] += 1
            try:
                answer = ask(connection, "/api/v1/orders/?seconds=0.02", method=method, body=body)
            except (OSError, HTTPException) as error:
                self.failed.append(f"{body}: {error!r}")
                connection.close()
                continue
            if answer.status == 200 and answer.json()["body"] == body:
                self.answered_by[answer.json()["name"]] += 1
                self.taken.append(body)
            else:
                self.failed.append(f"{body}: {answer.status} {answer.body[:100]!r}")
            if connection is not kept:
                connection.close()
        kept.close()


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, API_REQUESTS_PER_MINUTE="100000")
    make_certificate(site.etc / "ssl")
    try:
        site.start()
        site.start_app("app", label="old")
        yield site
    finally:
        site.remove()


@pytest.fixture
def load(site):
    load = Load(site)
    kinds = ("get", "get", "post", "post", "kept-get", "kept-post")
    threads = [threading.Thread(target=load.run, args=(kind,), name=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    yield load
    load.stop.set()
    for thread in threads:
        thread.join()


def end(load: Load) -> None:
    """Let the load run on for a moment, then end it."""
    time.sleep(2)
    load.stop.set()
    time.sleep(1)


def release(site: Site) -> None:
    """Bring in the new one beside the old, give it the requests, replace the old one, give them back."""
    site.start_app("app_next", label="next")
    site.choose_next()
    time.sleep(DRAIN_S)
    site.stop_app("old")
    time.sleep(1)
    site.start_app("app", label="new")
    site.choose_app()
    time.sleep(DRAIN_S)
    site.stop_app("next")


def test_no_request_fails_and_each_arrives_once_while_the_app_is_replaced(site, load):
    time.sleep(1)
    release(site)
    end(load)

    assert load.failed == []
    assert set(load.answered_by) == {"old", "next", "new"}
    assert min(load.sent.values()) > 100
    assert sorted(site.record.read_text(encoding="utf-8").split()) == sorted(load.taken)


def test_without_the_switch_the_same_load_sees_the_replacement(site, load):
    """If no request fails here, the test above proves nothing."""
    time.sleep(1)
    site.stop_app("old")
    site.start_app("app", label="new")
    end(load)

    assert load.failed
