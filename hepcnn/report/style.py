"""The look of all figures, and how they are written: PDF and PNG for talks, SVG for the page.

On the page those that would be slow to paint as SVG are PNG too.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import mplhep
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.rcsetup import cycler
from numpy.typing import NDArray
from PIL import Image

from hepcnn.detector.particles import PARTICLES
from hepcnn.files import atomic_path
from hepcnn.report.packed import File

P = ParamSpec("P")

#: Text, axes and frames. In an SVG it becomes the reader's own text colour, light or dark.
INK = "#1b1f24"
#: INK on a dark page.
INK_ON_DARK = "#e4e7eb"
#: Colours of the curves of one figure, in order: Okabe and Ito's set, safe for the colour-blind
#: (https://jfly.uni-koeln.de/color/), without the black and the yellow that a page can swallow.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
#: Controls: what needs no image stands back.
CONTROL = "#808891"
#: Each species has its colour in all figures, and like other classes its symbol in mathtext.
SPECIES_COLOUR = dict(
    zip(
        ("pion", "kaon", "proton", "deuteron", "electron", "muon"),
        COLOURS,
        strict=True,
    )
)
_MATHTEXT = {"mu": r"$\mu$", "pi": r"$\pi$"}
SYMBOL = {p.name: _MATHTEXT.get(p.symbol, rf"$\mathrm{{{p.symbol}}}$") for p in PARTICLES}
SYMBOL |= {"photon": r"$\gamma$", "numu_cc": r"$\nu_\mu$ CC", "nue_cc": r"$\nu_e$ CC", "nc": "NC"}

#: Bytes of SVG from which a figure can be on the page as PNG: dense scatter and many panels.
DENSE = 200_000
#: Colours of a PNG on the page: enough for figures of flat colours, in a third of the bytes.
_COLOURS = 256
#: CSS pixels an inch, and pixels of a PNG in each of them: sharp on fine screens too.
_CSS, _FINER = 96, 2
#: Pixels an inch of the PNGs in the results folder.
_DPI = 200

_STYLE = {
    # LHCb's style (mplhep.style.LHCb2): ticks on all sides, pointing in; labels at the ends.
    **mplhep.style.LHCb2,
    # Its sizes are for a 12-inch slide; these are for a figure 5 inches wide.
    "figure.figsize": (5.2, 3.8),
    "axes.labelsize": 13,
    "axes.titlesize": 13,
    "axes.linewidth": 0.9,
    "font.size": 11.5,
    "legend.fontsize": 11,
    "legend.title_fontsize": 11,
    "legend.handletextpad": 0.5,
    "legend.borderaxespad": 0.6,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.6,
    "lines.markeredgewidth": 1.2,
    "lines.markersize": 5,
    "errorbar.capsize": 0,
    "patch.linewidth": 1.0,
    **{
        f"{axis}tick.{key}": value
        for axis in "xy"
        for key, value in {
            "major.size": 6,
            "minor.size": 3,
            "major.width": 0.9,
            "minor.width": 0.7,
            "major.pad": 5,
            "minor.pad": 5,
            "labelsize": 11.5,
            "color": INK,
        }.items()
    },
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.xmargin": 0.02,
    "axes.ymargin": 0.05,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "axes.prop_cycle": cycler("color", COLOURS),
    "figure.facecolor": "white",
    "savefig.bbox": None,
    "svg.fonttype": "path",  # the page must look the same whatever fonts the reader has
    "svg.hashsalt": "hepcnn",  # the same figure, the same bytes
    "pdf.fonttype": 42,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw a figure in the project's style, leaving matplotlib's settings as they were."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(_STYLE):
            figure = draw(*args, **kwargs)
            # Once, and not by the figure itself, which would do it twice for each format; axes in
            # no grid stay where they were put.
            if any(axes.get_subplotspec() for axes in figure.axes):
                ConstrainedLayoutEngine().execute(figure)
            return figure

    return inner


def plain(text: str) -> str:
    """Text for a figure as it is: a user's name is no formula, and no label that hides itself."""
    escaped = text.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


@dataclass(frozen=True)
class Look:
    """Colour, marker and line of one method in all figures of its task."""

    colour: str
    marker: str
    line: str


def looks(
    networks: Sequence[str], analytic: Sequence[str], controls: Sequence[str]
) -> dict[str, Look]:
    """Give each method its look: networks in colours, analytic methods in ink, controls in grey."""
    markers, lines = "os^Dv<>p", ("--", ":", "-.", "-")
    chosen = {
        name: Look(COLOURS[i % len(COLOURS)], markers[i % 8], "-" if i < len(COLOURS) else "-.")
        for i, name in enumerate(networks)
    }
    for names, colour, shapes in ((analytic, INK, "dXPs"), (controls, CONTROL, "xP+*")):
        for i, name in enumerate(names):
            chosen[name] = Look(colour, shapes[i % 4], lines[i % 4])
    return chosen


def hide_panels(grid: NDArray[Any], count: int) -> None:
    """Leave all axes of a grid out but so many; those above one left out show their own ticks."""
    columns = grid.shape[1]
    for i in range(count, grid.size):
        grid.flat[i].set_axis_off()
        grid.flat[i - columns].tick_params(labelbottom=True)


def label_panels(figure: Figure, along: str, quantity: str) -> Figure:
    """Name the axes of all panels, and show the legend of the first for all."""
    figure.supxlabel(along, fontsize=13)
    figure.supylabel(quantity, fontsize=13)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(4, max(1, len(labels))))
    return figure


def label_box(axes: Axes, lines: list[str], *, place: str = "upper right") -> None:
    """Say in a corner what a figure shows: the sample, the range, the number of tracks.

    Parameters
    ----------
    axes : Axes
        Where.
    lines : list of str
        The lines, the first on top.
    place : str
        The corner, for example ``"lower left"``.
    """
    vertical, horizontal = place.split()
    x, y = 0.04, 0.05 if vertical == "lower" else 0.95
    axes.text(
        x if horizontal == "left" else 1 - x,
        y,
        "\n".join(lines),
        transform=axes.transAxes,
        ha="left" if horizontal == "left" else "right",
        va="bottom" if vertical == "lower" else "top",
        linespacing=1.35,
        fontsize=11,
    )


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `folder`/`name`.pdf and .png, byte for byte the same each time."""
    for suffix in ("pdf", "png"):
        write(figure, folder / f"{name}.{suffix}")


def write(figure: Figure, target: Path) -> None:
    """Write a figure as .pdf or .png, byte for byte the same each time."""
    dates: dict[str, str | None] = {"CreationDate": None} if target.suffix == ".pdf" else {}
    with mpl.rc_context(_STYLE), atomic_path(target) as path:
        figure.savefig(path, dpi=_DPI, metadata=dates)


def svg(figure: Figure) -> str:
    """Draw a figure as SVG on no background, its text in the reader's colours."""
    text = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    start, end = text.getvalue().split("<defs>", 1)
    scheme = (
        f"<style>:root{{--ink:{INK}}}@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{--ink:{INK_ON_DARK}}}}}</style>"
    )
    # The page stands alone: no document type or metadata that names another place.
    head = start[start.index("<svg") :].split("<metadata>")[0]
    return _compact(head + scheme + "<defs>" + end.replace(INK, "var(--ink)"))


def _compact(drawn: str) -> str:
    """Leave out white space, and digits beyond a hundredth of a point; scales keep theirs."""
    drawn = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", drawn))
    return re.sub(r"\b([1-9]\d*\.\d\d)\d+", r"\1", drawn)


def for_page(figure: Figure) -> File:
    """Draw a figure as SVG; one of `DENSE` bytes or more as PNG, on white, if that is smaller."""
    drawn = File(svg(figure), "svg")
    if len(drawn.content) < DENSE:
        return drawn
    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(content, format="png", dpi=_CSS * _FINER)
    image = Image.open(content).convert("RGB")
    image = image.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    image.save(smaller, "png", optimize=True)
    return min(File(smaller.getvalue(), "png"), drawn, key=lambda file: len(file.packed))


def page_size(figure: Figure) -> tuple[int, int]:
    """Width and height of a figure on the page (CSS pixels)."""
    width, height = figure.get_size_inches()
    return round(_CSS * width), round(_CSS * height)


def png_size(content: bytes) -> tuple[int, int]:
    """The same of a figure that `write` wrote as PNG."""
    width, height = struct.unpack(">II", content[16:24])  # after the signature, in the first chunk
    return round(_CSS * width / _DPI), round(_CSS * height / _DPI)
