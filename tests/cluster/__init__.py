"""The real parts that tests run against: a Kubernetes control plane, a registry, a signer.

`fixtures` is what tests use; `binaries` builds the programs from pinned sources, once, outside the tree.
"""
