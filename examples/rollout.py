"""A change of vectors, rolled out naively and guarded: what requests lose on the way.

Usage: python examples/rollout.py WORKSPACE

A copy of the workspace is served while its item vectors change under it, as a half-done rollout leaves them:
new vectors, the old index. Printed is the share of the exact nearest items that the index of the answering
server finds, and the share of the items related to some items that stay the same.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from bowerbird.errors import BowerbirdError
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.release_check import recall_probe
from bowerbird.serving.wire import Question
from bowerbird.workspace import Workspace

ASKED, SHOWN = 20, 10


def related(server: LiveWorkspace, items: list[str]) -> list[set[str]]:
    """What goes with some items."""
    return [set(server.ask("related", Question(item=item, n=SHOWN))[0].item_ids) for item in items]


def turned(space: Workspace) -> None:
    """New item vectors that claim the old space, beside the old index: what a hand-made rollout leaves."""
    bench = space.workbench()
    ids, card = bench.items.vocabulary, bench.signals.card("item_vector")
    assert card is not None
    vectors = bench.signals.vectors("item_vector", ids)
    turn = np.linalg.qr(generator(0, "turn").normal(size=(vectors.space.dim,) * 2))[0].astype(np.float32)
    bench.signals.put_vectors(card, ids, Vectors(vectors.space, vectors.matrix @ turn, vectors.present))


def with_other_text_encoder(space: Workspace) -> Workspace:
    """The workspace with the other precision of its text encoder written into its settings."""
    name = space.settings.content.text_encoder
    other = name.removesuffix(":int8") if name.endswith(":int8") else f"{name}:int8"
    text = space.layout.settings.read_text(encoding="utf-8")
    space.layout.settings.write_text(text.replace(f'"{name}"', f'"{other}"'), encoding="utf-8")
    return Workspace.open(space.layout.root)


def rolled_out(directory: Path) -> list[tuple[str, float, float, str]]:
    """Every rollout with its recall, the share of answers that stayed, and what was said."""
    space = Workspace.open(directory)
    naive, guarded = LiveWorkspace(space), LiveWorkspace(space)
    ids = naive.edition.release.items.vocabulary.ids
    items = list(ids[:: max(1, len(ids) // ASKED)][:ASKED])
    before = related(guarded, items)
    rows = []

    def row(name: str, server: LiveWorkspace, said: str) -> None:
        now = related(server, items)
        same = np.mean([len(one & other) / max(len(one), 1) for one, other in zip(before, now, strict=True)])
        rows.append((name, recall_probe(server.edition.release, "item"), float(same), said))

    row("before", guarded, "")
    turned(space)
    naive.reload(unchecked=True)
    row("naive: new vectors, old index", naive, "taken without a look")
    row("guarded: the same", guarded, _refused(guarded))
    space.workbench().signals.rollback("item_vector")
    space = with_other_text_encoder(space)
    guarded = LiveWorkspace(space)
    space.build(["item_vector"])  # and not what is made from it
    row("guarded: another encoder, half built", guarded, _refused(guarded))
    space.backfill("text_vector")
    guarded.reload()
    row("guarded: backfilled, switched at once", guarded, "taken after a check")
    return rows


def _refused(server: LiveWorkspace) -> str:
    try:
        server.reload()
    except BowerbirdError as error:
        return f"refused: {str(error).partition(':')[2].strip() or error}"[:90]
    return "taken"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(sys.argv[1], copy)
        rows = rolled_out(copy)
    print(f"{'rollout':<40} {'recall@20':>9} {'answers kept':>12}")
    for name, recall, same, said in rows:
        print(f"{name:<40} {recall:>9.3f} {same:>12.3f}  {said}")


if __name__ == "__main__":
    main()
