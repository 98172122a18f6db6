"""`ocr-otel stack`: the servers that telemetry goes to, on this machine, without containers."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ocr_otel.cli.printing import stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from ocr_otel.stack import Plan, Server, ServerState

DEFAULT_DIRECTORY: Final = Path(".stack")
_TOOLS: Final = ("promtool", "amtool")
"""Check configuration; nothing of the stack needs them to run."""

app: Final = typer.Typer(
    help="Run Collector, Jaeger, Prometheus and Alertmanager on this machine, without containers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[Path, typer.Option("--directory", help="Where data, logs and process files lie.")]


@app.command("build")
def build_command() -> None:
    """Build the servers and their checking tools into the cache, from pinned Go modules.

    Takes about 12 minutes on two cores, once for each version; needs Go and the network.
    """
    from ocr_otel.stack import BINARIES

    with _errors():
        for name, path in _build(list(BINARIES)).items():
            typer.echo(f"{name:<12}  {path}")


@app.command("up")
def up_command(
    directory: Directory = DEFAULT_DIRECTORY,
    team: Annotated[
        bool, typer.Option("--team", help="Agent and gateway, with TLS and a token between them, as a team has them.")
    ] = False,
    port_offset: Annotated[int, typer.Option("--port-offset", min=0, help="Move every port up by so many.")] = 0,
) -> None:
    """Start the servers in the background, and say where they are.

    Builds what is not built yet. Comes back once every server does its work; where one fails, none is left running.
    """
    from ocr_otel import stack

    with _errors():
        layout, configuration = stack.Layout(directory.absolute()), stack.configuration_directory()
        already = stack.running_plan(layout, configuration)
        if already is not None and all(each.is_ready for each in stack.state(already, layout)):
            typer.echo(f"The stack of {layout.root} is up already.")
            _print_addresses(already)
            return
        plan = stack.make_plan(layout, configuration, team, port_offset)
        binaries = _build([server.binary for server in plan.servers])

        def say(server: Server) -> None:
            typer.echo(f"{server.name} is ready")

        stack.up(plan, layout, configuration, binaries, say)
        _print_addresses(plan)
        typer.echo(f"\nData and logs are in {layout.root}; `ocr-otel stack down` stops everything.")


@app.command("down")
def down_command(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop every server; their data stays."""
    from ocr_otel import stack

    with _errors():
        killed = stack.down(stack.Layout(directory.absolute()))
        for name in killed:
            typer.echo(f"{name} did not end by itself and was killed.")
        typer.echo("The stack is down.")


@app.command("status")
def status_command(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Show how each server stands; ends with status 1 when one is not up."""
    from ocr_otel import stack

    with _errors():
        layout, configuration = stack.Layout(directory.absolute()), stack.configuration_directory()
        plan = stack.running_plan(layout, configuration)
        if plan is None:
            stop(f"no stack was started in {layout.root}: `ocr-otel stack up` starts one")
        states = stack.state(plan, layout)
        _print_states(states, plan)
        typer.echo(f"\nLogs are in {layout.logs}.")
        raise typer.Exit(0 if all(each.is_ready for each in states) else 1)


@contextmanager
def _errors() -> Iterator[None]:
    from ocr_otel.stack import StackError

    try:
        yield
    except StackError as error:
        stop(str(error))


def _build(names: list[str]) -> dict[str, Path]:
    """Build what the cache does not have, with a bar for each program."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ocr_otel import stack

    configuration = stack.configuration_directory()
    wanted = [stack.BINARIES[name] for name in dict.fromkeys(names)]
    missing = [binary for binary in wanted if not stack.cached(binary, configuration).is_file()]
    if missing:
        numbers = ", ".join(f"{binary.name} {stack.version(binary, configuration)}" for binary in missing)
        typer.echo(f"Building {numbers}; minutes the first time, then never again.", err=True)
        columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            for binary in missing:
                task = progress.add_task(binary.name, total=None)
                stack.build(binary, configuration, partial(_show, progress, task))
                total = progress.tasks[task].total or 1
                progress.update(task, completed=total, total=total)
    return {binary.name: stack.cached(binary, configuration) for binary in wanted}


def _show(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _print_addresses(plan: Plan) -> None:
    rows = [
        ("OTLP", f"{plan.address('STACK_AGENT_GRPC_PORT')} (gRPC), {plan.address('STACK_AGENT_HTTP_PORT')} (HTTP)"),
        ("Jaeger", plan.url("STACK_JAEGER_QUERY_PORT")),
        ("Prometheus", plan.url("PROMETHEUS")),
        ("Alertmanager", plan.url("ALERTMANAGER")),
    ]
    if plan.team:
        rows.insert(1, ("gateway", f"{plan.address('STACK_GATEWAY_GRPC_PORT')} (gRPC with TLS and token)"))
    typer.echo("")
    for name, where in rows:
        typer.echo(f"{name:<12}  {where}")
    typer.echo("\nA training that is started with these three variables is seen there:\n")
    for name, value in plan.training_environment().items():
        typer.echo(f"  export {name}={value}")


def _print_states(states: list[ServerState], plan: Plan) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("server", "state", "process", "ports"):
        table.add_column(title, overflow="fold")
    for each in states:
        words = "up" if each.is_ready else "does not answer" if each.pid else "not running"
        numbers = ", ".join(str(port.number) for port in plan.ports.values() if port.server == each.server.name)
        table.add_row(each.server.name, words, str(each.pid or "-"), numbers)
    Console(soft_wrap=True).print(table)
