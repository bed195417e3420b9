"""The demonstration: a fleet of three sites in a folder of its own, with real agents."""
