"""Simulated students in a separate process, controlled by JSON lines.

``SenderProcess`` starts this module as a program. The program (``serve``) creates the students, executes
commands and reports what was sent. It ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final

from benchmarks.simulation.clips import ClipSpec, make_clip
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.student import SimulatedStudent

_LINE_BYTES: Final = 1 << 20


class SenderProcess:
    """The process of the students; ``async with`` starts and ends it."""

    def __init__(self) -> None:
        """Set up; nothing runs yet."""
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._calls = 0

    async def __aenter__(self) -> SenderProcess:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.simulation.senders",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
        )
        self._reader = asyncio.create_task(self._read(), name="senders")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the process."""
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    async def add(self, student: int, clip: ClipSpec, faults: Faults) -> str:
        """Add a student and return its offer."""
        return str(await self._call("add", student, clip=asdict(clip), faults=asdict(faults)))

    async def accept(self, student: int, answer: str) -> None:
        """Pass the answer to a student, who then starts sending."""
        await self._call("accept", student, sdp=answer)

    async def replace_stream(self, student: int, clip: ClipSpec, ssrc: int) -> None:
        """Let the connection send the stream of another student."""
        await self._call("replace_stream", student, clip=asdict(clip), ssrc=ssrc)

    async def command(self, student: int, action: str) -> None:
        """Let a student ``mute``, ``unmute``, ``stall``, ``resume``, ``vanish`` or ``leave``."""
        await self._call(action, student)

    async def sent(self) -> dict[int, dict[str, int]]:
        """The fields of ``Sent`` of each student."""
        counts_of_all = await self._call("sent", 0)
        return {int(student): counts for student, counts in counts_of_all.items()}

    async def _call(self, op: str, student: int, **arguments: Any) -> Any:
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the sender process is not running")
        self._calls += 1
        answer = self._answers[self._calls] = asyncio.get_running_loop().create_future()
        line = json.dumps({"call": self._calls, "op": op, "student": student, **arguments})
        process.stdin.write(line.encode() + b"\n")
        return await answer

    async def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        while line := await process.stdout.readline():
            reply = json.loads(line)
            self._answers.pop(reply["call"]).set_result(reply["answer"])
        for answer in self._answers.values():
            answer.set_exception(RuntimeError("the sender process has ended"))


async def serve() -> None:
    """Execute commands until standard input is closed."""
    students: dict[int, SimulatedStudent] = {}
    lines = asyncio.StreamReader(limit=_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks: set[asyncio.Task[None]] = set()
    with ThreadPoolExecutor(1) as threads:

        async def execute(command: dict[str, Any]) -> None:
            answer = await _execute(command, students, threads)
            sys.stdout.write(json.dumps({"call": command["call"], "answer": answer}) + "\n")
            sys.stdout.flush()

        while line := await lines.readline():
            task = asyncio.create_task(execute(json.loads(line)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        leaving = [student.leave() for student in students.values()]
        await asyncio.gather(*leaving, return_exceptions=True)


async def _execute(
    command: dict[str, Any], students: dict[int, SimulatedStudent], threads: ThreadPoolExecutor
) -> Any:
    number = command["student"]
    match command["op"]:
        case "add":
            spec, faults = ClipSpec(**command["clip"]), Faults(**command["faults"])
            clip = await asyncio.get_running_loop().run_in_executor(threads, make_clip, spec)
            students[number] = SimulatedStudent(clip, faults)
            return await students[number].offer()
        case "replace_stream":
            clip_spec = ClipSpec(**command["clip"])
            loop = asyncio.get_running_loop()
            return students[number].replace_stream(
                await loop.run_in_executor(threads, make_clip, clip_spec), command["ssrc"]
            )
        case "accept":
            return await students[number].accept(command["sdp"])
        case "sent":
            return {number: asdict(student.sent) for number, student in students.items()}
        case "leave":
            return await students.pop(number).leave()
        case "mute":
            return students[number].mute()
        case "unmute":
            return students[number].unmute()
        case "stall":
            return students[number].stall()
        case "resume":
            return await students[number].resume()
        case "vanish":
            return await students[number].vanish()
        case unknown:
            raise ValueError(f"unknown command: {unknown}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
