"""Maps in p × η × tracks, cuts, charges and ghosts."""

import csv
import dataclasses
import io

import h5py
import numpy as np
import pytest

from hepcnn.config import PidTask, validate
from hepcnn.config.cuts import parse_cut
from hepcnn.errors import InputError
from hepcnn.performance.evaluate import evaluate_files, table_paths
from hepcnn.performance.pid.maps import EMPTY, NO_WEIGHT, OUTSIDE, make_maps, maps_table
from hepcnn.performance.pid.sample import select
from hepcnn.performance.pid.working_points import scan
from hepcnn.store.predictions import write_predictions

EDGES = {"p": [3e3, 9.3e3, 1e5], "eta": [2.0, 2.5, 3.5], "n_tracks": [0.0, 50.0]}


def weighted(p, weight):
    features = dict(p.features) | {"weight": np.asarray(weight, np.float32)}
    return dataclasses.replace(p, features=features)


def sample_of(*predictions):
    return select(predictions, PidTask(images="rich_polar"), "rich_pid")


@pytest.fixture
def made(make_predictions):
    """A network's predictions, a tenth of them of ghosts."""
    p = make_predictions(n=3000)
    p.label[::10], p.features["ghost"][::10] = -1, 1
    p.features["eta"][:] = np.random.default_rng(2).uniform(1.5, 4, 3000)
    return p


def rows_of(maps):
    return list(csv.DictReader(io.StringIO(maps_table(maps).csv())))


def test_maps_count_what_passes_in_each_bin(made):
    sample = sample_of(made)
    maps = make_maps(sample, [parse_cut("DLLK > 1.5")], EDGES, charges=False)
    assert maps.true[-1] == "ghost"
    score = sample.log_ratio("lecture_cnn")
    eta, p = sample.features["eta"], sample.features["p"]
    for name in ("kaon", "pion"):
        for i, j in np.ndindex(2, 2):
            here = sample.true(name) & (eta >= EDGES["eta"][j]) & (eta < EDGES["eta"][j + 1])
            here &= (p >= EDGES["p"][i]) & (p < EDGES["p"][i + 1])
            index = (0, 0, maps.true.index(name), i, j, 0)
            assert maps.total.n[index[2:]] == here.sum() > 0
            assert maps.passed.n[index] == (here & (score > 1.5)).sum()
    ghost = (made.features["ghost"] == 1) & (made.features["p"] >= 3e3)
    inside = (made.features["eta"] >= 2) & (made.features["eta"] < 3.5)
    inside &= made.features["p"] < 1e5
    assert maps.total.n[-1].sum() == (ghost & inside).sum()


def test_any_two_hypotheses_can_be_compared(made):
    sample = sample_of(made)
    cuts = [parse_cut(t) for t in ("DLLpK > 0", "DLLp > 5 & DLLpK > 0", "DLLKp>=0", "DLLK <= 0")]
    maps = make_maps(sample, cuts, {"p": [3e3, 1e5]}, charges=False)
    proton, both, kaon, not_kaon = maps.passed.n[0].sum(axis=(1, 2))
    p_to_k = sample.log_ratio("lecture_cnn", "proton", "kaon")
    known = sample.label >= 0
    ghost = sample.features["ghost"] == 1
    assert proton == (p_to_k[known | ghost] > 0).sum()
    assert both < proton
    assert kaon + proton == (known | ghost).sum()
    assert not_kaon == (sample.log_ratio("lecture_cnn")[known | ghost] <= 0).sum()


def test_charges_part_the_species_and_add_up(made):
    sample = sample_of(made)
    cut = [parse_cut("DLLK > 0")]
    whole = make_maps(sample, cut, EDGES, charges=False)
    parted = make_maps(sample, cut, EDGES, charges=True)
    for k, name in enumerate(whole.true[:-1]):
        signs = [parted.true.index(f"{name}{s}") for s in "+-" if f"{name}{s}" in parted.true]
        np.testing.assert_array_equal(
            parted.passed.n[:, :, signs].sum(axis=2), whole.passed.n[:, :, k]
        )


def test_what_is_odd_about_a_bin_is_said(made):
    w = np.ones(3000)
    p = made.features["p"]
    kaon = made.label == 3
    slow, fast = kaon & (p < 9300), kaon & (p >= 9300)
    w[slow] = -1
    sample = sample_of(weighted(made, w))
    passing = make_maps(sample, [parse_cut("DLLK > 3")], {"p": EDGES["p"]}, False)
    notes = {r["p_low"]: r["note"] for r in rows_of(passing) if r["true"] == "kaon"}
    assert notes == {"3000.0": NO_WEIGHT, "9300.0": ""}

    score = sample_of(made).log_ratio("lecture_cnn")
    w[slow] = 1
    inside = (p >= 3e3) & (p < 1e5)
    failing = np.flatnonzero(inside)[score <= 3]
    w[np.intersect1d(failing, np.flatnonzero(fast))] = -0.1
    edges = {"p": EDGES["p"], "n_tracks": [0.0, 40.0, 41.0]}
    maps = make_maps(sample_of(weighted(made, w)), [parse_cut("DLLK > 3")], edges, False)
    rows = [r for r in rows_of(maps) if r["true"] == "kaon" and r["p_low"] == "9300.0"]
    assert [r["note"] for r in rows] == [EMPTY, OUTSIDE]
    assert rows[0]["efficiency"] == "nan"
    assert float(rows[1]["efficiency"]) > 1
    whole = float(rows[1]["passed_sumw"]) / float(rows[1]["efficiency_sumw"])
    assert float(rows[1]["efficiency"]) == pytest.approx(whole)


def test_files_hold_the_same_and_are_those_promised(tmp_path, made):
    tables = {"cuts": ["DLLK > 0", "DLLK > 5"], "map_bins": EDGES, "charges": True}
    config = validate({"tasks": {"rich_pid": {"images": "rich_polar", "tables": tables}}})
    w = np.random.default_rng(1).normal(1, 0.5, len(made))
    write_predictions(tmp_path / "p.h5", weighted(made, w))
    folder = tmp_path / "tables"
    evaluate_files([tmp_path / "p.h5"], config, "rich_pid", folder)
    promised = set(table_paths(folder, config.tasks["rich_pid"]))
    absent = {p for p in promised if "majority" in p or "momentum_prior" in p}
    assert {str(p) for p in folder.iterdir()} == promised - absent
    rows = list(csv.DictReader((folder / "maps.csv").open()))
    with h5py.File(folder / "maps.h5") as file:
        assert file["efficiency"].attrs["axes"] == b"method,cut,true,p,eta,n_tracks"
        assert file["total/sumw"].attrs["axes"] == b"true,p,eta,n_tracks"
        assert file["axis/eta"][()].tolist() == EDGES["eta"]
        names = [t.decode() for t in file["axis/true"][()]]
        assert {"kaon+", "kaon-", "ghost"} <= set(names)
        assert [t.decode() for t in file["axis/cut"][()]] == ["DLLK > 0", "DLLK > 5"]
        for name, column in (
            ("efficiency", "efficiency"),
            ("err_low", "efficiency_err_low"),
            ("passed/sumw2", "passed_sumw2"),
            ("passed/n", "efficiency_n_pass"),
        ):
            np.testing.assert_allclose(file[name][()].ravel(), [float(r[column]) for r in rows])
    scan = list(csv.DictReader((folder / "scan.csv").open()))
    assert {r["true"] for r in scan} == {"kaon+", "kaon-", "pion+", "pion-", "ghost"}
    first = (folder / "maps.h5").read_bytes()
    evaluate_files([tmp_path / "p.h5"], config, "rich_pid", folder)
    assert (folder / "maps.h5").read_bytes() == first


def test_the_scan_falls_and_meets_the_working_points(made):
    sample = sample_of(made)
    rows = list(csv.DictReader(io.StringIO(scan(sample, [-20, 0, 5, 20], False).csv())))
    for name in ("kaon", "pion", "ghost"):
        own = [float(r["called"]) for r in rows if r["true"] == name]
        assert own == sorted(own, reverse=True)
        assert own[0] > own[-1]
    score = sample.log_ratio("lecture_cnn")[sample.true("kaon")]
    at_0 = next(r for r in rows if (r["true"], float(r["cut"])) == ("kaon", 0))
    assert float(at_0["called"]) == pytest.approx(np.mean(score > 0))


def test_tracks_in_no_bin_and_ghosts_are_counted(made, tmp_path):
    made.features["eta"][:100] = np.nan
    config = validate(
        {"tasks": {"rich_pid": {"images": "rich_polar", "tables": {"cuts": ["DLLK > 0"]}}}}
    )
    write_predictions(tmp_path / "p.h5", made)
    result = evaluate_files([tmp_path / "p.h5"], config, "rich_pid", tmp_path / "t")
    flow = next(t for t in result.tables if t.name == "cutflow")
    counts = {step: count for _, step, count in flow.rows}
    sample = sample_of(made)
    assert counts["of them in no bin of the maps"] == np.isnan(sample.features["eta"]).sum() > 0
    ghosts = (sample.features["ghost"] == 1).sum()
    assert counts["of other species: ghosts, of no particle"] == ghosts > 0


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("DLLk > 5", "'DLLk > 5' is no cut like"),
        ("DLLK", "is no cut like"),
        ("DLLK > five", "is no cut like"),
        ("DLLK > 1.2.3", "'DLLK > 1.2.3' is no cut like"),
        ("DLLK > 5 & ", "is no cut like"),
        ("DLLpi > 0", "compares pi with itself"),
    ],
)
def test_what_is_no_cut_is_refused_in_the_configuration(cut, message):
    settings = {"images": "rich_polar", "tables": {"cuts": [cut]}}
    with pytest.raises(InputError, match=message):
        validate({"tasks": {"rich_pid": settings}})


def test_symbols_are_told_apart():
    assert [(c.first, c.second) for c in parse_cut("DLLpip > 0 & DLLppi > 0").comparisons] == [
        ("pion", "proton"),
        ("proton", "pion"),
    ]
    with pytest.raises(ValueError, match="no cut"):
        parse_cut("DLLdp.5 > 1")
