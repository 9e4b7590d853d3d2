"""Moved to `hepcnn.detector.pixels`; this name goes when nothing imports it any more."""

from hepcnn.detector.pixels import *  # noqa: F403
