"""``python -m tests.attack``: all attacks, as a table. Each runs on a server of its own, or simulates one."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aioice.ice import get_host_addresses

from tests.attack.target import Attack, Result, running
from tests.attack.test_attacks import ATTACKS, GROUP_ATTACKS, MEDIA_ATTACKS


def main() -> int:
    """Run all attacks; the number of those that succeeded."""
    print("| attack | figure | verdict | took |\n| --- | --- | --- | --- |", flush=True)
    broken = 0
    attacks = dict(ATTACKS)
    if get_host_addresses(use_ipv4=True, use_ipv6=False):
        attacks |= MEDIA_ATTACKS
    else:
        print(f"{len(MEDIA_ATTACKS)} attacks need a network address besides loopback", file=sys.stderr)
    for name, attack in attacks.items():
        broken += _show(name, partial(_run, attack))
    for name, calculated in GROUP_ATTACKS.items():
        broken += _show(name, calculated)
    return broken


def _show(name: str, attack: Callable[[], Result]) -> bool:
    """Print the row of an attack; whether it succeeded."""
    began_s = time.monotonic()
    result = attack()
    verdict = "held" if result.held else "BROKEN"
    print(f"| {name} | {result.figure} | {verdict} | {time.monotonic() - began_s:.1f} s |", flush=True)
    return not result.held


def _run(attack: Attack) -> Result:
    return asyncio.run(_against_a_server(attack))


async def _against_a_server(attack: Attack) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as target:
            return await attack(target)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
