"""Whether what was read lies inside the images: refused if nothing does, said if little does.

A wrong unit, plane or geometry leaves the images empty, and nothing else would tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hepcnn.errors import InputError

Range = tuple[float, float]
#: The range of nothing.
NOWHERE: Range = (float("inf"), float("-inf"))
#: A smaller part of the data inside is chance, as of hits near tick 0 if times have a wrong unit.
HARDLY_ANY = 0.01
ASK = "are the units, the branches and the geometry those of the file?"


@dataclass(frozen=True)
class Span:
    """Where data and images lie along an axis.

    Attributes
    ----------
    name, unit : str
        The axis.
    data : tuple of float
        Lowest and highest value read; `NOWHERE`: none was.
    allowed : tuple of float
        Where data should lie: the detector's range, or that of the images if they show all of it.
    image : tuple of float
        What the images show, all of them together.
    """

    name: str
    unit: str
    data: Range
    allowed: Range
    image: Range

    def join(self, other: Span) -> Span:
        """The axis of the data and images of both."""
        ranges = (
            (min(a[0], b[0]), max(a[1], b[1]))
            for a, b in (
                (self.data, other.data), (self.allowed, other.allowed), (self.image, other.image),
            )
        )  # fmt: skip
        return Span(self.name, self.unit, *ranges)

    def beside(self, range_: Range, what: str) -> str:
        """The data's range in words, beside another one."""
        unit = f" {self.unit}" if self.unit else ""
        data = f"{_words(self.data)}{unit}" if self.data[0] <= self.data[1] else "nothing"
        return f"{self.name} {data} ({what}: {_words(range_)}{unit})"


@dataclass(frozen=True)
class Inside:
    """How much of what was read lies inside the images.

    Attributes
    ----------
    what, where : str
        What is counted, for example "hits", and what the images are, for the messages.
    read : int
        How many were read.
    seen : int
        Of these, those that the images could show: on their planes, of their RICH.
    allowed : int
        Of these, those that lie where data should.
    inside : int
        Those in an image.
    images, empty : int
        Images that should hold any, and those of them that hold none.
    spans : tuple of Span
        The axes; none if nothing is amiss.
    few : int
        Fewer images may all be empty by chance.
    ask : str
        What to think of if nothing is inside.
    fatal : bool
        Whether that is refused; otherwise it is said.
    """

    what: str
    where: str
    read: int
    seen: int
    allowed: int
    inside: int
    images: int
    empty: int
    spans: tuple[Span, ...] = ()
    few: int = 0
    ask: str = ASK
    fatal: bool = True

    def join(self, other: Inside) -> Inside:
        """Of two parts of the data."""
        mine, theirs = ({span.name: span for span in part.spans} for part in (self, other))
        for name, span in theirs.items():
            mine[name] = mine[name].join(span) if name in mine else span
        sums = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        fatal = self.fatal and other.fatal
        return replace(self, **sums, spans=tuple(mine.values()), fatal=fatal)

    def check(self) -> Iterator[str]:
        """Say what is amiss.

        Yields
        ------
        str
            A warning, if most of the data lie where they should not, or in no image.

        Raises
        ------
        InputError
            If something was read, and nothing of it is in an image, or less than `HARDLY_ANY` of
            it where it should be.
        """
        if self.images < self.few:
            return
        if self.read and not self.inside:
            text = (
                f"none of {self.read:,} {self.what} lies inside the images ({self.where}): "
                + _listed(span.beside(span.image, "images") for span in self.spans)
                + f"; {self.ask}"
            )
            if self.fatal:
                raise InputError(text)
            yield text
            return
        if 2 * self.allowed < self.seen:
            text = (
                f"only {self.allowed:,} of {self.seen:,} {self.what} lie where they should "
                f"({self.where}): "
                + _listed(span.beside(span.allowed, "should be in") for span in self.spans)
            )
            if self.allowed < HARDLY_ANY * self.seen:
                raise InputError(f"{text}; {self.ask}")
            yield text
        elif 2 * self.empty > self.images:
            yield (
                f"{self.empty:,} of {self.images:,} images hold none of the {self.what} "
                f"({self.where}): "
                + _listed(span.beside(span.image, "images") for span in self.spans)
            )


_COUNTS = ("read", "seen", "allowed", "inside", "images", "empty")


def joined(parts: Sequence[Inside], more: Sequence[Inside]) -> list[Inside]:
    """Of two parts of the data, each in the same order; the first may be empty."""
    return [a.join(b) for a, b in zip(parts, more, strict=True)] if parts else list(more)


def _words(range_: Range) -> str:
    low, high = (f"{end:,.0f}" if abs(end) >= 10 else f"{end:.2g}" for end in range_)
    return f"{low} to {high}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
