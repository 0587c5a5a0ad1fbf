"""Runs the site as the README says, swaps on it, stops it with Ctrl-C and looks for what is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_S = 900  # on a machine that has nothing yet, everything is installed first
STOP_S = 30
DEMO_S = 600


def main() -> int:
    """Return 0 when the site got ready, refused a second copy, served the demo twice and left no process behind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        env = {**os.environ, "PORT": str(probe.getsockname()[1])}
    mistakes = [mistake for start in ("first", "second") for mistake in try_site(env, start)]
    for mistake in mistakes:
        print(f"error: {mistake}", flush=True)
    return 1 if mistakes else 0


def try_site(env: dict[str, str], start: str) -> list[str]:
    """Start, use and stop the site once; return what was wrong."""
    began = time.monotonic()
    # Whoever starts this in the background has Ctrl-C ignored, and a shell cannot catch what it was started to ignore.
    command = ["env", "--default-signal=INT", "bin/run"]
    site = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    limit = threading.Timer(READY_S, os.killpg, (site.pid, signal.SIGTERM))
    limit.start()
    ready = any(show(line).startswith("ready: http://localhost:") for line in iter(site.stdout.readline, ""))
    limit.cancel()
    if not ready:
        return [f"the {start} start ended with status {site.wait()} instead of getting ready"]
    print(f"== {start} start: ready after {time.monotonic() - began:.0f} s", flush=True)
    try:
        mistakes = use_site(env, start)
    finally:
        mistakes_at_end = stop_site(site)
    return mistakes + mistakes_at_end


def use_site(env: dict[str, str], start: str) -> list[str]:
    """Try a second copy, then the demo's swaps."""
    mistakes = []
    second = subprocess.run(["bin/run"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    if second.returncode == 0 or "another copy" not in second.stderr:
        mistakes.append(f"a second copy was not refused: {second.stdout}{second.stderr}")
    if subprocess.run(["bin/demo"], cwd=ROOT, env=env, timeout=DEMO_S, check=False).returncode:
        mistakes.append(f"bin/demo failed after the {start} start; see var/log/run.log")
    return mistakes


def stop_site(site: subprocess.Popen[str]) -> list[str]:
    """Press Ctrl-C, as a terminal does, and look for processes that stay."""
    mistakes = []
    os.killpg(site.pid, signal.SIGINT)
    try:
        site.wait(STOP_S)
    except subprocess.TimeoutExpired:
        mistakes.append(f"still running {STOP_S} s after Ctrl-C")
        site.kill()
    if left := processes_of_run():
        mistakes.append(f"left behind: {left}")
    return mistakes


def show(line: str) -> str:
    """Pass a line of the site's output on."""
    print(line, end="", flush=True)
    return line


def processes_of_run() -> list[str]:
    """List the processes of this checkout's run, by the mark in their environment."""
    script = 'source bin/lib/steps.sh; source bin/lib/supervise.sh; processes list "$MARK"'
    listed = subprocess.run(["bash", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return listed.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
