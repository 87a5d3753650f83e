"""The commands as real processes: their output, files, exit codes and one-line errors."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest

from reports.store import Store
from reports.summary.classes import ClassState
from tests.cameras import offer_text
from tests.contract.room_setups.replay import write_video
from tests.e2e.commands import error_line, run, start
from tests.reports.builders import a_class

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

COMMANDS = ("demo", "serve", "join", "analyze", "report", "classes", "purge", "doctor", "token")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command, "--help")
    assert done.returncode == 0
    assert f"classmood {command}" in done.stdout.split("Options:")[1]
    assert "--config" in done.stdout


def test_errors_are_one_line_and_leave_no_files(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("web:\n  prot: 1\n")
    (tmp_path / "nofilm.mp4").write_bytes(b"not a film")
    cases = [
        (("classes", "--config", "none.yaml"), 2, "none.yaml"),
        (("classes", "--config", "bad.yaml"), 2, "web.prot"),
        (("classes",), 1, "no database"),
        (("report", "abc"), 1, "no database"),
        (("join", "zoom:123"), 2, "not a room URL"),
        (("join", "replay:nowhere"), 2, "give the path of an existing folder"),
        (("join", "companion:", "--out", "nofilm.mp4/reports"), 1, "--out"),
        (("analyze", "nothing.jpg"), 1, "does not exist"),
        (("analyze", "nofilm.mp4"), 1, "cannot be read"),
        (("analyze", "bad.yaml"), 1, "no known kind"),
        (("nonsense",), 2, "No such command"),
    ]
    before = sorted(tmp_path.iterdir())
    for words, code, text in cases:
        done = run(tmp_path, *words, CLASSMOOD_WEB__PORT="0")
        assert text in error_line(done), words
        assert "Host link" not in done.stdout, "no server was started"
        assert done.returncode == code, words
    assert sorted(tmp_path.iterdir()) == before


def test_demo_runs_a_class_and_prints_its_figures(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--students", "3", "--minutes", "0.4", "--port", "0")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Host link: +http://127.0.0.1:\d+/\?token=", done.stdout)
    assert re.search(r"Student link: +http://127.0.0.1:\d+/c/", done.stdout)
    assert "This link works on this machine only" in done.stdout
    figures = re.search(
        r"all 3 students analysed in (\d+) windows; 95 % of frames analysed within ([\d.]+) s of arriving, "
        r"95 % of windows on the page within ([\d.]+) s of their end",
        done.stdout,
    )
    assert figures is not None, done.stdout
    assert int(figures[1]) >= 2
    assert float(figures[3]) < 2
    report = Path(re.findall(r"Report:\s+(.+)", done.stdout)[0]).read_text()
    assert "Drawn students, not people" in report


@pytest.mark.skipif(
    subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0,
    reason="no permission to create a network without addresses",
)
def test_demo_without_a_network_is_a_one_line_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "bot", "demo", "--port", "0"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no UDP socket" in error_line(done)


def test_doctor_reports_success_warnings_and_problems(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", CLASSMOOD_WEB__PORT="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^ok ", done.stdout, re.MULTILINE)) == 11
    assert list(tmp_path.iterdir()) == [], "doctor creates no files"
    exposed = run(tmp_path, "doctor", CLASSMOOD_WEB__PORT="0", CLASSMOOD_WEB__HOST="0.0.0.0")
    assert exposed.returncode == 0
    assert "warn   exposure: put a TLS proxy in front" in exposed.stdout
    assert "with web.host 0.0.0.0 other machines connect without encryption" in exposed.stdout
    assert exposed.stderr == "1 warning.\n"
    (tmp_path / "classmood.db").write_bytes(b"this is no database at all, not even close to one")
    (tmp_path / "classmood.token").write_text("{}")
    (tmp_path / "classmood.token").chmod(0o644)
    broken = run(tmp_path, "doctor", CLASSMOOD_WEB__PORT="0")
    assert broken.returncode == 1
    assert "WRONG  host token: run `chmod 600" in broken.stdout
    assert "WRONG  database" in broken.stdout
    assert "2 problems." in broken.stderr


def test_eu_education_analyses_no_face_and_loads_no_model(tmp_path: Path) -> None:
    """Runs a whole class, then checks which libraries the server has mapped into its memory."""
    profile = {"CLASSMOOD_PRIVACY__JURISDICTION": "eu-education"}
    run(tmp_path, "purge", **profile)  # creates the database
    server = start(tmp_path, "serve", "--port", "0", **profile)
    try:
        assert server.stdout is not None
        lines = []
        while "Host link" not in (line := server.stdout.readline()):
            assert line, "the server did not start"
            lines.append(line)
        assert any("Profile eu-education: faces are not analysed" in line for line in lines)
        url, _, token = line.split()[-1].partition("/?token=")

        def ask(path: str, fields: object = None) -> Any:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            body = None if fields is None else json.dumps(fields).encode()
            with urlopen(Request(url + path, body, headers), timeout=20) as response:
                text = response.read().decode()
                return json.loads(text) if response.headers["Content-Type"].startswith("app") else text

        made = ask("/api/classes", {"room": "companion:", "title": "Quiet class"})
        assert made["jurisdiction"] == "eu-education"
        assert "asks for no camera" in ask(f"/c/{made['code']}")
        room = f"/api/companion/{made['code']}"
        student = ask(f"{room}/offer", {"sdp": None, "type": None, "consent": True})
        offer = {"sdp": offer_text("VP8", "max-fr=30"), "type": "offer", "consent": True}
        assert ask(f"{room}/offer", offer)["sdp"] is None, "no video is requested"
        assert ask(f"{room}/pulse", {"token": student["token"], "kind": "lost"}) == {"ok": True}
        ask(f"/api/classes/{made['id']}/markers", {"label": "Quiz"})
        assert "Faces are not analysed here" in ask("/")
        assert "No face analysis, and no video received" in ask(f"/classes/{made['id']}")
        time.sleep(6)
        (window, *_rest) = ask(f"/api/classes/{made['id']}/windows")
        ask(f"/api/classes/{made['id']}/end", {})
        assert (window["participants"], window["cameras_on"], window["analysed"]) == (2, 0, 0)
        assert (window["expressions"], window["pulses"]["lost"]) == (None, 1)
        report = ask(f"/api/classes/{made['id']}/report.html")
        assert "Its privacy profile does not allow face analysis" in report
        assert "Quiz" in report
        mapped = Path(f"/proc/{server.pid}/maps").read_text().lower()
        assert "site-packages/av" in mapped, "the libraries of the process are listed"
        assert "litert" not in mapped
        assert "tflite" not in mapped
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)

    checked = run(tmp_path, "doctor", CLASSMOOD_WEB__PORT="0", **profile)
    assert "models: not loaded: the profile is eu-education" in checked.stdout
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    refused = run(tmp_path, "analyze", "a.png", **profile)
    assert refused.returncode == 2
    assert "privacy.jurisdiction is eu-education" in error_line(refused)


def test_replayed_class_is_listed_reported_and_purged(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_video(clips / "a.mp4")
    write_video(clips / "b.mp4", seconds=2)
    (clips / "broken.mp4").write_bytes(b"no film")
    done = run(
        tmp_path, "join", f"replay:{clips}", "--minutes", "0.2", "--jsonl", "--port", "0", "--title", "Übung",
        CLASSMOOD_ANALYSIS__WINDOW_S="2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    windows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(windows) >= 5
    for window in windows:
        assert window["participants"] == window["analysed"] + sum(window["not_analysed"].values()) == 2
    report = Path(re.findall(r"Report:\s+(.+)", done.stderr)[0])
    assert "Übung" in report.read_text()

    class_id = report.stem
    assert class_id in run(tmp_path, "classes").stdout
    for kind in ("html", "csv", "json"):
        out = tmp_path / f"report.{kind}"
        assert run(tmp_path, "report", class_id, "--format", kind, "-o", str(out)).returncode == 0
        assert out.stat().st_size > 200
    assert (tmp_path / "report.html").read_bytes() == report.read_bytes()
    unwritable = run(tmp_path, "report", class_id, "-o", str(tmp_path / "nowhere" / "report.html"))
    assert unwritable.returncode == 1
    assert "give another -o" in error_line(unwritable)
    missing = run(tmp_path, "report", "nobody")
    assert missing.returncode == 2
    assert "classmood classes" in error_line(missing)
    assert "0 classes deleted" in run(tmp_path, "purge").stdout
    time.sleep(1)
    assert "1 class deleted" in run(tmp_path, "purge", "--older-than", "0").stdout


def start_replay(tmp_path: Path) -> subprocess.Popen[str]:
    """Start a class with one video that prints its windows, one a second, as JSON."""
    clips = tmp_path / "clips"
    clips.mkdir()
    write_video(clips / "a.mp4")
    room = f"replay:{clips}"
    return start(tmp_path, "join", room, "--jsonl", "--port", "0", CLASSMOOD_ANALYSIS__WINDOW_S="1")


def test_purge_refuses_if_the_newest_class_lies_far_behind_the_clock(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(days=200)
    ended = a_class(state=ClassState.ENDED, started_at=began, ended_at=began + timedelta(hours=1))
    with closing(Store.open(f"sqlite:///{tmp_path}/classmood.db")) as store:
        asyncio.run(store.put_class(ended))
    refused = run(tmp_path, "purge")
    assert refused.returncode == 1
    assert "check the clock, then repeat with --clock-is-right" in error_line(refused)
    assert "1 class deleted" in run(tmp_path, "purge", "--clock-is-right").stdout


def test_purge_deletes_a_class_that_was_killed(tmp_path: Path) -> None:
    process = start_replay(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    refused = run(tmp_path, "purge", "--older-than", "0")
    assert refused.returncode == 1
    assert "another ClassMood is running" in error_line(refused)
    process.kill()
    process.communicate(timeout=10)
    assert "0 classes deleted" in run(tmp_path, "purge", "--older-than", "1").stdout
    assert "1 class deleted" in run(tmp_path, "purge", "--older-than", "0").stdout
    assert run(tmp_path, "classes").stdout.strip().count("replay") == 0


def test_killed_class_is_recovered_with_all_closed_windows(tmp_path: Path) -> None:
    process = start_replay(tmp_path)
    assert process.stdout is not None
    printed = [json.loads(process.stdout.readline()) for _ in range(4)]
    process.kill()
    process.communicate(timeout=10)

    restarted = start(tmp_path, "serve", "--port", "0")
    assert restarted.stdout is not None
    lines = []
    while "Host link" not in (line := restarted.stdout.readline()):
        assert line, "the server did not start again"
        lines.append(line)
    restarted.send_signal(signal.SIGTERM)
    restarted.communicate(timeout=10)
    assert "1 class was cut off by a crash and marked as interrupted.\n" in lines

    listed = run(tmp_path, "classes").stdout.split()
    assert "interrupted" in listed
    report = json.loads(run(tmp_path, "report", listed[0], "--format", "json").stdout)
    assert [window["start_s"] for window in report["windows"]][:4] == [
        window["start_s"] for window in printed
    ]


def test_analyze_draws_boxes_and_prints_faces(tmp_path: Path, faces: Path) -> None:
    done = run(tmp_path, "analyze", str(faces / "multi_face.jpg"), "--jsonl", "--out", "drawn")
    assert done.returncode == 0, done.stderr
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(record["faces"]) in (4, 5)
    for face in record["faces"]:
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert face["label"] == max(face["probabilities"], key=face["probabilities"].get)
        assert face["facing"] is True
    before = cv2.imread(str(faces / "multi_face.jpg")).astype(np.int16)
    after = cv2.imread(str(tmp_path / "drawn" / "multi_face.jpg")).astype(np.int16)
    assert before.shape == after.shape
    assert (np.abs(before - after).max(axis=2) > 100).sum() > 1000


def test_analyze_videos_with_and_without_faces(tmp_path: Path, faces: Path) -> None:
    done = run(tmp_path, "analyze", str(faces / "no_face.mp4"), str(faces / "single_face.mp4"), "--jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    empty = [record for record in records if record["file"].endswith("/no_face.mp4")]
    smiling = [record for record in records if record["file"].endswith("/single_face.mp4")]
    assert len(empty) > 80
    assert not any(record["faces"] for record in empty)
    assert all(len(record["faces"]) == 1 for record in smiling)
    labels = [record["faces"][0]["label"] for record in smiling]
    assert labels.count("happy") > 0.6 * len(labels)
    assert (tmp_path / "analyzed" / "single_face.mp4").stat().st_size > 10_000
