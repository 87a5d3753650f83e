"""Augmentation: shape and range, repeatability, and no change that is not requested."""

from dataclasses import replace

import numpy as np
import pytest

from training.augment import Ranges, augment, to_floats

UNCHANGED = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)
"""No augmentation except mirroring."""


def _random_images(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48)).astype(np.uint8)


def test_zero_images_give_an_empty_array() -> None:
    assert augment(_random_images(0), np.random.default_rng(1), Ranges()).shape == (0, 48, 48, 1)
    assert to_floats(_random_images(0)).shape == (0, 48, 48, 1)


def test_to_floats_maps_0_to_255_to_0_to_1() -> None:
    levels = to_floats(np.array([[[0, 51], [102, 255]]], np.uint8))
    assert levels.dtype == np.float32
    assert np.allclose(levels[0, :, :, 0], [[0, 0.2], [0.4, 1]])


def test_augmented_images_are_in_range_and_repeatable_by_seed() -> None:
    images = _random_images(64)
    before = images.copy()
    changed = augment(images, np.random.default_rng(1), Ranges())
    assert changed.shape == (64, 48, 48, 1)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (images == before).all()
    assert (changed == augment(images, np.random.default_rng(1), Ranges())).all()
    assert (changed != augment(images, np.random.default_rng(2), Ranges())).any()


def test_without_augmentation_an_image_is_unchanged_or_mirrored() -> None:
    images = _random_images(64)
    changed = augment(images, np.random.default_rng(1), UNCHANGED)
    unchanged = [
        (row == to_floats(image[np.newaxis])[0]).all() for row, image in zip(changed, images, strict=True)
    ]
    mirrored = [
        (row == to_floats(image[np.newaxis, :, ::-1])[0]).all()
        for row, image in zip(changed, images, strict=True)
    ]
    assert all(one != other for one, other in zip(unchanged, mirrored, strict=True))
    assert 20 < sum(unchanged) < 44


def test_gamma_above_one_darkens_and_below_one_brightens() -> None:
    images = np.full((4, 48, 48), 128, np.uint8)
    dark = replace(UNCHANGED, gamma=(1.4, 1.4))
    bright = replace(UNCHANGED, gamma=(0.7, 0.7))
    assert augment(images, np.random.default_rng(1), dark).max() < 0.45
    assert augment(images, np.random.default_rng(1), bright).min() > 0.55


def test_eased_ranges_are_scaled_by_the_share() -> None:
    ranges = Ranges(codec_share=0.4, erase_share=0.4)
    assert ranges.eased(1) == ranges
    none = ranges.eased(0)
    assert (none.scale, none.shift_px, none.tilt_deg) == ((1, 1), 0, 0)
    assert (none.gamma, none.thumbnail_share, none.codec_share) == ((1, 1), 0, 0)
    half = ranges.eased(0.5)
    assert half.scale == pytest.approx((0.935, 1.09))
    assert (half.shift_px, half.tilt_deg, half.codec_share, half.erase_share) == (2.0, 7.5, 0.2, 0.2)
    assert half.gamma == pytest.approx((0.85, 1.2))
    assert replace(ranges, framed_share=0.5).eased(0).framed_share == 0.5


def test_only_the_framed_share_of_images_is_cropped_to_the_framing() -> None:
    images = np.zeros((200, 48, 48), np.uint8)
    images[:, 20:28, 26:34] = 255  # its centre is 6 px right of the image's
    framings = np.tile(np.array([0.5, 6.0, 0.0], np.float32), (200, 1))
    plain = augment(images, np.random.default_rng(1), UNCHANGED, framings)
    framed = augment(images, np.random.default_rng(1), replace(UNCHANGED, framed_share=0.5), framings)
    changed_rows = (plain != framed).any(axis=(1, 2, 3))
    assert 70 < changed_rows.sum() < 130
    for image in framed[changed_rows][..., 0]:
        rows, columns = np.nonzero(image > 0.5)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(23.5, abs=1)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(23.5, abs=1)
        assert np.ptp(rows) + 1 == pytest.approx(16, abs=2)
    assert (augment(images, np.random.default_rng(1), replace(UNCHANGED, framed_share=0.5)) == plain).all()


def test_erasing_draws_a_uniform_rectangle_over_its_share_of_images() -> None:
    images = _random_images(200)
    plain = augment(images, np.random.default_rng(1), UNCHANGED)
    erased = augment(images, np.random.default_rng(1), replace(UNCHANGED, erase_share=0.5))
    changed_rows = (plain != erased).any(axis=(1, 2, 3))
    assert 70 < changed_rows.sum() < 130
    for before, after in zip(plain[changed_rows], erased[changed_rows], strict=True):
        rows, columns = np.nonzero((before != after)[..., 0])
        inside = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]
        assert (inside == inside[0, 0]).all()
        assert max(inside.shape) <= 24


def test_a_poor_codec_removes_detail_and_changes_nothing_else() -> None:
    images = _random_images(32)
    poor = replace(UNCHANGED, codec_share=1.0)
    plain = augment(images, np.random.default_rng(1), UNCHANGED)
    compressed = augment(images, np.random.default_rng(1), poor)

    def detail(images: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(images[..., 0], axis=2)).mean(axis=(1, 2))

    assert (detail(compressed) < 0.9 * detail(plain)).all()
    assert np.abs(compressed.mean(axis=(1, 2, 3)) - plain.mean(axis=(1, 2, 3))).max() < 0.02
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(plain, compressed, strict=True)]
    assert min(correlation) > 0.1
