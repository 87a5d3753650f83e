"""Whatever file ``analyze`` is given: frames, or one line that says what is wrong; soon; no crash."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.analyze import IMAGES, VIDEOS, Analyser, AnalyzeError, analyse_file, find_media, with_copies
from bot.app import make_analyser
from bot.config import AnalysisSettings

pytestmark = pytest.mark.slow

LONGEST_S = 10.0


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return make_analyser(AnalysisSettings())


def video_bytes(
    folder: Path, frames: int = 4, size: tuple[int, int] = (64, 48), suffix: str = "mp4"
) -> bytes:
    path = folder / f"good.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if suffix == "mp4" else "mjpeg", rate=Fraction(10))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p" if suffix == "mp4" else "yuvj420p"
        container.start_encoding()
        for number in range(frames):
            picture = np.full((size[1], size[0], 3), 20 * number % 255, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path.read_bytes()


def png_header(width: int, height: int) -> bytes:
    """A picture that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def look(path: Path, analyser: Analyser, out: Path | None) -> str | int:
    """The number of frames, or what is said; within the time."""
    found: list[str | int | BaseException] = []

    def work() -> None:
        try:
            copy = None if out is None else with_copies([path], out)[0][1]
            found.append(sum(1 for _ in analyse_file(path, analyser, copy)))
        except AnalyzeError as exc:
            found.append(str(exc))
        except BaseException as exc:  # noqa: BLE001  # shown in the main thread
            found.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LONGEST_S)
    assert found, f"{path.name} takes longer than {LONGEST_S} s"
    (one,) = found
    if isinstance(one, BaseException):
        raise one
    if isinstance(one, str):
        assert "\n" not in one
        assert len(one) < 600
    return one


ODD: dict[str, Callable[[Path], bytes]] = {
    "empty.jpg": lambda _: b"",
    "empty.mp4": lambda _: b"",
    "text.png": lambda _: b"not a picture",
    "text.mp4": lambda _: b"not a film" * 100,
    "video.jpg": video_bytes,
    "picture.mp4": lambda _: bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]),
    "huge.png": lambda _: png_header(60_000, 60_000),
    "wide.png": lambda _: png_header(1_000_000, 1),
    "negative.bmp": lambda _: bmp_header(-5, 2**31 - 1),
    "huge.bmp": lambda _: bmp_header(2**31 - 1, 2**31 - 1),
    "nothing.png": lambda _: png_header(0, 0),
    "none.mp4": lambda folder: video_bytes(folder, frames=0),
    "list.m4v": lambda _: b"#EXTM3U\n#EXTINF:1\nhttp://192.0.2.1/x.mp4\n",
    "list.mkv": lambda _: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "a:b.mp4": lambda _: b"x",
    "codec.mp4": lambda folder: video_bytes(folder).replace(b"avc1", b"zzzz"),
    "gif.webp": lambda _: b"RIFF\xff\xff\xff\xffWEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_refused_in_one_line_or_read(name: str, tmp_path: Path, analyser: Analyser) -> None:
    path = tmp_path / name
    path.write_bytes(ODD[name](tmp_path))
    for out in (None, tmp_path / "out"):
        said = look(path, analyser, out)
        assert isinstance(said, str) or (name == "picture.mp4" and said == 1), said


@pytest.mark.parametrize(
    ("shape", "ending"), [((1, 1), "png"), ((1, 9000), "png"), ((9000, 1), "jpg"), ((3, 20000), "webp")]
)
def test_strips_and_points_are_pictures_too(
    shape: tuple[int, int], ending: str, tmp_path: Path, analyser: Analyser
) -> None:
    path = tmp_path / f"strip.{ending}"
    coded = "png" if ending == "webp" else ending
    path.write_bytes(bytes(cv2.imencode(f".{coded}", np.zeros(shape, np.uint8))[1]))
    assert look(path, analyser, None) == 1
    assert look(path, analyser, tmp_path / "out") == 1 or ending == "webp"


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (4000, 16)])
def test_videos_of_odd_sizes(size: tuple[int, int], tmp_path: Path, analyser: Analyser) -> None:
    (tmp_path / "odd.avi").write_bytes(video_bytes(tmp_path, 2, size, "avi"))
    assert look(tmp_path / "odd.avi", analyser, tmp_path / "out") == 2


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, analyser: Analyser) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "pipe.mp4", "zero.png", "folder.jpg"):
        assert "is no file" in str(look(tmp_path / name, analyser, None))
    with pytest.raises(AnalyzeError, match="no image or video"):
        find_media((tmp_path,))


def test_a_copy_never_takes_the_place_of_its_source(tmp_path: Path, analyser: Analyser) -> None:
    picture, film = tmp_path / "a.png", tmp_path / "good.mp4"
    picture.write_bytes(bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]))
    content = video_bytes(tmp_path)
    for path in (picture, film):
        before = path.read_bytes()
        assert "take the place of" in str(look(path, analyser, tmp_path))
        assert path.read_bytes() == before
    assert film.read_bytes() == content


def test_no_copy_takes_the_place_of_another() -> None:
    files = [
        Path(name)
        for name in ("a/x.mp4", "b/x.webm", "b/X.mp4", "a/y.png", "a/x.mp4", "a/y-2.png", "b/y.png")
    ]
    assert with_copies([], Path("out")) == []
    assert [(str(file), copy.name) for file, copy in with_copies(files, Path("out"))] == [
        ("a/x.mp4", "x.mp4"),
        ("b/x.webm", "x-2.mp4"),
        ("b/X.mp4", "X-3.mp4"),
        ("a/y.png", "y.png"),
        ("a/y-2.png", "y-2.png"),
        ("b/y.png", "y-3.png"),
    ]


def test_where_nothing_can_be_written_is_said(tmp_path: Path, analyser: Analyser) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]))
    (tmp_path / "file").write_bytes(b"")
    assert "another --out" in str(look(picture, analyser, tmp_path / "file"))
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    assert "another --out" in str(look(picture, analyser, tmp_path / "out"))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(IMAGES | VIDEOS)),
    st.sampled_from(["mp4", "png", "jpg", "bmp"]),
    st.integers(0, 4000),
    st.integers(0, 4000),
    st.binary(max_size=12),
)
def test_mangled_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    analyser: Analyser,
    suffix: str,
    kind: str,
    at: int,
    until: int,
    noise: bytes,
) -> None:
    folder = tmp_path_factory.mktemp("mangled")
    picture = (np.indices((24, 32)).sum(axis=0) * 4).astype(np.uint8)
    whole = video_bytes(folder) if kind == "mp4" else bytes(cv2.imencode(f".{kind}", picture)[1])
    at, until = at % (len(whole) + 1), until % (len(whole) + 1)
    path = folder / f"mangled{suffix}"
    path.write_bytes(whole[:at] + noise + whole[until:])
    look(path, analyser, folder / "out")
