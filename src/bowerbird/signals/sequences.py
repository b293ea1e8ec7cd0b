"""Sequences: the one definition of what a person did, saw and refused before a time.

Batch jobs, the stream and serving read people through this module only, so that a model is trained on
the same sequence it is served with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int32, Int64
from pydantic import Field, field_validator

from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.event import ACTION_CODE, ACTIONS, EVENT_SCHEMA, POSITIVE_ACTIONS, Events
from bowerbird.records.history import History
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.tracks import Steps, Track


class SequenceSettings(Settings):
    """What belongs to a person's sequence."""

    actions: tuple[str, ...] = POSITIVE_ACTIONS
    """Actions a history holds."""
    max_length: int = Field(default=200, ge=1, le=100_000)
    """Newest steps a history keeps."""
    shown_days: float = Field(default=3.0, gt=0)
    """How long an impression counts as shown lately, days."""

    @field_validator("actions")
    @classmethod
    def _known(cls, actions: tuple[str, ...]) -> tuple[str, ...]:
        for action in actions:
            if action not in ACTION_CODE:
                raise InputError(f"unknown action {action!r}; {did_you_mean(action, ACTIONS)}")
        return actions

    @property
    def codes(self) -> tuple[int, ...]:
        """The actions as codes."""
        return tuple(ACTION_CODE[action] for action in self.actions)


@dataclass(frozen=True)
class Sequences:
    """Everybody's sequence. All reads are strictly before ``as_of``.

    Make one with :meth:`from_events`.

    Args:
        users: who; rows of the tracks.
        items: what; values of the tracks.
        settings: what belongs in.
        positives: steps with a positive action: histories.
        impressions: what was shown.
        hides: what was refused.
        sought: the part of the impressions that answered the person's own query.
        activity: every event of a person, with or without item; events of unknown items are not here.
        unknown_users: events left out because the user is not in the vocabulary.
        unknown_items: events of known users left out because the item is not in the vocabulary.

    Example:
        >>> events = Events(pa.table({"event_id": ["1", "2", "3"], "at": [10, 20, 30], "user_id": ["u", "u", "x"],
        ...     "item_id": ["a", "b", "a"], "action": ["save", "impression", "save"]}))
        >>> sequences = Sequences.from_events(events, Vocabulary("user", ("u",)), Vocabulary("item", ("a", "b")))
        >>> sequences.history(0, as_of=20).rows.tolist(), sequences.shown(0, as_of=21).tolist()
        ([0], [1])
        >>> sequences.unknown_users
        1
    """

    users: Vocabulary
    items: Vocabulary
    settings: SequenceSettings
    positives: Track
    impressions: Track
    hides: Track
    sought: Track
    activity: Track
    unknown_users: int = 0
    unknown_items: int = 0

    @staticmethod
    def from_events(
        events: Events, users: Vocabulary, items: Vocabulary, settings: SequenceSettings | None = None
    ) -> Sequences:
        """The sequences of a log.

        Args:
            events: the log; equal times keep its order.
            users: the people; events of others are left out and counted.
            items: the catalogue; events of others are left out and counted.
            settings: the defaults when absent.

        Cost: O(n log n) time, O(n) memory.
        """
        none = Track.of(_no_steps(), len(users))
        empty = Sequences(users, items, settings or SequenceSettings(), none, none, none, none, none)
        return empty.appended(events)

    def appended(self, events: Events) -> Sequences:
        """These sequences with more events, wherever in time they belong.

        The law: appending a log in pieces, in any order of arrival, gives the same bytes as
        :meth:`from_events` on the pieces put together in that order.
        """
        steps, unknown_users, unknown_items = known_steps(events, self.users, self.items)
        return self.with_steps(steps, unknown_users, unknown_items)

    def history(self, user_row: int, as_of: int) -> History:
        """A person's newest positive actions strictly before ``as_of``, oldest first.

        Args:
            user_row: row of the person; -1 (nobody) has no history.
            as_of: microseconds UTC.

        Cost: O(log n).
        """
        if user_row < 0:
            return History.empty()
        span = self.positives.span(user_row, as_of)
        newest = slice(max(span.start, span.stop - self.settings.max_length), span.stop)
        return _steps_of(self.positives, newest)

    def histories(self, as_of: int) -> Track:
        """Everybody's :meth:`history` at once.

        Cost: O(n).
        """
        return self.positives.before(as_of, self.settings.max_length)

    def shown(self, user_row: int, as_of: int) -> Int32[np.ndarray, "shown"]:
        """Item rows shown in the ``shown_days`` before ``as_of``, oldest first, repeats kept."""
        if user_row < 0:
            return np.empty(0, np.int32)
        since = as_of - round(self.settings.shown_days * DAY_US)
        return self.impressions.rows[self.impressions.span(user_row, as_of, since)]

    def impressed(self, user_row: int, as_of: int, days: int | float) -> History:
        """What a person was shown in some days before ``as_of``, with times: the denominator of a response."""
        since = as_of - round(days * DAY_US)
        return (
            _steps_of(self.impressions, self.impressions.span(user_row, as_of, since))
            if user_row >= 0
            else History.empty()
        )

    def answered(self, user_row: int, as_of: int, days: int | float) -> History:
        """The part of :meth:`impressed` that answered the person's own query: what they look for."""
        since = as_of - round(days * DAY_US)
        return (
            _steps_of(self.sought, self.sought.span(user_row, as_of, since))
            if user_row >= 0
            else History.empty()
        )

    def refused(self, user_row: int, as_of: int) -> History:
        """:meth:`hidden` with times."""
        return _steps_of(self.hides, self.hides.span(user_row, as_of)) if user_row >= 0 else History.empty()

    def hidden(self, user_row: int, as_of: int) -> Int32[np.ndarray, "hidden"]:
        """Item rows the person ever hid before ``as_of``, oldest first."""
        if user_row < 0:
            return np.empty(0, np.int32)
        return self.hides.rows[self.hides.span(user_row, as_of)]

    def times(self, user_row: int, as_of: int) -> Int64[np.ndarray, "event"]:
        """Times of everything the person did or saw before ``as_of``, ascending, microseconds UTC."""
        if user_row < 0:
            return np.empty(0, np.int64)
        return self.activity.at[self.activity.span(user_row, as_of)]

    def fingerprint(self) -> str:
        """A hash of settings and arrays: equal fingerprints mean equal bytes."""
        digest = hashlib.blake2b(self.settings.fingerprint().encode(), digest_size=16)
        for track in (self.positives, self.impressions, self.hides, self.sought, self.activity):
            for array in (track.offsets, track.rows, track.at, track.actions):
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def whole(self) -> Sequences:
        """Itself: batch and stream are asked alike for everybody's tracks."""
        return self

    def with_users(self, names: tuple[str, ...]) -> Sequences:
        """The same with more people at the end, who did nothing yet."""
        more = len(names)
        return Sequences(
            Vocabulary(self.users.kind, (*self.users.ids, *names)),
            self.items,
            self.settings,
            self.positives.with_users(more),
            self.impressions.with_users(more),
            self.hides.with_users(more),
            self.sought.with_users(more),
            self.activity.with_users(more),
            self.unknown_users,
            self.unknown_items,
        )

    def with_steps(self, steps: Steps, unknown_users: int = 0, unknown_items: int = 0) -> Sequences:
        """The same with more steps, each put in its place in time, and more events counted as left out."""
        liked = np.isin(steps.actions, self.settings.codes) & (steps.rows >= 0)
        seen = (steps.actions == ACTION_CODE["impression"]) & (steps.rows >= 0)
        refused = (steps.actions == ACTION_CODE["hide"]) & (steps.rows >= 0)
        return Sequences(
            self.users,
            self.items,
            self.settings,
            self.positives.merged(steps.where(liked)),
            self.impressions.merged(steps.where(seen)),
            self.hides.merged(steps.where(refused)),
            self.sought.merged(steps.where(seen & steps.asked)),
            self.activity.merged(steps),
            self.unknown_users + unknown_users,
            self.unknown_items + unknown_items,
        )

    def of_one(self, user_row: int) -> Sequences:
        """One person's sequences, as user 0."""
        return Sequences(
            Vocabulary(self.users.kind, (self.users.id(user_row),)),
            self.items,
            self.settings,
            self.positives.of_one(user_row),
            self.impressions.of_one(user_row),
            self.hides.of_one(user_row),
            self.sought.of_one(user_row),
            self.activity.of_one(user_row),
        )


def known_steps(events: Events, users: Vocabulary, items: Vocabulary) -> tuple[Steps, int, int]:
    """Events as rows of the vocabularies, and how many were left out.

    Returns:
        The steps of known users (item -1 where the event has no item); the number of events of unknown users;
        the number of events of known users with an unknown item.
    """
    user_rows = vocabulary_rows(events.table.column("user_id"), users)
    item_column = events.table.column("item_id")
    item_rows = vocabulary_rows(item_column, items)
    has_item = pc.is_valid(item_column).to_numpy()
    known_user = user_rows >= 0
    strange_item = known_user & has_item & (item_rows < 0)
    asked = pc.greater(pc.utf8_length(pc.fill_null(events.table.column("query"), "")), 0).to_numpy()
    steps = Steps(user_rows, item_rows, events.at, events.action_codes, asked).where(
        known_user & ~strange_item
    )
    return steps, int((~known_user).sum()), int(strange_item.sum())


def vocabulary_rows(ids: pa.ChunkedArray, vocabulary: Vocabulary) -> Int32[np.ndarray, "n"]:
    """Rows of a column of ids; -1 for unknown and null. Each distinct id is looked up once."""
    if len(ids) == 0:
        return np.empty(0, np.int32)
    encoded = pc.dictionary_encode(ids.combine_chunks(), null_encoding="encode")
    rows = vocabulary.rows(encoded.dictionary.to_pylist())
    return rows[encoded.indices.to_numpy(zero_copy_only=False)]


def _steps_of(track: Track, span: slice) -> History:
    return History(track.rows[span], track.at[span], track.actions[span])


def _no_steps() -> Steps:
    return known_steps(Events(EVENT_SCHEMA.empty_table()), Vocabulary("user", ()), Vocabulary("item", ()))[0]
