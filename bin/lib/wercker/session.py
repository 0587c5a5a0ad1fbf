"""The one bash of a run, inside the box: every step is sourced into it, so exports last and a failure ends it.

Commands reach it through its standard input; the steps themselves have none. A random mark in the output ends a step.
"""

import base64
import os
import secrets
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from wercker.engine import LOOK_S, Engine, EngineFailure
from wercker.failures import RunnerFailure, StepFailed, Stopped
from wercker.pipelines import Limits

SOURCE = "/pipeline/source"
WATCH_PID = "/pipeline/steps/watch.pid"
NO_LIMITS = Limits()
GRACE_S = {"INT": 20.0, "TERM": 10.0, "KILL": 5.0}  # what a watch step gets to end after each signal


class Session:
    """A bash in a container that already runs; `report` gets each line of the steps' output."""

    def __init__(self, engine: Engine, container: str, report: Callable[[str], None], limits: Limits) -> None:
        self._limits = limits
        self._engine = engine
        self._container = container
        self._report = report
        self._mark = secrets.token_hex(12)
        self._rest = b""
        self._kept = ""
        self._steps = 0
        self._bash = engine.start("exec", "-i", container, "bash", "--norc", "--noprofile", stdin=subprocess.PIPE)

    def begin(self, exports: Mapping[str, str]) -> None:
        """Export the run's variables; values travel through standard input alone, whatever they hold."""
        # In two parts, so that `set -x` in a step does not print the whole mark.
        self._send(f'end() {{ printf \'%s-%s %s\\n\' "$1" {self._mark} "$2"; }}')
        self._send("exec 2>&1; set -e; trap 'end left $?' EXIT")
        for name, value in exports.items():
            self._send(f"export {name}={shlex.quote(value)}")
        self._send("end done 0")
        self._until_mark()

    def run_step(self, code: str) -> None:
        """Source one step in the source folder, standard input closed, within the limits. Raises: StepFailed, Stopped."""
        file = self._put(code)
        self._send(f"cd {SOURCE}\nsource {file} </dev/null\nend done 0")
        self._until_mark(limits=self._limits)

    def run_watch(self, code: str) -> None:
        """Run a step until SIGINT comes; what it started is ended then, and the next step can follow.

        Raises: StepFailed when it ends by itself with another status than 0, Stopped at another signal.
        """
        file = self._put(code)
        inner = shlex.quote(f"echo $$ >{WATCH_PID}; set -e; source {file}")
        self._send(f"cd {SOURCE}\nwatched=0; setsid bash -c {inner} </dev/null || watched=$?\nend done $watched")
        try:
            self._until_mark()
        except Stopped as stopped:
            if stopped.number != signal.SIGINT:
                raise
            self._report("stopping")
            self._end_watch()

    def variables(self) -> dict[str, str]:
        """Return what is exported now; it is not logged."""
        self._send('end vars "$(env -0 | base64 -w0)"; end done 0')
        self._until_mark()
        text = base64.b64decode(self._kept).decode(errors="replace")
        return dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)

    def close(self) -> None:
        """End the bash's client; the container's end takes the rest."""
        self._bash.kill()
        self._bash.wait()

    def _end_watch(self) -> None:
        for name, grace_s in GRACE_S.items():
            # The whole session of the step; a child in the background of a shell ignores SIGINT, not SIGTERM.
            kill = f"kill -{name} -- -$(cat {WATCH_PID}) 2>/dev/null || true"
            self._engine.call("exec", self._container, "bash", "-c", kill)
            try:
                self._until_mark(limit_s=grace_s)
            except TimeoutError:
                continue
            except StepFailed:  # the status of what was told to end says nothing
                pass
            self._engine.call(
                "exec", self._container, "bash", "-c", f"kill -TERM -- -$(cat {WATCH_PID}) 2>/dev/null || true"
            )
            return
        raise RunnerFailure("the watch step could not be ended.")

    def _put(self, code: str) -> str:
        self._steps += 1
        file = f"/pipeline/steps/{self._steps}.sh"
        try:
            self._engine.call("exec", "-i", self._container, "bash", "-c", f"cat >{file}", given=code.encode() + b"\n")
        except EngineFailure as error:
            raise RunnerFailure("the box is gone.", error.said) from error
        return file

    def _send(self, line: str) -> None:
        if self._bash.stdin is None:
            raise AssertionError("started with a pipe")
        try:
            self._bash.stdin.write(line.encode() + b"\n")
            self._bash.stdin.flush()
        except BrokenPipeError as error:
            raise StepFailed("the shell of the steps has ended.") from error

    def _until_mark(self, limit_s: float | None = None, limits: Limits = NO_LIMITS) -> None:
        """Report lines until the end mark; its number is the step's status."""
        waited = 0.0
        began = heard = time.monotonic()
        output = self._bash.stdout
        if output is None:
            raise AssertionError("started with a pipe")
        while True:
            while b"\n" in self._rest:
                raw, _, self._rest = self._rest.partition(b"\n")
                if (status := self._take(raw.decode(errors="replace").rstrip("\r"))) is not None:
                    return self._judge(status)
            self._engine.interrupts.check()
            _check_limits(limits, began=began, heard=heard)
            if not select.select([output], [], [], LOOK_S)[0]:
                waited += LOOK_S
                if limit_s is not None and waited > limit_s:
                    raise TimeoutError
                continue
            chunk = os.read(output.fileno(), 65536)
            heard = time.monotonic()
            if not chunk:
                status = self._bash.wait()
                raise StepFailed(f"the box ended under the step (status {status}).")
            self._rest += chunk

    def _take(self, line: str) -> int | None:
        """Report a line, or return the status it ends the step with."""
        before, mark, after = line.partition(f"-{self._mark} ")
        if not mark:
            self._report(line)
            return None
        before, kind = before[:-4], before[-4:]
        if before:
            self._report(before)
        if kind == "vars":
            self._kept = after
            return None
        if kind == "left" and after == "0":
            raise StepFailed("it ended the shell of all steps with `exit`; the steps after it could not run.")
        return int(after)

    @staticmethod
    def _judge(status: int) -> None:
        if status != 0:
            raise StepFailed(f"status {status}")


def _check_limits(limits: Limits, *, began: float, heard: float) -> None:
    now = time.monotonic()
    for name, minutes, since, what in (
        ("command-timeout", limits.command_minutes, began, "it has not ended"),
        ("no-response-timeout", limits.silence_minutes, heard, "it has said nothing"),
    ):
        if minutes is not None and now - since > minutes * 60:
            raise StepFailed(
                f"{what} for {minutes} minutes.", f"If it may take longer: {name} in wercker.yml, in minutes."
            )
