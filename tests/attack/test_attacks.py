"""The attacks as tests: each must be held off by a server of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.attack import store, web
from tests.attack.target import Attack, running

pytestmark = [pytest.mark.slow, pytest.mark.real_time]

ATTACKS: Final[dict[str, Attack]] = {
    attack.__name__.replace("_", " "): attack
    for attack in (
        web.compressed_bodies,
        web.foreign_host_name,
        web.room_urls,
        web.parser_names_the_library,
        web.slow_bodies,
        store.killed_after_erasing,
        store.erased_under_another_code,
        store.database_deleted,
        store.open_database,
    )
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack_is_held_off(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        result = await ATTACKS[name](target)
    assert result.held, result.figure
