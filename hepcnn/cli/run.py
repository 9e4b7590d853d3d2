"""`hepcnn run`: the whole workflow, or up to a stage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path

import click

import hepcnn
from hepcnn.cli.options import UserPath
from hepcnn.errors import InputError, nearest
from hepcnn.threads import available

#: Targets by name; others are files in the results folder.
TARGETS = ("all", "events", "images", "networks", "tables", "report")
#: With these of Snakemake's options its own lines are wanted.
_TALKATIVE = {"-n", "--dry-run", "--dryrun", "-p", "--printshellcmds", "--verbose", "-q", "--quiet"}


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


def _check(arguments: Sequence[str]) -> None:
    """Refuse a target that there is not, and our own options misspelt, before Snakemake starts."""
    for argument in arguments:
        option = argument.partition("=")[0]
        meant = get_close_matches(option, ("--config", "--cores"), cutoff=0.8)
        if meant and option.startswith("--"):
            raise InputError(f"no option '{option}'; did you mean '{meant[0]}'?")
    target = arguments[0] if arguments else "all"
    if not target.startswith("-") and "/" not in target and target not in TARGETS:
        raise InputError(f"no target '{target}'; {nearest(target, TARGETS)}")


def _quietly(arguments: Sequence[str]) -> Iterator[str]:
    """Options that leave the lines of our own stages, unless others are asked for."""
    if not _TALKATIVE & {argument.partition("=")[0] for argument in arguments}:
        yield from ("--quiet", "host", "rules")


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

    TARGET is events, images, networks or tables, or a file in the results folder; by default
    everything, to report.html there. Only what is missing or out of date is made. Other arguments
    are Snakemake's, such as --dry-run or --profile.

    \b
    hepcnn run --config mine.yaml
    hepcnn run tables --config config.yaml --config mine.yaml --cores 2 --dry-run
    """
    _check(arguments)
    chosen = configs or (Path("config.yaml"),)
    for path in chosen:
        if not path.is_file():
            raise InputError(
                f"'{path}' is not in {Path.cwd()}: give the configuration as --config FILE"
            )
    options = ["--snakefile", str(snakefile()), "--cores", str(cores or available())]
    # A file that begins as an option does is none.
    files = [f"./{path}" if str(path).startswith("-") else str(path) for path in chosen]
    options += ["--rerun-incomplete", *_quietly(arguments), "--configfile", *files]
    # A target must not follow an option of many values.
    done = subprocess.run([sys.executable, "-m", "snakemake", *arguments, *options], check=False)
    sys.exit(done.returncode)
