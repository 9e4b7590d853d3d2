"""Published figures of LHCb's RICHes, as bands.

Single-photon resolution and photoelectrons: Run 3 from arXiv:1703.09927 and computations with its
geometry, Run 1 the design and, for photoelectrons and totals, what data showed. Radii are computed
from the optics. The bands are as wide as the sources differ. Kaons and pions: the field's common
numbers of LHCb's data, rounded, which the default settings of the simulation are tuned to.
"""

from __future__ import annotations

from hepcnn.errors import InputError, nearest
from hepcnn.validation.rich.setup import Bands, RichBands

#: Variance over mean of a ring's photons. Tubes side by side leave few gaps; HPDs are round, and
#: rings lose more or less of their light between them: 1.2 to 1.3 in the simulation.
SIDE_BY_SIDE, ROUND = (0.85, 1.3), (0.85, 1.5)

BANDS = {
    "lhcb-run3": Bands(
        riches={
            "rich1": RichBands(
                sigma={
                    # 0.37 published, for the tracks of one slope: 0.33 over the acceptance
                    "emission": (0.27, 0.40),
                    "chromatic": (0.58, 0.70),
                    "pixel": (0.44, 0.48),
                    "tracking": (0.25, 0.45),
                    "total": (0.8, 1.0),
                },
                photoelectrons=40,
                spread=SIDE_BY_SIDE,
                radius=(94, 97),
                hits=(4000, 8000),
                separation={20: 42, 40: 10, 60: 4.4},
            ),
            "rich2": RichBands(
                sigma={
                    "emission": (0.23, 0.30),
                    "chromatic": (0.28, 0.34),
                    "pixel": (0.17, 0.23),
                    "tracking": (0.25, 0.45),
                    "total": (0.45, 0.60),
                },
                photoelectrons=22,
                spread=SIDE_BY_SIDE,
                radius=(126, 134),
                hits=(1400, 2800),
                separation={20: 108, 40: 23, 60: 10},
            ),
        },
        tracks=150,
        peak=(0.25, 0.35),
        # About 95 % with 3 to 10 %, and 85 % with 3 %; of the last, at least 20 % of the pions.
        kaons={
            "best": ((0.93, 0.98), (0.03, 0.10)),
            "firm": ((0.81, 0.89), (0.02, 0.04)),
            "last": ((0.50, 0.95), (0.20, 0.40)),
        },
    ),
    "lhcb-run1": Bands(
        riches={
            "rich1": RichBands(
                sigma={
                    "emission": (0.7, 0.9),
                    "chromatic": (0.8, 1.0),
                    "pixel": (0.45, 0.65),
                    "tracking": (0.25, 0.45),
                    "total": (1.2, 1.65),
                },
                photoelectrons=25,
                spread=ROUND,
                radius=(72, 76),
                hits=(400, 1600),
                separation={},
            ),
            "rich2": RichBands(
                sigma={
                    "emission": (0.17, 0.30),
                    "chromatic": (0.3, 0.6),
                    "pixel": (0.15, 0.25),
                    "tracking": (0.25, 0.45),
                    "total": (0.58, 0.75),
                },
                photoelectrons=18,
                spread=ROUND,
                radius=(126, 136),
                hits=(300, 1200),
                separation={},
            ),
        },
        tracks=35,
        peak=(0.04, 0.12),
        kaons={},
    ),
}


def bands_of(geometry: str) -> Bands:
    """The bands of a geometry by its name.

    Raises
    ------
    InputError
        If nothing is published of it.
    """
    if geometry not in BANDS:
        raise InputError(
            f"geometry '{geometry}' has no published figures to be checked against; "
            + nearest(geometry, BANDS)
        )
    return BANDS[geometry]
