"""``python -m tests.attack``: every attack against a server of its own, as a table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.attack.target import Attack, Result, running
from tests.attack.test_attacks import ATTACKS


async def main() -> int:
    """Run all attacks; the number of those that succeeded."""
    print("| attack | figure | verdict | took |\n| --- | --- | --- | --- |")
    broken = 0
    for name, attack in ATTACKS.items():
        result, took_s = await _run(attack)
        broken += not result.held
        print(
            f"| {name} | {result.figure} | {'held' if result.held else 'BROKEN'} | {took_s:.1f} s |",
            flush=True,
        )
    return broken


async def _run(attack: Attack) -> tuple[Result, float]:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as target:
            result = await attack(target)
    return result, time.monotonic() - began_s


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main()) else 0)
