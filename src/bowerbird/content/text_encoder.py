"""The built-in text encoder: all-MiniLM-L6-v2 through onnxruntime.

Texts are sorted by length before they are batched, so little time goes into padding, and put back
in order. Padding is masked and every number is computed per text, so a text's vector does not
depend on its batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from jaxtyping import Float32, Int32
from tokenizers import Encoding, Tokenizer

from bowerbird.content.encoder import EncodedChunk, EncodingFailure, chunks, side_by_side
from bowerbird.content.encoder_tops import EncoderTops, text_network
from bowerbird.content.graph_cache import recipe_hash, session
from bowerbird.content.made_up import made_up_tokens
from bowerbird.content.minilm import VECTOR_DIM
from bowerbird.content.precision import (
    Precision,
    PrecisionCheck,
    checked_precision,
    graph_of,
    precision_check,
)
from bowerbird.content.quantisation import activation_ranges, int8_products
from bowerbird.content.weights import MINILM, MINILM_TOKENIZER
from bowerbird.records.signal import Space, Vectors

_REVISION = "1"
"""Raised by hand when the graph or the tokens change what a text's vector is."""
_INT8_REVISION = "1"
"""Raised by hand when the int8 graph changes: the calibration, the layers it covers."""
_CALIBRATION_TEXTS = 128
_CHECK_TEXTS = 128
_COMMON_WORDS = range(1996, 12_000)
"""Whole words in the vocabulary, commonest first."""
_ENDS = (101, 102)
"""The marks [CLS] and [SEP] around a text."""
MAX_TOKENS = 128
"""Longer texts are cut: the model was trained on 128 tokens."""
_MAX_CHARACTERS = 4096
"""128 tokens need far fewer; cutting here keeps a book from being tokenised for its first page."""
_CHUNK = 1024
_BATCH = 16


class TextEncoder:
    """Encodes texts into one space of unit vectors.

    Args:
        model_dir: where the built graph is kept; None builds it each time.
        threads: workers side by side.
        precision: ``int8`` runs more than twice as fast where the processor multiplies bytes; its
            vectors live in a space of their own.
        tops: a last layer tuned to a catalogue; its vectors live in a space of their own.

    Raises:
        MissingDependencyError: the weights are not installed.
    """

    modality: Literal["image", "text"] = "text"

    def __init__(
        self,
        model_dir: Path | None = None,
        threads: int = 1,
        precision: Precision = "float",
        *,
        tops: EncoderTops | None = None,
    ) -> None:
        self.threads = threads
        self._tops = tops
        tuned = () if tops is None else (tops.version,)
        recipe = recipe_hash("minilm-l6", MINILM.sha256, _REVISION, _INT8_REVISION, *tuned)
        graph, self.check = graph_of(
            model_dir,
            "minilm-l6",
            recipe,
            lambda: text_network(tops),
            partial(_quantised, threads) if precision == "int8" else None,
        )
        self.precision: Precision = "int8" if self.check is not None and self.check.passed else "float"
        self._session = session(graph)
        self._tokenizer = Tokenizer.from_file(str(MINILM_TOKENIZER.checked()))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    @property
    def space(self) -> Space:
        """Unit vectors of meaning; compared by cosine."""
        tuned = f"-tuned.{self._tops.version}" if self._tops is not None else ""
        precision = f"-int8.{_INT8_REVISION}" if self.precision == "int8" else ""
        return Space("text", f"minilm-l6.{_REVISION}{tuned}{precision}", VECTOR_DIM)

    def encode(self, raw: list[str]) -> Vectors:
        """One row per text; absent where it holds no words."""
        parts = [chunk.vectors for chunk in self.encode_chunks(raw)]
        if not parts:
            return Vectors.full(self.space, np.zeros((0, VECTOR_DIM), dtype=np.float32))
        matrix = np.concatenate([part.matrix for part in parts])
        return Vectors(self.space, matrix, np.concatenate([part.present for part in parts]))

    def encode_chunks(self, raw: Iterable[str | None]) -> Iterator[EncodedChunk]:
        """Vectors of a stream of texts, in order, about a thousand at a time.

        None stands for an item without a text; a text of nothing but spaces is a failure.
        """
        for number, texts in enumerate(chunks(raw, _CHUNK)):
            yield self._chunk(number * _CHUNK, texts)

    def padded_vector(self, text: str, length: int) -> Float32[np.ndarray, "1 dim"]:
        """The vector of one text padded to a length: the slow twin of :meth:`encode`."""
        return self._vectors([self._tokenizer.encode(text).ids], length)

    def _chunk(self, start: int, texts: list[str | None]) -> EncodedChunk:
        spoken = [place for place, text in enumerate(texts) if text is not None and text.strip()]
        failures = tuple(
            EncodingFailure(start + place, "the text holds no words")
            for place, text in enumerate(texts)
            if text is not None and not text.strip()
        )
        # a lone surrogate cannot be encoded as UTF-8 and would stop the tokenizer
        clean = [
            str(texts[place])[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8") for place in spoken
        ]
        tokens: list[Encoding] = self._tokenizer.encode_batch(clean)
        by_length = sorted(range(len(tokens)), key=lambda number: len(tokens[number].ids))
        batches = list(chunks(by_length, _BATCH))
        matrix = np.zeros((len(texts), VECTOR_DIM), dtype=np.float32)
        found = side_by_side(
            lambda batch: self._vectors([tokens[n].ids for n in batch]), batches, self.threads
        )
        for batch, vectors in zip(batches, found, strict=True):
            matrix[[spoken[number] for number in batch]] = vectors
        present = np.zeros(len(texts), dtype=bool)
        present[spoken] = True
        return EncodedChunk(start, Vectors(self.space, matrix, present), failures)

    def _vectors(self, tokens: list[list[int]], least: int = 0) -> Float32[np.ndarray, "text dim"]:
        length = max(least, *(len(ids) for ids in tokens))
        token_ids = np.zeros((len(tokens), length), dtype=np.int32)
        mask = np.zeros((len(tokens), length), dtype=np.int32)
        for row, ids in enumerate(tokens):
            token_ids[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        (vectors,) = self._session.run(["vector"], {"token_ids": token_ids, "mask": mask})
        return np.asarray(vectors)


def _quantised(threads: int, graph: onnx.ModelProto) -> tuple[onnx.ModelProto, PrecisionCheck]:
    """The int8 graph with ranges from made-up texts, compared with float on others."""
    names = [node.input[0] for node in graph.graph.node if node.op_type in ("MatMul", "Attention")]
    shown = made_up_tokens(_CALIBRATION_TEXTS, 0, _COMMON_WORDS, _ENDS)
    whole = int8_products(graph, activation_ranges(graph, names, map(_feed, shown), threads))
    fresh = made_up_tokens(_CHECK_TEXTS, 1, _COMMON_WORDS, _ENDS)

    def vectors(model: onnx.ModelProto) -> Float32[np.ndarray, "text dim"]:
        running = session(model.SerializeToString())
        found = side_by_side(lambda ids: running.run(["vector"], _feed(ids))[0], fresh, threads)
        return np.concatenate([np.asarray(one) for one in found])

    return whole, precision_check(vectors(graph), vectors(whole))


def _feed(token_ids: Int32[np.ndarray, "text length"]) -> dict[str, np.ndarray]:
    return {"token_ids": token_ids, "mask": np.ones_like(token_ids)}


def minilm_l6(model_dir: Path | None = None, threads: int = 1, choice: str = "float") -> TextEncoder:
    """The default text encoder (plugin ``minilm-l6``, or ``minilm-l6:int8``)."""
    return TextEncoder(model_dir, threads, checked_precision("minilm-l6", choice))
