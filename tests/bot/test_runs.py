"""What the commands that hold a class read of it while it runs."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.runs import News
from reports.store import Store, StoreError
from reports.summary.windows import WindowSummary
from tests.reports.builders import a_class, a_window


class MoodyStore(Store):
    """A store that can be read only now and then."""

    readable = True

    async def windows(self, class_id: str, since_s: float = 0.0) -> list[WindowSummary]:
        if not self.readable:
            raise StoreError("the database is away: start it again")
        return await super().windows(class_id, since_s)


async def test_windows_are_printed_once_and_a_store_that_is_away_for_a_while_costs_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = await asyncio.to_thread(MoodyStore.open, f"sqlite:///{tmp_path}/class.db")
    assert isinstance(store, MoodyStore)
    await store.put_class(a_class())
    news = News(store, "c1", print_them=True)
    await news.read()
    assert news.last is None
    await store.add_window(a_window(0))
    await news.read()
    store.readable = False
    await store.add_window(a_window(5))
    await news.read()
    store.readable = True
    await store.add_window(a_window(10))
    await news.read()
    printed = [json.loads(line)["start_s"] for line in capsys.readouterr().out.splitlines() if line[0] == "{"]
    await asyncio.to_thread(store.close)
    assert printed == [0.0, 5.0, 10.0]
