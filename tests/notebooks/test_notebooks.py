"""Every lesson runs from top to bottom, with no network, in an empty folder, and puts out what is
stored in it (support/outputs.py says how exactly).
"""

import pytest

from support.notebooks import notebooks, play, short_name

pytestmark = pytest.mark.slow
LESSONS = notebooks("lessons")
GUIDES = notebooks("guides")


def test_there_are_lessons():
    assert len(LESSONS) >= 6


@pytest.mark.parametrize("path", LESSONS, ids=short_name)
def test_lesson_runs(path, tmp_path):
    play(path, tmp_path, alone=True)


@pytest.mark.parametrize("path", GUIDES, ids=short_name)
def test_guide_runs(path, tmp_path):
    play(path, tmp_path)
