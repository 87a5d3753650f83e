"""Networks: seven logits that do not depend on exposure, the central square, batch statistics."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.training

from inference.emotions import EMOTIONS  # noqa: E402
from training.checkpoint import recompute_statistics  # noqa: E402
from training.export import multiply_adds  # noqa: E402
from training.models import ARCHITECTURES, OWN_NETWORKS, CentreCrop  # noqa: E402
from training.run import ARCHITECTURE_NAMES  # noqa: E402


def test_the_command_line_offers_exactly_the_networks_that_can_be_built() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES


@pytest.mark.parametrize("name", ARCHITECTURE_NAMES)
def test_seven_logits_do_not_depend_on_the_exposure(name: str) -> None:
    network = ARCHITECTURES[name]()
    crops = np.random.default_rng(1).random((3, 48, 48, 1)).astype(np.float32)
    logits = np.asarray(network(crops))
    assert logits.shape == (3, len(EMOTIONS))
    tolerance = max(0.02, 0.01 * float(np.abs(logits).max()))
    assert np.asarray(network(0.5 * crops + 0.2)) == pytest.approx(logits, abs=tolerance)
    assert np.abs(np.asarray(network(1 - crops)) - logits).max() > 0.02


@pytest.mark.parametrize("name", OWN_NETWORKS)
def test_a_network_for_the_central_square_ignores_the_border(name: str) -> None:
    network = OWN_NETWORKS[name](40)
    rng = np.random.default_rng(1)
    crops = rng.random((2, 48, 48, 1)).astype(np.float32)
    other_border = crops.copy()
    # The same pixels in another order: mean and standard deviation of the image do not change.
    other_border[:, :4] = other_border[:, 3::-1]
    assert np.asarray(network(other_border)) == pytest.approx(np.asarray(network(crops)), abs=1e-4)
    assert (np.asarray(CentreCrop(40)(crops)) == crops[:, 4:44, 4:44]).all()
    assert multiply_adds(network) < 0.8 * multiply_adds(OWN_NETWORKS[name]())


def _batch_normalisations(network: "keras.Model") -> list:
    return [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_recomputed_statistics_are_the_means_over_the_batches() -> None:
    network = OWN_NETWORKS["cnn"]()
    momenta = [layer.momentum for layer in _batch_normalisations(network)]
    rng = np.random.default_rng(1)
    batches = [rng.random((16, 48, 48, 1)).astype(np.float32) for _ in range(3)]
    first = _batch_normalisations(network)[0]
    before_first = keras.Model(network.input, first.input)
    recompute_statistics(network, batches)
    means = np.mean([np.asarray(before_first(batch)).mean(axis=(0, 1, 2)) for batch in batches], axis=0)
    assert first.moving_mean.numpy() == pytest.approx(means, abs=1e-5)
    # With the statistics of one batch, inference on it equals training on it, up to the dropout.
    recompute_statistics(network, batches[:1])
    inner = keras.Model(network.input, network.get_layer(index=-3).output)
    assert np.asarray(inner(batches[0])) == pytest.approx(
        np.asarray(inner(batches[0], training=True)), abs=1e-3
    )
    assert [layer.momentum for layer in _batch_normalisations(network)] == momenta
