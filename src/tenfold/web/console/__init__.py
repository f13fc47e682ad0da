"""The console: one page per screen, in the hub's process, for people who see and steer the loop."""

from tenfold.web.console.door import attach

__all__ = ["attach"]
