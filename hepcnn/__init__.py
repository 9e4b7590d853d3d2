"""hepcnn: from ROOT detector hits to particle-identification tables."""

__version__ = "0.1.0"
