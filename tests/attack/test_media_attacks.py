"""The attacks by media and on the privacy groups, as tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.all_attacks import GROUP_ATTACKS, MEDIA_ATTACKS
from tests.attack.target import running
from tests.cameras import needs_network

pytestmark = pytest.mark.slow


@needs_network
@pytest.mark.real_time
@pytest.mark.parametrize("name", MEDIA_ATTACKS)
async def test_media_attack_is_held_off(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        result = await MEDIA_ATTACKS[name](target)
    assert result.held, result.figure


@pytest.mark.parametrize("name", GROUP_ATTACKS)
def test_group_attack_learns_no_more_than_the_groups_mean(name: str) -> None:
    result = GROUP_ATTACKS[name]()
    assert result.held, result.figure
