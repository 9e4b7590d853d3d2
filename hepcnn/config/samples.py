"""Samples: sets of ROOT files, simulated or the user's."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import FiniteFloat, model_validator

from hepcnn.config.settings import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    Range,
    Settings,
    Species,
    check_mixture,
)


class RichSimulation(Settings):
    """Simulated RICH events. The defaults are LHCb Run 3 in scale; all of it can be changed.

    Where no source is named, a default is a round number: momenta for the median of 7 to 8 GeV and
    the mean of 12 to 15 GeV of LHCb's long tracks, tracks between the means of Run 1 (30 to 40) and
    of Run 3 (four to five times as many). Momenta, tracking errors and the number of
    unreconstructed tracks are tuned together: `simulation.rich.background` says to what.
    """

    events: Count = 400
    """Events in the whole sample."""
    shards: Count = 4
    """Files that the sample is written to."""
    tracks: Positive = 100.0
    """Mean number of reconstructed long tracks an event."""
    tracks_spread: NonNegative = 0.5
    """RMS of the events' activity over its mean (several collisions an event); 0: all alike."""
    spectrum: Literal["lognormal", "flat"] = "lognormal"
    """Momentum spectrum: log-normal as LHCb's long tracks, or flat in momentum."""
    momentum_median: Positive = 7000.0
    """Median of the log-normal spectrum before the range is applied (MeV). With the defaults, what
    is left has a median of 7.9 GeV and a mean of 12.1 GeV."""
    momentum_width: Positive = 1.0
    """Width of the log-normal spectrum in ln p."""
    momentum_range: Range = (2000.0, 100000.0)
    """Lowest and highest momentum generated (MeV)."""
    mixture: dict[Species, NonNegative] | Literal["flat"] = {
        "electron": 0.025,
        "muon": 0.004,
        "pion": 0.689,
        "kaon": 0.181,
        "proton": 0.100,
        "deuteron": 0.001,
    }
    """Abundance of each species (normalised to 1), or `flat`. The default is that of the
    lecture's test sample, and a few deuterons."""
    unreconstructed: NonNegative = 2.0
    """Tracks that radiate but are not in the list of tracks, per reconstructed track. With the
    default, half of the hits are theirs, and the peak occupancy of RICH1 is 30 % at 150 tracks."""
    dark_hits: NonNegative = 100.0
    """Mean number of random hits an event, in each RICH."""
    tracking_angle: NonNegative = 0.3
    """Error of the track's direction at high momentum (mrad, each projection)."""
    tracking_scattering: NonNegative = 4.5
    """Error of the track's direction from multiple scattering: this over p (mrad GeV)."""
    tracking_position: NonNegative = 0.5
    """Error of the track's position at the entry (mm, each projection)."""
    tracking_momentum: NonNegative = 0.005
    """Relative error of the momentum."""
    emission: bool = True
    """Emission points spread along the track (off: the middle of the radiator)."""
    chromatic: bool = True
    """Photon energies spread over the accepted band (off: its mean)."""
    pixel: bool = True
    """Hits at the centres of binary pixels (off: the exact point)."""
    tracking: bool = True
    """Tracks written with the tracking errors above (off: the true track)."""
    index_shift: FiniteFloat = 0.0
    """Added to the refractive index of both gases: what the reconstruction does not know of."""
    dead_tubes: Fraction = 0.0
    """Fraction of the photomultiplier tubes that give no hit; always the same ones."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.shards > self.events:
            raise ValueError(f"shards: {self.shards} are more than the events ({self.events})")
        if isinstance(self.mixture, dict):
            check_mixture(self.mixture)
        return self


class Sample(Settings):
    """A named set of ROOT files with one layout: simulated, or the user's."""

    detector: Literal["rich"] = "rich"
    """What made the events."""
    geometry: str = "lhcb-run3"
    """A geometry by name (lhcb-run3, lhcb-run1) or a YAML file in the same form."""
    simulate: RichSimulation | None = None
    """Make the events; exclusive with `files`."""
    files: list[str] = []
    """ROOT files: paths, globs, root:// addresses; `FILE.root:TREE` names the tree too."""
    tree: str = "events"
    """Name of the TTree or RNTuple."""
    branches: dict[str, str] = {}
    """For each native branch that is called otherwise: its name, or an expression of names,
    numbers and + - * / ( ), for example ``1000 * Track_P``."""
    on_bad_file: Literal["fail", "skip"] = "fail"
    """`skip`: leave a bad file out; it is counted, listed and shown in the report."""
    files_per_job: Count = 1
    """Files that one conversion job makes into one image shard."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.simulate is None) == (not self.files):
            raise ValueError("give either 'simulate' or 'files'")
        return self
