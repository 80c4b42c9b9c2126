"""The `posewire` command. What a command does beyond arguments and printing lies elsewhere."""

from __future__ import annotations

import sys

import typer

from service.commands import running, weights
from service.console import downloads, failing
from service.loading import engine_of, ensure_served, served_names
from service.settings import Settings
from service.telemetry import logs

app = typer.Typer(
    help="People in pictures: a service and its commands. Every POSEWIRE_* setting holds for all.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Flags of these commands are the settings; pydantic-settings parses them and writes their help.
_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def main() -> None:
    """Runs the command."""
    app(prog_name="posewire")


@app.command(context_settings=_FLAGS)
def serve(context: typer.Context) -> None:
    """Serve HTTP and gRPC until SIGTERM; `posewire serve --help` lists every setting."""
    from service.app import serve as run_service  # noqa: PLC0415 - the other commands need no server

    with failing():
        settings = Settings.from_flags(context.args)
        logs.configure(settings.log_format, settings.log_level, sys.stderr)
        with downloads() as progress:
            ensure_served(settings, progress)
        run_service(settings)


@app.command(context_settings=_FLAGS)
def config(context: typer.Context) -> None:
    """Print every setting, as environment variables, and what runs the models."""
    with failing():
        settings = Settings.from_flags(context.args)
        engines = [engine_of(name, settings) for name in served_names(settings)]
    for variable, value, description in settings.described():
        typer.echo(f"# {description}\n{variable}={value}")
    for engine in engines:
        typer.echo(f"# {engine}")


app.add_typer(weights.app)
app.add_typer(running.app)
