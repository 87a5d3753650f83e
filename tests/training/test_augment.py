"""Augmentation: right shape and range, repeatable, and no change where none is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from training.augment import Ranges, augment, to_floats

STILL = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)


def _pictures(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48)).astype(np.uint8)


def test_no_picture() -> None:
    assert augment(_pictures(0), np.random.default_rng(1), Ranges()).shape == (0, 48, 48, 1)
    assert to_floats(_pictures(0)).shape == (0, 48, 48, 1)


def test_floats_keep_the_scale() -> None:
    levels = to_floats(np.array([[[0, 51], [102, 255]]], np.uint8))
    assert levels.dtype == np.float32
    assert np.allclose(levels[0, :, :, 0], [[0, 0.2], [0.4, 1]])


def test_pictures_stay_pictures_and_come_out_the_same_again() -> None:
    images = _pictures(64)
    kept = images.copy()
    changed = augment(images, np.random.default_rng(1), Ranges())
    assert changed.shape == (64, 48, 48, 1)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (images == kept).all()
    assert (changed == augment(images, np.random.default_rng(1), Ranges())).all()
    assert (changed != augment(images, np.random.default_rng(2), Ranges())).any()


def test_without_ranges_a_picture_is_itself_or_its_mirror() -> None:
    images = _pictures(64)
    changed = augment(images, np.random.default_rng(1), STILL)
    same = [
        (row == to_floats(image[np.newaxis])[0]).all() for row, image in zip(changed, images, strict=True)
    ]
    mirrored = [
        (row == to_floats(image[np.newaxis, :, ::-1])[0]).all()
        for row, image in zip(changed, images, strict=True)
    ]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert 20 < sum(same) < 44


def test_a_dark_exposure_is_darker_and_a_bright_one_brighter() -> None:
    images = np.full((4, 48, 48), 128, np.uint8)
    dark = Ranges(scale=(1, 1), shift_px=0, tilt_deg=0, gamma=(1.4, 1.4), thumbnail_share=0)
    bright = Ranges(scale=(1, 1), shift_px=0, tilt_deg=0, gamma=(0.7, 0.7), thumbnail_share=0)
    assert augment(images, np.random.default_rng(1), dark).max() < 0.45
    assert augment(images, np.random.default_rng(1), bright).min() > 0.55


def test_eased_ranges_go_only_so_far() -> None:
    ranges = Ranges(codec_share=0.4, erase_share=0.4)
    assert ranges.eased(1) == ranges
    still = ranges.eased(0)
    assert (still.scale, still.shift_px, still.tilt_deg) == ((1, 1), 0, 0)
    assert (still.gamma, still.thumbnail_share, still.codec_share) == ((1, 1), 0, 0)
    half = ranges.eased(0.5)
    assert half.scale == pytest.approx((0.935, 1.09))
    assert (half.shift_px, half.tilt_deg, half.codec_share, half.erase_share) == (2.0, 7.5, 0.2, 0.2)
    assert half.gamma == pytest.approx((0.85, 1.2))
    assert replace(ranges, framed_share=0.5).eased(0).framed_share == 0.5


def test_a_share_of_pictures_is_framed_as_told_and_the_rest_is_what_it_was() -> None:
    images = np.zeros((200, 48, 48), np.uint8)
    images[:, 20:28, 26:34] = 255  # its middle lies 6 px right of the picture's
    framings = np.tile(np.array([0.5, 6.0, 0.0], np.float32), (200, 1))
    plain = augment(images, np.random.default_rng(1), STILL, framings)
    framed = augment(images, np.random.default_rng(1), replace(STILL, framed_share=0.5), framings)
    touched = (plain != framed).any(axis=(1, 2, 3))
    assert 70 < touched.sum() < 130
    for picture in framed[touched][..., 0]:
        rows, columns = np.nonzero(picture > 0.5)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(23.5, abs=1)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(23.5, abs=1)
        assert np.ptp(rows) + 1 == pytest.approx(16, abs=2)
    assert (augment(images, np.random.default_rng(1), replace(STILL, framed_share=0.5)) == plain).all()


def test_erasing_lays_one_even_rectangle_over_its_share_of_pictures() -> None:
    images = _pictures(200)
    plain = augment(images, np.random.default_rng(1), STILL)
    erased = augment(images, np.random.default_rng(1), replace(STILL, erase_share=0.5))
    touched = (plain != erased).any(axis=(1, 2, 3))
    assert 70 < touched.sum() < 130
    for before, after in zip(plain[touched], erased[touched], strict=True):
        rows, columns = np.nonzero((before != after)[..., 0])
        inside = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]
        assert (inside == inside[0, 0]).all()
        assert max(inside.shape) <= 24


def test_a_poor_codec_takes_detail_and_leaves_what_is_drawn_besides() -> None:
    images = _pictures(32)
    poor = Ranges(scale=(1, 1), shift_px=0, tilt_deg=0, gamma=(1, 1), thumbnail_share=0, codec_share=1)
    plain = augment(images, np.random.default_rng(1), STILL)
    packed = augment(images, np.random.default_rng(1), poor)

    def detail(pictures: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(pictures[..., 0], axis=2)).mean(axis=(1, 2))

    assert (detail(packed) < 0.9 * detail(plain)).all()
    assert np.abs(packed.mean(axis=(1, 2, 3)) - plain.mean(axis=(1, 2, 3))).max() < 0.02
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(plain, packed, strict=True)]
    assert min(correlation) > 0.1
