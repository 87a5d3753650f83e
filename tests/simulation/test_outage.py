"""Short outages of a Janus: all students return, and none is shown or counted as another one.

Times are not checked here; ``python -m benchmarks outage`` measures them on an idle machine.
"""

import os
import shutil

import pytest

from benchmarks.outage import measure
from tests.cameras import needs_network
from tests.janus_server import needs_janus

pytestmark = pytest.mark.real_time


@needs_network
@needs_janus
@pytest.mark.slow
async def test_all_students_are_seen_again_after_each_outage() -> None:
    found = await measure(tracks=3, halted_s=4.0, cut_s=4.0, after_s=1.0)
    can_cut = shutil.which("ip") is not None and os.geteuid() == 0
    outages = [found["killed"], found["halted"], *([found["cut"]] if can_cut else [])]
    for outage in outages:
        assert outage["noticed_s"] is not None, found
        assert outage["whole_after_s"] is not None, found
        assert outage["losses"] >= 1, found
        assert outage["pictures"] > 20, found
        assert (outage["wrong_student"], outage["counted_twice"]) == (0, 0), found
