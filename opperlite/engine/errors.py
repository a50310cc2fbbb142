"""What the engine refuses."""


class BadMedia(ValueError):
    """A source that cannot be used; the message says what was found and what is allowed."""


class Cancelled(Exception):
    """The work was told to stop and did."""
