"""The picture of the rooms, in CONTRIBUTING.md, is that of the code, and shows no arrow upward but
the one that has a name.
"""

import re
import xml.etree.ElementTree as ET

import pytest
import yaml

from support import NBS, ROOT


@pytest.fixture(scope="module")
def order(architect):
    return [room.name for room in architect.rooms()]


@pytest.fixture(scope="module")
def found(architect):
    return architect.arrows()


def test_the_picture_is_fresh(architect):
    drawn = architect.PICTURE.read_text(encoding="utf-8")
    assert drawn == architect.picture(), f"draw it with `{architect.COMMAND}`"


def test_every_room_is_in_the_order(order):
    package = ROOT / "pseudolab"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    alone = {path.stem for path in package.glob("[!_]*.py")}
    assert set(order) == folders | alone


def test_no_arrow_leads_upward_but_the_one_with_a_name(architect, order, found):
    assert len(found) > 15
    assert architect.upward(order, found) == {("method", "views")}


def test_another_arrow_upward_would_be_seen(architect, order, found):
    wrong = found | {("clip", "cli")}
    assert ("clip", "cli") in architect.upward(order, wrong)
    assert architect.draw(architect.rooms(), wrong).count('class="up"') == 2


def test_the_picture_can_be_read_aloud_and_in_the_dark(architect, order, found):
    picture = architect.PICTURE.read_text(encoding="utf-8")
    root = ET.fromstring(picture)
    assert root[0].text == architect.alt_text(order, found)
    assert "prefers-color-scheme: dark" in picture


def test_contributing_shows_it_with_its_words(architect, order, found):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"!\[([^]]*)\]\(tools/architecture\.svg\)", text)
    assert words == architect.alt_text(order, found)


@pytest.mark.parametrize("given", [[], ["--check"]])
def test_the_command(architect, monkeypatch, tmp_path, capsys, given):
    monkeypatch.setattr(architect, "ROOT", tmp_path)
    monkeypatch.setattr(architect, "PICTURE", tmp_path / "architecture.svg")
    monkeypatch.setattr(architect, "picture", lambda: "<svg/>")
    assert architect.main(given) == len(given)
    assert (tmp_path / "architecture.svg").exists() == (not given)
    assert "architecture.svg" in capsys.readouterr().out


def test_the_sidebar_shows_the_rooms_in_the_order_of_their_imports(order):
    config = yaml.safe_load((NBS / "_quarto.yml").read_text(encoding="utf-8"))
    sections = [one for one in config["website"]["sidebar"]["contents"] if "section" in one]
    (lab,) = (one["contents"] for one in sections if one["section"] == "The lab")
    rooms = [one["section"] for one in lab if "section" in one]
    assert rooms == [room for room in reversed(order) if room not in ("io", "settings")]
