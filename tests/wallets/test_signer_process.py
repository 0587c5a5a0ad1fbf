"""The signer as a process of its own, with a database role of its own: what it signs, refuses, and waits with."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from embit.bip32 import HDKey
from embit.networks import NETWORKS

from core import clock, database_clock
from core.database_roles import derive_password, role_name
from core.heartbeat import beat, read_ages
from core.snapshot import forget_all
from nexchange import settings as published
from orders.offer import find_pair, is_sold
from tests.beats import WORK
from tests.simulated import SimulatedExchange
from tests.sources import ROOT
from ticker.models import MarketState
from wallets import states
from wallets.models import Attempt, NonceHold, Payout
from wallets.paying import signing
from wallets.paying.advice import gather_advice
from wallets.paying.signing import can_sign, request_signature
from wallets.sign import sign_payouts
from wallets.signer import server
from wallets.signer.advice import Advice, Outcome
from wallets.signer.room import tell_room

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def site(committed_db: None, keys: None) -> Iterator[SimulatedExchange]:
    """An exchange whose rows other processes see."""
    site = SimulatedExchange(clock.now())
    with clock.clock_reads(site.now):
        site.mine(1)
        for chain in django_settings.CHAINS:
            site.scan(chain)
        site.fund("litecoin", 25 * 10**8)
        site.fund("ethereum", 100 * 10**18)
        site.price()
        yield site


@pytest.fixture
def payout(site: SimulatedExchange, settings: LazySettings) -> Payout:
    """A payout in ether that is asked for; from now on this process has no keys."""
    order = site.open().order
    site.pay(order)
    site.litecoin.mine(4)
    key_file, settings.KEY_FILE = settings.KEY_FILE, ""
    keys = json.loads(Path(key_file).read_text())
    Path(key_file).with_name("ethereum.json").write_text(json.dumps({"ethereum": keys["ethereum"]}))
    site.tick()
    site.tick()
    return Payout.objects.get(owner_ref=order.reference)


@pytest.fixture
def start(process_env: dict[str, str], tmp_path: Path, settings: LazySettings) -> Iterator[Start]:
    """Start the signer of ether as its own role, and wait until it listens."""
    running: list[subprocess.Popen[bytes]] = []
    settings.SIGNER_SOCKET = str(tmp_path / "ethereum.sock")

    def start(**more: str) -> subprocess.Popen[bytes]:
        role = role_name(process_env["POSTGIS_ENV_POSTGRES_USER"], "signer_ethereum")
        env = {
            **process_env,
            "DB_ROLE": "signer_ethereum",
            "DB_PASSWORD": derive_password(process_env["APP_DB_PASSWORD"], role),
            "APP_DB_PASSWORD": "",
            "KEY_FILE": str(tmp_path / "ethereum.json"),
            "SIGNER_SOCKET": settings.SIGNER_SOCKET,
            "LITECOIN_ACCOUNT_KEY": HDKey.from_string(settings.ACCOUNT_KEYS["litecoin"]).to_base58(
                version=NETWORKS["test"]["xpub"]
            ),
            "ETHEREUM_ACCOUNT_KEY": settings.ACCOUNT_KEYS["ethereum"],
            **more,
        }
        made = subprocess.Popen([sys.executable, "manage.py", "signer", "ethereum"], cwd=ROOT, env=env)
        running.append(made)
        until = time.monotonic() + 30
        while not can_sign():
            assert made.poll() is None, "the signer ended"
            assert time.monotonic() < until, "the signer does not listen"
            time.sleep(0.05)
        return made

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=20)


def ask(path: str, line: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as signer:
        signer.connect(path)
        signer.sendall(line)
        signer.shutdown(socket.SHUT_WR)
        answer: dict[str, object] = json.loads(signer.makefile("rb").readline())
        return answer


@pytest.mark.slow
def test_signs_for_a_worker_without_keys_within_its_ceilings(
    site, payout, start, settings, process_env, tmp_path
) -> None:
    node = site.client_of("ethereum")
    assert not can_sign()
    assert sign_payouts(node=node, at=clock.machine_now()) == 0

    first = start(ETHEREUM_CEILING_PAYOUT="0.000001")
    assert Path(settings.SIGNER_SOCKET).stat().st_mode & 0o777 == 0o660
    assert sign_payouts(node=node, at=clock.machine_now()) == 0
    payout.refresh_from_db()
    assert (payout.state, payout.problem.partition(":")[0]) == (states.REQUESTED, "ceiling")
    assert not Attempt.objects.exists()
    assert not NonceHold.objects.exists()

    approved = subprocess.run(
        [sys.executable, "manage.py", "approve_payout", str(payout.pk), "--because", "the customer called"],
        cwd=ROOT,
        env=process_env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert approved.returncode == 0, approved.stderr
    Payout.objects.update(tried_at=None)
    assert sign_payouts(node=node, at=clock.machine_now()) == 1
    payout.refresh_from_db()
    assert payout.state == states.SIGNED
    assert Attempt.objects.get().payout_id == payout.pk
    assert read_ages()["signer:ethereum"] < 30
    first.terminate()
    assert first.wait(timeout=20) == 0
    assert not can_sign()


def is_sold_now(at: datetime) -> bool:
    """Say whether ether is sold, as if all work but the signer's were well."""
    for work in WORK:
        if not work.startswith("signer:"):
            beat(work)
    beat("signer:litecoin")
    MarketState.objects.update(rate_at=at, checked_at=at)
    forget_all()
    return is_sold(find_pair("ETHLTC"), at=at)


@pytest.mark.slow
def test_a_signer_that_stands_still_holds_no_worker_and_signs_once(
    site: SimulatedExchange, payout: Payout, start: Start, settings: LazySettings
) -> None:
    """SIGSTOP: its socket goes on listening, and a round of payouts waited half a minute for each of them."""
    settings.HEARTBEAT_LIMITS_S = published.HEARTBEAT_LIMITS_S
    node = site.client_of("ethereum")  # whose worker's clock goes on, as the signer's does
    process = start()
    until = time.monotonic() + 20
    while not is_sold_now(site.now()):
        assert time.monotonic() < until
        time.sleep(0.2)

    process.send_signal(signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        assert can_sign()
        assert sign_payouts(node=node, at=clock.machine_now()) == 0
        assert time.monotonic() - stopped < 8
        payout.refresh_from_db()
        assert (payout.state, payout.problem.partition(":")[0], payout.tried_at) == (
            states.REQUESTED,
            "signer_unreachable",
            None,
        )
        while is_sold_now(site.now()) and time.monotonic() < stopped + 30:
            time.sleep(0.2)
        assert time.monotonic() - stopped <= 10
        began = time.monotonic()
        assert sign_payouts(node=node, at=clock.machine_now()) == 0  # it is known to be asleep, and not asked at all
        assert time.monotonic() - began < 3
    finally:
        process.send_signal(signal.SIGCONT)
    went_on = time.monotonic()
    while not is_sold_now(site.now()):
        assert time.monotonic() < went_on + 30
        time.sleep(0.2)

    while payout.state != states.SIGNED:
        assert time.monotonic() < went_on + 30
        sign_payouts(node=node, at=clock.machine_now())
        payout.refresh_from_db()
    assert payout.attempts.count() == NonceHold.objects.count() == 1


def request(chain: str, payout_id: int, advice: Advice, action: str = "pay") -> bytes:
    return json.dumps({"action": action, "payout_id": payout_id, "advice": advice.as_json()}).encode() + b"\n"


@pytest.mark.parametrize(("age_s", "code"), [(30, "not_requested"), (30.1, "advice_old"), (-600, "not_requested")])
@pytest.mark.django_db
def test_advice_of_long_ago_is_not_signed_by(age_s: float, code: str) -> None:
    """What waited in the socket of a signer that stood still tells of a mempool that is gone."""
    now = clock.now()
    fields_of = {field.name: 0 for field in fields(Advice)} | {
        "chain": "ethereum",
        "in_mempool": (),
        "at_iso": (now - timedelta(seconds=age_s)).isoformat(),
    }
    other = Payout.objects.create(
        purpose="test",
        chain="litecoin",
        asset_id="LTC",
        address="x",
        amount_minor=1,
        fee_cap_minor=0,
        reserved_minor=1,
        requested_at=now,
    )
    with clock.clock_reads(lambda: now):
        outcome = server._handle(request("ethereum", other.pk, Advice(**fields_of)), "ethereum")
    assert outcome.code == code
    Payout.objects.filter(pk=other.pk).update(state=states.REJECTED)


def test_a_name_over_the_socket_is_nobodys(simulated: SimulatedExchange) -> None:
    """Only on the signer's host may a person reopen what is in doubt: whoever holds the socket can write any name."""
    order = simulated.open().order
    simulated.pay(order)
    simulated.settle(2)
    payout = Payout.objects.get()
    Payout.objects.update(state=states.IN_DOUBT)
    advice = replace(gather_advice(simulated.client_of("ethereum"), at=simulated.now()), by="anna", because="I said so")
    outcome = server._handle(request("ethereum", payout.pk, advice, "reopen"), "ethereum")
    assert outcome.code == "not_open"
    payout.refresh_from_db()
    assert payout.state == states.IN_DOUBT
    assert not payout.evidence.exists()


@pytest.mark.slow
def test_answers_nonsense_and_goes_on(site, payout, start, settings) -> None:
    start()
    path = settings.SIGNER_SOCKET
    for line in (
        b"",
        b"\n",
        b"[]\n",
        b'{"action": "pay"}\n',
        b'{"action": "steal", "payout_id": 1, "advice": {}}\n',
        b"[" * 100_000 + b"\n",
        b"x" * (1 << 20) + b"\n",
    ):
        assert ask(path, line)["code"] in ("bad_request", "signer_failed"), line[:40]
    assert sign_payouts(node=site.client_of("ethereum"), at=clock.machine_now()) == 1


def test_a_signer_that_is_not_there_is_an_outcome(settings, tmp_path) -> None:
    settings.KEY_FILE, settings.SIGNER_SOCKET = "", str(tmp_path / "nobody.sock")
    advice = Advice(**{field.name: None for field in fields(Advice)} | {"chain": "ethereum", "in_mempool": ()})
    assert not can_sign()
    outcome = request_signature(action="pay", payout_id=1, advice=advice)
    assert (outcome.signed, outcome.code) == (False, "signer_unreachable")


def test_a_stopped_signer_lets_its_worker_wait_once_and_is_asked_again(settings, tmp_path, monkeypatch) -> None:
    """The kernel takes connections for it: a worker with ten payouts once waited for five minutes, and read no chain."""
    settings.KEY_FILE, settings.SIGNER_SOCKET = "", str(tmp_path / "stopped.sock")
    monkeypatch.setattr(signing, "PATIENCE_S", 0.2)
    advice = Advice(**{field.name: None for field in fields(Advice)} | {"chain": "ethereum", "in_mempool": ()})
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(settings.SIGNER_SOCKET)
        stopped.listen(8)
        assert can_sign()
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert request_signature(action="pay", payout_id=1, advice=advice).code == "signer_unreachable"
            took.append(time.monotonic() - began)
        assert took[0] >= 0.2 > max(took[1:])
        assert not can_sign()

        later = time.monotonic_ns() + signing.REST_S * 10**9
        monkeypatch.setattr(signing.time, "monotonic_ns", lambda: later)
        assert can_sign()


@pytest.mark.parametrize(("off_s", "works"), [(4, True), (-4, True), (600, False), (-600, False)])
def test_a_signer_whose_clock_is_wrong_signs_nothing_and_is_silent(db, keys, monkeypatch, off_s, works) -> None:
    real, asked = database_clock.machine_now, []
    monkeypatch.setattr(database_clock, "machine_now", lambda: real() + timedelta(seconds=off_s))
    monkeypatch.setitem(server.VERBS, "pay", lambda *request: asked.append(request) or Outcome(code="seen"))
    known = {"chain": "ethereum", "in_mempool": (), "at_iso": clock.now().isoformat()}
    advice = Advice(**{field.name: None for field in fields(Advice)} | known)
    line = json.dumps({"action": "pay", "payout_id": 1, "advice": advice.as_json()}).encode()

    assert server._handle(line, "ethereum").code == ("seen" if works else "signer_clock")
    assert bool(asked) is works
    tell_room("ethereum")
    assert ("signer:ethereum" in read_ages()) is works


def test_a_request_that_drips_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte once began the seconds anew: one client held a signer for days."""
    monkeypatch.setattr(server, "PATIENCE_S", 0.3)
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.05):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    with ours, theirs:
        dripping.start()
        began = time.monotonic()
        with pytest.raises(server.BadRequest, match="not complete within"):
            server._read_line(ours)
        took = time.monotonic() - began
        done.set()
        dripping.join()
    assert 0.3 <= took < 5
