"""The attacks as tests: each must be held off by a server of its own, or by the privacy groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.attack import groups, media, store, web
from tests.attack.target import Attack, Result, running
from tests.cameras import needs_network

pytestmark = [pytest.mark.slow, pytest.mark.real_time]


def _by_name(*attacks: Callable[..., object]) -> dict[str, Any]:
    return {attack.__name__.replace("_", " "): attack for attack in attacks}


ATTACKS: Final[dict[str, Attack]] = _by_name(
    web.compressed_bodies,
    web.foreign_host_name,
    web.malformed_host_names,
    web.room_urls,
    web.parser_names_the_library,
    web.slow_bodies,
    store.killed_after_erasing,
    store.erased_under_another_code,
    store.database_deleted,
    store.open_database,
    store.clock_ahead,
)

MEDIA_ATTACKS: Final[dict[str, Attack]] = _by_name(
    media.large_frames,
    media.malformed_datagrams,
    media.many_candidates,
    media.forged_checks,
    media.random_ssrcs,
)

GROUP_ATTACKS: Final[dict[str, Callable[[], Result]]] = _by_name(
    groups.puppet_after_the_victim,
    groups.puppet_that_toggles,
    groups.pair_that_arrives_together,
    groups.student_who_leaves,
    groups.class_started_again,
)


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack_is_held_off(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        result = await ATTACKS[name](target)
    assert result.held, result.figure


@needs_network
@pytest.mark.parametrize("name", MEDIA_ATTACKS)
async def test_media_attack_is_held_off(name: str, tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        result = await MEDIA_ATTACKS[name](target)
    assert result.held, result.figure


@pytest.mark.parametrize("name", GROUP_ATTACKS)
def test_group_attack_learns_no_more_than_the_groups_mean(name: str) -> None:
    result = GROUP_ATTACKS[name]()
    assert result.held, result.figure
