"""Carries out a plan on a target and awaits health."""
