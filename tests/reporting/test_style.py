"""How figures look: colours apart for colour-blind readers and in gray print, files that are the same again."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from csvr.errors import UserError
from csvr.reporting import style
from csvr.reporting.feature_figures import RIGHT, WRONG

# What a reader without one kind of cone sees, of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SEEN = {
    "all": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colour: str, eyes: str = "all") -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of a colour as some eyes see it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(SEEN[eyes] @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = [v ** (1 / 3) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_lab_of_known_colours() -> None:
    np.testing.assert_allclose(lab("#FFFFFF"), [100, 0, 0], atol=0.05)
    np.testing.assert_allclose(lab("#FF0000"), [53.24, 80.09, 67.20], atol=0.1)
    # Red and green of the same luminance are the classic trap.
    assert np.linalg.norm(lab("#C00000", "deuteranopia") - lab("#667A00", "deuteranopia")) < 15


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize(
    "colours", [style.PALETTE, style.GROUP_COLOURS.values(), style.READOUT_COLOURS.values(), (RIGHT, WRONG)]
)
def test_colours_of_a_figure_are_apart(colours, eyes: str) -> None:
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(lab(one, eyes) - lab(other, eyes)) > 15, (one, other)


@pytest.mark.parametrize("colours", [style.GROUP_COLOURS, style.READOUT_COLOURS])
def test_what_is_told_by_colour_alone_is_apart_in_gray_print(colours) -> None:
    light = sorted(lab(colour)[0] for name, colour in colours.items() if name != "overall")
    assert min(np.diff(light)) > 15


def test_colours_without_groups_get_lighter() -> None:
    light = [lab(colour)[0] for colour in style.ramp("ABCDE").values()]
    assert light == sorted(light) and min(np.diff(light)) > 10


def test_every_format_is_the_same_again(tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        figure, axis = plt.subplots(figsize=(2, 2), layout="constrained")
        axis.plot([0, 1], label="σ → x")
        axis.imshow(np.arange(4).reshape(2, 2))
        axis.legend()
        paths = [folder / f"x{suffix}" for suffix in (".png", ".svg", ".pdf")]
        style.save(figure, *paths)
        written.append([path.read_bytes() for path in paths])
        assert sorted(folder.iterdir()) == sorted(paths)
    assert written[0] == written[1]
    png, svg, pdf = written[0]
    assert png[:4] == b"\x89PNG" and b"<svg" in svg and pdf[:5] == b"%PDF-"
    assert b"<dc:date>" not in svg and b"CreationDate" not in pdf and b"/Type3" not in pdf


def test_other_formats_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    figure, _ = plt.subplots(figsize=(1, 1))
    with pytest.raises(UserError, match=r"x\.jpg: figures are written as \.png, \.svg, \.pdf"):
        style.save(figure, tmp_path / "x.png", tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir()) and not plt.fignum_exists(figure.number)


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    figure, axis = plt.subplots(figsize=(1, 1), layout="constrained")
    axis.set_title(r"$\b$ costs $5_")
    style.save(figure, tmp_path / "a.png", tmp_path / "a.svg")
    assert r"$\b$ costs $5_" in (tmp_path / "a.svg").read_text()
