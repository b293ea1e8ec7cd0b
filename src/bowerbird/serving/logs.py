"""Logs of a server: one JSON object a line, without what people did or who they are.

A line has a time, a level, what happened, and named values. Of an exception it has the class and the places of
the code it passed, never its message: messages name ids. Of a request it has the route's template, never the
path, and the name of the key, never the key.
"""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has; the rest was given with ``extra``."""
REQUESTS = "bowerbird.requests"
"""The logger that has a line per request."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON.

    Example:
        >>> record = logging.makeLogRecord({"msg": "ready", "levelname": "INFO", "created": 0.0, "release": "a1"})
        >>> JsonLines().format(record)
        '{"at":"1970-01-01T00:00:00.000Z","level":"info","event":"ready","process":...,"release":"a1"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
            "process": record.process,
        }
        line.update({name: value for name, value in vars(record).items() if name not in STANDARD})
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)
            line["error"] = type(error).__name__
            line["places"] = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
        return orjson.dumps(line, default=str).decode()


def log_settings(*, requests: bool) -> dict[str, Any]:
    """What ``logging.config.dictConfig`` takes: JSON lines on standard error.

    Args:
        requests: whether each request is a line.
    """
    loud, quiet = {"level": "INFO"}, {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "bowerbird.serving.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "bowerbird": loud,
            "uvicorn": loud,
            "uvicorn.access": quiet,  # its lines hold paths, and paths hold ids
            REQUESTS: loud if requests else quiet,
        },
    }
