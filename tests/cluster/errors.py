"""What can go wrong with a real part."""


class PartMissing(Exception):
    """A real part cannot be had on this machine; the message says why, and what would help.

    Tests that need it are skipped on a laptop and fail where `CI=true`.
    """


class PartFailed(Exception):
    """A real part was started and did not do what it should; the message ends with its last words."""
