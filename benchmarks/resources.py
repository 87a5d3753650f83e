"""The resources of this process: threads, memory and sockets; and datagrams that the kernel dropped."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def threads_now() -> int:
    """Threads of this process; includes those of libraries on Linux, else only Python's."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()


def resident_mb() -> float:
    """Resident memory in MiB; 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def open_sockets() -> int:
    """Open internet sockets of this process; 0 if unknown."""
    descriptors, open_ones = Path("/proc/self/fd"), set()
    if not descriptors.is_dir():
        return 0
    for entry in list(descriptors.iterdir()):
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # the descriptor of the listing itself
        if target.startswith("socket:["):
            open_ones.add(target[8:-1])
    known = set()
    for table in ("udp", "udp6", "tcp", "tcp6"):
        lines = Path(f"/proc/self/net/{table}")
        if lines.exists():
            known |= {line.split()[9] for line in lines.read_text().splitlines()[1:]}
    return len(open_ones & known)


def udp_drops() -> int:
    """Datagrams dropped so far because a receive buffer was full, of all sockets here; 0 if unknown."""
    try:
        lines = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    except OSError:
        return 0
    names, values = [line for line in lines if line[0] == "Udp:"][:2]
    return int(values[names.index("RcvbufErrors")])
