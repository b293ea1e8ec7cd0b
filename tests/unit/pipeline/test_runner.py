"""The runner over a release computed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from jaxtyping import Float32, Int32

from bowerbird.config import validated
from bowerbird.errors import InputError, NotFoundError, NotReadyError
from bowerbird.pipeline.runner import Pipeline, request_fingerprint
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.ranking.value import FUSION_K
from bowerbird.records.item import Items
from bowerbird.records.request import Context, Request


def surface(**fields: object) -> SurfaceSettings:
    plain = {"sources": {"covisitation": {}, "trending": {}}, "value": {"retrieval": 1.0}, "filters": ()}
    return validated(SurfaceSettings, {**plain, "diversity": {"method": "none"}, **fields}, "test")


@dataclass(frozen=True)
class Known:
    """A scorer that knows every item's chance of a save."""

    saves: tuple[float, ...]
    actions: tuple[str, ...] = ("save",)

    def features(self, context: Context, rows: Int32[np.ndarray, "n"]) -> Float32[np.ndarray, "n feature"]:
        return np.empty((len(rows), 0), np.float32)

    def probabilities(
        self,
        context: Context,
        rows: Int32[np.ndarray, "n"],
        positions: Int32[np.ndarray, "n"] | None = None,
    ) -> Mapping[str, Float32[np.ndarray, "n"]]:
        return {"save": np.array(self.saves, np.float32)[rows]}


def ask(release, **known):
    return Request("homefeed", release.as_of, **known)


def test_the_retrieval_score_is_reciprocal_rank_fusion_as_a_share_of_the_first_rank(small):
    slate = Pipeline("homefeed", surface(), small).answer(ask(small))  # only trending finds anything
    assert [entry.score for entry in slate.entries] == pytest.approx(
        [(FUSION_K + 1) / (FUSION_K + rank) for rank in (1, 2, 3, 4)], rel=1e-5
    )


def test_the_value_is_the_weighted_sum_of_probabilities(small):
    ranked = small.with_scorer(Known((0.1, 0.2, 0.3, 0.4, 0.5, 0.6)))
    slate = Pipeline("homefeed", surface(value={"save": 2.0, "retrieval": 0.0}), ranked).answer(ask(ranked))
    assert slate.item_ids == ("i3", "i2", "i1", "i0")
    assert [entry.terms["save"] for entry in slate.entries] == pytest.approx(
        [2 * 0.4, 2 * 0.3, 2 * 0.2, 2 * 0.1]
    )
    assert slate.entries[0].probabilities == pytest.approx({"save": 0.4})


def test_without_a_ranker_actions_give_way_to_retrieval_and_the_slate_says_so(small):
    slate = Pipeline("homefeed", surface(value={"save": 1.0}), small).answer(ask(small))
    assert set(slate.entries[0].terms) == {"retrieval"}
    assert slate.notes[0].startswith("no ranker: ordered by the retrieval score")


def test_an_action_the_ranker_does_not_predict_is_named(small):
    ranked = small.with_scorer(Known((0.1,) * 6))
    slate = Pipeline("homefeed", surface(value={"save": 1.0, "purchase": 2.0}), ranked).answer(ask(ranked))
    assert slate.notes[0].startswith("the ranker does not predict purchase")
    assert set(slate.entries[0].terms) == {"save"}


def test_every_stage_is_in_the_trace_in_order(small):
    slate = Pipeline("homefeed", surface(filters=("excluded", "near_duplicate_in_slate")), small).answer(
        ask(small)
    )
    assert [one.stage for one in slate.trace] == [
        "understand",
        "source covisitation",
        "source trending",
        "blend",
        "filter excluded",
        "score",
        "filter near_duplicate_in_slate",
        "diversity",
    ]


def test_a_drop_names_its_filter_and_reason(small):
    request = ask(small, exclude=("i0",))
    slate = Pipeline("homefeed", surface(filters=("excluded",)), small).answer(request)
    assert [(one.stage, one.reason, one.rows.tolist()) for one in slate.dropped] == [
        ("excluded", "the caller excluded it", [0])
    ]


def test_what_the_release_lacks_is_in_the_notes(small):
    lacking = replace(small, lacks={"times": "events have no times"})
    slate = Pipeline("homefeed", surface(), lacking).answer(ask(small, user_id="u2"))
    assert "times: events have no times" in slate.notes
    assert any("'u2' has no history" in note for note in slate.notes)


def test_a_request_without_what_is_needed_is_refused(small):
    with pytest.raises(InputError, match="homefeed: the request has no user; expected user"):
        Pipeline("homefeed", surface(needs=("user",)), small).answer(ask(small))
    with pytest.raises(InputError, match="the request has no item or query; expected item or query"):
        Pipeline("homefeed", surface(needs=("item", "query")), small).answer(ask(small))


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_blank_words_are_no_query(small, blank):
    with pytest.raises(InputError, match="the request has no query; expected query"):
        Pipeline("homefeed", surface(needs=("query",)), small).answer(ask(small, query=blank))


def test_an_empty_catalogue_says_what_to_import(small):
    empty = replace(small, items=Items(pa.table({"item_id": pa.array([], pa.string())})))
    with pytest.raises(NotReadyError, match="the catalogue is empty; run `bowerbird import items FILE`"):
        Pipeline("homefeed", surface(sources={"trending": {}}), empty).answer(ask(small))


def test_an_unknown_plugin_is_named_with_a_close_one(small):
    with pytest.raises(NotFoundError, match="sources: no plugin 'trendy' is installed"):
        Pipeline("homefeed", surface(sources={"trendy": {}}), small)
    with pytest.raises(NotFoundError, match="filters: no plugin 'sean' is installed; did you mean 'seen'"):
        Pipeline("homefeed", surface(filters=("sean",)), small)


def test_a_question_has_one_fingerprint_and_every_part_of_it_counts(small):
    base = ask(small, user_id="u0")
    assert request_fingerprint(base, "1") == request_fingerprint(base, "1")
    others = [
        replace(base, user_id="u1"),
        replace(base, n=3),
        replace(base, query="x"),
        replace(base, image=b"x"),
        replace(base, without="x"),
        replace(base, only=("price<=1",)),
        replace(base, seed=1),
        replace(base, exclude=("i0",)),
        replace(base, as_of=base.as_of + 1),
    ]
    marks = {request_fingerprint(one, "1") for one in [base, *others]} | {request_fingerprint(base, "2")}
    assert len(marks) == len(others) + 2


def test_a_search_reads_a_slip_says_so_and_holds_to_conditions(small):
    words = surface(sources={"lexical": {}}, filters=("unwanted",), eligible="all", needs=("query",))
    pipeline = Pipeline("search", words, small)
    slate = pipeline.answer(ask(small, query="blue lmap"))
    assert slate.item_ids[0] == "i2"
    assert any("'lmap' is in no item and was read as 'lamp'" in note for note in slate.notes)
    red = pipeline.answer(ask(small, query="red cup", only=("price<=10",), without="sale"))
    assert red.item_ids == ("i0",)
    assert [drop.stage for drop in red.dropped] == ["unwanted"]


def test_a_request_that_has_an_id_keeps_it(small):
    assert Pipeline("homefeed", surface(), small).answer(ask(small, request_id="mine")).request_id == "mine"
