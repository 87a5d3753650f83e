"""Loads a LiteRT model, checks it against its card, and runs it.

The card is a JSON file beside the model, with the same name and the suffix ``.json``. LiteRT imports in 0.1 s
and 54 MiB where TensorFlow needs 4 s and 624 MiB, and it is faster per face (docs/decisions.md).
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
"""Folder of the shipped models."""


class Engine:
    """One model, for use by one thread: LiteRT's interpreter is not thread-safe.

    Attributes:
        card: The model's JSON card.
    """

    def __init__(self, path: Path) -> None:
        """Load the model and check its SHA-256.

        Args:
            path: The ``.tflite`` file.

        Raises:
            ModelError: model or card is missing or damaged, or they do not match.
        """
        # Imported here: if face analysis is disabled, the library for it is not even loaded.
        from ai_edge_litert.interpreter import Interpreter

        self.card = read_card(path)
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise ModelError(f"install again: the model {path} cannot be read ({exc.strerror})") from exc
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.card.get("sha256"):
            raise ModelError(
                f"restore the model {path} or export it again with its card: it is damaged or was replaced "
                f"(SHA-256 {digest[:12]}…, {str(self.card.get('sha256'))[:12]}… in its card)"
            )
        try:
            with muted():  # the first interpreter of a process logs to the terminal
                self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"export the model {path} again: LiteRT cannot run it ({exc})") from exc
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self._shape = tuple(self._interpreter.get_input_details()[0]["shape"])

    def run(self, batch: Floats) -> list[Floats]:
        """Run the model once.

        Args:
            batch: (B, ...) in the model's input shape; B may change from call to call.

        Returns:
            A copy of each output, (B, ...), in the model's order.
        """
        if batch.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, batch.shape)
            self._interpreter.allocate_tensors()
            self._shape = batch.shape
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return [np.asarray(self._interpreter.get_tensor(index), np.float32) for index in self._outputs]


def read_card(path: Path) -> dict[str, Any]:
    """The JSON card of a model file.

    Raises:
        ModelError: the card is missing or is not a JSON object.
    """
    card = path.with_suffix(".json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelError(f"install again: the model card {card} cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise ModelError(f"restore the model card {card} or export the model again: it is not JSON") from exc
    if not isinstance(content, dict):
        raise ModelError(f"restore the model card {card} or export the model again: it is not a JSON object")
    return content
