"""For every test: blocking calls on the event loop fail; timing-dependent tests get one rerun."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.postgres_server import MISSING, PostgresServer, programs, running_server

# On a busy machine Hypothesis may need long to draw examples. That is no failure of the code under test.
settings.register_profile("no_deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no_deadline")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests with the mark ``browser`` or ``real_time`` one rerun; pytest counts and prints reruns.

    Tests that look for rare errors (kill -9, privacy, soak) have neither mark: a rerun would hide an error.
    """
    for item in items:
        if item.get_closest_marker("browser") or item.get_closest_marker("real_time"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[BlockBuster]:
    """Code of this project that blocks the event loop raises BlockingError."""
    with blockbuster_ctx(scanned_modules=["bot", "reports", "inference"]) as blockbuster:
        yield blockbuster


@pytest.fixture(scope="session")
def faces() -> Path:
    """Folder of video clips and photos of real faces."""
    folder = SHARED / "data" / "faces"
    if not folder.is_dir():
        pytest.skip("the face clips are missing (../shared/data/faces)")
    return folder


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """The data set FER-2013 as a zip file."""
    file = SHARED / "data" / "fer2013.zip"
    if not file.is_file():
        pytest.skip("FER-2013 is missing (../shared/data/fer2013.zip)")
    return file


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of small files that once were read wrongly."""
    folder = SHARED / "cases"
    if not folder.is_dir():
        pytest.skip("the collected files are missing (../shared/cases)")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server."""
    found = programs()
    if found is None:
        pytest.skip(MISSING)
    with running_server(found) as server:
        yield server
