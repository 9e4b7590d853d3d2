"""Samples: sets of ROOT files, simulated or the user's."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hepcnn.config.settings import (
    Count,
    FilePath,
    Fraction,
    NonNegative,
    Positive,
    Range,
    Settings,
    Species,
    check_mixture,
)
from hepcnn.config.unions import chosen_by, tag
from hepcnn.detector.labels import INTERACTIONS, SINGLE_PARTICLES

#: Of tracks with decays in flight (MeV): here one kaon in twelve gets through the stations.
_LEAST_MOMENTUM = 500.0


class RichSimulation(Settings):
    """Simulated RICH events. The defaults are LHCb Run 3 in scale; all of it can be changed.

    Where no source is named, a default is a round number: momenta for the median of 7 to 8 GeV and
    the mean of 12 to 15 GeV of LHCb's long tracks, tracks between the means of Run 1 (30 to 40) and
    of Run 3 (four to five times as many). What makes identification hard is tuned together:
    `simulation.rich.rates` says to what. Each cause is off at 0 or `false`.
    """

    events: Count = 400
    """Events in the whole sample."""
    shards: Count = 4
    """Files that the sample is written to."""
    tracks: Positive = 100.0
    """Mean number of particles an event that are reconstructed as long tracks."""
    tracks_spread: NonNegative = 0.5
    """RMS of the events' activity over its mean (several collisions an event); 0: all alike."""
    spectrum: Literal["species", "lognormal", "flat"] = "species"
    """Momentum spectrum: log-normal as LHCb's long tracks, for each species its own (kaons,
    protons and deuterons are faster than pions) or one for all; or flat in momentum."""
    momentum_median: Positive = 7000.0
    """Median of the log-normal spectrum (of pions, if each species has its own) before the range
    is applied (MeV). With the defaults, what is left has a median of 8 GeV and a mean of 13 GeV."""
    momentum_width: Positive = 1.0
    """Width of the log-normal spectrum in ln p."""
    momentum_range: Range = (2000.0, 100000.0)
    """Lowest and highest momentum generated (MeV)."""
    mixture: dict[Species, NonNegative] | Literal["flat"] = {
        "electron": 0.025,
        "muon": 0.004,
        "pion": 0.780,
        "kaon": 0.120,
        "proton": 0.070,
        "deuteron": 0.001,
    }
    """Abundance of each species among the reconstructed tracks, all momenta together (normalised
    to 1), or `flat`. [LHCb's long tracks, rounded]"""
    decays: bool = True
    """Pions and kaons decay in flight. Without a large kink the tracking follows the daughter, as
    one track; those that it loses come in addition to `tracks`, as particles that only radiate."""
    interactions: bool = True
    """Hadrons end in the material; those lost to the tracking come in addition too."""
    ghosts: NonNegative = 0.1
    """Tracks that no particle made, per reconstructed track; their `track_pdg` is 0."""
    unreconstructed: NonNegative = 1.8
    """Particles from the material that radiate but are no track, per reconstructed track. With the
    default, 45 % of the hits are no track's, and the peak occupancy of RICH1 is 30 % at 150
    tracks."""
    conversions: bool = True
    """Electrons among the unreconstructed come in pairs, from photons (off: one by one)."""
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
    tracking_tails: Fraction = 0.1
    """Fraction of the tracks whose errors of direction and position are several times as large."""
    misextrapolated: Fraction = 0.025
    """Fraction of the tracks, in each RICH, whose line there is not the particle's."""
    misalignment: NonNegative = 0.2
    """RMS rotation of a segment of the mirrors about each of two axes (mrad); always the same, and
    not known to the reconstruction."""
    emission: bool = True
    """Emission points spread along the track (off: the middle of the radiator)."""
    chromatic: bool = True
    """Photon energies spread over the accepted band (off: its mean)."""
    pixel: bool = True
    """Hits at the centres of binary pixels (off: the exact point)."""
    tracking: bool = True
    """Tracks written with the tracking errors above, `tracking_tails` and `misextrapolated` too
    (off: the true track)."""
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
        if self.decays and self.momentum_range[0] < _LEAST_MOMENTUM:
            raise ValueError(
                f"momentum_range: below {_LEAST_MOMENTUM:g} MeV hardly a kaon reaches the tracking "
                "stations before it decays; raise it, or set `decays: false`"
            )
        return self


#: As far as the tables of what particles do in argon go (MeV).
_HIGHEST_ENERGY = 1e6


class LArTPCSimulation(Settings):
    """Simulated events of a liquid-argon TPC: single particles, or neutrino interactions."""

    events: Count = 1000
    """Events in the whole sample."""
    shards: Count = 4
    """Files that the sample is written to."""
    generator: Literal["particles", "interactions"] = "particles"
    """`particles`: one particle an event. `interactions`: one neutrino interaction an event, or
    none (class `cosmic`)."""
    mixture: dict[str, NonNegative] | Literal["flat"] = "flat"
    """Abundance of each class (normalised to 1), or `flat`: of electron, photon, muon, pion and
    proton, or of numu_cc, nue_cc, nc and cosmic."""
    energy_range: Range | None = None
    """Lowest and highest energy (MeV): kinetic of single particles, flat, by default 100 to 1000;
    of neutrinos, with the spectrum of a broad-band beam, by default 500 to 5000."""
    direction: Literal["isotropic", "beam"] = "isotropic"
    """Of single particles: any direction, or along the beam (+z) within 30 degrees."""
    margin: NonNegative = 100.0
    """Least distance of a vertex from the walls of the active volume (mm)."""
    cosmics: NonNegative = 0.0
    """Mean number of cosmic muons overlaid on each event, during the whole readout; an event of the
    class `cosmic` has at least one. As many in proportion come during the longest drift before it,
    and are seen in part. MicroBooNE sees 20 to 25."""
    fluctuations: bool = True
    """Energy loss fluctuates as Landau's (off: its mean)."""
    scattering: bool = True
    """Multiple scattering."""
    delta_rays: bool = True
    """Electrons of more than 1 MeV knocked out, as particles of their own."""
    hadronic: bool = True
    """Hadrons interact with nuclei."""
    recombination: Literal["box", "birks", "off"] = "box"
    """Modified Box model, Birks' law, or all charge collected."""
    diffusion: bool = True
    """Charge spreads as it drifts."""
    noise: bool = True
    """Electronics noise."""
    dead_wires: Fraction = 0.1
    """Fraction of the wires that give no hit, in groups; always the same ones."""
    deposits: bool = True
    """Write the energy deposits too, which voxels are made of."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.shards > self.events:
            raise ValueError(f"shards: {self.shards} are more than the events ({self.events})")
        if isinstance(self.mixture, dict):
            check_mixture(self.mixture, self.classes)
        if self.energies[1] > _HIGHEST_ENERGY:
            raise ValueError(f"energy_range: up to {_HIGHEST_ENERGY:g} MeV is known of argon")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the generator makes."""
        return tuple(SINGLE_PARTICLES) if self.generator == "particles" else INTERACTIONS

    @property
    def energies(self) -> Range:
        """Lowest and highest energy (MeV)."""
        default = (100.0, 1000.0) if self.generator == "particles" else (500.0, 5000.0)
        return self.energy_range or default


#: The branches that name an event.
_EVENT = {"run", "subrun", "event"}
#: A branch's name, a number, or an expression of both.
Source = Annotated[str, Field(coerce_numbers_to_str=True)]


#: How the rows of LArCV's images are counted.
RowOrder = Literal["up", "down"]
#: What there are any number of in an event, or the event.
Rows = Literal["event", "track", "hit", "particle", "deposit"]


def _of_events(selection: object) -> object:
    """A condition alone is one of events."""
    return {"event": selection} if isinstance(selection, str) else selection


class Sample(Settings):
    """A named set of ROOT files with one layout: simulated, or the user's."""

    files: list[str] = []
    """ROOT files: paths, globs, root:// addresses; `FILE.root:TREE` names the tree too."""
    tree: str = "events"
    """Name of the TTree or RNTuple."""
    branches: dict[str, Source | Annotated[list[Source], Field(min_length=1)]] = {}
    """For each native branch that is called otherwise: its name, or an expression of names and
    numbers: arithmetic, comparisons, `where`, `sqrt`, `abs`, `min`, `max`, trigonometry, `count`,
    `sum`, indices. For example ``1000 * Track_P``, ``sqrt(px**2 + py**2 + pz**2)``,
    ``pos[:, 0]``, ``where(process == 'Decay', 1, 4)``. ``track_weight``, such as an sWeight,
    weights the tables of tracks, not the training. A list joins the hits (or the deposits) of
    several branches, event by event: ``hit_wire: [u_wire, v_wire]`` beside
    ``hit_plane: [0, 1]``. No two events may have one (run, subrun, event): where files begin at
    the same number, ``run: $file`` names them apart (a number of each file's own, wherever it
    lies), ``event: $entry`` where no branch counts (the entry in the tree, from 0)."""
    selection: Annotated[dict[Rows, Source], BeforeValidator(_of_events)] = {}
    """What is read, by what there is one of: ``event``, ``track``, ``hit`` or ``deposit``. Each is
    a condition, an expression over native names and branches: ``{event: trigger == 1, track:
    track_p > 0, hit: hit_charge > 10}``; one alone is of events. What fails it is left out before
    its values are checked, and counted in the cutflow."""
    counters: dict[Rows, Source | Annotated[list[Source], Field(min_length=1)]] = {}
    """For arrays of fixed size an event (``hit_wire[64]``), how many of each event's values are
    real and not padding: the branch that counts them, or an expression. For example ``{hit:
    nhits}``; a list where `branches` has one."""
    on_bad_file: Literal["fail", "skip"] = "fail"
    """`skip`: leave a bad file out; it is counted, listed and shown in the report."""
    files_per_job: Count = 1
    """Files that one conversion job makes into one image shard, in their order. With 1, a file that
    is added is converted alone; with more, so are the groups behind it."""

    #: What can be selected, and what can be counted.
    SELECTED: ClassVar[tuple[Rows, ...]] = ()
    COUNTED: ClassVar[tuple[Rows, ...]] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (getattr(self, "simulate", None) is None) == (not self.files):
            raise ValueError("give either 'simulate' or 'files'")
        for key, known in (("selection", self.SELECTED), ("counters", self.COUNTED)):
            for rows in getattr(self, key):
                if rows not in known:
                    raise ValueError(f"{key}: not of '{rows}', only of {', '.join(known)}")
        return self


class RichSample(Sample):
    """Events of ring-imaging Cherenkov detectors."""

    detector: Literal["rich"] = "rich"
    """What made the events."""
    geometry: FilePath = "lhcb-run3"
    """A geometry by name (lhcb-run3, lhcb-run1) or a YAML file in the same form."""
    simulate: RichSimulation | None = None
    """Make the events; exclusive with `files`."""

    SELECTED: ClassVar[tuple[Rows, ...]] = ("event", "track", "hit")
    COUNTED: ClassVar[tuple[Rows, ...]] = ("track", "hit")


class LArTPCSample(Sample):
    """Events of a liquid-argon time projection chamber."""

    detector: Literal["lartpc"]
    """What made the events."""
    geometry: FilePath = "microboone"
    """A geometry by name (microboone, sbnd) or a YAML file in the same form."""
    simulate: LArTPCSimulation | None = None
    """Make the events; exclusive with `files`."""
    reader: Literal["hits", "larcv"] = "hits"
    """What the files hold: jagged branches of hits, or LArCV's images (versions 1 and 2), whose
    pixels are taken as hits, with the place and the size that the file gives them: one row is one
    tick, one column one wire. `branches` can then only name the events (run, subrun, event)."""
    pixel: tuple[Positive, Positive] | None = None
    """Of the reader larcv: length (mm) of a row and of a column, for files that do not say it."""
    rows: RowOrder = "up"
    """Of the reader larcv: `up`, an image's first row is its first tick; `down`, its last, as in
    files of the original LArCV 1 (LArbys/LArCV), in which `origin.y` is where the last tick ends.
    No file says which it is: look at one event of yours whose direction of drift you know."""
    channel_map: FilePath | None = None
    """CSV file that gives each channel's plane (columns: channel, plane, TPC), for files that name
    channels and not wires: a `hit_channel` in the place of `hit_plane` and `hit_wire`, and
    `vertex_channel_u`, `_v`, `_y` in that of the vertex's wires."""

    SELECTED: ClassVar[tuple[Rows, ...]] = ("event", "hit", "deposit")
    COUNTED: ClassVar[tuple[Rows, ...]] = ("hit", "particle", "deposit")

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        foreign = [key for key in ("selection", "counters", "channel_map") if getattr(self, key)]
        if self.reader == "larcv" and foreign:
            raise ValueError(f"the reader larcv takes no '{foreign[0]}'")
        if self.reader == "larcv" and self.branches.keys() - _EVENT:
            raise ValueError("the reader larcv takes no 'branches' but run, subrun and event")
        if self.pixel and self.reader != "larcv":
            raise ValueError("pixel: of the reader larcv only")
        if self.rows != "up" and self.reader != "larcv":
            raise ValueError("rows: of the reader larcv only")
        if "hit_channel" in self.branches and not self.channel_map:
            raise ValueError("branches: hit_channel needs a 'channel_map'")
        return self


_FORMS = {"rich": RichSample, "lartpc": LArTPCSample}
AnySample = Annotated[
    Annotated[RichSample, tag(RichSample)] | Annotated[LArTPCSample, tag(LArTPCSample)],
    Field(discriminator=chosen_by("detector", _FORMS, default="rich")),
]
