"""The outages in short: a Janus that is killed, halted, cut off; nobody is shown or counted for another.

How soon, and how old a picture is, are figures of ``python -m benchmarks outage`` on a quiet machine.
"""

import os
import shutil

import pytest

from benchmarks.outage import suffer
from tests.cameras import needs_network
from tests.janus_server import needs_janus

pytestmark = pytest.mark.real_time


@needs_network
@needs_janus
@pytest.mark.slow
async def test_a_class_is_whole_again_after_each_outage() -> None:
    found = await suffer(tracks=3, halted_s=4.0, cut_s=4.0, after_s=1.0)
    can_cut = shutil.which("ip") is not None and os.geteuid() == 0
    outages = [found["killed"], found["halted"], *([found["cut"]] if can_cut else [])]
    for outage in outages:
        assert outage["noticed_s"] is not None, found
        assert outage["whole_after_s"] is not None, found
        assert outage["losses"] >= 1, found
        assert outage["pictures"] > 20, found
        assert (outage["wrong_student"], outage["counted_twice"]) == (0, 0), found
