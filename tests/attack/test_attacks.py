"""The attacks on a server, as tests: each must be held off by a server of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.all_attacks import ATTACKS
from tests.attack.target import running

pytestmark = [pytest.mark.slow, pytest.mark.real_time]


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack_is_held_off(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        result = await ATTACKS[name](target)
    assert result.held, result.figure
