"""Files as people have them: turned, transparent, animated, of several people; folders with other things."""

from __future__ import annotations

import json
import shutil
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bot.analyze.analyser import Analyser, analyse_file
from bot.analyze.copies import write_images
from bot.analyze.files import AnalyzeError, find_media
from bot.analyze.turned import detect_turned
from bot.app import make_analyser
from bot.cli import main
from bot.config import AnalysisSettings
from bot.media.stills import read_images
from inference.arrays import Image

pytestmark = pytest.mark.slow

ORIENTATIONS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return make_analyser(AnalysisSettings())


def analyse(path: Path, analyser: Analyser, copy: Path | None = None) -> list[dict[str, Any]]:
    return [json.loads(record.to_json()) for record in analyse_file(path, analyser, copy)]


def labels(records: list[dict[str, Any]]) -> Counter[str]:
    return Counter(face["label"] for record in records for face in record["faces"])


def quarters() -> Image:
    """(20, 40, 3): four colours."""
    image = np.zeros((20, 40, 3), np.uint8)
    image[:10, :20], image[:10, 20:], image[10:, :20] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return image


def exif(orientation: int) -> np.ndarray:
    block = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return np.frombuffer(block, np.uint8)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("transparent", [False, True])
def test_the_exif_orientation_is_applied(orientation: int, transparent: bool, tmp_path: Path) -> None:
    image = quarters()
    if transparent:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    kinds = [cv2.IMAGE_METADATA_EXIF]
    written, content = cv2.imencodeWithMetadata(".png", image, kinds, [exif(orientation)])
    assert written
    path = tmp_path / "image.png"
    path.write_bytes(content.tobytes())
    ((_, shown),) = read_images(path)
    assert (shown == ORIENTATIONS[orientation](quarters())).all()


def test_transparent_parts_are_white_and_the_copy_does_not_show_what_is_under_them(tmp_path: Path) -> None:
    image = np.dstack([quarters(), np.zeros((20, 40), np.uint8)])
    image[:10, :20, 3] = 255
    cv2.imwrite(str(tmp_path / "cutout.png"), image)
    images = read_images(tmp_path / "cutout.png")
    write_images(tmp_path / "copy.png", tmp_path / "cutout.png", images)
    copy = cv2.imread(str(tmp_path / "copy.png"), cv2.IMREAD_UNCHANGED)
    for shown in (images[0][1], copy[:, :, :3]):
        assert (shown[:10, :20] == (250, 0, 0)).all()
        assert (shown[10:] == 255).all()


def test_people_erased_by_transparency_are_not_analysed(
    tmp_path: Path, cases: Path, analyser: Analyser
) -> None:
    (record,) = analyse(cases / "cutout.png", analyser, tmp_path / "copy.png")
    assert len(record["faces"]) == 1
    (again,) = analyse(tmp_path / "copy.png", analyser)
    assert len(again["faces"]) == 1


@pytest.mark.parametrize("turns", range(4))
def test_a_photo_is_analysed_in_any_orientation(
    turns: int, tmp_path: Path, faces: Path, analyser: Analyser
) -> None:
    photo = cv2.imread(str(faces / "multi_face.jpg"))
    (upright,) = analyse(faces / "multi_face.jpg", analyser)
    cv2.imwrite(str(tmp_path / "turned.png"), np.ascontiguousarray(np.rot90(photo, turns)))
    (turned,) = analyse(tmp_path / "turned.png", analyser)
    assert labels([turned]) == labels([upright])
    assert len(upright["faces"]) == 5
    assert [face["facing"] for face in turned["faces"]] == [face["facing"] for face in upright["faces"]]
    # The boxes are where the faces are in the file.
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for face in upright["faces"]:
        x0, y0, x1, y1 = (round(edge) for edge in face["box"])
        mask[y0:y1, x0:x1] = 1
    mask = np.rot90(mask, turns)
    for face in turned["faces"]:
        x0, y0, x1, y1 = (round(edge) for edge in face["box"])
        assert mask[y0:y1, x0:x1].mean() > 0.8


@pytest.mark.parametrize("name", ["mirror_h.mp4", "pal_64_45.mp4"])
def test_mirrored_films_and_wide_pixels_are_read_as_shown(
    name: str, tmp_path: Path, cases: Path, analyser: Analyser
) -> None:
    records = analyse(cases / name, analyser, tmp_path / "copy.mp4")
    assert labels(records) == {"neutral": 19, "happy": 11}
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        frame = next(copy.decode(video=0))
        assert (frame.width, frame.height) == (records[0]["width"], records[0]["height"])
        assert copy.streams.video[0].sample_aspect_ratio in (None, 0, 1)


def test_times_of_an_avi_with_b_frames_rise(cases: Path, analyser: Analyser) -> None:
    times = [record["at_s"] for record in analyse(cases / "bf.avi", analyser)]
    assert times[0] == 0
    assert times == sorted(set(times))


def test_a_film_of_a_gallery_is_searched_like_a_still(cases: Path, analyser: Analyser) -> None:
    (still,) = analyse(cases / "g3_720.jpg", analyser)
    film = analyse(cases / "g3_720.mp4", analyser)
    assert all(len(record["faces"]) >= 9 for record in [still, *film])


def test_a_film_of_forty_nine_people(tmp_path: Path, faces: Path, analyser: Analyser) -> None:
    with av.open(str(faces / "WolfgangLanger_Pexels.mp4")) as clip:
        frames = [frame.to_ndarray(format="gray") for frame in clip.decode(video=0)]
    gallery = np.full((1080, 1920), 30, np.uint8)
    for number in range(49):
        top, left = number // 7 * 154, number % 7 * 274
        tile = cv2.resize(frames[number * 9], (270, 150), interpolation=cv2.INTER_AREA)
        gallery[top : top + 150, left : left + 270] = tile
    with av.open(str(tmp_path / "gallery.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gallery, format="gray")))
        container.mux(stream.encode(None))
    assert [len(record["faces"]) >= 45 for record in analyse(tmp_path / "gallery.mp4", analyser)] == [
        True
    ] * 2


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".avif", ".png"])
def test_animations_are_read_frame_by_frame(suffix: str, tmp_path: Path, analyser: Analyser) -> None:
    animation = cv2.Animation()
    animation.frames = [np.full((32, 48, 3), shade, np.uint8) for shade in (0, 120, 240)]
    animation.durations = [100, 200, 100]
    _, content = cv2.imencodeanimation(suffix, animation)
    path = tmp_path / f"animation{suffix}"
    path.write_bytes(content.tobytes())
    copy = tmp_path / "copies" / f"animation{'.mp4' if suffix == '.gif' else suffix}"
    records = analyse(path, analyser, copy)
    assert [record["frame"] for record in records] == [0, 1, 2]
    assert [record["at_s"] for record in records] == pytest.approx([0.0, 0.1, 0.3])
    assert len(analyse(copy, analyser)) == 3


def test_the_pages_of_a_tiff_are_read(tmp_path: Path, analyser: Analyser) -> None:
    pages = [np.full((32, 48, 3), shade, np.uint8) for shade in (0, 120)]
    assert cv2.imwritemulti(str(tmp_path / "scan.tiff"), pages)
    assert len(analyse(tmp_path / "scan.tiff", analyser, tmp_path / "copies" / "scan.tiff")) == 2
    assert len(read_images(tmp_path / "copies" / "scan.tiff")) == 2


def test_a_folder_with_other_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of a Mac and a phone: ``._`` files are skipped, other kinds counted, equal names told apart."""
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        for name in ("x.jpg", "y.jfif", "z.tif"):
            content = cv2.imencode(".tif" if name == "z.tif" else ".jpg", quarters())[1]
            (Path(folder) / name).write_bytes(content.tobytes())
    Path("a/._x.jpg").write_bytes(b"\0\x05\x16\x07")
    Path("a/.DS_Store").write_bytes(b"")
    for name in ("p.heic", "q.HEIC", "notes.txt"):
        (Path("b") / name).write_bytes(b"?")
    done = CliRunner().invoke(main, ["analyze", "a", "b", "--jsonl"])
    assert done.exit_code == 0, done.output
    assert "3 files of other kinds left out: .heic 2, .txt 1" in done.stderr
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert files == [
        str(Path(folder) / name) for folder in ("a", "b") for name in ("x.jpg", "y.jfif", "z.tif")
    ]


def test_collected_files_in_a_folder(tmp_path: Path, cases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(cases / "appledouble._base.jpg", tmp_path / "._base.jpg")
    shutil.copy(cases / "photo.heic", tmp_path)
    (tmp_path / "base.jpg").write_bytes(cv2.imencode(".jpg", quarters())[1].tobytes())
    done = CliRunner().invoke(main, ["analyze", "."])
    assert done.exit_code == 0, done.output
    assert "1 file of another kind left out: .heic 1" in done.stderr


def test_apple_double_files_that_are_given_one_by_one_are_skipped_too(tmp_path: Path) -> None:
    (tmp_path / "._x.jpg").write_bytes(b"\0\x05\x16\x07")
    (tmp_path / "x.jpg").write_bytes(b"")
    assert find_media((tmp_path / "._x.jpg", tmp_path / "x.jpg"))[0] == [tmp_path / "x.jpg"]


def test_a_folder_with_nothing_but_other_kinds_says_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "photo.HEIC").write_bytes(b"?")
    with pytest.raises(AnalyzeError, match=r"1 file of another kind left out: \.heic 1"):
        find_media((tmp_path,))


def test_images_without_a_face_show_none_in_any_orientation(faces: Path, analyser: Analyser) -> None:
    with av.open(str(faces / "no_face.mp4")) as film:
        frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)][::30]
    assert [detect_turned(analyser.detectors[-1], frame)[0] for frame in frames] == [0] * len(frames)
