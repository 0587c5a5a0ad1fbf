"""Ticks are sent and taken whatever the clocks say: by effect, with a scheduler and tasks that were not told of the fault."""

import time
from datetime import timedelta

import pytest
from celery import Celery

from core.clock import machine_now
from nexchange.celery import app as site
from nexchange.timetable import LEAST_PAUSE_S, PacedTask, SteadyScheduler


class Beat(SteadyScheduler):
    """Notes what it sends, and has nobody to send it to."""

    producer = None

    def apply_entry(self, entry, producer=None):
        self.sent = [*getattr(self, "sent", []), entry.name]


@pytest.fixture
def uptime(monkeypatch):
    """The uptime of a machine, in a list, moved by the test."""
    seconds = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def beat(uptime):
    app = Celery("of this test", set_as_current=False)
    app.conf.beat_schedule = {
        "quick": {"task": "quick", "schedule": 2},
        "slow": {"task": "slow", "schedule": 60},
    }
    made = Beat(app, lazy=True)
    made.setup_schedule()
    made.sent = []
    return made


def names(beat):
    sent, beat.sent = beat.sent, []
    return sorted(name for name in sent if not name.startswith("celery."))


def test_each_tick_is_sent_at_the_start_and_then_after_its_period(beat, uptime):
    assert beat.tick() == pytest.approx(2)
    assert names(beat) == ["quick", "slow"]

    for seconds, sent in ((1.9, []), (0.1, ["quick"]), (2, ["quick"]), (1.999, []), (54.001, ["quick", "slow"])):
        uptime[0] += seconds
        beat.tick()
        assert names(beat) == sent, seconds


@pytest.mark.parametrize("step_s", [-600, -5, 5, 600])
def test_a_clock_that_is_set_changes_nothing(beat, uptime, monkeypatch, step_s):
    beat.tick()
    names(beat)
    moved = (machine_now() + timedelta(seconds=step_s)).timestamp()
    monkeypatch.setattr(time, "time", lambda: moved)
    monkeypatch.setattr(beat.app, "now", lambda: machine_now() + timedelta(seconds=step_s))

    for _ in range(3):
        uptime[0] += 2
        assert beat.tick() == pytest.approx(2)
        assert names(beat) == ["quick"]


def test_a_beat_that_stood_still_sends_each_tick_once(beat, uptime):
    beat.tick()
    names(beat)
    uptime[0] += 3600
    beat.tick()
    beat.tick()

    assert names(beat) == ["quick", "slow"]


def test_the_site_has_this_beat_and_a_sign_of_life(tmp_path):
    assert site.conf.beat_scheduler is SteadyScheduler
    file = tmp_path / "beat"
    made = SteadyScheduler(site, schedule_filename=str(file))

    assert file.with_suffix(".alive").exists()
    assert {name for name in made.schedule if not name.startswith("celery.")} == set(site.conf.beat_schedule)


@pytest.fixture
def turns(uptime):
    done = []
    app = Celery("of this test", task_cls=PacedTask, set_as_current=False)
    app.conf.task_always_eager = True

    @app.task(name="turn", shared=False)
    def turn(**options):
        done.append(options)
        uptime[0] += 4

    return turn, done


@pytest.mark.parametrize(("pause", "runs"), [(0, 1), (LEAST_PAUSE_S - 0.01, 1), (LEAST_PAUSE_S, 2), (2, 2)])
def test_a_tick_right_behind_the_same_one_is_left_out(turns, uptime, pause, runs):
    turn, done = turns
    turn.apply_async(kwargs={"chain": "litecoin"})
    uptime[0] += pause
    turn.apply_async(kwargs={"chain": "litecoin"})

    assert len(done) == runs


def test_a_thousand_old_ticks_of_a_queue_are_one_turn(turns):
    turn, done = turns
    for chain in ("litecoin", "ethereum"):
        for _ in range(500):
            turn.apply_async(kwargs={"chain": chain})

    assert [options["chain"] for options in done] == ["litecoin", "ethereum"]


def test_who_calls_a_task_as_a_function_always_runs_it(turns):
    turn, done = turns
    turn(chain="litecoin")
    turn(chain="litecoin")

    assert len(done) == 2


def test_the_sites_own_tasks_are_paced():
    assert all(isinstance(task, PacedTask) for name, task in site.tasks.items() if name.startswith("orders."))
