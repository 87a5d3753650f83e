"""The model card for people (Mitchell et al. 2019), generated from the JSON card of an export."""

from __future__ import annotations

import textwrap
from typing import Any, Final

_MOST_CONFUSIONS: Final = 6

_PAGE: Final = """\
# Model card: {file}

`python -m training export` wrote this page. The JSON file of the same name is the card for programs.

**Model.** A CNN that classifies the visible expression of a face as one of seven. {parameters:.2f} million
parameters, {multiply_adds:.0f} million multiply-adds per face, {megabytes:.1f} MB, SHA-256
`{sha256}`.

**Input and output.** Input: {input}, cropped as in FER-2013. Output: (B, 7) probabilities, in
the order {labels}. The file contains the calibration (temperature
{temperature}).

**Accuracy.** {accuracy} on {split} ({images} images; 95 % interval {low} to {high}),
macro-F1 {macro_f1}, expected calibration error {ece}. {split} was also used to choose the epoch; PrivateTest
was not used.
{abstention}
| expression | recall | precision | images |
| --- | --- | --- | --- |
{classes}

**Most frequent mistakes**

{confusions}

**Intended use.** The shares of visible expressions in a group on a video call, shown together with the
number of faces analysed, with the consent of the people in the video.

**Not for.** Feelings, attention or understanding; grading, discipline, attendance; judging one person.
Inferring emotions in education is prohibited in the EU (AI Act, Art. 5(1)(f)): the `eu-education` setting
turns this model off.

**Known limits.** Trained on frontal faces of 48 pixels: accuracy is lower on smaller, turned or covered
faces. The training labels are noisy. Accuracy was not measured by age, skin colour, glasses or head covering,
nor in a class.

{data}

**Commands that produced it**

```sh
{command}
```
"""

_ABSTENTION: Final = """
Ignore predictions with a confidence below {threshold:.2f}: on held-back images {coverage} of the predictions
remain, and {risk} of these are wrong.
"""


def markdown(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    metrics, point = card["metrics"], card["abstention"]
    low, high = map(_percent, metrics["accuracy_interval_95"])
    return _PAGE.format(
        **{name: card[name] for name in ("file", "sha256", "input", "temperature", "command")},
        parameters=card["parameters"] / 1e6,
        multiply_adds=card["multiply_adds"] / 1e6,
        megabytes=card["bytes"] / 1e6,
        labels=", ".join(card["labels"]),
        split=metrics["split"],
        images=f"{metrics['images']:,}",
        low=low,
        high=high,
        **{name: _percent(metrics[name]) for name in ("accuracy", "macro_f1", "ece")},
        abstention=""
        if point is None
        else _ABSTENTION.format(
            threshold=point["threshold"], coverage=_percent(point["coverage"]), risk=_percent(point["risk"])
        ),
        classes="\n".join(
            f"| {name} | {_percent(one['recall'])} | {_percent(one['precision'])} | {one['support']} |"
            for name, one in metrics["per_class"].items()
        ),
        confusions="\n".join(_confusions(card)[:_MOST_CONFUSIONS]) or "None.",
        data=textwrap.fill(f"**Data.** {card['data']['name']}: {card['data']['note']}.", 110),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _confusions(card: dict[str, Any]) -> list[str]:
    """A line per confused pair of expressions, sorted by share of the label's images, largest first."""
    labels = card["labels"]
    pairs = [
        (count / sum(row), labels[label], labels[predicted])
        for label, row in enumerate(card["metrics"]["confusion"])
        for predicted, count in enumerate(row)
        if predicted != label and count
    ]
    return [
        f"- {label}: {_percent(share)} are classified as {predicted}."
        for share, label, predicted in sorted(pairs)[::-1]
    ]
