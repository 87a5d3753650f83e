"""Attacks on what is stored: a killed server, a deleted database, open files."""

from __future__ import annotations

import asyncio
import stat
from typing import Final

from tests.attack.target import Result, Target

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
    """Every file of the database is readable by its owner only."""
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in target.folder.glob("classmood.db*")}
    wrong = {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
    return Result(f"{len(modes)} files, open to others: {wrong or 'none'}", bool(modes) and not wrong)
