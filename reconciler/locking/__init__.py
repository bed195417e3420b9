"""Keeping `images.lock` and its evidence: what sites use, asked of registries and written down."""
