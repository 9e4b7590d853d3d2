"""Images in Cherenkov coordinates (θ, φ), and what the windows about expected angles hold.

They are made of the photon candidates of `hepcnn.reconstruction.reconstruct`, of both panels: a
ring that is split between the panels is whole here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config import PolarImages
from hepcnn.detector.geometry import RichGeometry
from hepcnn.errors import InputError
from hepcnn.events.chunk import event_name
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.polar import check_shape
from hepcnn.reconstruction.reconstruct import (
    LARGEST_ANGLE,
    EventCandidates,
    Reconstruction,
    reconstruct,
)
from hepcnn.reconstruction.resolution import angle_sigma
from hepcnn.store.rich import DENSITY_UNIT
from hepcnn.store.shard import Sparse

#: Half width of the window about an expected angle, in σ of a photon's angle.
WINDOW = 3.0
_MOST = np.iinfo(np.uint16).max


def cherenkov_images(
    events: RichEvents,
    geometry: Mapping[str, RichGeometry],
    settings: PolarImages,
    kept: npt.NDArray[np.int64],
) -> tuple[dict[str, Sparse], dict[str, npt.NDArray[np.float32]]]:
    """Make the images of some tracks, and the features that the reconstruction gives.

    Parameters
    ----------
    events : RichEvents
        A chunk of events, all tracks of which are reconstructed.
    geometry : mapping of str to RichGeometry
        The RICHes by name.
    settings : PolarImages
        What the images are.
    kept : int64 array (n,)
        The tracks.

    Returns
    -------
    views : dict of Sparse
        By RICH; empty for a track that is not in it.
    features : dict of float32 arrays (n,) or (n, k)
        Those of `hepcnn.store.rich.analytic_features`.

    Raises
    ------
    InputError
        If the segments of the tracks are not known, or a value is above 65535.
    """
    # The image may end below the rings; the windows of the features do not.
    largest = {
        str(rich): max(LARGEST_ANGLE[rich], 1e-3 * settings.angle[rich]) for rich in settings.rich
    }
    found = reconstruct(events, geometry, settings.rich, largest)
    views: dict[str, Sparse] = {}
    features: dict[str, npt.NDArray[np.float32]] = {}
    for rich in settings.rich:
        candidates = found.candidates[rich]
        split = geometry[rich].split
        try:
            views[rich] = theta_phi_images(
                candidates,
                kept,
                # Both halves look alike: φ is mirrored with the half in which the track ends.
                events.tracks[f"{rich}_exit"][kept, split] < 0,
                split,
                1e-3 * settings.angle[rich],
                settings.shape,
                settings.channels,
            )
        except OverflowError as error:
            track = kept[error.args[0]]
            event = int(np.searchsorted(events.track_offsets, track, "right")) - 1
            raise InputError(
                f"{event_name(events.key[event])}: track "
                f"{track - events.track_offsets[event]}: a bin of {rich} has more than {_MOST} "
                f"hits, or more than {_MOST * DENSITY_UNIT:.1f} photons expected from others: "
                "'shape' needs more bins"
            ) from error
        features |= _window_features(
            found, rich, kept, geometry[rich], events.tracks["p"].astype(np.float64)
        )
    return views, features | {
        "log_local": found.log_local[kept],
        "log_global": found.log_global[kept],
        "log_marginal": found.log_marginal[kept],
    }


def theta_phi_images(
    candidates: EventCandidates,
    tracks: npt.NDArray[np.int64],
    mirrored: npt.NDArray[np.bool_],
    split: int,
    largest: float,
    shape: tuple[int, int],
    channels: Sequence[str] = ("hits",),
) -> Sparse:
    """Count photon candidates in bins of (θ, φ), and add up what else is expected in their pixels.

    The bins are those of ``np.histogram2d(θ, φ, shape, ((0, largest), (-π, π)))``, but θ < largest
    strictly.

    Parameters
    ----------
    candidates : EventCandidates
        Of all tracks.
    tracks : int64 array (n,)
        Those that images are made of.
    mirrored : bool array (n,)
        Tracks of which φ is that of the event's mirror image.
    split : int
        The coordinate that is mirrored: 0 for x, where φ becomes π − φ, and 1 for y, where it
        becomes −φ.
    largest : float
        End of the θ axis (rad).
    shape : tuple of int
        Bins in θ and in φ.
    channels : sequence of {"hits", "expected_other"}
        ``hits``: the number of candidates. ``expected_other``: the sum of their `other`, in
        `DENSITY_UNIT`, rounded.

    Raises
    ------
    OverflowError
        If a value does not fit 16 bits; its argument is the position of the image.
    InputError
        If the images are too large.
    """
    check_shape(shape)
    most = int((candidates.offsets[tracks + 1] - candidates.offsets[tracks]).sum())
    offsets = np.zeros(len(tracks) + 1, np.int64)
    narrow = shape[0] * shape[1] <= 1 << 16
    pixel: npt.NDArray[np.unsignedinteger] = np.empty(most, np.uint16 if narrow else np.uint32)
    value = np.empty((most, len(channels)), np.uint16)
    overflow = _bin(
        candidates.offsets,
        candidates.theta,
        candidates.phi,
        candidates.other,
        tracks,
        mirrored,
        math.pi if split == 0 else 0.0,
        shape[0] / largest,
        shape,
        channels.index("hits") if "hits" in channels else -1,
        channels.index("expected_other") if "expected_other" in channels else -1,
        offsets,
        pixel,
        value,
    )
    if overflow >= 0:
        raise OverflowError(overflow)
    return Sparse(offsets, pixel[: offsets[-1]], value[: offsets[-1]])


@njit(cache=True, nogil=True, error_model="numpy")
def _bin(  # type: ignore[no-untyped-def]
    first, theta, phi, other, tracks, mirrored, shift, per_theta, shape, hits, density, offsets,
    pixel, value,
):  # fmt: skip
    """Add up each track's candidates in all pixels, then list those that are not empty.

    `hits` and `density` are the columns of `value` for the channels, −1 for one that is not there.
    Returns the first image with a value that does not fit, or −1.
    """
    rows, columns = shape
    pixels = rows * columns
    per_turn = columns / (2.0 * math.pi)
    # The spare pixel is for candidates beyond the last row.
    number, total = np.zeros(pixels + 1, np.int32), np.zeros(pixels + 1)
    occupied = np.empty(pixels + 1, np.int32)
    stored = 0
    for i in range(len(tracks)):
        for c in range(first[tracks[i]], first[tracks[i] + 1]):
            row = np.int64(theta[c] * per_theta)
            angle = np.float64(phi[c])
            angle = shift - angle if mirrored[i] else angle
            angle -= 2.0 * math.pi if angle > math.pi else 0.0
            column = min(np.int64((angle + math.pi) * per_turn), columns - 1)
            at = row * columns + column if row < rows else pixels
            number[at] += 1
            total[at] += other[c]
        number[pixels], total[pixels] = 0, 0.0
        found = 0
        for at in range(pixels):
            occupied[found] = at
            found += min(number[at], 1)
        largest = 0.0
        for k in range(found):
            at = occupied[k]
            expected = np.rint(total[at] / DENSITY_UNIT)
            pixel[stored] = at
            if hits >= 0:
                value[stored, hits] = number[at]
                largest = max(largest, number[at])
            if density >= 0:
                value[stored, density] = np.int64(expected)
                largest = max(largest, expected)
            stored += 1 if hits >= 0 or expected > 0 else 0
            number[at], total[at] = 0, 0.0
        if largest > _MOST:
            return i
        offsets[i + 1] = stored
    return -1


def _window_features(
    found: Reconstruction,
    rich: str,
    kept: npt.NDArray[np.int64],
    geometry: RichGeometry,
    momentum: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.float32]]:
    """The features of one RICH."""
    candidates = found.candidates[rich]
    angle = found.angle[rich][kept]
    half = WINDOW * angle_sigma(geometry.resolution, angle, momentum[kept, None])
    counts, other = np.zeros((2, *angle.shape), np.float32)
    mean = np.zeros(len(kept), np.float32)
    _count_windows(
        candidates.offsets,
        candidates.theta,
        candidates.other,
        kept,
        angle,
        half.astype(np.float32),
        counts,
        other,
        mean,
    )
    return {
        f"angle_{rich}": np.nan_to_num(angle),
        f"photons_{rich}": found.photons[rich][kept],
        f"counts_{rich}": counts,
        f"expected_other_{rich}": other,
        f"theta_mean_{rich}": mean,
    }


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _count_windows(first, theta, other, tracks, angle, half, counts, sums, mean):  # type: ignore[no-untyped-def]
    """Candidates within each species' window, what else is expected there, and their mean θ."""
    most = 0
    for track in tracks:
        most = max(most, first[track + 1] - first[track])
    near = np.empty(most, np.bool_)
    for i in range(len(tracks)):
        own = slice(first[tracks[i]], first[tracks[i] + 1])
        # One species after the other: the loops over candidates become SIMD.
        angles, density, within = theta[own], other[own], near[: own.stop - own.start]
        within[:] = False
        for h in range(angle.shape[1]):
            count, total = np.float32(0), np.float32(0)
            for c in range(len(angles)):
                # Of no light the angle is NaN, and nothing is within.
                inside = abs(angles[c] - angle[i, h]) < half[i, h]
                within[c] |= inside
                count += np.float32(inside)
                total += density[c] if inside else np.float32(0)
            counts[i, h], sums[i, h] = count, total
        count, total = np.float32(0), np.float32(0)
        for c in range(len(angles)):
            count += np.float32(within[c])
            total += angles[c] if within[c] else np.float32(0)
        mean[i] = total / max(count, np.float32(1))
