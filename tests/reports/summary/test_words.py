"""What is said in front of people, where it depends on something."""

from __future__ import annotations

import pytest

from reports.summary.words import link_limit


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765/c/a", "http://localhost/c/a", "https://[::1]/c/a"])
def test_a_link_to_this_machine_is_for_this_machine(url: str) -> None:
    assert "works on this machine only" in (link_limit(url, faces=True) or "")


@pytest.mark.parametrize("url", ["http://mood.example/c/a", "http://10.0.0.4:8765/c/a"])
def test_a_link_without_tls_gives_no_camera(url: str) -> None:
    assert "no camera" in (link_limit(url, faces=True) or "")


def test_a_link_that_serves_needs_no_word() -> None:
    assert link_limit("https://mood.example/c/a", faces=True) is None
    assert link_limit("http://mood.example/c/a", faces=False) is None
