"""The file of the database: noticed when it is deleted or replaced, and closed to other users."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from reports.store import Store, StoreError
from tests.reports.builders import a_class


@pytest.mark.parametrize("replaced", [False, True])
async def test_writing_to_a_deleted_or_replaced_file_fails(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "class.db"
    store = await asyncio.to_thread(Store.open, f"sqlite:///{path}")
    await store.put_class(a_class())
    assert await asyncio.to_thread(store.trouble) is None
    path.unlink()
    if replaced:
        path.write_bytes(b"")
    assert "the file was deleted or replaced" in (await asyncio.to_thread(store.trouble) or "")
    with pytest.raises(StoreError, match="restore a backup"):
        await store.put_class(a_class("c2"))
    await asyncio.to_thread(store.close)


def test_a_database_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "class.db"
    Store.open(f"sqlite:///{path}").close()
    for file in (path, path.with_name("class.db-wal")):
        file.touch()
        file.chmod(0o644)
    store = Store.open(f"sqlite:///{path}")
    try:
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("class.db*")}
        assert set(modes.values()) == {0o600}, modes
    finally:
        store.close()
