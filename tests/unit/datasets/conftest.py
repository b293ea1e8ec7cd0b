"""An importer run to its end, as tests look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bowerbird.datasets.import_batch import Importer
from bowerbird.datasets.standard import Checks, standardised


@dataclass
class Imported:
    """All stored rows by kind, counts, and rejections by reason."""

    stored: dict[str, list[dict]] = field(default_factory=dict)
    rows: Counter = field(default_factory=Counter)
    rejected: Counter = field(default_factory=Counter)
    logical: bool = False

    def column(self, kind: str, name: str) -> list:
        return [row[name] for row in self.stored[kind]]

    def attributes(self, kind: str, row: int = 0) -> dict[str, str]:
        return dict(self.stored[kind][row]["attributes"] or [])

    def conserved(self) -> bool:
        return sum(self.rows.values()) == sum(map(len, self.stored.values())) + sum(self.rejected.values())


@pytest.fixture
def imported() -> Callable[[Importer, Path], Imported]:
    def run(importer: Importer, path: Path) -> Imported:
        assert isinstance(importer, Importer)
        assert importer.name
        assert importer.summary
        assert importer.licence
        result = Imported()
        for batch in standardised(importer.batches(path), Checks()):
            result.stored.setdefault(batch.kind, []).extend(batch.table.to_pylist())
            result.rows[batch.kind] += batch.rows
            result.rejected.update(batch.rejections.column("reason").to_pylist())
            result.logical |= batch.logical_time
        assert result.conserved()
        ids = result.column("events", "event_id") if "events" in result.stored else []
        assert len(set(ids)) == len(ids)
        return result

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes the files of a small published set and returns its folder."""

    def files(contents: dict[str, str | bytes]) -> Path:
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return files


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    """Writes parquet files of columns and returns their folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def files(tables: dict[str, dict[str, list]]) -> Path:
        for name, columns in tables.items():
            pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        return tmp_path

    return files
