"""The report as CSV: one row for each window, oldest first.

==========================  ==============================================================================
class_id, title             the class
start_s, length_s           seconds since the class began; seconds
participants, cameras_on    everyone counted; those with the camera on
analysed                    those whose face was detected and classified
not_analysed_REASON         those not analysed, by reason; with ``analysed`` they add up to ``participants``
angry ... neutral           mean share of each expression, 0..1; empty when withheld
suppressed                  ``true`` when the shares are withheld: no whole privacy group can be shown
pulses_KIND                 taps in the window, by kind
markers                     labels of the markers set before the next window, joined by " | "
shown                       students on whom the shares rest: the members of whole privacy groups
facing                      share turned to the screen, 0..1; empty when withheld or unknown
voices_KIND                 votes: students by what they said last, in the minute before its end
clock_time, utc_offset      when the window began, in this machine's time zone; its distance from UTC
==========================  ==============================================================================
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from inference.emotions import EMOTIONS
from reports.document.class_report import ClassReport
from reports.document.formatting import utc_offset
from reports.summary.classes import ClassInfo
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary

_REASONS: Final = tuple(f"not_analysed_{reason.value}" for reason in NotAnalysed)
_PULSES: Final = tuple(f"pulses_{kind.value}" for kind in PulseKind)
_VOTES: Final = tuple(f"voices_{kind.value}" for kind in PulseKind)

CSV_COLUMNS: Final = (
    *("class_id", "title", "start_s", "length_s", "participants", "cameras_on", "analysed"),
    *_REASONS,
    *EMOTIONS,
    "suppressed",
    *_PULSES,
    "markers",
    "shown",
    "facing",
    *_VOTES,
    "clock_time",
    "utc_offset",
)
"""Names and order of the columns; the module's docstring explains them."""

_BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it, Excel takes UTF-8 for another encoding and garbles names."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# In many countries spreadsheets separate cells with ";" and then ignore the quotes around a text with commas.
_FORMULA_AFTER_SEPARATOR = re.compile(r"""([;\t\r\n]["'\s]*)(?=[=+\-@＝＋－＠])""")


def to_csv(report: ClassReport) -> str:
    """The whole table, with a byte-order mark and a header row."""
    out = io.StringIO()
    out.write(_BYTE_ORDER_MARK)
    writer = csv.DictWriter(out, CSV_COLUMNS, restval="", extrasaction="ignore")
    writer.writeheader()
    last = len(report.windows) - 1
    for index, window in enumerate(report.windows):
        # A marker in a gap counts to the window before it; one before the first window counts to the first.
        from_s = window.start_s if index else float("-inf")
        to_s = report.windows[index + 1].start_s if index < last else float("inf")
        labels = [marker.label for marker in report.markers if from_s <= marker.at_s < to_s]
        writer.writerow(_row(window, report.info, labels))
    return out.getvalue()


def text_cell(text: str) -> str:
    """Text for a CSV cell; an apostrophe keeps spreadsheets from reading it as a formula."""
    guarded = _FORMULA_AFTER_SEPARATOR.sub(r"\1'", text)
    return f"'{guarded}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else guarded


def _row(window: WindowSummary, info: ClassInfo, labels: Sequence[str]) -> dict[str, object]:
    """The window's JSON fields by column name; the counts by reason and kind are flattened."""
    fields = window.to_json()
    began = info.started_at + timedelta(seconds=window.start_s)
    # Windows stored before a reason or a kind existed lack its count: it is 0 then.
    row: dict[str, object] = dict.fromkeys((*_REASONS, *_PULSES, *_VOTES), 0)
    for group in ("not_analysed", "pulses", "voices"):
        row |= {f"{group}_{key}": count for key, count in fields[group].items()}
    return {
        **fields,
        **row,
        **(fields["expressions"] or {}),
        "class_id": text_cell(window.class_id),
        "title": text_cell(info.title),
        "suppressed": "true" if window.suppressed else "false",
        "markers": text_cell(" | ".join(labels)),
        "clock_time": f"{began.astimezone():%Y-%m-%d %H:%M:%S}",
        "utc_offset": utc_offset(began),
    }
