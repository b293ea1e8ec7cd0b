"""Fits the rule that tells copies of photos from their look-alikes, and writes content/copy_rule.tsv.

Example::

    python benchmarks/fit_copy_rule.py --world demo-seed-101       # about ten CPU-minutes

Learns from altered copies (evaluation/bench/altered_copies.py) beside every candidate pair of their catalogues: 2,400
photos of Myntra that `make numbers-content` does not read (it reads the first thousand in drawn order), 3,400 photos of
clothes in the public domain, and the drawings of a demo world of a seed that no table reports (`bowerbird demo --seed 101`), where
nothing that looks like a photo is one. Prints what cross-validation says at several strictnesses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import lightgbm
import numpy as np
import typer
from bench_page import ROOT
from sklearn.model_selection import StratifiedKFold

from bowerbird.content import copy_rule, copy_verifier
from bowerbird.content.copy_candidates import candidate_pairs, content_order
from bowerbird.content.copy_rule import NAMES, STEADY, table_of
from bowerbird.content.image_encoder import efficientnet_lite2
from bowerbird.datasets.picture_source import picture_source
from bowerbird.evaluation.bench import near_duplicates
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT

SETS = (
    ("myntra_fashion", 1000, 2200, 250, 5),
    ("myntra_fashion", 2200, 3400, 250, 6),
    ("clothing_small", 0, 1200, 250, 5),
    ("clothing_small", 1200, 2400, 250, 6),
    ("clothing_small", 2400, 3400, 250, 7),
)
"""Folder, first and last picture in drawn order, copies of each group, seed."""
DRAWINGS = (0, 650, 130, 5)
DRAWINGS_WEIGH = 3.0
TREES, LEAVES = 250, 4
SURELY_COPY = 0.9
"""Originals that agree so well on rich photos are one photo under two names: neither right nor wrong."""


def learnt_from(folder: Path, first: int, last: int, copies: int, seed: int, known_to_differ: bool):
    """Evidence and truth of every candidate pair that the rule would be asked about."""
    source = picture_source(folder)
    rows = generator(0, "bench", "near-duplicates", "pictures").permutation(len(source))[first:last]
    files = list(dict.fromkeys(one.data for _, one in source.pictures(rows.tolist()) if one.data))
    encoder = efficientnet_lite2(threads=1)
    encoded = near_duplicates._encoded(encoder, files, SILENT)
    drawn = near_duplicates._drawn(files, encoded, encoder, copies, seed, SILENT)
    origin = {drawn.originals + at: int(of) for at, of in enumerate(drawn.source)}
    order = content_order(drawn.hashes, drawn.vectors)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pairs = {tuple(pair) for pair in candidate_pairs(drawn.hashes, drawn.vectors, order).tolist()}
    pairs |= {(of, row) for row, of in origin.items() if of >= 0}
    verifier = copy_verifier.CopyVerifier(drawn.files.__getitem__, place)
    found, true = [], []
    for pair in sorted(pairs):
        one, other = (origin.get(row, row) for row in pair)
        if one == other >= 0 and pair[0] in origin:
            continue  # two copies of one picture may share nothing
        twins = (
            one >= 0
            and other >= 0
            and (other in drawn.twins.get(one, ()) or one in drawn.twins.get(other, ()))
        )
        shown = None if twins else asked(verifier, place, pair)
        if shown is not None:
            same = one == other >= 0
            if not same and not known_to_differ and shown.agrees.both > SURELY_COPY and shown.flatter > 0.3:
                continue
            found.append(shown)
            true.append(same)
    print(f"{folder.name} {first}-{last}: {sum(true)} copies, {len(true) - sum(true)} others", flush=True)
    return table_of(found), np.array(true)


def asked(verifier, place, pair):
    """What the rule would read; None where it is not asked."""
    one, other = sorted(pair, key=lambda row: place[row])
    verifier._look_at([one, other])
    seen = [verifier._seen[row] for row in (one, other)]
    if min(one.texture for one in seen) < copy_verifier.PHOTO_FROM:
        return None
    thumbnails = copy_verifier.Thumbnails(np.stack([one.squeezed for one in seen]))
    if (
        copy_verifier.in_place_difference(thumbnails, np.array([0]), np.array([1]))[0]
        <= copy_verifier.PHOTO_IN_PLACE
    ):
        return None
    (movement,) = copy_verifier.shared_movements(seen[0].features, [seen[1].features])
    return copy_verifier._photo_evidence(seen[0], seen[1], movement)


def fitted(known, true, weight):
    steady = [STEADY.get(name, 0) for name in NAMES]
    model = lightgbm.LGBMClassifier(
        n_estimators=TREES, num_leaves=LEAVES, learning_rate=0.05, min_child_samples=20, reg_lambda=1.0, n_jobs=1,
        verbose=-1, monotone_constraints=steady, deterministic=True, seed=0,
    )  # fmt: skip
    return model.fit(known, true, sample_weight=weight)


def as_table(model) -> str:
    """The trees as copy_rule.Trees reads them."""
    lines = ["tree\tnode\tcolumn\tlimit\tat_most\tabove"]
    for number, tree in enumerate(model.booster_.dump_model()["tree_info"]):
        nodes, left = {}, [tree["tree_structure"]]
        while left:  # numbered from the root
            node = left.pop(0)
            if "split_feature" in node:
                nodes[id(node)] = len(nodes)
                left += [node["left_child"], node["right_child"]]
        left = [tree["tree_structure"]]
        while left:
            node = left.pop(0)
            if "split_feature" not in node:
                continue
            children = [node["left_child"], node["right_child"]]
            left += children
            ends = [
                str(nodes[id(one)]) if "split_feature" in one else f"={one['leaf_value']:.5f}"
                for one in children
            ]
            # float32 on both sides of a limit, as the rule reads it
            limit = f"{np.float32(node['threshold']):.7g}"
            lines.append(
                "\t".join((str(number), str(nodes[id(node)]), NAMES[node["split_feature"]], limit, *ends))
            )
    return "\n".join(lines) + "\n"


def main(
    world: Annotated[Path, typer.Option(help="A folder of the drawings of a demo world.")],
    data: Annotated[Path, typer.Option(envvar="BOWERBIRD_DATA")] = ROOT.parent / "shared" / "data",
    kept: Annotated[Path | None, typer.Option(help="Evidence is kept here between runs.")] = None,
) -> None:
    parts = []
    wanted = [(data / folder, *rest, False) for folder, *rest in SETS] + [(world, *DRAWINGS, True)]
    for number, part in enumerate(wanted):
        file = kept / f"{number}.npz" if kept else None
        if file is not None and file.exists():
            stored = np.load(file)
            parts.append((stored["known"], stored["true"]))
            continue
        parts.append(learnt_from(*part))
        if file is not None:
            np.savez(file, known=parts[-1][0], true=parts[-1][1])
    known, true = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    of = np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts])
    weight = np.where((of == len(SETS)) & ~true, DRAWINGS_WEIGH, 1.0)
    odds = np.zeros(len(true))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(known, true):
        odds[test] = fitted(known[train], true[train], weight[train]).predict(known[test], raw_score=True)
    for stricter in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5):
        taken = odds > stricter
        says = [
            f"{taken[(of == at) & true].mean():.3f} +{(taken & ~true & (of == at)).sum()}"
            for at in range(len(SETS))
        ]
        print(
            f"log-odds {stricter}: recall, false of sets {', '.join(says)}; false drawings {(taken & ~true & (of == len(SETS))).sum()}"
        )
    model = fitted(known, true, weight)
    text = as_table(model)
    again = copy_rule.Trees.read(text).log_odds(known)
    print(
        "largest difference of the table to the model",
        np.abs(again - model.predict(known, raw_score=True)).max(),
    )
    Path(copy_rule.__file__).with_name("copy_rule.tsv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
