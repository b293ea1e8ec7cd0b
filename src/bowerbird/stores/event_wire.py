"""Events as lines of JSON: the form in which streams outside this process carry them."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pyarrow as pa

from bowerbird.errors import StorageError
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.event_rows import canonical


def event_lines(events: Events) -> list[bytes]:
    """One line per event, nulls left out; NaN is a null, as in the log.

    Example:
        >>> rows = pa.table({"event_id": ["e"], "at": [5], "user_id": ["u"], "action": ["visit"]})
        >>> event_lines(Events(rows))
        [b'{"event_id":"e","at":5,"user_id":"u","action":"visit"}']
    """
    rows = canonical(events.table).to_pylist()
    return [orjson.dumps({name: value for name, value in row.items() if value is not None}) for row in rows]


def events_of(lines: Iterable[bytes]) -> Events:
    """The events of lines, sorted by time.

    Raises:
        StorageError: a line is no event.
    """
    try:
        rows = [orjson.loads(line) for line in lines]
        for row in rows:
            if "attributes" in row:
                row["attributes"] = [tuple(pair) for pair in row["attributes"]]
        return Events(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
    except (orjson.JSONDecodeError, pa.ArrowException, TypeError, AttributeError) as error:
        raise StorageError(
            f"event stream: a line is no event ({error}); something else writes to it"
        ) from error
