"""One table under check: named columns are taken out typed, and each fault is noted against its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from bowerbird.datasets import columns
from bowerbird.datasets.attributes import gathered
from bowerbird.datasets.column_names import TIME_UNITS_US
from bowerbird.datasets.import_batch import Faults
from bowerbird.errors import InputError, did_you_mean

_INT32_END = 2**31


@final
class Reading:
    """Takes typed columns out of a raw table; what nobody takes becomes attributes.

    Args:
        table: rows in the standard columns, of any types.
        place: the file, for messages.
    """

    def __init__(self, table: pa.Table, place: str) -> None:
        repeated = [name for name in table.column_names if table.column_names.count(name) > 1]
        if repeated:
            raise InputError(f"{place}: column {repeated[0]!r} is there twice; name each column once")
        self.rows = table.num_rows
        self.faults = Faults(table.num_rows)
        self._table = table
        self._place = place
        self._left = list(table.column_names)

    def has(self, name: str) -> bool:
        """Whether the file has a column of this name that nobody took yet."""
        return name in self._left

    def require(self, *names: str) -> None:
        """Refuses the whole file when a column is absent.

        Raises:
            InputError: a column is absent.
        """
        for name in names:
            if name not in self._table.column_names:
                hint = did_you_mean(name, self._table.column_names)
                found = ", ".join(self._table.column_names)
                hint = f"; {hint}" if hint.startswith("did") else ""
                raise InputError(
                    f"{self._place}: no column {name!r}{hint}; found {found}; "
                    f"rename or add it, or say which column it is: --columns {name}=NAME"
                )

    def type(self, name: str) -> pa.DataType:
        """The type a column has in the file."""
        return self._table.schema.field(name).type

    def take(self, name: str) -> pa.Array | None:
        """The raw column, which then makes no attribute; None if there is none."""
        if name not in self._left:
            return None
        self._left.remove(name)
        return columns.flat(self._table.column(name))

    def text(self, name: str) -> pa.Array:
        """A text column; null where there is none."""
        column = self.take(name)
        return pa.nulls(self.rows, pa.string()) if column is None else columns.texts(column)

    def id(self, name: str) -> pa.Array:
        """A required text column; a row without it is at fault."""
        values = self.text(name)
        self.faults.add(missing(values), f"{name} is missing")
        return values

    def number(self, name: str, *, required: bool = False, unit_interval: bool = False) -> pa.Array:
        """A number column: NaN and what is no number are faults, and so are negative ones where said.

        Args:
            name: the column.
            required: whether null is a fault.
            unit_interval: whether values must be in (0, 1] instead of at least 0.
        """
        values = self._number(name)
        if required:
            self.faults.add(missing(values), f"{name} is missing")
        if unit_interval:
            outside = pc.or_(pc.less_equal(values, 0.0), pc.greater(values, 1.0))
            self.faults.add(columns.mask(outside), f"{name} is outside (0, 1]", values)
        else:
            self.faults.add(columns.mask(pc.less(values, 0.0)), f"{name} is negative", values)
        return values

    def signed(self, name: str) -> pa.Array:
        """A number column of either sign; NaN, infinity and what is no number are faults."""
        return self._number(name)

    def _number(self, name: str) -> pa.Array:
        column = self.take(name)
        if column is None:
            return pa.nulls(self.rows, pa.float64())
        values, bad = columns.numbers(column)
        self.faults.add(bad, f"{name} is not a number", column)
        self.faults.add(columns.mask(pc.is_nan(values)), f"{name} is NaN", values)
        self.faults.add(columns.mask(pc.is_inf(values)), f"{name} is infinite", values)
        return values

    def whole(self, name: str) -> pa.Array:
        """A column of whole numbers from 0 on, below 2^31."""
        column = self.take(name)
        if column is None:
            return pa.nulls(self.rows, pa.int64())
        values, bad = columns.integers(column)
        self.faults.add(bad, f"{name} is not a whole number", column)
        self.faults.add(columns.mask(pc.less(values, 0)), f"{name} is negative", values)
        large = columns.mask(pc.greater_equal(values, _INT32_END))
        self.faults.add(large, f"{name} is too large", values)
        return pc.if_else(pa.array(large), pa.scalar(None, pa.int64()), values)

    def flag(self, name: str) -> pa.Array:
        """A true or false column."""
        column = self.take(name)
        if column is None:
            return pa.nulls(self.rows, pa.bool_())
        values, bad = columns.flags(column)
        self.faults.add(bad, f"{name} is neither true nor false", column)
        return values

    def has_time(self, name: str) -> bool:
        """Whether there is such a time column, with or without its unit (``at``, ``at_ms``)."""
        return any(self.has(name + suffix) for suffix in TIME_UNITS_US)

    def time(self, name: str, as_of: int | None) -> pa.Array:
        """Times in microseconds UTC, of ``name`` or of ``name_s``, ``name_ms``, ``name_us``.

        Args:
            name: the column.
            as_of: microseconds UTC; a later time is a fault. None: any time may be.
        """
        for suffix, unit_us in TIME_UNITS_US.items():
            column = self.take(name + suffix)
            if column is None:
                continue
            values, bad = columns.times(column, unit_us)
            self.faults.add(bad, f"{name} is not a time", column)
            self.faults.add(columns.mask(pc.less(values, 0)), f"{name} is before 1970", column)
            if as_of is not None:
                late = columns.mask(pc.greater(values, as_of))
                self.faults.add(late, f"{name} is in the future", column)
            return values
        return pa.nulls(self.rows, pa.int64())

    def attributes(self, extra: Mapping[str, pa.Array] | None = None) -> pa.Array:
        """The ``attributes`` column and all columns nobody took, as maps.

        Args:
            extra: more columns to keep, by name.
        """
        given = self.take("attributes")
        rest = {name: self._table.column(name) for name in self._left} | dict(extra or {})
        maps, bad = gathered(rest, given, self.rows)
        self.faults.add(bad, "attributes is not a JSON object", given)
        self._left = []
        return maps

    def nothing_left(self, known: list[str]) -> None:
        """Refuses columns that have no place in the record.

        Raises:
            InputError: a column was not taken.
        """
        if self._left:
            raise InputError(
                f"{self._place}: unknown column {self._left[0]!r}; expected {', '.join(known)}; remove or rename it"
            )


def missing(values: pa.Array) -> Bool[np.ndarray, "row"]:
    """Rows where a column is null.

    Example:
        >>> missing(pa.array(["a", None])).tolist()
        [False, True]
    """
    return values.is_null().to_numpy(zero_copy_only=False)
