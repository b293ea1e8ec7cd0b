"""The settings of a workspace: what ``bowerbird.toml`` may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from bowerbird.config import Settings, read_toml, validated, with_overrides
from bowerbird.content.eligibility import DEFAULT_POLICY, PolicyRule
from bowerbird.content.instructions import int8_is_fast
from bowerbird.errors import SettingsError, did_you_mean
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.signals.sequences import SequenceSettings
from bowerbird.stores.atomic import write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.surfaces.declarations import declared
from bowerbird.users.audiences import AudienceSettings
from bowerbird.workspace.engines import Engine


class ContentSettings(Settings):
    """How content becomes vectors."""

    image_encoder: str = "efficientnet-lite2"
    """Encoder plugin for pictures, e.g. ``efficientnet-lite2:int8``, ``timm:vit_small_patch16_224``."""
    text_encoder: str = "minilm-l6"
    """Encoder plugin for words, e.g. ``minilm-l6:int8``, ``sentence-transformers:all-MiniLM-L6-v2``."""
    item_space: Literal["auto", "fused", "unified"] = "auto"
    """Where items and queries live: look and words side by side, without training, or a tower trained on this
    catalogue, which needs torch and items with both a picture and words. ``auto`` trains from 500 such items on."""
    retrain: Literal["anew", "toward"] = "anew"
    """How a trained space of items is made again when the catalogue changed: ``anew``, or ``toward`` the vectors of the version
    before, so that vectors kept elsewhere stay comparable. What is left of that is in the note of ``item_vector``."""
    neighbours: Literal["auto", "off"] = "auto"
    """Whether a trained space of items also learns which items people keep together, in collections or each person by themselves:
    ``auto`` from 2,000 positive actions on, and again when the log has doubled or somebody was forgotten."""
    hard_negatives: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of those pairs that bring a look-alike, neither kept with them nor a copy, as one more negative; it was measured to change nothing."""
    graph: Literal["auto", "closed", "trained", "off"] = "auto"
    """How vectors are made of who keeps what, where a surface has the source ``kept_together``: a closed form, or a trained
    network, which needs torch. ``auto`` trains from 100,000 positive actions on."""
    tune_encoders: Literal["auto", "on", "off"] = "off"
    """Whether the last layers of the built-in encoders learn from this catalogue before the space of items is trained:
    minutes, once, and again when the catalogue has doubled. ``auto`` from 3,000 items with a picture and words on, not in a
    simulated workspace; ``on`` from 200. Kept only if held-out pairs find each other better."""
    regions: str = "multi-scale"
    """What finds the parts of a scene that may each show a product: squares of several sizes, or a detector, which is a plugin (``bowerbird.regions``)."""
    engine: Engine = "local"
    """Where pictures are encoded: ``local`` threads, or every processor of a ``ray`` cluster (``RAY_ADDRESS``, else one on this machine); the same bytes."""
    nsfw: Literal["auto", "on", "off"] = "auto"
    """Whether pictures are judged unsafe for work: ``auto`` where ``bowerbird[safety]`` is installed, 35 CPU-ms each."""
    picture_text: Literal["on", "off"] = "off"
    """Whether words in pictures are read, which needs ``bowerbird[words]`` and half a CPU-second a picture; search and the space of items then read them too."""


class RealtimeSettings(Settings):
    """Where events go when they arrive, and where requests read what is newer than the build."""

    stream: str = "log"
    """``log``: the workspace's own. ``redis://HOST:PORT/DB`` or ``kafka://HOST:PORT,.../TOPIC``: a stream that several machines share; ``bowerbird consume`` brings it into the log."""
    state: str = "process"
    """``process``: each server follows the stream by itself. ``file`` or ``redis://HOST:PORT/DB``: servers read the online state that ``bowerbird consume`` keeps."""
    keep_hours: Annotated[float, Field(ge=0)] = 24.0
    """How long a Redis stream keeps events that ``bowerbird consume`` has brought into the log, hours; a Kafka topic has its own retention."""


class ServingSettings(Settings):
    """How the HTTP API behaves. What it answers is the matter of the other sections."""

    live_clock: bool = False
    """False: requests are asked as of the newest event, so that a finished log answers sensibly. True: as of the wall clock."""
    require_key: bool = False
    """Whether requests need an API key."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names requests may carry; any when empty. A server on this machine only names it, against DNS rebinding."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 12 * 2**20
    """Largest request body, counted while it arrives."""
    max_events: Annotated[int, Field(ge=1)] = 10_000
    """Most events in one batch."""
    max_waiting_events: Annotated[int, Field(ge=1)] = 50_000
    """Events on their way to the disk at the same time; more are told to come again (429), none is dropped."""
    max_budget: Annotated[int, Field(ge=1)] = 1000
    """Most notifications one growth request may plan."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Questions a worker answers at the same time; more take turns on its one processor, and all of them wait longer."""
    max_waiting: Annotated[int, Field(ge=0)] = 128
    """Questions that may wait for a thread; more are turned away with 503."""
    rate_per_s: Annotated[float, Field(gt=0)] = 200.0
    """Requests per second a key (or an address, without keys) may make for long."""
    rate_burst: Annotated[int, Field(ge=1)] = 1000
    """Requests it may make at once."""
    kept_slates: Annotated[int, Field(ge=1)] = 2000
    """Newest slates that can be explained."""
    drain_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Seconds between SIGTERM and the end of listening: as long as a balancer needs to see that ``/readyz`` fails."""
    log_requests: bool = False
    """Whether each request is a line of the log: route, status, milliseconds, key; never who or what was asked."""
    record_slates: bool = False
    """Whether every slate for a known person is noted in the event log as shown, as if each question said ``record``."""


class RankerSettings(Settings):
    """What orders candidates."""

    kind: Literal["trees", "neural", "auto"] = "trees"
    """``trees``: boosted trees per action. ``neural``: a network that also reads histories, vectors and ids; needs torch to train,
    not to answer. ``auto`` trains both and keeps the one with the smaller loss on later days."""


class WorkspaceSettings(Settings):
    """Everything ``bowerbird.toml`` may say."""

    name: str = "workspace"
    """What pages and reports call it."""
    simulated: bool = False
    """True when the people are simulated; every page then says so."""
    credit: str = ""
    """Whose pictures these are, shown on every page that shows them."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Seed of everything random in a build."""
    content: ContentSettings = ContentSettings()
    sequence: SequenceSettings = SequenceSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    serving: ServingSettings = ServingSettings()
    policy: dict[str, PolicyRule] = Field(default_factory=lambda: _policy({}, {}, "defaults"))
    """What each surface may show of what was measured; a rule of the same name takes a built-in one's place."""
    audiences: dict[str, AudienceSettings] = Field(default_factory=dict)
    """Audiences by name; a campaign names one as its target."""
    ranker: RankerSettings = RankerSettings()
    surfaces: dict[str, SurfaceSettings] = Field(default_factory=lambda: declared({}, "defaults"))
    """The surfaces: where candidates come from, what may not be shown, what counts."""

    def has_source(self, *names: str) -> bool:
        """Whether some surface has one of these sources: what only they read need not be made otherwise."""
        return any(name in surface.sources for surface in self.surfaces.values() for name in names)


def read_settings(path: Path, overrides: Iterable[str] = ()) -> WorkspaceSettings:
    """The settings of a file with overrides laid over them.

    Raises:
        SettingsError: the file is missing, is not TOML, or says something unknown.
    """
    return settings_of(with_overrides(read_toml(path), overrides), path.name)


def settings_of(tables: dict[str, Any], where: str) -> WorkspaceSettings:
    """Settings from plain tables, surfaces completed with their built-in declarations.

    Raises:
        SettingsError: something unknown is said.
    """
    surfaces = declared(tables.get("surfaces", {}), where)
    policy = _policy(tables.get("policy", {}), surfaces, where)
    rest = {name: value for name, value in tables.items() if name not in ("surfaces", "policy")}
    checked = validated(WorkspaceSettings, rest, where)
    return checked.model_copy(update={"surfaces": surfaces, "policy": policy})


def _policy(
    tables: dict[str, Any], surfaces: Mapping[str, SurfaceSettings], where: str
) -> dict[str, PolicyRule]:
    """The built-in rules, with those of a file in their places or after them."""
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise SettingsError(f"{where}: policy = {tables!r}: expected a table [policy.NAME] for each rule")
    rules = {
        name: validated(PolicyRule, rule, f"{where} [policy.{name}]")
        for name, rule in {**DEFAULT_POLICY, **tables}.items()
    }
    for name, rule in rules.items():
        for surface in rule.surfaces:
            if surfaces and surface not in surfaces:
                raise SettingsError(
                    f"{where} [policy.{name}]: unknown surface {surface!r}; {did_you_mean(surface, surfaces)}"
                )
    return rules


def write_settings(layout: Layout, *, simulated: bool = False, credit: str = "", nsfw: str = "auto") -> None:
    """Write the ``bowerbird.toml`` of a new workspace, named after its directory."""
    text = settings_text(layout.root.resolve().name, simulated=simulated, credit=credit, nsfw=nsfw)
    write_atomically(layout.settings, text.encode())


def settings_text(
    name: str, *, simulated: bool = False, credit: str = "", nsfw: str = ContentSettings().nsfw
) -> str:
    """A ``bowerbird.toml`` that states the surfaces in full, so that they can be edited.

    The encoders' precision is written down too: int8 where this processor is fast at it. So a workspace
    that moves to another machine keeps its precision and its spaces.

    Args:
        name: what pages and reports call it.
        simulated: whether its people are.
        credit: whose pictures these are.
        nsfw: whether pictures are judged; see :class:`ContentSettings`.
    """
    precision = ":int8" if int8_is_fast() else ""
    lines = [
        "# A Bowerbird workspace. Every field is optional; `bowerbird build` reads this file.",
        f"name = {_toml(name)}",
        f"simulated = {_toml(simulated)}",
        f"credit = {_toml(credit)}",
        "seed = 7",
        "",
        "[content]",
        f"image_encoder = {_toml(ContentSettings().image_encoder + precision)}",
        f"text_encoder = {_toml(ContentSettings().text_encoder + precision)}",
        f"nsfw = {_toml(nsfw)}",
        f"picture_text = {_toml(ContentSettings().picture_text)}",
    ]
    for rule_name, rule in _policy({}, {}, "defaults").items():
        lines += ["", f"[policy.{rule_name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in rule.model_dump(mode="json").items() if value]
    for surface, settings in declared({}, "defaults").items():
        lines += ["", f"[surfaces.{surface}]  # {settings.about}"]
        lines += [f"n = {settings.n}", f"eligible = {_toml(settings.eligible)}"]
        lines.append(f"filters = {_toml(list(settings.filters))}")
        lines.append(f"value = {_toml(settings.value)}")
        spread = settings.diversity
        lines.append(f"diversity = {_toml(spread.model_dump())}")
        if settings.needs:
            lines.append(f"needs = {_toml(list(settings.needs))}")
        lines.append(f"[surfaces.{surface}.sources]")
        lines += [f"{source} = {_toml(one.model_dump())}" for source, one in settings.sources.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A plain value as TOML text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return repr(value)
