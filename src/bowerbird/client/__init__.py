"""A typed client of a Bowerbird server, in the standard library alone.

Example:
    from bowerbird.client import connect

    server = connect("http://localhost:8080")
    slate = server.homefeed(user="u17", n=10)
    server.send_events(events=[{"event_id": "e-1", "user_id": "u17", "item_id": "i203", "action": "save"}])
"""

from __future__ import annotations

from bowerbird.client.calls import Client
from bowerbird.client.connection import Connection

__all__ = ["Client", "Connection", "connect"]


def connect(address: str, key: str | None = None, timeout_s: float = 30.0) -> Client:
    """A client of the server at an address.

    Args:
        address: e.g. ``http://localhost:8080``.
        key: an API key; None where the server asks for none.
        timeout_s: how long one answer is waited for.

    Raises:
        InputError: the address is not understood.
    """
    return Client(Connection(address, key, timeout_s))
