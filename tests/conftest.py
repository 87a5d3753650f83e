"""What every test has: no blocking call on the event loop, one rerun for real-time tests, the shared data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

# A machine that does other things too may be slow to draw examples; that is no failure of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


REAL_TIME_FIXTURES = frozenset({"janus", "chromium", "browser"})
"""Fixtures that start a server or a browser: their tests wait on real time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that wait on real time one rerun; pytest counts and prints it."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if (
            REAL_TIME_FIXTURES & fixtures
            or item.get_closest_marker("browser")
            or item.get_closest_marker("real_time")
        ):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[BlockBuster]:
    """Code of ours that blocks the event loop raises BlockingError."""
    with blockbuster_ctx(scanned_modules=["bot", "reports", "inference"]) as blockbuster:
        yield blockbuster


@pytest.fixture(scope="session")
def faces() -> Path:
    """Folder of real face clips."""
    folder = SHARED / "faces"
    if not folder.is_dir():
        pytest.skip("the face clips are not here (../shared/data/faces)")
    return folder


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """FER-2013 as a zip."""
    file = SHARED / "fer2013.zip"
    if not file.is_file():
        pytest.skip("FER-2013 is not here (../shared/data/fer2013.zip)")
    return file
