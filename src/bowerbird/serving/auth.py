"""API keys: who may ask, who may send events, who may look behind the scenes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bowerbird.errors import SettingsError
from bowerbird.serving.failures import reply_failure
from bowerbird.stores.atomic import write_atomically

SCOPES = ("read", "ingest", "admin")
"""``read``: ask and look; ``ingest``: send events and what people say of their interests; ``admin``: metrics, reload and deleting, and everything else."""

SHORTEST_KEY = 16
"""Characters a key must have at least."""

_OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/favicon.ico")
_ADMIN = ("/metrics", "/v1/reload")


@dataclass(frozen=True)
class ApiKey:
    """One key; only its hash is kept."""

    name: str
    digest: str
    """SHA-256 of the key, in hex."""
    scopes: frozenset[str]

    @staticmethod
    def of(name: str, key: str, scopes: frozenset[str] = frozenset(SCOPES)) -> ApiKey:
        """The record of a key.

        Raises:
            SettingsError: the key is too short, or a scope is unknown.
        """
        if len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"API key {name!r} has {len(key)} characters; expected at least {SHORTEST_KEY}"
            )
        return ApiKey(name, hashlib.sha256(key.encode()).hexdigest(), _checked(scopes, name))

    def may(self, scope: str) -> bool:
        """Whether it opens a scope."""
        return scope in self.scopes or "admin" in self.scopes


class KeyRing:
    """The keys a server knows.

    Args:
        keys: any number.

    Example:
        >>> ring = KeyRing((ApiKey.of("shop", "sixteen-or-longer", frozenset({"read"})),))
        >>> ring.find("sixteen-or-longer").name, ring.find("something else")
        ('shop', None)
    """

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self._keys = keys

    def find(self, presented: str) -> ApiKey | None:
        """The key that was presented. Every key is compared, each in constant time."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def keys_of(environment: Mapping[str, str], path: Path) -> tuple[KeyRing, str | None]:
    """The keys a server starts with.

    ``BOWERBIRD_API_KEY`` wins; else the file; else a random key is made, its hash written to the file
    and the key itself returned, to be shown once.

    Args:
        environment: the process's variables.
        path: ``state/api-keys.toml`` of the workspace: tables ``[NAME]`` with ``sha256`` and ``scopes``.

    Returns:
        The keys, and the new key if one was made.

    Raises:
        SettingsError: the variable is too short, or the file is not understood.
    """
    given = environment.get("BOWERBIRD_API_KEY")
    if given:
        return KeyRing((ApiKey.of("environment", given),)), None
    if path.exists():
        return KeyRing(_read(path)), None
    made = secrets.token_urlsafe(32)
    key = ApiKey.of("first", made)
    scopes = ", ".join(f'"{scope}"' for scope in SCOPES)
    text = f'# API keys, as SHA-256 (printf %s KEY | sha256sum).\n[first]\nsha256 = "{key.digest}"\nscopes = [{scopes}]\n'
    write_atomically(path, text.encode())
    path.chmod(0o600)
    return KeyRing((key,)), made


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        keys = tuple(
            ApiKey(name, str(table["sha256"]), _checked(frozenset(table.get("scopes", ["read"])), name))
            for name, table in tables.items()
        )
    except (
        OSError,
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        raise SettingsError(
            f"{path}: not a file of API keys ({error}); remove it to have a new key made"
        ) from error
    if not keys:
        raise SettingsError(f"{path}: holds no key; remove it to have a new one made")
    return keys


def _checked(scopes: frozenset[str], name: str) -> frozenset[str]:
    unknown = sorted(str(scope) for scope in scopes if scope not in SCOPES)
    if unknown:
        raise SettingsError(f"API key {name!r}: unknown scope {unknown[0]!r}; known: {', '.join(SCOPES)}")
    return scopes


def needed_scope(path: str, method: str = "GET", open_folders: tuple[str, ...] = ("/studio",)) -> str | None:
    """What a request asks for; None for what is open to everybody. An unknown path is not open.

    Deleting is for ``admin``, whatever the path.

    Example:
        >>> needed_scope("/v1/events"), needed_scope("/v1/homefeed"), needed_scope("/metrics"), needed_scope("/studio/x")
        ('ingest', 'read', 'admin', None)
    """
    if path in _OPEN or any(path == folder or path.startswith(folder + "/") for folder in open_folders):
        return None
    if path in _ADMIN or method == "DELETE":
        return "admin"
    says = path.startswith("/v1/users/") and path.rpartition("/")[0].endswith("/interests")
    return "ingest" if path == "/v1/events" or says else "read"


class Guard:
    """Lets a request through when its key opens the path's scope.

    Args:
        app: what is protected.
        ring: the keys.
    """

    def __init__(self, app: ASGIApp, ring: KeyRing) -> None:
        self._app = app
        self._ring = ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        needed = needed_scope(scope["path"], scope["method"]) if scope["type"] == "http" else None
        if needed is None:
            await self._app(scope, receive, send)
            return
        presented = presented_key(scope)
        key = self._ring.find(presented) if presented else None
        if key is None:
            message = "an API key is needed: header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            reply = reply_failure(401, "unauthorised", message, {"www-authenticate": "Bearer"})
        elif not key.may(needed):
            reply = reply_failure(403, "forbidden", f"this key does not have the scope {needed!r}")
        else:
            scope["bowerbird.caller"] = f"key {key.name}"
            await self._app(scope, receive, send)
            return
        await reply(scope, receive, send)


class SameSite:
    """Refuses what another web site makes a browser send.

    A server on this machine needs no key, so a page elsewhere could otherwise make a visitor's browser
    reserve advertising money or reload the build. Browsers say where a request comes from in
    ``Sec-Fetch-Site``; other clients do not send it.

    Args:
        app: what is protected.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        asked = scope["type"] == "http" and scope["path"].startswith("/v1/")
        if asked and dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site":
            message = (
                "another web site made this request; ask from this server's own pages or without a browser"
            )
            await reply_failure(403, "cross_site", message)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def presented_key(scope: Scope) -> str:
    """The key a request carries; empty without one."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    kind, _, token = headers.get(b"authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key", "").strip()
