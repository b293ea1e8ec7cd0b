"""An encoder spread over a Ray cluster: the same chunks, in order, made by actors that each hold the network.

Pieces of the stream are cut where the encoder itself cuts its batches, so every batch holds the same inputs
wherever it runs, and the vectors are the same to the byte as of the encoder alone.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, final

from bowerbird.content.encoder import EncodedChunk, EncodingFailure, Raw, chunks, load_encoder
from bowerbird.extras import needed
from bowerbird.records.signal import Space, Vectors

__all__ = ["PIECE", "RayEncoder"]

PIECE = {"image": 64, "text": 1024}
"""Inputs sent to an actor at once: a multiple of what every encoder of the modality batches together."""
UNDER_WAY = 2
"""Pieces each actor may have: one it works on, one that waits."""
TRIES = 2
"""Actors a piece may lose; then its inputs count as failed."""


@dataclasses.dataclass
class _Sent:
    """A piece on its way."""

    start: int
    piece: list[Any]
    place: int
    """Of its actor."""
    actor: Any
    result: Any


@final
class RayEncoder:
    """Encodes on every processor of a Ray cluster; a single input is encoded here. Satisfies ``ContentEncoder``.

    Joins the cluster ``RAY_ADDRESS`` names, or starts one on this machine.

    Args:
        name: the encoder, as :func:`~bowerbird.content.encoder.load_encoder` takes it.
        model_dir: where built graphs are kept; workers on other machines build theirs.
        isolated: decode pictures in processes of their own.

    Raises:
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, name: str, model_dir: Path | None = None, *, isolated: bool = False) -> None:
        ray = needed("ray", "ray", "engine 'ray'", "stay with 'local'")
        self._here = load_encoder(name, model_dir)  # also builds the graph once, before actors read it
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        self._ray: Any = ray
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        worker = ray.remote(num_cpus=1)(_Worker)
        self._new_actor: Callable[[], Any] = lambda: worker.remote(name, model_dir, isolated)
        self._actors: list[Any] = [self._new_actor() for _ in range(count)]
        self._ended = weakref.finalize(self, _end, ray, self._actors)

    @property
    def space(self) -> Space:
        """Where the vectors live."""
        return self._here.space

    @property
    def modality(self) -> Literal["image", "text"]:
        """What is encoded."""
        return self._here.modality

    @property
    def check(self) -> Any:
        """How close int8 is to float, where the encoder runs in int8."""
        return getattr(self._here, "check", None)

    def close(self) -> None:
        """End the actors."""
        self._ended()

    def encode(self, raw: list[Raw]) -> Vectors:
        """One row per input; absent where it could not be read."""
        return self._here.encode(raw)

    def encode_chunks(self, raw: Iterable[Raw | None]) -> Iterator[EncodedChunk]:
        """Vectors of a stream, in order; the stream is drawn only as far as actors have room for it.

        A worker that dies is replaced and its pieces are sent again. What dies with two workers one after the other,
        an input that crashes a decoder or memory that runs out, costs the inputs of that piece: each is a failure.
        """
        waiting: deque[_Sent] = deque()
        start = 0
        for number, piece in enumerate(chunks(raw, PIECE[self.modality])):
            if len(waiting) >= UNDER_WAY * len(self._actors):
                yield from self._arrived(waiting.popleft())
            waiting.append(self._sent(start, piece, number % len(self._actors)))
            start += len(piece)
        while waiting:
            yield from self._arrived(waiting.popleft())

    def _sent(self, start: int, piece: list[Any], place: int) -> _Sent:
        actor = self._actors[place]
        return _Sent(start, piece, place, actor, actor.encoded.remote(piece))

    def _arrived(self, sent: _Sent) -> Iterator[EncodedChunk]:
        for chunk in self._chunks_of(sent):
            failures = tuple(
                dataclasses.replace(one, position=one.position + sent.start) for one in chunk.failures
            )
            yield dataclasses.replace(chunk, start=chunk.start + sent.start, failures=failures)

    def _chunks_of(self, sent: _Sent) -> list[EncodedChunk]:
        for tried in range(1, TRIES + 1):
            try:
                return self._ray.get(sent.result)
            except self._ray.exceptions.RayActorError:
                if self._actors[sent.place] is sent.actor:  # else it was replaced for an earlier piece
                    self._actors[sent.place] = self._new_actor()
                if tried < TRIES:
                    sent = self._sent(sent.start, sent.piece, sent.place)
        return self._given_up(sent.piece)

    def _given_up(self, piece: list[Any]) -> list[EncodedChunk]:
        """The piece without vectors: every input of it failed."""
        reason = f"{TRIES} workers died one after the other over the {len(piece)} inputs it was among"
        found = []
        for empty in self._here.encode_chunks([None] * len(piece)):
            places = range(empty.start, empty.start + len(empty.vectors))
            failures = tuple(EncodingFailure(at, reason) for at in places if piece[at] is not None)
            found.append(dataclasses.replace(empty, failures=failures))
        return found


class _Worker:
    """What an actor holds."""

    def __init__(self, name: str, model_dir: Path | None, isolated: bool) -> None:
        self._encoder = load_encoder(name, model_dir, isolated=isolated)

    def encoded(self, piece: list[Any]) -> list[EncodedChunk]:
        return list(self._encoder.encode_chunks(piece))


def _end(ray: Any, actors: list[Any]) -> None:
    if ray.is_initialized():
        while actors:
            ray.kill(actors.pop())
