"""Colours and markers that everybody can tell from the page."""

import itertools

import pytest

from dashboard.charts import look
from resemotenet.emotions import COLORS, EMOTIONS
from tests.dashboard.contrast import contrast

WHITE, DARK = "#FFFFFF", "#12151C"


def test_every_model_has_a_look_of_its_own():
    from resemotenet import list_models

    assert set(list_models()) <= set(look._MODELS)


@pytest.mark.parametrize("name", [*look._MODELS, "some_other_network"])
def test_a_model_is_seen_on_light_and_dark(name: str):
    assert contrast(look.model_color(name), WHITE) >= 3
    assert contrast(look.model_color(name), DARK) >= 3


def test_no_two_models_look_alike():
    looks = {name: (look.model_color(name), look.model_symbol(name)) for name in look._MODELS}
    assert len(set(looks.values())) == len(looks)
    # Where the colour is shared, or lost on a printer, the marker still differs.
    assert len({symbol for _, symbol in looks.values()}) == len(looks)


def test_an_unknown_model_always_looks_the_same():
    assert look.model_color("mine") == look.model_color("mine")
    assert look.model_color("mine") in look._SPARE_COLORS


def test_emotions_have_the_colours_of_the_library():
    assert [look.emotion_color(name.capitalize()) for name in EMOTIONS] == [COLORS[name] for name in EMOTIONS]


def test_spare_looks_are_as_visible():
    for color in itertools.chain(look._SPARE_COLORS, (look.CLAIM, look.GREY)):
        assert min(contrast(color, WHITE), contrast(color, DARK)) >= 3
