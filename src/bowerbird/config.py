"""Settings: typed, frozen, unknown fields refused, every range in the type.

Defaults < ``bowerbird.toml`` < ``--set section.field=value``.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from bowerbird.errors import SettingsError, did_you_mean


class Settings(BaseModel):
    """Base of every settings class: frozen, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def fingerprint(self) -> str:
        """A hash of the resolved values; artefacts store it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


S = TypeVar("S", bound=Settings)


def validated(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Settings of a kind from plain values, with errors that name the place.

    Args:
        kind: the settings class.
        values: nested plain values, as TOML gives them.
        where: what to call the place in a message, e.g. ``bowerbird.toml``.

    Raises:
        SettingsError: a field is unknown, of the wrong type or out of range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_explain(kind, problem, where) for problem in error.errors())
        ) from error


def _explain(kind: type[Settings], problem: Any, where: str) -> str:
    path = [str(part) for part in problem["loc"]]
    place = f"{where} [{'.'.join(path[:-1])}]" if len(path) > 1 else where
    if problem["type"] == "extra_forbidden":
        known = _fields_at(kind, path[:-1])
        return f"{place}: unknown field {path[-1]!r}; {did_you_mean(path[-1], known)}"
    return f"{place}: {path[-1] if path else 'value'} = {problem.get('input')!r}: {problem['msg']}"


def _fields_at(kind: type[Settings], path: Iterable[str]) -> list[str]:
    """Field names of the settings class found by walking the path; dict keys and list places are skipped."""
    current: type[BaseModel] = kind
    for part in path:
        field = current.model_fields.get(part)
        if field is not None:
            nested = _settings_in(field.annotation)
            current = nested if nested is not None else current
    return list(current.model_fields)


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _settings_in(argument)
        if found is not None:
            return found
    return None


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SettingsError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{path}: no such file; run `bowerbird init {path.parent}` to make one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error


def with_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Plain values with ``a.b=c`` overrides applied; the right side is read as TOML, else as text.

    Raises:
        SettingsError: an override has no ``=``, or goes below a plain value.

    Example:
        >>> with_overrides({"a": {"b": 1}}, ["a.b=2", "a.c=x"])
        {'a': {'b': 2, 'c': 'x'}}
    """
    merged = json.loads(json.dumps(values))
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            raise SettingsError(f"--set {override}: expected section.field=value")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *parents, last = path.strip().split(".")
        table: dict[str, Any] = merged
        for parent in parents:
            nested: Any = table.setdefault(parent, {})
            if not isinstance(nested, dict):
                raise SettingsError(f"--set {override}: {parent!r} is {nested!r}, not a table")
            table = cast("dict[str, Any]", nested)
        table[last] = value
    return merged
