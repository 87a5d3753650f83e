"""The timeline: it matches the windows, is well-formed, escapes text and stays small."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from inference.emotions import EMOTIONS
from reports.document.columns import columns
from reports.document.palette import COLOURS, STACK, emotion_css
from reports.document.timeline import timeline_svg
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import a_window

NS = {"s": "http://www.w3.org/2000/svg"}


def draw(*args: object, **kwargs: object) -> ET.Element:
    return ET.fromstring(timeline_svg(*args, **kwargs))  # type: ignore[arg-type]


def by_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def areas(root: ET.Element, label: str) -> list[ET.Element]:
    return [element for element in by_class(root, f"emo-{label}") if element.tag.endswith("path")]


def xs(element: ET.Element) -> list[float]:
    return [float(x) for x in re.findall(r"[MH](-?[\d.]+)", element.get("d", ""))]


def test_a_class_without_windows_is_drawn_and_described() -> None:
    root = draw([])
    assert root.findtext("s:desc", namespaces=NS) == "No windows yet."
    assert root.findtext("s:title", namespaces=NS)
    assert not areas(root, "happy")


def test_the_stack_has_the_heights_of_the_shares() -> None:
    root = draw([a_window(0, happy=0.25), a_window(5, happy=0.75)])
    (happy,), (top,) = areas(root, "happy"), areas(root, "angry")
    floor, first, second = (
        float(y)
        for y in re.match(r"M\S+ (\d+)V([\d.]+)H\S+?V([\d.]+)H", happy.get("d", "")).groups()  # type: ignore[union-attr]
    )
    ceiling = float(re.match(r"M\S+ \d+V([\d.]+)", top.get("d", "")).group(1))  # type: ignore[union-attr]
    full = floor - ceiling
    assert (floor - first) / full == pytest.approx(0.25, abs=0.01)
    assert (floor - second) / full == pytest.approx(0.75, abs=0.01)


def test_nothing_is_drawn_in_a_gap() -> None:
    root = draw([a_window(0), a_window(5), a_window(60), a_window(65)])
    before, after = areas(root, "happy")
    per_s = (max(xs(before)) - min(xs(before))) / 10
    assert min(xs(after)) - max(xs(before)) == pytest.approx(50 * per_s, abs=0.5)
    (seen,) = by_class(root, "tl-seen")
    assert not [x for x in xs(seen) if max(xs(before)) < x < min(xs(after))]
    assert "Gaps: 1" in root.findtext("s:desc", "", NS)


def test_withheld_windows_are_hatched_instead_of_stacked() -> None:
    root = draw([a_window(0), a_window(5, happy=None), a_window(10)])
    before, after = areas(root, "happy")
    hatched = next(one for one in by_class(root, "tl-withheld") if one.tag.endswith("path"))
    assert (min(xs(hatched)), max(xs(hatched))) == (max(xs(before)), min(xs(after)))
    assert not areas(draw([a_window(0, happy=None)]), "happy")


def test_windows_without_participants_are_not_described_as_withheld() -> None:
    nobody = [a_window(5 * n, analysed=0, camera_off=0, happy=None) for n in range(3)]
    for faces in (True, False):
        description = draw(nobody, faces=faces).findtext("s:desc", "", NS)
        assert "Nobody was present." in description
        assert "withheld" not in description
    assert "Windows withheld: 1" in draw([*nobody, a_window(15, happy=None)]).findtext("s:desc", "", NS)


def test_the_coverage_strip_is_filled_to_the_coverage() -> None:
    root = draw([a_window(0, analysed=6, camera_off=2)])
    heights = {}
    for name in ("tl-all", "tl-seen"):
        (strip,) = by_class(root, name)
        top, bottom = re.match(r"M\S+ ([\d.]+)H\S+?V([\d.]+)H", strip.get("d", "")).groups()  # type: ignore[union-attr]
        heights[name] = float(bottom) - float(top)
    assert heights["tl-seen"] / heights["tl-all"] == pytest.approx(0.75, abs=0.01)


def test_pulses_are_in_the_lane_of_their_kind() -> None:
    root = draw(
        [a_window(0)], pulses=[PulseRecord("c1", 3, PulseKind.LOST), PulseRecord("c1", 4, PulseKind.OK)]
    )
    assert len(by_class(root, "tl-pulse")) == 2
    lost, ok = (
        float(re.match(r"M\S+ (\d+)", one.get("d", "")).group(1)) for one in by_class(root, "tl-pulse")
    )  # type: ignore[union-attr]
    assert lost < ok


def test_labels_are_escaped_and_cut_and_lose_characters_that_xml_forbids() -> None:
    label = "</text><script>alert('1')</script>&\x00\ud800\uffff" + "x" * 150
    root = draw([a_window(0)], [Marker("c1", 2, label)])
    assert not [element for element in root.iter() if "script" in element.tag]
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "</text><script>alert('1')</script>&" + "x" * 150 in titles
    (shown,) = by_class(root, "tl-label")
    assert len(shown.text or "") <= 24


def test_markers_without_room_for_a_label_still_have_a_line() -> None:
    root = draw([a_window(0)], [Marker("c1", 2 + n / 10, f"marker {n}") for n in range(10)])
    labelled = len(by_class(root, "tl-label"))
    assert 1 <= labelled < 10
    lines = "".join(one.get("d", "") for one in by_class(root, "tl-marker"))
    assert len(set(re.findall(r"M([\d.]+)", lines))) == 10


@pytest.mark.parametrize("width", [240, 320, 960, 1600])
def test_the_drawing_of_ninety_minutes_stays_small(width: int) -> None:
    windows = [a_window(5 * n, happy=0.5 + 0.4 * math.sin(n)) for n in range(1080)]
    markers = [Marker("c1", n * 5, "label " * 30) for n in range(1000)]
    pulses = [PulseRecord("c1", n * 0.5, kind) for n in range(10_800) for kind in PulseKind]
    text = timeline_svg(windows, markers, pulses, width=width)
    assert len(text.encode()) < 150_000
    assert ET.fromstring(text).get("width") == str(width)
    assert float(max(xs(areas(ET.fromstring(text), "happy")[0]))) <= width


def test_the_width_is_clamped() -> None:
    assert draw([], width=1).get("width") == "240"
    assert draw([], width=99999).get("width") == "1600"


def test_columns_are_weighted_by_the_analysed_and_keep_long_gaps() -> None:
    windows = [a_window(5 * n, analysed=9, happy=0.2) for n in range(0, 1000, 2)]
    windows += [a_window(5 * n, analysed=3, camera_off=0, happy=0.6) for n in range(1, 1000, 2)]
    windows = [window for window in windows if not 2000 <= window.start_s < 2300]
    drawn = columns(windows, 100)
    assert len(drawn) <= 101
    inner = drawn[1].shares
    assert inner is not None
    assert inner["happy"] == pytest.approx((9 * 0.2 + 3 * 0.6) / 12)
    assert drawn[1].coverage == pytest.approx(12 / 14)
    assert [column.start_s for column in drawn if column.after_gap] == [2300]


def test_few_windows_give_one_column_each() -> None:
    assert columns([], 10) == []
    drawn = columns([a_window(5), a_window(0)], 10)
    assert [(one.start_s, one.end_s) for one in drawn] == [(0, 5), (5, 10)]


def test_a_column_is_withheld_only_when_all_its_windows_are() -> None:
    windows = [a_window(5 * n, happy=0.5 if n % 4 == 0 and n < 40 else None) for n in range(80)]
    drawn = columns(windows, 20)
    assert [column.shares is None for column in drawn] == [False] * 10 + [True] * 10
    assert (drawn[0].shares or {})["happy"] == pytest.approx(0.5)


def test_every_expression_has_a_colour_and_a_class() -> None:
    assert set(COLOURS) == set(STACK) == set(EMOTIONS)
    for label, colour in COLOURS.items():
        assert f".emo-{label}{{fill:{colour};" in emotion_css()


# Simulated colour vision: Machado, Oliveira and Fernandes 2009, severity 1.0; linear RGB.
_COLOUR_VISIONS = {
    "normal": np.eye(3),
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("vision", _COLOUR_VISIONS)
def test_colours_differ_for_every_colour_vision(vision: str) -> None:
    """CIE76 distance over 20: far more than a just noticeable difference (2.3)."""
    labs = {
        label: _lab(np.array(_COLOUR_VISIONS[vision]) @ _linear(colour)) for label, colour in COLOURS.items()
    }
    nearest = min(float(np.linalg.norm(labs[a] - labs[b])) for a, b in itertools.combinations(labs, 2))
    assert nearest > 20


def _linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_a_class_without_face_analysis_is_drawn_without_expressions_and_coverage() -> None:
    windows = [a_window(5 * n, analysed=0, camera_off=4, happy=None) for n in range(12)]
    markers, pulses = [Marker("c1", 20, "Quiz")], [PulseRecord("c1", 30, PulseKind.LOST)]
    root = draw(windows, markers, pulses, faces=False)
    for absent in ("tl-withheld", "tl-all", "tl-seen", "emo-happy"):
        assert not by_class(root, absent)
    for present in ("tl-marker", "tl-pulse"):
        assert len(by_class(root, present)) == 1
    assert "withheld" not in root.findtext("s:desc", "", NS)
    assert float(root.get("height", "0")) < float(draw(windows, markers, pulses).get("height", "0"))


def test_a_class_without_face_analysis_shows_how_many_were_present() -> None:
    few = [a_window(5 * n, analysed=0, camera_off=4, happy=None) for n in range(12)]
    many = [a_window(120 + 5 * n, analysed=0, camera_off=8, happy=None) for n in range(12)]
    root = draw([*few, *many], faces=False)
    (present,) = by_class(root, "cov-present")
    heights = [
        float(floor) - float(y) for floor, y in re.findall(r"M\S+ ([\d.]+)V([\d.]+)H", present.get("d", ""))
    ]
    assert len(heights) == 24
    assert heights[0] == pytest.approx(heights[-1] / 2)
    first, gap_from, gap_to = xs(present)[0], xs(present)[23], xs(present)[24]
    assert gap_to - gap_from == pytest.approx(gap_from - first, abs=0.5), (
        "the gap is as long as the minute before it"
    )
    assert not by_class(root, "cov-cameras")
    assert "At most 8 present" in root.findtext("s:desc", "", NS)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"8", "0", "present"} <= set(texts)


def test_a_class_without_face_analysis_shows_the_cameras_that_the_room_reports() -> None:
    windows = [
        replace(a_window(5 * n, analysed=0, camera_off=4, happy=None), cameras_on=3) for n in range(12)
    ]
    root = draw(windows, faces=False)
    assert len(by_class(root, "cov-cameras")) == 2, "the area and its swatch in the legend"
    assert float(root.get("height", "0")) > float(draw(windows[:0], faces=False).get("height", "0"))
