"""The newest slates, kept so that they can be explained."""

from __future__ import annotations

import threading
from collections import OrderedDict

from bowerbird.errors import NotFoundError
from bowerbird.records.slate import Slate
from bowerbird.serving.replies import ItemCards


class KeptSlates:
    """The newest slates by request id; the oldest leaves when there are too many.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._slates: OrderedDict[str, tuple[Slate, ItemCards]] = OrderedDict()

    def keep(self, slate: Slate, cards: ItemCards) -> None:
        """Keep a slate with the items of the release whose rows it speaks of."""
        with self._guard:
            self._slates.pop(slate.request_id, None)
            self._slates[slate.request_id] = (slate, cards)
            while len(self._slates) > self._most:
                self._slates.popitem(last=False)

    def find(self, request_id: str) -> tuple[Slate, ItemCards]:
        """A kept slate.

        Raises:
            NotFoundError: it was never made here, or has left since.
        """
        with self._guard:
            found = self._slates.get(request_id)
        if found is None:
            raise NotFoundError(
                f"request {request_id[:64]!r} is not among the newest {self._most:,} slates of this server; ask again"
            )
        return found

    def clear(self) -> None:
        """Let go of everything, and with it of older releases."""
        with self._guard:
            self._slates.clear()
