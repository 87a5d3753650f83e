"""For any file, ``analyze`` yields frames or a one-line error, within a time limit and without a crash."""

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

from bot.analyze.analyser import Analyser, analyse_file
from bot.analyze.files import AnalyzeError, find_media, with_copies
from bot.app import make_analyser
from bot.config import AnalysisSettings
from bot.media.kinds import MEDIA

pytestmark = pytest.mark.slow

TIME_LIMIT_S = 10.0


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
            image = np.full((size[1], size[0], 3), 20 * number % 255, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path.read_bytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and has almost no data."""

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


def analyse(path: Path, analyser: Analyser, out: Path | None) -> str | int:
    """The number of frames, or the error message; fails after the time limit."""
    results: list[str | int | BaseException] = []

    def work() -> None:
        try:
            copy = None if out is None else with_copies([path], out)[0][1]
            results.append(sum(1 for _ in analyse_file(path, analyser, copy)))
        except AnalyzeError as exc:
            results.append(str(exc))
        except BaseException as exc:  # noqa: BLE001  # shown in the main thread
            results.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT_S)
    assert results, f"{path.name} takes longer than {TIME_LIMIT_S} s"
    (result,) = results
    if isinstance(result, BaseException):
        raise result
    if isinstance(result, str):
        assert "\n" not in result
        assert len(result) < 600
    return result


DAMAGED: dict[str, Callable[[Path], bytes]] = {
    "empty.jpg": lambda _: b"",
    "empty.mp4": lambda _: b"",
    "text.png": lambda _: b"not an image",
    "text.mp4": lambda _: b"not a video" * 100,
    "video.jpg": video_bytes,
    "image.mp4": lambda _: bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]),
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


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_read_or_refused_in_one_line(name: str, tmp_path: Path, analyser: Analyser) -> None:
    path = tmp_path / name
    path.write_bytes(DAMAGED[name](tmp_path))
    for out in (None, tmp_path / "out"):
        result = analyse(path, analyser, out)
        # FFmpeg reads an image that is named like a video as a video of one frame.
        assert isinstance(result, str) or (name == "image.mp4" and result == 1), result


@pytest.mark.parametrize(
    ("shape", "ending"), [((1, 1), "png"), ((1, 9000), "png"), ((9000, 1), "jpg"), ((3, 20000), "webp")]
)
def test_images_of_extreme_shapes_are_analysed(
    shape: tuple[int, int], ending: str, tmp_path: Path, analyser: Analyser
) -> None:
    path = tmp_path / f"strip.{ending}"
    coded = "png" if ending == "webp" else ending
    path.write_bytes(bytes(cv2.imencode(f".{coded}", np.zeros(shape, np.uint8))[1]))
    assert analyse(path, analyser, None) == 1
    assert analyse(path, analyser, tmp_path / "out") == 1 or ending == "webp"


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (4000, 16)])
def test_videos_of_extreme_sizes(size: tuple[int, int], tmp_path: Path, analyser: Analyser) -> None:
    (tmp_path / "extreme.avi").write_bytes(video_bytes(tmp_path, 2, size, "avi"))
    assert analyse(tmp_path / "extreme.avi", analyser, tmp_path / "out") == 2


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path: Path, analyser: Analyser) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "pipe.mp4", "zero.png", "folder.jpg"):
        assert "is not a regular file" in str(analyse(tmp_path / name, analyser, None))
    with pytest.raises(AnalyzeError, match="no file found"):
        find_media((tmp_path,))


def test_copy_never_overwrites_its_source(tmp_path: Path, analyser: Analyser) -> None:
    image, video = tmp_path / "a.png", tmp_path / "good.mp4"
    image.write_bytes(bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]))
    content = video_bytes(tmp_path)
    for path in (image, video):
        before = path.read_bytes()
        assert "would overwrite" in str(analyse(path, analyser, tmp_path))
        assert path.read_bytes() == before
    assert video.read_bytes() == content


def test_copies_have_different_names() -> None:
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


def test_unwritable_out_folder_is_an_error_that_names_the_option(tmp_path: Path, analyser: Analyser) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1]))
    (tmp_path / "file").write_bytes(b"")
    assert "another --out" in str(analyse(image, analyser, tmp_path / "file"))
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    assert "another --out" in str(analyse(image, analyser, tmp_path / "out"))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(MEDIA)),
    st.sampled_from(["mp4", "png", "jpg", "bmp"]),
    st.integers(0, 4000),
    st.integers(0, 4000),
    st.binary(max_size=12),
)
def test_cut_and_corrupted_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    analyser: Analyser,
    suffix: str,
    kind: str,
    start: int,
    end: int,
    noise: bytes,
) -> None:
    folder = tmp_path_factory.mktemp("corrupted")
    image = (np.indices((24, 32)).sum(axis=0) * 4).astype(np.uint8)
    whole = video_bytes(folder) if kind == "mp4" else bytes(cv2.imencode(f".{kind}", image)[1])
    start, end = start % (len(whole) + 1), end % (len(whole) + 1)
    path = folder / f"corrupted{suffix}"
    path.write_bytes(whole[:start] + noise + whole[end:])
    analyse(path, analyser, folder / "out")
