"""A line of the log says what happened and where, never to whom."""

from __future__ import annotations

import json
import logging
import logging.config

from bowerbird.errors import NotFoundError
from bowerbird.serving.logs import JsonLines, log_settings


def line(**values):
    return json.loads(JsonLines().format(logging.makeLogRecord({"levelname": "INFO", **values})))


def test_a_line_has_time_level_event_and_what_was_given_with_it():
    found = line(msg="took %d", args=(3,), created=1.5, release="a1")
    assert (found["at"], found["level"], found["event"], found["release"]) == (
        "1970-01-01T00:00:01.500Z",
        "info",
        "took 3",
        "a1",
    )


def test_an_exception_is_told_by_class_and_place_without_its_message():
    try:
        raise NotFoundError("user 'wanda' is not known")
    except NotFoundError as error:
        found = line(msg="request failed", exc_info=(type(error), error, error.__traceback__))
    assert found["error"] == "NotFoundError"
    assert found["places"][0].startswith("test_logs.py:")
    assert "wanda" not in json.dumps(found)


def test_requests_are_lines_only_where_it_is_asked_for():
    levels = [
        log_settings(requests=wanted)["loggers"]["bowerbird.requests"]["level"] for wanted in (True, False)
    ]
    assert levels == ["INFO", "WARNING"]
