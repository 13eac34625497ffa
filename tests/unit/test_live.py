"""The live playground is shown by ipywidgets 8, which makes a bundle, and by 7, which does not."""

from types import SimpleNamespace

import pytest

from pseudolab.views.live import WIDGET_VIEW, LivePlayground


@pytest.fixture
def playground(clip):
    return LivePlayground(clip)


def test_a_notebook_is_given_the_view_of_the_box(playground):
    shown = playground._repr_mimebundle_(include=None, exclude=None)
    assert shown[WIDGET_VIEW]["model_id"] == playground.box.model_id


def test_without_a_bundle_of_its_own_the_box_has_one_made(playground):
    playground.box = SimpleNamespace(model_id="abc")
    shown = playground._repr_mimebundle_()
    assert shown[WIDGET_VIEW] == {"version_major": 2, "version_minor": 0, "model_id": "abc"}
    assert "LivePlayground" in shown["text/plain"]


def test_controls_say_what_they_are(playground):
    assert playground.controls["k"].description == "K"
    assert [one.disabled for one in playground.buttons.values()] == [False, True, True, True]
