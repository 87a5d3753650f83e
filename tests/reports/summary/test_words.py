"""Texts that depend on the student link."""

from __future__ import annotations

import pytest

from reports.summary.words import link_limit


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765/c/a", "http://localhost/c/a", "https://[::1]/c/a"])
def test_a_local_link_has_a_warning_that_it_works_on_this_machine_only(url: str) -> None:
    assert "works on this machine only" in (link_limit(url, faces=True) or "")


@pytest.mark.parametrize("url", ["http://mood.example/c/a", "http://10.0.0.4:8765/c/a"])
def test_a_link_without_https_has_a_warning_about_the_camera(url: str) -> None:
    assert "no camera" in (link_limit(url, faces=True) or "")


def test_an_https_link_or_a_class_without_face_analysis_has_no_warning() -> None:
    assert link_limit("https://mood.example/c/a", faces=True) is None
    assert link_limit("http://mood.example/c/a", faces=False) is None
