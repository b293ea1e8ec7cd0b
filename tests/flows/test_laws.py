"""The laws, on built workspaces: the future, spaces, seeds, terms, drops, and people nobody knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.errors import InputError, NotFoundError, NotReadyError, SpaceMismatchError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.ranking.features import FEATURES, FeatureMaker
from bowerbird.ranking.trees import TreeScorer
from bowerbird.records.event import ACTION_CODE, ACTIONS, Events
from bowerbird.records.request import Request
from bowerbird.records.signal import Vectors
from bowerbird.records.slate import Slate
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.sequences import Sequences
from bowerbird.surfaces.answers import Answers
from bowerbird.surfaces.budgets import BudgetLedger
from bowerbird.training.impressions import impressions
from bowerbird.training.ranker_examples import examples
from bowerbird.workspace import Workspace

ITEM_SURFACES = ("homefeed", "related", "search", "shopping", "ads")
FINAL = tuple(ACTION_CODE[action] for action in ("save", "purchase", "add_to_cart", "rate"))


@pytest.fixture(scope="module", params=["tiny_workspace", "ranked_workspace"])
def workspace(request: pytest.FixtureRequest) -> Workspace:
    """Each of the built workspaces: without and with a ranker."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def release(workspace: Workspace) -> Release:
    return workspace.answers.release


@pytest.fixture
def ledger(tmp_path) -> BudgetLedger:
    return BudgetLedger(tmp_path / "budgets.sqlite")


def picture(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, format="PNG")
    return out.getvalue()


def questions(release: Release, as_of: int, n: int = 12) -> Iterator[Request]:
    """Requests to every item surface, for people with much, little and no history."""
    people = (*release.people.ids[:6], "nobody knows me")
    items = release.items.vocabulary.ids
    for number, user in enumerate(people):
        yield Request("homefeed", as_of, user_id=user, n=n)
        yield Request("related", as_of, user_id=user, item_id=items[7 * number], n=n)
        yield Request(
            "search", as_of, user_id=user, query=("red circle", "blue", "striped ring")[number % 3], n=n
        )
        yield Request("ads", as_of, user_id=user, n=n, request_id=f"ads-{number}")
    yield Request("search", as_of, image=picture("blue"), n=n)
    yield Request("search", as_of, query="circle", image=picture("green"), n=n)
    yield Request("shopping", as_of, image=picture(), n=n)
    yield Request("shopping", as_of, user_id=people[0], item_id=items[3], n=n)
    yield Request("shopping", as_of, query="yellow square", n=n)


def reading(release: Release, events: Events) -> Release:
    """The same models over another log."""
    users, items = release.people, release.items.vocabulary
    changed = replace(
        release,
        sequences=Sequences.from_events(events, users, items, release.sequences.settings),
        counts=EventCounts.from_events(events, items),
        scorer=None,
    )
    if isinstance(release.scorer, TreeScorer):
        changed = changed.with_scorer(replace(release.scorer, features=FeatureMaker(changed)))
    return changed


def random_events(release: Release, since: int, seed: int, count: int = 400) -> pa.Table:
    """Events of known people and items at random times from ``since`` on."""
    rng = generator(seed, "future")
    items, people = release.items.vocabulary.ids, release.people.ids
    action = rng.choice([name for name in ACTIONS if name not in ("search", "visit", "open")], count)
    return pa.table(
        {
            "event_id": [f"future-{seed}-{number}" for number in range(count)],
            "at": since + rng.integers(0, 3 * DAY_US, count),
            "user_id": [people[row] for row in rng.integers(0, len(people), count)],
            "item_id": [items[row] for row in rng.integers(0, len(items), count)],
            "action": action.tolist(),
            "surface": ["homefeed"] * count,
        }
    )


def with_future(release: Release, events: Events, as_of: int, seed: int) -> Events:
    """The events before a time, and random ones from it on."""
    future = Events(random_events(release, as_of, seed))
    return Events(pa.concat_tables([events.before(as_of).table, future.table]))


def answer(release: Release, workspace: Workspace, ledger: BudgetLedger, request: Request) -> Slate:
    return Answers(release, workspace.settings.surfaces, ledger).answer(request)


def told(slate: Slate) -> tuple:
    """Everything a slate says but how long its stages took."""
    drops = [(drop.stage, drop.reason, drop.rows.tolist()) for drop in slate.dropped]
    stages = [(one.stage, one.candidates_in, one.candidates_out, one.note) for one in slate.trace]
    return slate.request_id, slate.entries, drops, stages, slate.notes


def answers_of(release: Release, workspace: Workspace, ledger: BudgetLedger, as_of: int) -> list[tuple]:
    asked = Answers(release, workspace.settings.surfaces, ledger)
    return [told(asked.answer(request)) for request in questions(release, as_of)]


# --- the future changes nothing --------------------------------------------------------------------


def test_no_surface_changes_when_the_log_is_cut_at_the_time_it_is_asked_about(workspace, release, tmp_path):
    events, as_of = workspace.workbench().events, release.as_of - 3 * DAY_US
    assert len(events.before(as_of)) < len(events)
    cut = reading(release, events.before(as_of))
    full = answers_of(release, workspace, BudgetLedger(tmp_path / "full.sqlite"), as_of)
    assert full == answers_of(cut, workspace, BudgetLedger(tmp_path / "cut.sqlite"), as_of)


def test_growth_does_not_change_when_the_log_is_cut_at_the_time_it_is_asked_about(workspace, release, ledger):
    events, as_of = workspace.workbench().events, release.as_of - 3 * DAY_US
    cut = Answers(reading(release, events.before(as_of)), workspace.settings.surfaces, ledger)
    assert workspace.plan_notifications(5, as_of) == cut.growth.plan(5, as_of)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_surface_changes_when_random_events_come_later(workspace, release, seed, tmp_path):
    events, as_of = workspace.workbench().events, release.as_of - 2 * DAY_US
    past = reading(release, events.before(as_of))
    later = reading(release, with_future(release, events, as_of, seed))
    assert later.sequences.fingerprint() != past.sequences.fingerprint()
    assert answers_of(past, workspace, BudgetLedger(tmp_path / "a.sqlite"), as_of) == answers_of(
        later, workspace, BudgetLedger(tmp_path / "b.sqlite"), as_of
    )


@given(back_hours=st.integers(0, 12 * 24), seed=st.integers(0, 1000))
def test_nothing_read_of_a_person_changes_when_events_come_at_or_after_the_time(
    tiny_workspace, back_hours, seed
):
    release, events = tiny_workspace.answers.release, tiny_workspace.workbench().events
    as_of = release.as_of - back_hours * HOUR_US
    past, later = (
        reading(release, events.before(as_of)),
        reading(release, with_future(release, events, as_of, seed)),
    )
    rows = np.arange(0, len(release.items), 9, dtype=np.int32)
    for user_row in (0, 11, len(release.people) - 1):
        request = Request("homefeed", as_of, user_id=release.people.id(user_row))
        before, after = (
            person_context(one, request, user_row, anchor_row=4, with_interests=True) for one in (past, later)
        )
        assert before.history.rows.tolist() == after.history.rows.tolist()
        assert before.shown.tolist() == after.shown.tolist()
        assert before.hidden.tolist() == after.hidden.tolist()
        assert before.interests == after.interests
        np.testing.assert_array_equal(FeatureMaker(past)(before, rows), FeatureMaker(later)(after, rows))


@given(back_hours=st.integers(0, 12 * 24), seed=st.integers(0, 1000))
def test_no_count_before_a_time_changes_when_events_come_at_or_after_it(tiny_workspace, back_hours, seed):
    release, events = tiny_workspace.answers.release, tiny_workspace.workbench().events
    as_of = release.as_of - back_hours * HOUR_US
    past, later = (
        EventCounts.from_events(log, release.items.vocabulary)
        for log in (events.before(as_of), with_future(release, events, as_of, seed))
    )
    assert past.totals(ACTIONS, 0, as_of).tolist() == later.totals(ACTIONS, 0, as_of).tolist()
    assert past.trending(as_of).tolist() == later.trending(as_of).tolist()


def test_an_item_that_does_not_exist_yet_is_not_shown(workspace, release, ledger):
    as_of = int(np.median(release.created_at[release.created_at > 0]))
    created = dict(zip(release.items.vocabulary.ids, release.created_at.tolist(), strict=True))
    assert max(created.values()) >= as_of
    for request in questions(release, as_of):
        if request.surface != "related":
            shown = answer(release, workspace, ledger, request).item_ids
            assert [name for name in shown if created[name] >= as_of] == []


# --- training sees no outcome ----------------------------------------------------------------------


def test_the_features_of_an_impression_do_not_change_when_its_own_outcomes_are_removed(tiny_workspace):
    release, events = tiny_workspace.answers.release, tiny_workspace.workbench().events
    log = impressions(events, release.people, release.items.vocabulary)
    answered = [number for number in range(len(log)) if log.shown(number).labels.any()][5::40]
    assert len(answered) > 3
    for number in answered:
        shown = log.shown(number)
        request_id = log.table.column("request_id")[int(log.offsets[number])].as_py()
        table = events.table
        is_outcome = np.array(
            [one == request_id for one in table.column("request_id").to_pylist()]
        ) & np.array([one != "impression" for one in table.column("action").to_pylist()])
        assert is_outcome.any()
        without = Events(table.filter(pa.array(~is_outcome)))
        bare = reading(release, without)
        bare_log = impressions(without, release.people, release.items.vocabulary)
        place = next(
            n
            for n in range(len(bare_log))
            if bare_log.shown(n).at == shown.at and bare_log.shown(n).user_row == shown.user_row
        )
        assert not bare_log.shown(place).labels.any()
        own = examples(release, log, np.array([number], np.int64))
        other = examples(bare, bare_log, np.array([place], np.int64))
        np.testing.assert_array_equal(own.features, other.features)
        assert own.labels.any()


def test_a_planted_leak_would_be_seen(tiny_workspace):
    """The features do change when what happened before the impression is removed: the test above can fail."""
    release, events = tiny_workspace.answers.release, tiny_workspace.workbench().events
    log = impressions(events, release.people, release.items.vocabulary)
    bare = reading(release, Events(events.table.slice(0, 0)))
    newest = np.array([len(log) - 1], np.int64)
    own, other = examples(release, log, newest), examples(bare, log, newest)
    assert not np.array_equal(own.features, other.features, equal_nan=True)


def test_the_position_is_the_last_column_and_serving_asks_for_the_top(tiny_workspace):
    release, events = tiny_workspace.answers.release, tiny_workspace.workbench().events
    log = impressions(events, release.people, release.items.vocabulary)
    made = examples(release, log, np.array([0], np.int64))
    assert made.features.shape[1] == len(FEATURES) + 1
    np.testing.assert_allclose(made.features[:, -1], np.log1p(log.shown(0).positions))


# --- spaces never meet -----------------------------------------------------------------------------


def elsewhere(vectors: Vectors, part: str) -> Vectors:
    """The same numbers in a space that differs in one part."""
    space, matrix = vectors.space, vectors.matrix
    if part == "dim":
        other = replace(space, dim=space.dim - 1)
        return Vectors(other, np.ascontiguousarray(matrix[:, :-1]), vectors.present)
    changed = {
        "version": {"version": "of another build"},
        "metric": {"metric": "dot"},
        "name": {"name": "other"},
    }
    return Vectors(replace(space, **changed[part]), matrix, vectors.present)


@pytest.mark.parametrize("part", ["name", "version", "dim", "metric"])
def test_vectors_of_another_space_are_refused_wherever_they_could_meet(tiny_workspace, part, ledger):
    release = tiny_workspace.answers.release
    own = release.vectors["item"]
    if own.space.metric == "dot" and part == "metric":
        other = Vectors(replace(own.space, metric="cosine"), own.matrix, own.present)
    else:
        other = elsewhere(own, part)
    one = other.take(np.array([0], np.int32))
    with pytest.raises(SpaceMismatchError, match="similarity: vectors of space"):
        own.similarity(other)
    with pytest.raises(SpaceMismatchError, match="index search: vectors of space"):
        release.indexes["item"].search(one, 3)
    context = person_context(
        release, Request("homefeed", release.as_of), 0, query_vectors={"item": one}, with_interests=False
    )
    rows = np.arange(4, dtype=np.int32)
    with pytest.raises(SpaceMismatchError, match="features: vectors of space"):
        FeatureMaker(release)(context, rows)
    with pytest.raises(SpaceMismatchError, match="features: vectors of space"):
        FeatureMaker(release)(replace(context, user_vectors=one, query_vectors={}), rows)


def test_an_encoder_switched_without_a_build_is_not_used_until_the_build(own_workspace):
    switched = Workspace.open(own_workspace.layout.root, ["content.image_encoder=efficientnet-lite2"])
    picture = own_workspace.layout.root / "query.png"
    Image.fromarray(np.full((64, 64, 3), (200, 30, 30), np.uint8)).save(picture)
    shown = picture.read_bytes()
    release = switched.answers.release
    assert "efficientnet-lite2" not in release.vectors["image"].space.version
    query = release.queries.encode(None, shown)
    assert query["image"].space == release.vectors["image"].space
    before, after = (one.ask("search", query="red", image=shown) for one in (own_workspace, switched))
    assert [one.item_id for one in after.entries] == [one.item_id for one in before.entries] != []


def test_a_catalogue_that_grew_without_a_build_is_refused_and_the_message_says_to_build(
    own_workspace, tmp_path
):
    file = tmp_path / "more.csv"
    file.write_text("item_id,title\nnew-1,a new red circle\n", encoding="utf-8")
    own_workspace.import_files("items", [file])
    with pytest.raises(NotReadyError, match="bowerbird build"):
        Workspace.open(own_workspace.layout.root).ask("homefeed", user="u1")


# --- same seed, same answer ------------------------------------------------------------------------


def test_the_same_question_gets_the_same_answer(workspace, release, tmp_path):
    first, second = (
        answers_of(release, workspace, BudgetLedger(tmp_path / f"{name}.sqlite"), release.as_of)
        for name in "ab"
    )
    assert first == second


def test_two_builds_from_the_same_inputs_are_equal(tiny_workspace, tmp_path, built):
    again = built(tmp_path, cache=tiny_workspace.layout.cache)
    versions, others = (
        {card.name: card.version for card in one.signals()} for one in (tiny_workspace, again)
    )
    assert versions == others
    own, other = tiny_workspace.answers.release, again.answers.release
    assert own.version == other.version
    for space, vectors in own.vectors.items():
        np.testing.assert_array_equal(vectors.matrix, other.vectors[space].matrix)
    ledgers = [BudgetLedger(tmp_path / f"{name}.sqlite") for name in "ab"]
    assert answers_of(own, tiny_workspace, ledgers[0], own.as_of) == answers_of(
        other, again, ledgers[1], own.as_of
    )


def test_a_second_build_redoes_nothing(own_workspace):
    assert {result.outcome for result in own_workspace.build()} <= {"unchanged", "skipped"}


# --- slates ----------------------------------------------------------------------------------------


def test_terms_add_up_and_probabilities_are_probabilities(workspace, release, ledger):
    shown = 0
    for request in questions(release, release.as_of):
        for entry in answer(release, workspace, ledger, request).entries:
            assert entry.score == pytest.approx(sum(entry.terms.values()), abs=1e-6)
            assert all(0 <= value <= 1 for value in entry.probabilities.values())
            shown += 1
    assert shown > 100


def test_terms_add_up_to_the_value_candidates_are_chosen_by(workspace, release):
    for request in questions(release, release.as_of):
        scored = workspace.answers.pipeline(request.surface).score(request)
        total = np.sum(list(scored.terms.values()), axis=0)
        np.testing.assert_allclose(total, scored.candidates.scores["value"], atol=1e-6)


def test_a_ranker_gives_each_action_a_probability(ranked_workspace):
    slate = ranked_workspace.ask("homefeed", user="u3", n=5)
    assert all({"closeup", "save"} <= set(entry.probabilities) for entry in slate.entries)
    assert not any("no ranker" in note for note in slate.notes)


def test_without_a_ranker_the_answer_says_so(tiny_workspace, ledger):
    release = replace(tiny_workspace.answers.release, scorer=None)
    slate = answer(release, tiny_workspace, ledger, Request("homefeed", release.as_of, user_id="u3", n=5))
    assert any(note.startswith("no ranker") for note in slate.notes)


def test_positions_count_from_the_top_and_nothing_is_shown_twice_or_beside_its_near_duplicate(
    workspace, release, ledger
):
    for request in questions(release, release.as_of):
        slate = answer(release, workspace, ledger, request)
        assert [entry.position for entry in slate.entries] == list(range(len(slate.entries)))
        assert len(slate.entries) <= request.n
        assert len(set(slate.item_ids)) == len(slate.entries)
        groups = release.duplicate_of[release.items.vocabulary.rows(slate.item_ids)]
        assert len(np.unique(groups)) == len(groups), request


def test_what_is_excluded_hidden_or_done_is_never_shown(workspace, release, ledger):
    sequences, as_of = release.sequences, release.as_of
    hiders = [row for row in range(len(release.people)) if len(sequences.hidden(row, as_of))][:5]
    assert hiders
    for row in hiders:
        user = release.people.id(row)
        for request in questions(release, as_of):
            if request.surface == "related" and request.user_id is None:
                continue
            asked = replace(request, user_id=user, request_id="")
            first = answer(release, workspace, ledger, asked)
            without = replace(asked, exclude=first.item_ids[:3])
            slate = answer(release, workspace, ledger, without)
            assert not set(slate.item_ids) & set(first.item_ids[:3])
            groups = release.duplicate_of[release.items.vocabulary.rows(slate.item_ids)]
            hidden = release.duplicate_of[sequences.hidden(row, as_of)]
            assert not np.isin(groups, hidden).any()
            if request.surface == "homefeed":
                done = release.duplicate_of[sequences.history(row, as_of).only(FINAL).rows]
                assert not np.isin(groups, done).any()


def test_what_was_found_is_either_dropped_with_a_reason_or_left(workspace, release):
    for request in questions(release, release.as_of):
        slate = workspace.answers.pipeline(request.surface).answer(request)
        out = {stage.stage: stage.candidates_out for stage in slate.trace}
        gone = [row for drop in slate.dropped for row in drop.rows.tolist()]
        assert all(drop.reason and drop.stage for drop in slate.dropped)
        assert len(gone) == len(set(gone))
        left = next(stage.candidates_in for stage in slate.trace if stage.stage == "diversity")
        assert out["blend"] == len(gone) + left
        assert not set(release.items.vocabulary.names(gone)) & set(slate.item_ids)


@pytest.mark.parametrize("surface", ["homefeed", "related", "search"])
def test_a_shorter_slate_is_a_prefix_of_a_longer_one(workspace, release, surface):
    for request in questions(release, release.as_of):
        if request.surface == surface:
            pipeline = workspace.answers.pipeline(surface)
            longest = pipeline.answer(replace(request, n=40)).item_ids
            for n in (1, 5, 17):
                assert pipeline.answer(replace(request, n=n)).item_ids == longest[:n]


def test_every_shown_item_says_which_source_found_it(workspace, release, ledger):
    for request in questions(release, release.as_of):
        for entry in answer(release, workspace, ledger, request).entries:
            assert entry.because
            assert {one.source for one in entry.because} <= set(
                workspace.settings.surfaces[request.surface].sources
            )


# --- what nobody knows -----------------------------------------------------------------------------


def test_a_person_nobody_knows_gets_an_answer_that_says_so(workspace):
    slate = workspace.ask("homefeed", user="nobody knows me", n=5)
    assert len(slate.entries) == 5
    assert any("'nobody knows me' has no history" in note for note in slate.notes)
    assert {one.source for entry in slate.entries for one in entry.because} <= {"trending", "fresh"}


def test_a_person_without_events_before_the_time_gets_an_answer_that_says_so(workspace, release):
    user = release.people.id(0)
    first = int(release.sequences.times(0, release.as_of)[0])
    slate = workspace.ask("homefeed", user=user, as_of=first, n=5)
    assert any("has no history before this time" in note for note in slate.notes)


def test_an_unknown_item_is_an_error_that_names_a_close_one(workspace):
    with pytest.raises(NotFoundError, match="item 'i1x' is not in the catalogue; did you mean 'i1"):
        workspace.ask("related", item="i1x")


def test_an_unknown_surface_is_an_error_that_names_a_close_one(workspace):
    with pytest.raises(NotFoundError, match="surface 'homefed' does not exist; did you mean 'homefeed'"):
        workspace.ask("homefed", user="u1")


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        ("related", "related: the request has no item; expected item"),
        ("search", "search: the request has no query or image; expected query or image"),
        ("shopping", "shopping: the request has no item or query or image"),
    ],
)
def test_a_request_without_what_the_surface_needs_says_what_to_give(workspace, surface, message):
    with pytest.raises(InputError, match=message):
        workspace.ask(surface, user="u1")


def test_a_picture_that_is_none_is_an_error(workspace):
    with pytest.raises(InputError, match=r"the picture \(13 bytes\) could not be read as an image"):
        workspace.ask("search", image=b"not a picture")


def test_an_empty_workspace_says_what_to_do(tmp_path):
    empty = Workspace.create(tmp_path / "empty")
    with pytest.raises(NotReadyError, match="run `bowerbird build"):
        empty.ask("homefeed", user="u1")
    assert {result.outcome for result in empty.build()} == {"skipped"}
    with pytest.raises(NotReadyError, match="run `bowerbird"):
        empty.ask("homefeed", user="u1")


def test_a_time_before_everything_gives_no_items_and_no_error(workspace, release, ledger):
    for request in questions(release, 1):
        if request.surface != "related" and request.item_id is None:
            assert answer(release, workspace, ledger, request).entries == ()
