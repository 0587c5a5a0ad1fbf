#!/usr/bin/env python3
"""Writes down the arguments of every program that is started on this machine, in its containers too, until SIGTERM.

    arguments.py >FILE

The kernel tells of each execve over its process connector, so programs that live for a millisecond are seen too. A line
for each different list of arguments; the last line says how many programs were started, and how many had ended before
their arguments could be read. Root only. Messages: linux/netlink.h, linux/connector.h and linux/cn_proc.h.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from types import FrameType

NETLINK_CONNECTOR = 11  # this and the next: not in Python's socket module
SO_RCVBUFFORCE = 33
CN_IDX_PROC = CN_VAL_PROC = 1
PROC_CN_MCAST_LISTEN = 1
PROC_EVENT_EXEC = 0x2
NLMSG_DONE = 3
NETLINK_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, sender
CONNECTOR_HEADER = struct.Struct("=IIIIHH")  # idx, val, sequence, acknowledged, length, flags
EVENT = struct.Struct("=IIQI")  # what, cpu, nanoseconds, process
RECEIVE_BYTES = 1 << 25  # what the kernel may keep for a reader that is late


class Ended(Exception):
    """SIGTERM came."""


def open_connector() -> socket.socket:
    """Subscribe to the kernel's process events. Raises: OSError where it has none or gives this user none."""
    connector = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
    connector.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
    connector.bind((0, CN_IDX_PROC))
    wish = struct.pack("=I", PROC_CN_MCAST_LISTEN)
    message = CONNECTOR_HEADER.pack(CN_IDX_PROC, CN_VAL_PROC, 0, 0, len(wish), 0) + wish
    connector.send(NETLINK_HEADER.pack(NETLINK_HEADER.size + len(message), NLMSG_DONE, 0, 0, 0) + message)
    return connector


def main() -> None:
    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    signal.signal(signal.SIGTERM, end)
    seen: set[bytes] = set()
    started = missed = 0
    try:
        connector = open_connector()
        # Ahead of everything else: what lives for a millisecond has to be looked at within it. Where that is not granted more
        # of them are missed, and the last line says so.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
        print("watching", flush=True)
        while True:
            what, _, _, process = EVENT.unpack_from(connector.recv(4096), NETLINK_HEADER.size + CONNECTOR_HEADER.size)
            if what != PROC_EVENT_EXEC:
                continue
            started += 1
            try:
                arguments = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").strip()
            except (FileNotFoundError, ProcessLookupError):
                arguments = b""
            if not arguments:  # what has ended, but was not waited for, has none any more
                missed += 1
            elif arguments not in seen:
                seen.add(arguments)
                sys.stdout.buffer.write(arguments + b"\n")
                sys.stdout.buffer.flush()
    except Ended:
        print(f"{started} programs were started, {missed} had ended before they could be looked at", flush=True)
    except OSError as error:  # also when it had more to tell than fits into the buffer: then the list is not complete
        sys.exit(
            f"error: the kernel does not tell of every program that is started: {error.strerror}\n"
            "       It wants root, outside of a container, and a kernel with CONFIG_PROC_EVENTS."
        )


if __name__ == "__main__":
    main()
