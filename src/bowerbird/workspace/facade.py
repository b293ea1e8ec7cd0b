"""The workspace: what a person opens, fills, builds and asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bowerbird.errors import InputError, NotFoundError
from bowerbird.evaluation.outcome import Evaluation
from bowerbird.pipeline.why_not import WhyNot, why_not
from bowerbird.records.person_portrait import PersonPortrait
from bowerbird.records.portrait import ItemPortrait
from bowerbird.records.request import ANYTHING, Request, Wish
from bowerbird.records.signal import SignalCard
from bowerbird.records.slate import NotificationPlan, Slate
from bowerbird.records.vocabulary import AnyId, id_text, id_text_or_none
from bowerbird.stores.layout import Layout
from bowerbird.stores.lock import workspace_lock
from bowerbird.stores.preferences import Preferences, Refusal, RefusalKind
from bowerbird.surfaces.answers import Answers
from bowerbird.surfaces.budgets import BudgetLedger
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.audiences import FoundAudience, found_audience
from bowerbird.workspace.backfilling import backfilled
from bowerbird.workspace.building import built, note_release
from bowerbird.workspace.forgetting import ForgetReport, forget
from bowerbird.workspace.importing import ImportOptions, ImportReport, import_dataset, import_files
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.person_portraits import PersonPortraits
from bowerbird.workspace.plan import StepResult
from bowerbird.workspace.portraits import Portraits
from bowerbird.workspace.refusals import refused
from bowerbird.workspace.releases import Manifest, leave_behind, rolled_back
from bowerbird.workspace.settings import WorkspaceSettings, read_settings, write_settings
from bowerbird.workspace.workbench import Workbench

if TYPE_CHECKING:
    from bowerbird.workspace.evaluating import EvaluationOptions


class Workspace:
    """One directory with everything in it: settings, catalogue, events, pictures, signals, models.

    Make one with :meth:`create`, open one with :meth:`open`. Reading needs no lock; :meth:`build` and
    the imports take the workspace's lock, so two at once is a clear error, not a mess.

    Example:
        >>> import bowerbird, tempfile
        >>> from bowerbird.workspace import Workspace
        >>> Workspace.create(tempfile.mkdtemp() + "/shop").settings.name
        'shop'
    """

    def __init__(self, layout: Layout, settings: WorkspaceSettings) -> None:
        self.layout = layout
        self.settings = settings

    @classmethod
    def open(cls, path: str | Path, overrides: Iterable[str] = ()) -> Workspace:
        """Open a workspace.

        Args:
            path: its directory.
            overrides: ``section.field=value`` texts laid over ``bowerbird.toml``.

        Raises:
            NotFoundError: there is no workspace there.
            SettingsError: its ``bowerbird.toml`` is wrong.
        """
        layout = Layout(Path(path))
        if not layout.exists():
            raise NotFoundError(
                f"{path}: no workspace here (no bowerbird.toml); run `bowerbird init {path}` or `bowerbird demo {path}`"
            )
        return cls(layout, read_settings(layout.settings, overrides))

    @classmethod
    def create(
        cls, path: str | Path, *, simulated: bool = False, credit: str = "", nsfw: str = "auto"
    ) -> Workspace:
        """Make an empty workspace, or open the one that is there; the rest goes into a new ``bowerbird.toml``.

        Raises:
            InputError: the path is a file.
        """
        layout = Layout(Path(path))
        if layout.root.exists() and not layout.root.is_dir():
            raise InputError(f"{path}: a file is in the way; name a new directory")
        layout.create()
        if not layout.exists():
            write_settings(layout, simulated=simulated, credit=credit, nsfw=nsfw)
        return cls.open(path)

    def import_files(
        self,
        kind: str,
        files: Sequence[Path],
        options: ImportOptions | None = None,
        progress: Progress = SILENT,
    ) -> ImportReport:
        """Take in files in the standard columns.

        Args:
            kind: ``items``, ``users``, ``events`` or ``campaigns``.
            files: parquet, csv, tsv, jsonl or xlsx.
            options: where pictures are, what to do with unknown ids.
            progress: shows rows.

        Raises:
            InputError: a file cannot be read or lacks a required column.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, f"import {kind}"):
            return import_files(self.workbench(progress=progress), kind, files, options or ImportOptions())

    def import_dataset(
        self, name: str, path: Path, options: ImportOptions | None = None, progress: Progress = SILENT
    ) -> ImportReport:
        """Take in a named public data set from the folder it was downloaded to.

        Raises:
            NotFoundError: no importer has that name.
            InputError: the folder does not hold the set.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, f"import {name}"):
            return import_dataset(self.workbench(progress=progress), name, path, options or ImportOptions())

    def build(
        self, wanted: Sequence[str] = (), as_of: int | None = None, progress: Progress = SILENT
    ) -> list[StepResult]:
        """Bring signals, indexes and models up to date; only what changed is redone.

        Args:
            wanted: signals, or groups of them (``content``, ``users``, ``models``), to build with what they
                read; all when empty.
            as_of: use only events before this time, microseconds UTC.
            progress: shows each step.

        Raises:
            NotFoundError: a wanted signal does not exist.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, "build"):
            results = built(self.workbench(as_of=as_of, progress=progress), wanted)
        self._read_again()
        return results

    def backfill(self, signal: str, progress: Progress = SILENT) -> list[StepResult]:
        """Make a signal anew with everything made from it, beside what is live, and switch to all of it at once.

        Killed, it carries on where it was when it is asked again.

        Raises:
            NotFoundError: there is no such signal.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, "backfill"):
            results = backfilled(self.layout, self.settings, signal, progress)
            note_release(self.workbench(), results)
        self._read_again()
        return results

    def _read_again(self) -> None:
        """Let go of what was read of the build before."""
        for read in ("answers", "_portraits", "_people"):
            self.__dict__.pop(read, None)

    def evaluate(self, options: EvaluationOptions | None = None, progress: Progress = SILENT) -> Evaluation:
        """How good the answers are, split by time, with intervals; one that is up to date is only read.

        Args:
            options: length of the test, how much is asked.
            progress: shows each part.

        Raises:
            NotReadyError: nothing was built yet.
            BusyError: another process holds the workspace.
        """
        from bowerbird.workspace.evaluating import evaluate  # loads LightGBM: not for those who only ask

        return evaluate(self.layout, self.settings, options, progress)

    def rollback(self) -> Manifest:
        """Make the release before live again, all its parts in one stroke.

        Raises:
            NotFoundError: there is none, or it is not kept any more.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, "rollback"):
            manifest = rolled_back(self.layout)
        self._read_again()
        return manifest

    def forget(self, *, user: AnyId | None = None, item: AnyId | None = None) -> ForgetReport:
        """Remove a person or an item from everywhere; what was learnt from them is named until a build replaced it.

        Raises:
            NotFoundError: the id is nowhere in the workspace.
            BusyError: another process holds the workspace.
        """
        with workspace_lock(self.layout, "forget"):
            report = forget(self.workbench(), self.ledger, user=user, item=item)
            leave_behind(self.layout)
        self._read_again()
        return report

    def workbench(self, as_of: int | None = None, progress: Progress = SILENT) -> Workbench:
        """The stores, opened."""
        return Workbench(self.layout, self.settings, as_of=as_of, progress=progress)

    @cached_property
    def ledger(self) -> BudgetLedger:
        """What campaigns have spent."""
        return BudgetLedger(self.layout.state / "budgets.sqlite")

    @cached_property
    def answers(self) -> Answers:
        """The six surfaces over the live build.

        Raises:
            NotReadyError: nothing was built yet.
        """
        return Answers(loaded_release(self.workbench()), self.settings.surfaces, self.ledger)

    def ask(
        self,
        surface: str,
        *,
        user: AnyId | None = None,
        item: AnyId | None = None,
        query: str | None = None,
        image: bytes | None = None,
        n: int | None = None,
        as_of: int | None = None,
        wish: Wish = ANYTHING,
    ) -> Slate:
        """The slate of an item surface.

        Args:
            surface: homefeed, related, search, shopping or ads.
            user: who asks.
            item: the item it is about.
            query: words.
            image: a picture's bytes.
            n: slate length; the surface's own when None.
            as_of: microseconds UTC; the build's time when None.
            wish: what the answer must not be, and must be.

        Raises:
            NotFoundError: the surface or item is not known.
            InputError: the request lacks what the surface needs.
            NotReadyError: nothing was built yet.
        """
        request = Request(
            surface=surface,
            as_of=self.answers.release.as_of if as_of is None else as_of,
            user_id=id_text_or_none(user),
            item_id=id_text_or_none(item),
            query=query,
            image=image,
            n=self.answers.pipeline(surface).settings.n if n is None else n,
            exclude=wish.exclude,
            without=wish.without,
            only=wish.only,
            boosts=wish.boosts,
        )
        return self.answers.answer(request)

    @cached_property
    def _portraits(self) -> Portraits:
        return Portraits(self.workbench(), self.answers.release)

    def portrait(self, item_id: AnyId, as_of: int | None = None) -> ItemPortrait:
        """All that is known of an item: every live signal with version, confidence and evidence.

        Args:
            item_id: which.
            as_of: events at or after it are not counted, microseconds UTC; the build's time when None.

        Raises:
            NotFoundError: the catalogue has no such item.
            NotReadyError: nothing was built yet.
        """
        return self._portraits.of(id_text(item_id), as_of)

    @cached_property
    def _people(self) -> PersonPortraits:
        return PersonPortraits(self.workbench(), self.answers.release)

    def understanding(self, user_id: AnyId, as_of: int | None = None) -> PersonPortrait:
        """All that is understood of a person: interests with evidence, state, people alike, timeline.

        Args:
            user_id: who.
            as_of: events at or after it are not used, microseconds UTC; the build's time when None.

        Raises:
            NotFoundError: nobody has that id.
            NotReadyError: nothing was built yet.
        """
        return self._people.of(id_text(user_id), as_of)

    def refuse_interest(self, user_id: AnyId, interest: str, wish: RefusalKind | None) -> tuple[Refusal, ...]:
        """Mute or delete one of a person's interests, or allow it again; the next slate obeys.

        Args:
            user_id: who.
            interest: path of a category.
            wish: ``mute``, ``delete``, or None to take either back.

        Returns:
            What the person refuses now.

        Raises:
            NotFoundError: nobody has that id.
            InputError: no item is under the interest.
        """
        release, preferences = self.answers.release, Preferences(self.layout.preferences)
        return refused(release, preferences, id_text(user_id), interest, wish, release.as_of - 1)

    def audience(self, seeds: Sequence[AnyId], n: int) -> FoundAudience:
        """The ``n`` people most like a list of people.

        Args:
            seeds: ids of the list; unknown ones are counted and left out.
            n: 1 or more.

        Raises:
            InputError: fewer than three seeds are known and have events.
            NotReadyError: no vector of people is built.
        """
        return found_audience(self.workbench(), [id_text(one) for one in seeds], n)

    def why_not(
        self,
        missing: AnyId,
        surface: str = "homefeed",
        *,
        user: AnyId | None = None,
        item: AnyId | None = None,
        query: str | None = None,
        n: int | None = None,
        as_of: int | None = None,
    ) -> WhyNot:
        """Why an item is not in the slate that :meth:`ask` gives.

        Args:
            missing: the item that is not shown.
            surface: homefeed, related, search or shopping.
            user: who asks.
            item: the item it is about.
            query: words.
            n: slate length; the surface's own when None.
            as_of: microseconds UTC; the build's time when None.

        Raises:
            NotFoundError: the surface or an item is not known.
            InputError: the request lacks what the surface needs.
        """
        pipeline = self.answers.pipeline(surface)
        at = self.answers.release.as_of if as_of is None else as_of
        length = pipeline.settings.n if n is None else n
        request = Request(surface, at, id_text_or_none(user), id_text_or_none(item), query, n=length)
        return why_not(pipeline, request, id_text(missing))

    def plan_notifications(self, budget: int, as_of: int | None = None) -> NotificationPlan:
        """Growth's answer: whom to notify on a day, with what, within a budget.

        Args:
            budget: most notifications to send.
            as_of: microseconds UTC; the build's time when None.

        Raises:
            InputError: the budget is negative.
            NotReadyError: nothing was built yet.
        """
        return self.answers.growth.plan(budget, self.answers.release.as_of if as_of is None else as_of)

    def signals(self) -> list[SignalCard]:
        """What is live: every signal and model with version, coverage and time."""
        bench = self.workbench()
        return [*bench.signals.cards(), *bench.models.cards()]
