"""Commands that run a model: on pictures, against annotations, against the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engines.catalog import find
from engines.systems import TOP_DOWN
from service.console import downloads, failing, say, tracked
from service.errors import ServiceError
from service.loading import load_pair
from service.settings import WHOLE_IMAGE, Settings

app = typer.Typer()

_Model = Annotated[
    str | None,
    typer.Option("--model", help="A name of `posewire models`; the first of POSEWIRE_MODELS."),
]
_Height = Annotated[
    int | None,
    typer.Option("--height", min=32, max=4096, help="Network input height; the model's own."),
]
_Detector = Annotated[
    str | None,
    typer.Option("--detector", help="Finds people for models that need boxes, or whole-image."),
]
_Flip = Annotated[bool | None, typer.Option("--flip", help="Flip test of HRNet and DEKR.")]
_Scales = Annotated[
    str | None, typer.Option("--scales", help="Sizes of the picture for DEKR: 0.5,1,2.")
]
_Dark = Annotated[bool | None, typer.Option("--dark", help="Place HRNet's keypoints by DARK.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the drawn pictures; `poses` unless --json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a picture.")] = False,
    model: _Model = None,
    height: _Height = None,
    detector: _Detector = None,
    flip: _Flip = None,
    scales: _Scales = None,
    dark: _Dark = None,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Leave out people below.")] = 0.0,
) -> None:
    """Find the people in pictures: draw them, or print them as JSON."""
    from service.pictures import pictures  # noqa: PLC0415
    from service.predict import Predictor  # noqa: PLC0415

    with failing():
        settings = _settings(
            models=model, height=height, detector=detector, flip=flip, scales=scales, dark=dark
        )
        out = out if out or as_json else Path("poses")
        files = pictures(paths)
        with downloads() as progress:
            loaded, finder = load_pair(settings, progress)
        predictor = Predictor(loaded, settings, out, min_score, originals=files, detector=finder)
        failed = False
        for file in tracked(files, "predicting"):
            try:
                done = predictor.predict(file)
            except (ServiceError, OSError) as error:
                failed = True
                say(f"{file}: {error}")
            else:
                print(done.as_json() if as_json else done.as_text(), flush=True)
    raise typer.Exit(int(failed))


@app.command("eval")
def evaluate(
    annotations: Annotated[Path, typer.Option(help="COCO person keypoints, JSON.")],
    images: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    model: _Model = None,
    height: _Height = None,
    boxes: Annotated[
        Literal["true", "detected"] | None,
        typer.Option(help="The annotated ones or the detector's, for models that need boxes."),
    ] = None,
    detector: _Detector = None,
    flip: _Flip = None,
    scales: _Scales = None,
    dark: _Dark = None,
    as_json: _Json = False,
) -> None:
    """Measure COCO keypoint AP."""
    from service.evaluate import evaluate as measure  # noqa: PLC0415

    with failing():
        settings = _settings(
            models=model, height=height, detector=detector, flip=flip, scales=scales, dark=dark
        )
        if boxes == "true":  # nobody needs to be found
            settings = settings.model_copy(update={"detector": WHOLE_IMAGE})
        with downloads() as progress:
            loaded, finder = load_pair(settings, progress)
        if boxes is not None and not loaded.is_top_down:
            raise ValueError(f"{settings.models[0]} finds people by itself; leave out --boxes")
        figures = measure(
            loaded,
            annotations,
            images,
            lambda all_: tracked(all_, "evaluating"),
            detector=finder,
            true_boxes=boxes == "true",
        )
    entry = loaded.entry
    how = {"boxes": "true" if boxes == "true" else settings.detector} if loaded.is_top_down else {}
    named = {"model": entry.name, "height": entry.input.height, **how, **figures}
    if as_json:
        typer.echo(json.dumps(named))
    else:
        typer.echo("\n".join(f"{name:8} {value}" for name, value in named.items()))


@app.command()
def bench(
    context: typer.Context,
    images: Annotated[
        Path | None, typer.Option(help="Folder of pictures; the package's own with --engines.")
    ] = None,
    model: _Model = None,
    height: _Height = None,
    detector: _Detector = None,
    flip: _Flip = None,
    scales: _Scales = None,
    dark: _Dark = None,
    seconds: Annotated[float, typer.Option(min=1, help="Of load for each figure.")] = 10.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests under way.")] = 8,
    engines: Annotated[
        bool, typer.Option("--engines", help="Measure networks alone, against PyTorch.")
    ] = False,
    precisions: Annotated[
        str | None, typer.Option(help="With --engines: some of fp32,fp16,bf16,int8.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="With --engines: images a batch, of all models or of each.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="With --engines: HEIGHTxWIDTH, of all models or of each.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for the figures in Markdown and a plot of them.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Measure images a second: the engine alone, in process, HTTP, gRPC and a gRPC stream.

    With --engines, measure the networks of one model or several, separated by commas, on every
    engine of this machine beside PyTorch.
    """
    from service.bench import command  # noqa: PLC0415 - loads the engines

    with failing():
        command.refuse_others(context, engines=engines)
        if engines:
            chosen = _all_settings(models=model)
            asked = command.Asked(seconds, images, precisions, size, batch)
            figures, made = command.bench_engines(chosen, asked)
        else:
            if images is None:
                raise ValueError("--images is missing: give a folder of pictures")
            settings = _settings(
                models=model, height=height, detector=detector, flip=flip, scales=scales, dark=dark
            )
            figures, made = command.bench_serving(settings, images, seconds, concurrency)
        for path in made.write(report, command.as_typed(context)) if report else ():
            say(f"wrote {path}")
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        command.show(made)


def _settings(**asked: Any) -> Settings:
    """The environment's settings, but for what was asked for; of its models, the first."""
    settings = _all_settings(**asked)
    first = settings.models[0]
    if asked["detector"] is not None and find(first).system != TOP_DOWN:
        raise ValueError(f"{first} finds people by itself; leave out --detector")
    return settings.model_copy(update={"models": settings.models[:1]})


def _all_settings(**asked: Any) -> Settings:
    """The environment's settings, but for what was asked for."""
    return Settings(**{name: value for name, value in asked.items() if value is not None})
