"""The contact sheet of a data set: every class once, in the colour of its group, readable for many classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from csvr.errors import UserError
from csvr.reporting import contact_sheet as drawing
from csvr.reporting import style
from csvr.reporting.contact_sheet import contact_sheet


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures that would have been saved; frames of any video are gray."""
    found: list[Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, *_, **__: found.append(figure))
    monkeypatch.setattr(
        drawing, "read_video", lambda path, _: np.full((9, 8, 10, 3), np.arange(9)[:, None, None, None])
    )
    return found


def table(classes: list[str], videos: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, f"{name}/{k}.avi") for name in classes for k in range(videos)], columns=["class", "path"]
    )


def names(figure: Figure) -> dict[str, Any]:
    return {text.get_text(): text for axis in figure.axes for text in axis.texts}


def test_names_have_the_colours_of_their_groups(drawn) -> None:
    contact_sheet(table(["A", "HandStand", "C", "D"]), {"motion": ["Handstand", "Gone"], "context": ["A"]}, Path("x"))
    found = names(drawn[0])
    assert list(found) == ["HandStand", "A", "C", "D"]
    wanted = [*(style.group_colour(group) for group in ("motion", "context")), style.GRAY, style.GRAY]
    assert [to_hex(text.get_color()).upper() for text in found.values()] == wanted
    assert sum(len(axis.images) for axis in drawn[0].axes) == 12
    assert drawn[0].axes[0].images[0].get_array().shape == (8, 30, 3)
    contact_sheet(table(["A", "B"], videos=1), {}, Path("x"))
    assert {text.get_color() for text in names(drawn[1]).values()} == {"black"} and not drawn[1].legends


def test_many_classes_stand_beside_each_other(drawn) -> None:
    """No higher than it is wide, as a page is; one frame a video, the middle one; down the columns, group by group."""
    classes = [f"class {k:03}" for k in range(101)]
    contact_sheet(table(classes), {"motion": classes[50:], "both": classes[:50]}, Path("x"))
    (figure,) = drawn
    width, height = figure.get_size_inches()
    assert height < 2 * width and height < 40
    assert list(names(figure)) != classes and set(names(figure)) == set(classes)
    images = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert (
        len(images) == 303
        and {image.shape for image in images} == {(8, 10, 3)}
        and {image[0, 0, 0] for image in images} == {4}
    )
    first = [axis.texts[0].get_text() for axis in figure.axes[::12] if axis.texts]
    assert first == classes[50:76]


def test_nothing_to_draw(drawn) -> None:
    with pytest.raises(UserError, match="lists no videos"):
        contact_sheet(table([]), {}, Path("x"))
