"""Pages for people: a client of the HTTP API. It imports nothing of the package but what draws pages."""

from bowerbird.studio.pages import About, add_studio

__all__ = ["About", "add_studio"]
