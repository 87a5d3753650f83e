"""Attacks on what is stored: a killed server, a deleted database, open files."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from typing import Final

from tests.attack.target import Result, Target, running

_NAMES: Final = [f"Zyxwv{number:02}" for number in range(8)]


async def killed_after_erasing(target: Target) -> Result:
    """kill -9 right after eight students were told that they are erased: no name may be left on the disk."""
    made = await target.start_class()
    students = [await target.join(made["code"], name) for name in _NAMES]
    await asyncio.sleep(1.0)  # the consents are stored
    statuses = []
    for student in students:
        async with target.session.delete(
            f"{target.url}/api/companion/{made['code']}/me", json={"token": student["token"]}
        ) as response:
            statuses.append(response.status)
    target.process.kill()
    await target.process.wait()
    disk = b"".join(file.read_bytes() for file in target.folder.glob("classmood.db*"))
    left = sum(name.encode() in disk for name in _NAMES)
    return Result(f"{left} of {len(_NAMES)} names on the disk, answers {sorted(set(statuses))}", left == 0)


async def erased_under_another_code(target: Target) -> Result:
    """A student erases with their token under the code of another class: counted no longer either."""
    first, second = await target.start_class(), await target.start_class()
    student = await target.join(first["code"], _NAMES[0])
    async with target.session.delete(
        f"{target.url}/api/companion/{second['code']}/me", json={"token": student["token"]}
    ) as response:
        status = response.status
    await asyncio.sleep(0.3)
    async with target.session.post(
        f"{target.url}/api/companion/{first['code']}/pulse", json={"token": student["token"], "kind": "ok"}
    ) as response:
        after = response.status
    erased = status in (200, 202) and after == 410
    return Result(
        f"erasing {status}, then a pulse {after}", erased or (status in (403, 404) and after == 200)
    )


async def database_deleted(target: Target) -> Result:
    """The database file is deleted under the server: it must notice within seconds."""
    (target.folder / "classmood.db").unlink()
    for second in range(10):
        async with target.session.get(f"{target.url}/readyz") as response:
            if response.status == 503:
                return Result(f"/readyz 503 after {second} s", True)
        await asyncio.sleep(1.0)
    return Result("/readyz 200 for 10 s", False)


async def open_database(target: Target) -> Result:
    """The database was open to everybody before this start, or is so after it."""
    await target.start_class()
    await target.stop()
    files = list(target.folder.glob("classmood.db*"))
    for file in files:
        file.chmod(0o666)
    async with running(target.folder) as restarted:
        await restarted.start_class()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in target.folder.glob("classmood.db*")}
    wrong = sorted(name for name, mode in modes.items() if mode & 0o077)
    return Result(f"{len(modes)} files, open to others: {wrong or 'none'}", len(modes) > 1 and not wrong)


async def clock_ahead(target: Target) -> Result:
    """A start with the clock 200 days ahead, beyond the time for which classes are stored.

    Moving what is stored 200 days back is the same to the server, and does not need another clock.
    """
    made = await target.start_class(title="Algebra")
    await target.stop()
    with closing(sqlite3.connect(target.folder / "classmood.db")) as database:
        for column in ("started_at", "ended_at"):
            database.execute(f"UPDATE classes SET {column} = datetime({column}, '-200 days')")
        database.commit()
    async with running(target.folder) as restarted:
        await asyncio.sleep(2.0)
        title = (await restarted.class_of(made["id"])).get("title")
    return Result(
        "the class is still there" if title == "Algebra" else "the class is gone", title == "Algebra"
    )
