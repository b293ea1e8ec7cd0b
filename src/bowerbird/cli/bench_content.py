"""``bowerbird bench TASK`` for what is understood from pictures and words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bowerbird.cli.bench import Json, Seeds, app, show

__all__ = ["app"]

Images = Annotated[
    list[Path],
    typer.Option(help="Pictures: a folder, a parquet of bytes, or a pattern of such files."),
]


@app.command(
    "image-text",
    epilog="Example: bowerbird bench image-text --images photos/ --captions captions.csv --seeds 1",
)
def image_text(
    images: Images,
    captions: Annotated[
        list[Path],
        typer.Option(help="A table with image, caption [, split]; one for each --images, in their order."),
    ],
    fit: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Train on these pictures and captions instead, to measure transfer."),
    ] = None,
    seeds: Seeds = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of each training.")] = None,
    json: Json = None,
) -> None:
    """Texts find pictures and pictures find texts; several sets are also trained together."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.image_text import run_image_text

    if len(images) != len(captions):
        raise typer.BadParameter(
            f"{len(captions)} for {len(images)} --images; expected one each", param_hint="--captions"
        )
    sets = list(zip(images, captions, strict=True))
    show(run_image_text(sets, seeds, fit=fit, epochs=epochs, progress=BarProgress()), json)
