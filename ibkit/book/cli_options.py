"""What several commands share: options, and how they complain."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from ibkit.book.errors import InputError, Interrupted

root = click.option("--root", metavar="DIR", help="The book's folder; found from the current one if not given.")
timeout = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time for a whole chapter; 300 unless the profile is full, which has no limit, if not given.",
)
memory = click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    help="Memory for a chapter; 4096 unless the profile is full, which has no limit, if not given.",
)
cold = click.option("--cold", is_flag=True, help="Start each kernel from nothing, without the process that forks them.")
force = click.option("--force", is_flag=True, help="Run what is unchanged too.")


def alone(tree: Any, exclusive: bool) -> AbstractContextManager[None]:
    """Hold the book, if there is one, while working in it."""
    from ibkit.book.lock import hold

    return nullcontext() if tree is None else hold(tree.root, exclusive)


def take_pairs(pairs: Sequence[tuple[str, str]], profile: str | None) -> dict[str, str]:
    """Return the texts that `-p NAME TEXT` and `--profile` give, each name once.

    Raises:
        InputError: a name is given two texts.
    """
    if profile is not None:
        pairs = [*pairs, ("profile", profile)]
    given: dict[str, str] = {}
    for name, value in pairs:
        if given.get(name, value) != value:
            raise InputError(f"parameter {name!r} is given twice: {given[name]!r} and {value!r}")
        given[name] = value
    return given


def complain(message: str) -> None:
    """Say in one line on stderr what is wrong."""
    click.echo(f"ibkit: {' '.join(message.split())}", err=True)


def stopped(interrupted: Interrupted, kept: str) -> SystemExit:
    """Say that a signal stopped the command and what is kept; return what to raise.

    Not the interruption itself: click would make of it one like any other.
    """
    by = "Ctrl-C" if interrupted.signum == 2 else f"signal {interrupted.signum}"
    complain(f"stopped by {by}; {kept}")
    return SystemExit(128 + interrupted.signum)
