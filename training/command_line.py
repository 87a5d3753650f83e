"""Shared by the commands of ``python -m training``: help texts, error messages and the TensorFlow import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from inference.errors import InferenceError
from inference.native_noise import muted
from training.errors import RunError, TrainingError

DATA_HELP: Final = "FER-2013: fer2013.csv, a folder, or a zip of either."


class OneLineErrors(click.Group):
    """Prints an expected error as one line and exits with code 1; wrong usage exits with code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and translate its errors."""
        try:
            return super().invoke(ctx)
        except (TrainingError, InferenceError) as exc:
            raise click.ClickException(str(exc)) from exc
        except OSError as exc:
            raise click.ClickException(f"{exc.filename or 'file'}: {exc.strerror or exc}") from exc


def examples(*commands: str) -> str:
    """Examples for the end of a help text, one command per line."""
    # \b is click's mark for a paragraph that must not be rewrapped.
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


@contextmanager
def tensorflow_import() -> Iterator[None]:
    """Wrap the first import of TensorFlow: mute its start-up messages, explain how to install it.

    Raises:
        RunError: TensorFlow is not installed.
    """
    try:
        with muted():
            yield
    except ImportError as exc:
        raise RunError(
            f"TensorFlow is missing ({exc}): install it with pip install 'classmood[training]'"
        ) from exc
