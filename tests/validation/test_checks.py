"""Bands, tables of checks, and what is written of them."""

import json

import pytest
from matplotlib.figure import Figure

from hepcnn.validation.checks import Check, Row, checks_table, show, write_checks


def check(name="radius", *values):
    rows = tuple(Row(f"{name} {i}", value, 1.0, 2.0) for i, value in enumerate(values))
    return Check(name, f"About {name}", rows, Figure)


@pytest.mark.parametrize(
    ("value", "passed"),
    [(1.0, True), (1.5, True), (2.0, True), (0.999, False), (2.001, False), (float("nan"), False)],
)
def test_a_value_passes_within_its_band(value, passed):
    assert Row("x", value, 1.0, 2.0).passed is passed


def test_a_check_passes_if_all_of_its_rows_do():
    assert check("a", 1.1, 1.9).passed
    assert not check("a", 1.1, 2.9).passed


def test_table_and_figures_are_written(tmp_path, capsys):
    checks = [check("a", 1.1), check("b", 1.2, float("nan"))]
    table = checks_table(checks, "Made up")
    write_checks(tmp_path, table, checks, {"id": "x"})
    records = json.loads((tmp_path / "checks.json").read_text())["records"]
    assert [(r["check"], r["result"]) for r in records] == [
        ("a", "pass"),
        ("b", "pass"),
        ("b", "FAIL"),
    ]
    assert records[2]["value"] is None
    made = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")}
    tables = {f"checks.{suffix}" for suffix in ("json", "csv", "md", "tex")}
    assert made == tables | {f"figures/{n}.{s}" for n in "ab" for s in ("pdf", "png")}
    show(table)
    printed = capsys.readouterr().out
    assert printed.count("pass") == 2
    assert printed.count("FAIL") == 1
