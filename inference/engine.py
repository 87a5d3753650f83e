"""LiteRT models: a file that is what its card says, ready to run on one thread.

Comes in: a ``.tflite`` file with a ``.json`` card of the same name beside it. Goes out: ``Engine``, whose
``run`` takes and gives arrays. LiteRT rather than TensorFlow: 0.1 s and 54 MiB to import instead of
4 s and 624 MiB, and faster a face (docs/decisions.md).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.arrays import Floats
from inference.errors import ModelError
from inference.native_noise import muted

MODELS: Final = Path(__file__).parent / "models"
"""Where the shipped models are."""


class Engine:
    """One model on one thread.

    An interpreter is not safe to share: every worker thread has engines of its own.
    """

    def __init__(self, path: Path) -> None:
        """Load and verify.

        Args:
            path: The model; its card is the same name with ``.json``.

        Raises:
            ModelError: a file is missing, or the model is not the one its card describes.
        """
        # Here and not above: where faces must not be looked at, not even the means to is loaded.
        from ai_edge_litert.interpreter import Interpreter

        self.card = read_card(path)
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise ModelError(f"the model {path} cannot be read ({exc.strerror}): install again") from exc
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.card.get("sha256"):
            raise ModelError(
                f"the model {path} is damaged or was exchanged (SHA-256 {digest[:12]}…, its card says "
                f"{str(self.card.get('sha256'))[:12]}…): restore the file or export it again with its card"
            )
        try:
            with muted():  # the first one of a process greets on the terminal
                self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"the model {path} is no LiteRT model this program can run: {exc}") from exc
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self._shape = tuple(self._interpreter.get_input_details()[0]["shape"])

    def run(self, batch: Floats) -> list[Floats]:
        """Run the model once.

        Args:
            batch: (B, ...) in the shape the model takes; B may change from call to call.

        Returns:
            A copy of each output, (B, ...), in the model's own order.
        """
        if batch.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, batch.shape)
            self._interpreter.allocate_tensors()
            self._shape = batch.shape
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return [np.asarray(self._interpreter.get_tensor(index), np.float32) for index in self._outputs]


def read_card(path: Path) -> dict[str, Any]:
    """The card beside a model file.

    Raises:
        ModelError: there is none, or it is no JSON object.
    """
    card = path.with_suffix(".json")
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelError(f"the model card {card} cannot be read ({exc.strerror}): install again") from exc
    except ValueError as exc:
        raise ModelError(f"the model card {card} is no JSON: restore it or export the model again") from exc
    if not isinstance(found, dict):
        raise ModelError(f"the model card {card} is no JSON object: restore it or export the model again")
    return found
