"""The one bash of a run, inside the box: every step is sourced into it, so exports last and a failure ends it.

Commands reach it through its standard input; the steps themselves have none. A random mark in the output ends a step.
"""

import contextlib
import os
import secrets
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from wercker.engine import LOOK_S, Engine, EngineFailure
from wercker.failures import RunnerFailure, StepFailed, StepTooLong, Stopped
from wercker.pipelines import Limits

SOURCE = "/pipeline/source"
WATCH_PID = "/pipeline/steps/watch.pid"
BASH_PID = "/pipeline/steps/bash.pid"
VARIABLES = "/pipeline/steps/variables"
NO_LIMITS = Limits()
GRACE_S = {"INT": 20.0, "TERM": 10.0, "KILL": 5.0}  # what a watch step gets to end after each signal
STEP_END_S = 60.0  # what any other step gets for its traps when the run is stopped
# TERM for the bash of the steps and everything below it. Not for the container's first process and its sleep: with those
# the box would end under the traps.
TERM_STEP = f"""
declare -A parent
for file in /proc/[0-9]*/status; do
    while read -r key value; do
        if [[ $key == PPid: ]]; then
            parent[${{file//[!0-9]/}}]=$value
            break
        fi
    done <"$file"
done 2>/dev/null
found=("$(cat {BASH_PID})")
for ((at = 0; at < ${{#found[@]}}; at++)); do
    for pid in "${{!parent[@]}}"; do
        if [[ ${{parent[$pid]}} == "${{found[at]}}" ]]; then found+=("$pid"); fi
    done
done
kill -TERM "${{found[@]}}" 2>/dev/null || true
"""


class Session:
    """A bash in a container that already runs; `report` gets each line of the steps' output."""

    def __init__(self, engine: Engine, container: str, report: Callable[[str], None], limits: Limits) -> None:
        self._limits = limits
        self._engine = engine
        self._container = container
        self._report = report
        self._mark = secrets.token_hex(12)
        self._rest = b""
        self._steps = 0
        self._bash = engine.start("exec", "-i", container, "bash", "--norc", "--noprofile", stdin=subprocess.PIPE)

    def begin(self, exports: Mapping[str, str]) -> None:
        """Export the run's variables; values travel through standard input alone, whatever they hold."""
        # In two parts, so that `set -x` in a step does not print the whole mark.
        self._send(f'end() {{ printf \'%s-%s %s\\n\' "$1" {self._mark} "$2"; }}')
        # Told to end, the bash waits for the program of the step and its traps, and leaves with the status of a TERM.
        self._send(f"exec 2>&1; set -e; trap 'end left $?' EXIT; trap 'exit 143' TERM; echo $$ >{BASH_PID}")
        for name, value in exports.items():
            self._send(f"export {name}={shlex.quote(value)}")
        self._send("end done 0")
        self._until_mark()

    def run_step(self, code: str) -> None:
        """Source one step in the source folder, standard input closed, within the limits. Raises: StepFailed, Stopped."""
        file = self._put(code)
        # An earlier step may have said `set +e`; this one may too, and then its last status still counts.
        self._send(f"set -e\ncd {SOURCE}\nsource {file} </dev/null\nend done $?")
        try:
            self._until_mark(limits=self._limits)
        except (Stopped, StepTooLong):
            self._end_step()
            raise

    def run_watch(self, code: str) -> None:
        """Run a step until SIGINT comes; what it started is ended then, and the next step can follow.

        Raises: StepFailed when it ends by itself with another status than 0, Stopped at another signal.
        """
        file = self._put(code)
        inner = shlex.quote(f"echo $$ >{WATCH_PID}; set -e; source {file}")
        self._send(
            f"set -e\ncd {SOURCE}\nwatched=0; setsid bash -c {inner} </dev/null || watched=$?\nend done $watched"
        )
        try:
            self._until_mark()
        except Stopped as stopped:
            if stopped.number != signal.SIGINT:
                self._end_step()
                raise
            self._report("stopping")
            self._end_watch()

    def variables(self) -> dict[str, str]:
        """Return what is exported now. Raises: StepFailed, EngineFailure, Stopped.

        A file carries it past the log: a step may have said `set -x`, and then every word the bash expands is printed.
        """
        self._send(f"command env -0 >|{VARIABLES}\nend done $?")
        self._until_mark()
        text = self._engine.call("exec", self._container, "bash", "-c", f"cat {VARIABLES}; rm {VARIABLES}")
        return dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)

    def close(self) -> None:
        """End the bash's client; the container's end takes the rest."""
        self._bash.kill()
        self._bash.wait()

    def _end_step(self) -> None:
        """Let the traps of the running step do their work, and show what they say. Raises: Stopped at a second signal."""
        self._report(f"ending the step, up to {STEP_END_S:.0f} s; Ctrl-C once more does not wait for it")
        # However it ends, the run fails for what it was ended for.
        with contextlib.suppress(RunnerFailure, TimeoutError):
            self._engine.call("exec", self._container, "bash", "-c", TERM_STEP)
            self._until_mark(limit_s=STEP_END_S)

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
            if limit_s is not None and time.monotonic() - began > limit_s:
                raise TimeoutError
            if not select.select([output], [], [], LOOK_S)[0]:
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
            raise StepTooLong(
                f"{what} for {minutes} minutes.", f"If it may take longer: {name} in wercker.yml, in minutes."
            )
