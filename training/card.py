"""The model card a person reads (Mitchell et al. 2019), written beside the one programs read.

Comes in: the card of an export, as its JSON has it. Goes out: Markdown. Every figure in it is the card's.
"""

from __future__ import annotations

from typing import Any, Final

_MOST_CONFUSIONS: Final = 6

_PAGE: Final = """\
# Model card: {file}

Written by `python -m training export`; the JSON file of this name has the same for programs.

**What it is.** A CNN of {parameters:.2f} million parameters and {multiply_adds:.0f} million multiply-adds a
face that reads one of seven visible expressions. {megabytes:.1f} MB, SHA-256
`{sha256}`.

**In and out.** {input}, cropped as FER-2013 is framed -> (B, 7) probabilities, in the order
{labels}; calibrated inside the file (temperature {temperature}).

**How good.** {accuracy} on {split} ({images} images; 95 % interval {low} to {high}),
macro-F1 {macro_f1}, expected calibration error {ece}. {split} also chose the epoch; PrivateTest was not used.
{abstention}
| expression | recall | precision | images |
| --- | --- | --- | --- |
{classes}

**What it takes for something else most often**

{confusions}

**Meant for.** The share of visible expressions in a group on a video call, shown with how many faces were
seen, with the consent of those seen.

**Not for.** Feelings, attention or understanding; grading, discipline, attendance; judging one person.
Inferring emotions in education is prohibited in the EU (AI Act, Art. 5(1)(f)): the `eu-education` setting
turns this model off.

**Known limits.** Made for frontal faces of 48 pixels: smaller, turned or covered ones lose accuracy. The
labels it learned from are noisy. Not measured by age, skin, glasses or head cover, nor on a class.

**Data.** {data}.

**Made with**

```sh
{command}
```
"""

_ABSTENTION: Final = """
Better no answer than one below a confidence of {threshold:.2f}: on held-back images the rest, {coverage} of
the faces, is {risk} wrong.
"""


def markdown(card: dict[str, Any]) -> str:
    """The card as a page."""
    metrics, found = card["metrics"], card["abstention"]
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
        if found is None
        else _ABSTENTION.format(
            threshold=found["threshold"], coverage=_percent(found["coverage"]), risk=_percent(found["risk"])
        ),
        classes="\n".join(
            f"| {name} | {_percent(one['recall'])} | {_percent(one['precision'])} | {one['support']} |"
            for name, one in metrics["per_class"].items()
        ),
        confusions="\n".join(_confusions(card)[:_MOST_CONFUSIONS]) or "Nothing.",
        data=f"{card['data']['name']}: {card['data']['note']}",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _confusions(card: dict[str, Any]) -> list[str]:
    """A line for each wrong answer that was given, by share of the label's images, largest first."""
    labels = card["labels"]
    found = [
        (count / sum(row), labels[label], labels[answer])
        for label, row in enumerate(card["metrics"]["confusion"])
        for answer, count in enumerate(row)
        if answer != label and count
    ]
    return [
        f"- {label}: {_percent(share)} are called {answer}." for share, label, answer in sorted(found)[::-1]
    ]
