"""Log lines contain the class identifier, but no names or secrets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from bot.logs import set_up_logs
set_up_logs("info", {json_lines})
log = structlog.get_logger()
structlog.contextvars.bind_contextvars(class_id="c1")
log.info("student joined", name="Ada Lovelace", token="s3cret", sdp="v=0", count=3)
def fail(name="Ada Lovelace", token="s3cret"):
    raise ValueError("a number is missing")
try:
    fail()
except ValueError:
    log.exception("it failed")
"""


@pytest.mark.parametrize("json_lines", [False, True])
def test_names_and_tokens_appear_neither_in_values_nor_in_tracebacks(json_lines: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(json_lines=json_lines)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "student joined" in done.stderr
    assert "a number is missing" in done.stderr
    assert done.stderr.count("c1") >= 2
    # A traceback shows source lines, but not the values of variables.
    assert "Lovelace" not in done.stderr
    assert "s3cret" not in done.stderr
    if json_lines:
        first, second = [json.loads(line) for line in done.stderr.splitlines()]
        assert (first["class_id"], first["count"], first["name"]) == ("c1", 3, "[withheld]")
        assert "ValueError" in second["exception"]
