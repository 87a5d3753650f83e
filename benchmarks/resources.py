"""What a process takes of the machine: memory, threads, sockets, and datagrams lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def threads_now() -> int:
    """Threads of this process, those of libraries included where the system tells."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()


def resident_mb() -> float:
    """Resident memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def open_sockets() -> int:
    """Internet sockets of this process that are still open; 0 where the system does not say."""
    mine, open_ones = Path("/proc/self/fd"), set()
    if not mine.is_dir():
        return 0
    for entry in list(mine.iterdir()):
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # the one the listing itself used
        if target.startswith("socket:["):
            open_ones.add(target[8:-1])
    known = set()
    for table in ("udp", "udp6", "tcp", "tcp6"):
        lines = Path(f"/proc/self/net/{table}")
        if lines.exists():
            known |= {line.split()[9] for line in lines.read_text().splitlines()[1:]}
    return len(open_ones & known)


def udp_drops() -> int:
    """Datagrams dropped by full receive buffers so far, of all sockets here; 0 where it is not told."""
    try:
        lines = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    except OSError:
        return 0
    names, values = [line for line in lines if line[0] == "Udp:"][:2]
    return int(values[names.index("RcvbufErrors")])
