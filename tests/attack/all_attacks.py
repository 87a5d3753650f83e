"""Every attack, by its name in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.attack import groups, media, store, web
from tests.attack.target import Attack, Result


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
"""They need a network address besides loopback."""

GROUP_ATTACKS: Final[dict[str, Callable[[], Result]]] = _by_name(
    groups.puppet_after_the_victim,
    groups.puppet_that_toggles,
    groups.pair_that_arrives_together,
    groups.student_who_leaves,
    groups.class_started_again,
)
"""They are simulated, without a server."""
