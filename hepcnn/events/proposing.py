"""How a file could be read, as its names suggest: lines of a sample, or a whole configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hepcnn.config.samples import LArTPCSample
from hepcnn.detector.tpc import PLANES, load_tpc, tpc_names
from hepcnn.errors import InputError
from hepcnn.events.catalogue import LAYOUTS, Layout
from hepcnn.events.channels import load_channel_map
from hepcnn.events.chunk import KEY_BRANCHES
from hepcnn.events.guessing import branches_block, guess_branches
from hepcnn.events.inspecting import TreeInfo, is_larcv, native_layout, single_numbers
from hepcnn.events.lartpc_schema import USUAL_WIDTH
from hepcnn.events.schema import RICHES
from hepcnn.events.sources import FileSpec, short_names
from hepcnn.events.trying import ranges, refusal, refused

#: What native branches could be made of, in which tree, by which layout.
_Choice = tuple[dict[str, str], TreeInfo, Layout]

#: Entries that are enough to train on.
_ENOUGH = 200
_PLANES = {
    "sample": "mine", "maker": "planes", "region": "charge", "shape": [256, 256],
    "steps": [{"step": "log"}],
}  # fmt: skip
#: What stands for a part of the events' names that a file does not have.
_NAMES = {"run": "$file", "subrun": "0", "event": "$entry"}
_NETWORKS = {
    "lecture_cnn": {"images": "rings", "train": {"epochs": 2, "batch_size": 64}},
    "ours": {
        "architecture": "aligned",
        "features": ["p", "eta", "n_tracks"],
        "train": {"learning_rate": 4.0e-3, "schedule": "cosine"},
    },
}
_TOWER = {
    "architecture": "siamese",
    "options": {"backbone": "sparse_tower", "shared": True, "dropout": 0.0},
}


@dataclass(frozen=True)
class Proposal:
    """How a file could be read.

    Attributes
    ----------
    tree : TreeInfo
        The tree with the events.
    layout : Layout or None
        As which it is read; None: with the reader of LArCV's images.
    branches : dict of str to str
        A branch or an expression of it, by native name.
    is_native : bool
        Whether it can be read as it is.
    note : str
        What is not certain; "" for nothing.
    """

    tree: TreeInfo
    layout: Layout | None
    branches: dict[str, str]
    is_native: bool = False
    note: str = ""

    @property
    def missing(self) -> list[str]:
        """What is needed and was not found."""
        if self.layout is None or self.is_native:
            return []
        wanted = self.layout.wanted(self.branches)
        return [b.name for b in wanted if b.default is None and b.name not in self.branches]


def propose(spec: FileSpec, trees: Sequence[TreeInfo], detector: str | None = None) -> Proposal:
    """Find the likeliest way to read a file.

    Parameters
    ----------
    spec : FileSpec
        The file.
    trees : sequence of TreeInfo
        Its trees: at least one.
    detector : {"rich", "lartpc"}, optional
        What made the events; by default, what the names are most like. If they are as like
        another's, the proposal's note says so.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    images = [tree for tree in trees if is_larcv(tree)]
    if images:
        more = ", ".join(tree.name for tree in images[1:])
        note = f"There are other images too: {more}." if more else ""
        return Proposal(images[0], None, {}, note=note)
    for tree in trees:
        layout, lacking = native_layout(tree)
        if layout and not lacking and not single_numbers(tree, layout):
            names = {b.name for b in tree.branches} & set(layout.branches)
            return Proposal(tree, layout, {name: name for name in names}, is_native=True)
    choices = _choices(_readable(spec, trees, detector), detector)
    branches, tree, layout = _likeliest(choices)
    share, _ = _fit(branches, layout)
    others = [c for c in choices if _detector(c[2]) != _detector(layout)]
    unsure = any(_fit(found, other)[0] >= share for found, _, other in others)
    note = "The names do not tell the detector: say it with --detector." if unsure else ""
    return Proposal(tree, layout, branches, note=note)


def block(spec: FileSpec, found: Proposal) -> str:
    """Lines for a sample that reads a file: `tree` and `branches`; "" if it is native."""
    if found.is_native:
        return ""
    if found.layout is None:
        lines = f"detector: lartpc\nreader: larcv\ntree: {found.tree.name}"
        return f"# {found.note}\n{lines}" if found.note else lines
    native = {name for name, source in found.branches.items() if name == source}
    seen = ranges(FileSpec(spec.path, found.tree.name), found.branches, found.layout)
    lines = branches_block(found.tree.name, found.branches, native, found.layout, seen)
    return f"# {found.note}\n{lines}" if found.note else lines


def configuration(spec: FileSpec, found: Proposal, lines: str) -> str:
    """A whole configuration that reads a file, makes images of it and, with truth, learns.

    Parameters
    ----------
    spec : FileSpec
        The file.
    found : Proposal
        How it could be read.
    lines : str
        As of `block`.

    Raises
    ------
    InputError
        If something is not known without which no configuration runs; it says what.
    """
    if missing := [name for name in found.missing if name not in _NAMES]:
        raise InputError(
            f"{spec}: no configuration can be proposed that runs: nothing there is like "
            f"{', '.join(missing)}; map them in `branches:` by hand"
        )
    sample, supposed = _sample(spec, found)
    mapped = lines.partition("branches:\n")[2] if "branches" in sample else ""
    notes = {f"  # {note}" for note in found.layout.notes} if found.layout else set()
    head = yaml.safe_dump({k: v for k, v in sample.items() if k != "branches"}, sort_keys=False)
    text = [
        f"# Proposed by `hepcnn inspect {spec}`.",
        "# Look at what is guessed: names, units and ranges stand beside it.",
        *([f"# {found.note}"] if found.note else []),
        "samples:",
        "  mine:",
        *(f"    {line}" for line in head.splitlines()),
        *(["    branches:"] if "branches" in sample else []),
        *(f"    {line}" for line in mapped.splitlines() if line not in notes),
        *(f"      {line}" for line in supposed),
    ]
    images, tasks = _work(found)
    text += yaml.safe_dump({"images": images}, sort_keys=False, width=90).splitlines()
    if tasks and found.tree.entries < _ENOUGH:
        text.append(f"# {found.tree.entries} entries are too few to train on; of more files:")
        some = yaml.safe_dump({"tasks": tasks}, sort_keys=False, width=90)
        return "\n".join([*text, "tasks: {}", *(f"# {x}" for x in some.splitlines()), ""])
    return "\n".join([*text, yaml.safe_dump({"tasks": tasks}, sort_keys=False, width=90)])


def _sample(spec: FileSpec, found: Proposal) -> tuple[dict[str, Any], list[str]]:
    """Settings of the sample, and lines of branches that are supposed."""
    sample: dict[str, Any] = {"files": [spec.path], "tree": found.tree.name}
    if found.layout is None:
        return {"detector": "lartpc", "reader": "larcv", **sample}, []
    settings = dict(found.layout.settings)
    names = {name: _NAMES[name] for name in found.missing}
    supposed = [f"{n}: {text}  # supposed: nothing there is like it" for n, text in names.items()]
    branches = found.branches | names
    if settings.get("detector") == "lartpc":
        if "channel_map" in settings:
            settings |= _channel_map(spec)
        else:
            settings |= _geometry(spec, sample | {"branches": branches})
        if "hit_rms" not in found.branches:
            supposed.append(
                f"hit_rms: {USUAL_WIDTH:g}  # supposed: the file has no width of pulses"
            )
    elif "track_pdg" not in found.branches:
        supposed.append("track_pdg: 0  # supposed: the file has no truth")
    if supposed or any(name != source for name, source in found.branches.items()):
        sample["branches"] = branches
    return {**settings, **sample}, supposed


def _channel_map(spec: FileSpec) -> dict[str, str]:
    """A channel map beside the file, and the geometry that has as many wires.

    Raises
    ------
    InputError
        If there is none.
    """
    some: dict[str, str] = {}
    for path in sorted(Path(spec.path).resolve().parent.glob("*.csv")):
        try:
            channels = load_channel_map(path)
        except InputError:
            continue
        some = some or {"channel_map": str(path)}
        counts = [int((channels.plane == plane).sum()) for plane in range(len(PLANES))]
        for name in tpc_names():
            if counts == [load_tpc(name).wires(plane) for plane in PLANES]:
                return {"geometry": name, "channel_map": str(path)}
    if some:
        return some
    raise InputError(
        f"{spec}: its hits are on channels: put the map of channels (CSV with the columns channel, "
        "plane and TPC) beside the file"
    )


def _geometry(spec: FileSpec, sample: dict[str, Any]) -> dict[str, str]:
    """The first geometry on whose wires the first events' hits are; nothing if that is none."""
    for name in tpc_names():
        if not refusal(spec, LArTPCSample(detector="lartpc", geometry=name, **sample)):
            return {"geometry": name}
    return {}


def _work(found: Proposal) -> tuple[dict[str, Any], dict[str, Any]]:
    """Image sets, and tasks for which the truth is there."""
    known = found.branches
    if found.layout is not None and found.layout.settings.get("detector") != "lartpc":
        return _rich_work(known)
    tasks: dict[str, Any] = {}
    if {"neutrino_pdg", "charged_current"} <= set(known):
        networks = {"three_planes": _TOWER}
        tasks["event"] = {"images": "planes", "target": "interaction", "networks": networks}
    if {"particle_pdg", "hit_particle"} <= set(known):
        tasks["pixels"] = {"images": "planes", "target": "semantic"}
    if "vertex_x" in known:
        tasks["vertex"] = {"images": "planes", "target": "vertex"}
    return {"planes": _PLANES}, tasks


def _rich_work(known: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same of a RICH; the analytic methods, and networks like them, need whole segments."""
    riches = [r for r in RICHES if any(n.startswith(f"track_{r}_") for n in known)]
    parts = [f"{part}_{x}" for part in ("entry", "direction", "exit") for x in "xyz"]
    whole = [r for r in riches if all(f"track_{r}_{part}" in known for part in parts)]
    images: dict[str, Any] = {"rings": {"sample": "mine", "maker": "polar", "rich": riches[:1]}}
    task: dict[str, Any] = {"images": "rings"}
    if whole == riches:
        images["angles"] = {
            "sample": "mine",
            "coordinates": "cherenkov",
            "rich": riches,
            "required": riches[:1],
            "shape": [64, 16],
            "channels": ["hits", "expected_other"],
        }
        task = {
            "images": "angles",
            "networks": _NETWORKS,
            "baselines": ["momentum_prior", "likelihood_local", "likelihood_global"],
            "train": {"epochs": 8, "batch_size": 256},
        }
    return images, {"pid": task} if "track_pdg" in known else {}


def _guesses_for(tree: TreeInfo, layout: Layout) -> dict[str, str]:
    """What could be the native branches, by the shortest names that the tree's branches go by."""
    short = {full: name for name, full in short_names([b.name for b in tree.branches]).items()}
    return guess_branches({short[b.name]: (b.type, b.title) for b in tree.branches}, layout)


def _detector(layout: Layout) -> str:
    """The detector of a layout, as a sample names it."""
    return layout.settings.get("detector", "rich")


def _fit(guesses: Mapping[str, str], layout: Layout) -> tuple[float, int]:
    """The share of what a layout needs beside the key that was guessed, and all guesses."""
    needed = {b.name for b in layout.wanted(guesses) if b.default is None}
    needed -= {branch.name for branch in KEY_BRANCHES}
    return len(needed & set(guesses)) / max(len(needed), 1), len(guesses)


def _choices(trees: Sequence[TreeInfo], detector: str | None) -> list[_Choice]:
    """What each tree could be."""
    layouts = [layout for layout in LAYOUTS if detector in (None, _detector(layout))]
    return [(_guesses_for(tree, layout), tree, layout) for tree in trees for layout in layouts]


def _likeliest(choices: Sequence[_Choice]) -> _Choice:
    return max(choices, key=lambda choice: _fit(choice[0], choice[2]))


def _readable(spec: FileSpec, trees: Sequence[TreeInfo], detector: str | None) -> list[TreeInfo]:
    """The trees without those branches that would be proposed, but cannot be read so."""
    left = list(trees)
    while True:
        guesses, tree, layout = _likeliest(_choices(left, detector))
        if not (wrong := refused(FileSpec(spec.path, tree.name), guesses, layout)):
            return left
        others = [branch for branch in tree.branches if branch.name not in wrong]
        left[left.index(tree)] = replace(tree, branches=others)
