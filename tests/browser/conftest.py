"""Real Chromium against the live site: what a page asks for, what its policy forbids and what it says of itself."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from core import clock
from tests.orders.conftest import NOW, account_keys, stock_the_site
from tests.sources import ROOT

__all__ = ["account_keys"]

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # Playwright's loop runs in this thread; Django then takes every query of the test for one from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(committed_db: None, account_keys: None, live_server: LiveServer) -> Iterator[str]:
    """The address of a stocked site whose clock stands still."""
    stock_the_site()
    with clock.clock_reads(lambda: NOW):
        yield str(live_server.url)


@dataclass
class Visitor:
    """A person with a browser of their own, and everything their pages asked for or complained about."""

    page: Page
    site: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # The browser reports what the policy refused on the console, before any script could listen.
        self.page.on("console", lambda said: self.complaints.append(said.text) if "Security" in said.text else None)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)

    def visit(self, path: str) -> None:
        self.page.goto(self.site + path)

    def foreign_requests(self) -> list[str]:
        return [url for url in self.requests if not url.startswith((self.site, "data:"))]

    def barriers(self) -> list[str]:
        """What axe finds serious or critical on the page."""
        self.page.evaluate(AXE)
        found: list[dict[str, Any]] = self.page.evaluate("axe.run().then(result => result.violations)")
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def overhang(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture
def visitor(chromium: Browser, site: str) -> Iterator[Callable[..., Visitor]]:
    """Return a function that gives somebody a browser: `width`, `scheme`, `scripts`."""
    contexts = []

    def _visitor(*, width: int = 1200, scheme: str = "light", scripts: bool = True) -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts, locale="en"
        )
        contexts.append(context)
        person = Visitor(context.new_page(), site)
        person.watch()
        return person

    yield _visitor
    for context in contexts:
        context.close()
