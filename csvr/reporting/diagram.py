"""Boxes and arrows on a grid: what the drawings of the networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

# In inches, which are the axes' unit.
WIDTH, HEIGHT = 1.95, 0.86
PITCH_X, PITCH_Y = 2.5, 1.12
MARGIN = 0.15
SMALLEST = 4.5
"""Font size in points below which a text is not shrunk to fit its box."""


@dataclass
class Box:
    """One box.

    Attributes:
        x, y: Its centre.
        patch: What is drawn.
        texts: What is written into it.
    """

    x: float
    y: float
    patch: FancyBboxPatch
    texts: list[Text]


class Diagram:
    """Boxes by name in columns (from left) and rows (from the bottom, fractions allowed), and arrows between them.

    Args:
        columns: Number of columns.
        rows: Number of rows.
        title: Of the figure.
        note: Written below it.
    """

    def __init__(self, columns: int, rows: float, title: str, note: str) -> None:
        width, height = columns * PITCH_X, rows * PITCH_Y
        # None of pyplot's, which keeps figures until they are closed.
        self.figure = Figure(figsize=(width, height + 0.75))
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set(xlim=(0, width), ylim=(-0.4, height + 0.35))
        self.axes.set_axis_off()
        self.boxes: dict[str, Box] = {}
        self.notes = [
            self.axes.text(MARGIN, height + 0.1, title, fontsize=11, fontweight="bold", va="center"),
            self.axes.text(MARGIN, -0.2, note, fontsize=8.5, va="center"),
        ]

    def box(
        self, name: str, column: float, row: float, head: str, lines: Sequence[str] = (), colour: str = "#777777"
    ) -> None:
        """Add a box with a bold head and further lines."""
        x, y = (column + 0.5) * PITCH_X, (row + 0.5) * PITCH_Y
        patch = FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=(colour, 0.14), edgecolor=colour, linewidth=1.2,
        )  # fmt: skip
        self.axes.add_patch(patch)
        texts, count = [], len(lines) + 1
        step = min(0.2, (HEIGHT - 0.08) / count)
        for k, line in enumerate([head, *lines]):
            place = y + step * ((count - 1) / 2 - k)
            weight = "bold" if k == 0 else "normal"
            text = self.axes.text(x, place, line, ha="center", va="center", fontsize=8.5, fontweight=weight)
            texts.append(text)
        self.boxes[name] = Box(x, y, patch, texts)

    def arrow(
        self, source: str, target: str, lane: float = 0.5, colour: str = "#444444", into: float = 0.0, out: float = 0.0
    ) -> None:
        """Right out of one box and into the left of another, by way of a vertical piece.

        Args:
            source, target: Names; without one of these boxes nothing is drawn.
            lane: Where the vertical piece lies in the gap after the source, 0 … 1.
            colour: Of the line.
            into, out: Heights above the middles of target and source, in halves of a box.
        """
        if source not in self.boxes or target not in self.boxes:
            return
        a, b = self.boxes[source], self.boxes[target]
        start, end = a.y + out * HEIGHT / 2, b.y + into * HEIGHT / 2
        x = a.x + WIDTH / 2 + lane * (PITCH_X - WIDTH)
        corner, tip = (a.x + WIDTH / 2, start), (b.x - WIDTH / 2, end)
        if start != end:
            # A straight arrow is one line: two would be rounded to pixels apart.
            way = [corner, (x, start), (x, end)]
            self.axes.plot(*zip(*way, strict=True), color=colour, lw=1.2, solid_joinstyle="miter", zorder=0)
            corner = way[-1]
        self.axes.annotate(
            "", tip, corner,
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip

    def finish(self) -> Figure:
        """The figure, with each box's texts shrunk alike until they fit it."""
        renderer = self.canvas.get_renderer()
        room = 0.94 * WIDTH * self.figure.dpi
        for box in self.boxes.values():
            widest = max(text.get_window_extent(renderer).width for text in box.texts)
            if widest > room:
                for text in box.texts:
                    text.set_fontsize(max(SMALLEST, float(text.get_fontsize()) * room / widest))
        return self.figure
