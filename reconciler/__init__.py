"""Wayside: GitOps for fleets of edge sites, with an embedded rule engine."""

__version__ = "0.1.0"
