"""The command `loyalty`: every module of `services.ops.commands` adds its own."""

import importlib
import pkgutil
import sys

import typer

from services.ops import commands
from services.ops.stack.announcement import adopt_running_stack
from services.ops.stack.errors import StackError

# These bring up a stack of their own; every other command looks at the one that runs here.
OWN_STACK = frozenset({"up", "demo", "bench"})


def main() -> None:
    try:
        build()()
    except StackError as refusal:
        typer.echo(f"loyalty: {refusal}", err=True)
        sys.exit(2)


def build() -> typer.Typer:
    """Each module there has `register(app)`; what is heavy to import it imports when its command runs."""
    app = typer.Typer(
        name="loyalty",
        help="Run, look into and prove an event-sourced loyalty platform.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Without a callback Typer would turn a single command into the program itself.
    app.callback()(_root)
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda each: each.name):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def _root(context: typer.Context) -> None:
    """Run, look into and prove an event-sourced loyalty platform."""
    if context.invoked_subcommand not in OWN_STACK:
        adopt_running_stack()


if __name__ == "__main__":
    main()
