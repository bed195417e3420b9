"""The pure parts composed: a tree of files in, the desired set and verdict of a site out."""
