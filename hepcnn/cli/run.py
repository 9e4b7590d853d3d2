"""`hepcnn run`: the whole workflow, or up to a stage."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click

import hepcnn
from hepcnn.cli.options import UserPath
from hepcnn.errors import InputError
from hepcnn.threads import available


def snakefile() -> Path:
    """The workflow: the checkout's, or that which was installed with the package.

    Raises
    ------
    InputError
        If there is none.
    """
    checkout = Path(hepcnn.__file__).parents[1] / "Snakefile"
    if checkout.is_file():
        return checkout
    try:
        files = metadata.files("hepcnn") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "Snakefile" and (found := Path(str(file.locate())).resolve()).is_file():
            return found
    raise InputError("the Snakefile is not where hepcnn is installed: install hepcnn again")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[TARGET] [SNAKEMAKE...]")
@click.option(
    "--config",
    "configs",
    multiple=True,
    type=UserPath(),
    help="Configuration file, by default config.yaml here; each further one is laid over those"
    " before, key by key.",
)
@click.option("--cores", type=click.IntRange(1), help="CPU cores to use; by default all there are.")
def command(arguments: tuple[str, ...], configs: tuple[Path, ...], cores: int | None) -> None:
    """Run the workflow of a configuration: to the report, or to a stage.

    TARGET is events, images, networks or tables; by default everything, to report.html in the
    results folder. Only what is missing or out of date is made. Other arguments are Snakemake's,
    such as --dry-run or --profile.

    \b
    hepcnn run --config mine.yaml
    hepcnn run tables --config config.yaml --config mine.yaml --cores 2 --dry-run
    """
    chosen = configs or (Path("config.yaml"),)
    for path in chosen:
        if not path.is_file():
            raise InputError(f"'{path}' is not there: give the configuration as --config FILE")
    options = ["--snakefile", str(snakefile()), "--cores", str(cores or available())]
    options += ["--rerun-incomplete", "--configfile", *map(str, chosen)]
    # A target must not follow an option of many values.
    done = subprocess.run([sys.executable, "-m", "snakemake", *arguments, *options], check=False)
    sys.exit(done.returncode)
