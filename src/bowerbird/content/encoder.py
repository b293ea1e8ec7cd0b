"""What an encoder is: raw pictures or texts in, vectors of one space out, failures told.

Built-in encoders and other people's register in the entry-point group ``bowerbird.encoders``; the
registered object is a factory ``(model_dir, threads) -> ContentEncoder``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from inspect import signature
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32

from bowerbird import plugins
from bowerbird.content.perceptual_hash import PictureHashes
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

Raw = TypeVar("Raw", bytes, str)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class EncodingFailure:
    """One input that could not be encoded, and why."""

    position: int
    """Its place in the input, counted from 0 over the whole stream."""
    reason: str


@dataclass(frozen=True)
class EncodedChunk:
    """Vectors of consecutive inputs. Rows of failed inputs are absent."""

    start: int
    """Place of the first row in the input."""
    vectors: Vectors
    failures: tuple[EncodingFailure, ...] = ()
    traits: tuple[tuple[str, ...], ...] = ()
    """What was unusual about each picture; see :class:`~bowerbird.content.pictures.Picture`."""
    hashes: PictureHashes | None = None
    """Perceptual hashes of pictures, made from the same decoding; zero where a picture failed."""
    lengths: Float32[np.ndarray, "row"] | None = None
    """Length each vector had before it was brought to unit length, where the encoder has a classifier that
    needs it (:meth:`~bowerbird.content.image_encoder.ImageEncoder.class_logits`)."""


@runtime_checkable
class ContentEncoder(Protocol[Raw]):
    """Encodes one modality into one space."""

    @property
    def space(self) -> Space:
        """Where the vectors live."""
        ...

    @property
    def modality(self) -> Literal["image", "text"]:
        """What is encoded."""
        ...

    def encode(self, raw: list[Raw]) -> Vectors:
        """One row per input; absent where the input could not be read. For a handful of inputs."""
        ...

    def encode_chunks(self, raw: Iterable[Raw | None]) -> Iterator[EncodedChunk]:
        """Vectors of a stream in order, a chunk at a time, in memory that does not grow with it.

        None stands for an item without this modality: its row is absent and it is no failure.
        """
        ...


def load_encoder(
    name: str, model_dir: Path | None = None, threads: int = 1, *, isolated: bool = False
) -> ContentEncoder[Any]:
    """A registered encoder, ready to run.

    Args:
        name: a plugin, e.g. ``efficientnet-lite2``, or a plugin and its choice of a model, e.g.
            ``efficientnet-lite2:int8``, ``timm:vit_small_patch16_224``; `bowerbird plugins` lists plugins.
        model_dir: where built graphs are kept between runs.
        threads: workers that encode side by side.
        isolated: read inputs in processes of their own, where the encoder offers it: for batches of
            strangers' pictures.

    Raises:
        NotFoundError: no installed package offers it.
        InputError: a choice is given and the plugin has none.
        MissingDependencyError: the package with its weights is not installed.
    """
    whole = name in plugins.names("encoders")  # a plugin may have a colon in its own name
    plugin, colon, choice = (name, "", "") if whole else name.partition(":")
    factory = plugins.load("encoders", plugin)
    offered = signature(factory).parameters
    given: dict[str, Any] = {"isolated": True} if isolated and "isolated" in offered else {}
    if colon:
        if "choice" not in offered:
            raise InputError(
                f"encoder {name!r}: {plugin!r} has no choice of models; leave out {colon + choice!r}"
            )
        given["choice"] = choice
    return factory(model_dir=model_dir, threads=threads, **given)


def chunks(inputs: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most ``size``.

    Example:
        >>> list(chunks("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    stream = iter(inputs)
    while chunk := list(islice(stream, size)):
        yield chunk


def side_by_side(work: Callable[[T], R], inputs: Iterable[T], threads: int) -> Iterator[R]:
    """Results in input order, computed on several threads, with a bounded number under way.

    Unlike ``Executor.map``, the input is drawn only as results are taken, so a long stream is never
    in memory as a whole.

    Args:
        work: called once for each input; its first exception ends the stream.
        inputs: any stream.
        threads: workers; a stream of one needs none.

    Example:
        >>> list(side_by_side(lambda x: x * x, range(4), threads=2))
        [0, 1, 4, 9]
    """
    stream = iter(inputs)
    head = list(islice(stream, 1 if threads <= 1 else 2))
    stream = chain(head, stream)
    if len(head) < 2:  # starting threads for one query costs more than its encoding
        yield from map(work, stream)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool:
        waiting: deque[Future[R]] = deque(pool.submit(work, item) for item in islice(stream, 2 * threads))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(stream, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
