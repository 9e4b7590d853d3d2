"""`hepcnn gather`: shards become an image set."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath
from hepcnn.errors import InputError
from hepcnn.progress import note


@click.command()
@click.argument("shards", nargs=-1, required=True, type=UserPath(), metavar="SHARD.h5...")
def command(shards: tuple[Path, ...]) -> None:
    """Say which shards make up an image set, in manifest.json beside them.

    All shards must be of one set and in one folder, and no event may be in two of them. Other
    commands then take the folder in the place of its shards, and refuse others that lie there.

    \b
    hepcnn gather planes/a.h5 planes/b.h5
    hepcnn train planes --task lartpc_event --network three_planes -o three_planes
    """
    from hepcnn.store.images import ImageSet
    from hepcnn.store.manifest import MANIFEST, left_over, write_manifest

    folders = sorted({str(path.parent) for path in shards})
    if len(folders) > 1:
        raise InputError(f"shards of one set lie in one folder, not in {' and '.join(folders)}")
    images = ImageSet(shards, listed_only=False)
    manifest = shards[0].with_name(MANIFEST)
    made_of = (list(record.get("inputs", {})) for record in images.provenance)
    names = [path.name for path in images.paths]
    write_manifest(manifest, dict(zip(names, made_of, strict=True)))
    for path in left_over(manifest):
        note(f"{path}: not one of the set's {len(shards)} shards: not used; delete it")
