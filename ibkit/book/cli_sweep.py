"""The commands `ibkit sweep` and `ibkit verify`: many runs of a chapter, and how often its claims hold."""

from __future__ import annotations

from typing import Any

import click

from ibkit.book import cli_options as options
from ibkit.book.errors import InputError, Interrupted

_workers = click.option(
    "-j", "--jobs", "workers", type=click.IntRange(min=1), metavar="N", help="Local workers; all cores if not given."
)
_scheduler = click.option(
    "--scheduler", metavar="ADDRESS", help="A running Dask scheduler, such as tcp://host:8786; else local workers."
)


@click.command("sweep")
@click.argument("slug", metavar="SLUG")
@click.option(
    "-p",
    "pairs",
    nargs=2,
    multiple=True,
    metavar="NAME VALUES",
    help="Values of a parameter: 0.1,0.5,0.9 or 0:100 (the end is not included). The product of all is run.",
)
@click.option("--settings", "file", metavar="FILE", help="A CSV or YAML file with a setting a row.")
@click.option("--profile", metavar="NAME", help="The same as -p profile NAME.")
@click.option("--out", metavar="DIR", help="Output folder or fsspec address; _build/sweeps/SLUG if not given.")
@click.option("--dry-run", is_flag=True, help="Say what would be run, and run nothing.")
@click.option("--no-notebooks", is_flag=True, help="Keep the notebooks of runs that broke off only.")
@_scheduler
@_workers
@options.timeout
@options.memory
@options.cold
@options.force
@options.root
def sweep_command(
    slug: str,
    pairs: tuple[tuple[str, str], ...],
    file: str | None,
    profile: str | None,
    out: str | None,
    dry_run: bool,
    no_notebooks: bool,
    scheduler: str | None,
    workers: int | None,
    timeout: float | None,
    memory: float | None,
    cold: bool,
    force: bool,
    root: str | None,
) -> int:
    """Run one chapter at many settings; what has been run is not run again."""
    from ibkit.book.settings import parse_values, read_settings
    from ibkit.book.sweep import SweepError, plan_sweep, run_sweep
    from ibkit.book.tree import find_chapter, find_tree

    tree = find_tree(root)
    chapter = find_chapter(slug, tree)
    products = {name: parse_values(text) for name, text in options.take_pairs(pairs, profile).items()}
    rows = read_settings(file) if file else [{}]
    plan = plan_sweep(chapter, products, rows, tree=tree, out=out, force=force)
    if dry_run:
        _say_plan(plan)
        return 0
    _need_dask()

    def run(listener: Any) -> Any:
        return run_sweep(
            plan,
            scheduler=scheduler,
            workers=workers,
            timeout=timeout,
            memory_mb=memory,
            warm=not cold,
            notebooks=not no_notebooks,
            listener=listener,
        )

    with options.alone(tree, exclusive=False):
        report = _watched(run)
        if report is None:
            return 1
        try:
            for address in _write(report):
                click.echo(f"Wrote {address}")
        except SweepError as error:
            options.complain(str(error))
            return 1
    failed = report.count("failed")
    if failed:
        first = next(result for result in report.results.values() if result["state"] == "failed")
        options.complain(f"{failed} of {len(report.results)} runs broke off; the first: {first['error']}")
    return 1 if failed else 0


@click.command("verify")
@click.argument("slugs", nargs=-1, metavar="SLUG...")
@click.option("--seeds", default="20", metavar="N", help="How many seeds from 0 on, or values such as 0:20 or 3,5,7.")
@click.option(
    "--at-least",
    type=click.FloatRange(0, 1),
    default=1.0,
    metavar="SHARE",
    help="End with 1 if a claim holds at a smaller share of the seeds; 1 if not given.",
)
@_scheduler
@_workers
@options.timeout
@options.memory
@options.cold
@options.force
@options.root
def verify_command(
    slugs: tuple[str, ...],
    seeds: str,
    at_least: float,
    scheduler: str | None,
    workers: int | None,
    timeout: float | None,
    memory: float | None,
    cold: bool,
    force: bool,
    root: str | None,
) -> int:
    """Run chapters at several seeds: the share at which each claim holds, with its exact interval, for the ledger.

    Every chapter of the book if none is named.
    """
    from ibkit.book.sweep import run_sweep
    from ibkit.book.tree import find_chapter, need_tree
    from ibkit.book.verify import count_claims, keep_verification, plan_verification

    tree = need_tree(root)
    chapters = [find_chapter(slug, tree) for slug in dict.fromkeys(slugs)] if slugs else tree.chapters()
    plans = [plan_verification(chapter, _seeds(seeds), tree=tree, force=force) for chapter in chapters]
    _need_dask()
    fine = True
    with options.alone(tree, exclusive=False):
        for plan in plans:

            def run(listener: Any, plan: Any = plan) -> Any:
                return run_sweep(
                    plan,
                    scheduler=scheduler,
                    workers=workers,
                    timeout=timeout,
                    memory_mb=memory,
                    warm=not cold,
                    notebooks=False,
                    listener=listener,
                )

            report = _watched(run)
            if report is None:
                return 1
            verification = count_claims(plan, report.results, tree)
            keep_verification(verification, tree.build)
            fine &= _say_verification(verification, at_least)
    return 0 if fine else 1


def _seeds(text: str) -> list[int]:
    from ibkit.book.settings import parse_values

    values = parse_values(f"0:{text}" if text.strip().isdigit() and int(text) else text)
    if not all(value.isdigit() for value in values):
        raise InputError(f"--seeds must be a number of seeds, or seeds such as 0:20 or 3,5,7, got {text!r}")
    return [int(value) for value in values]


def _say_plan(plan: Any) -> None:
    from ibkit.book.settings import swept

    names = swept(list(plan.settings.values()))
    for key, setting in plan.settings.items():
        shown = ", ".join(f"{name}={setting[name]}" for name in names) or "defaults"
        click.echo(f"{'kept' if key in plan.kept else 'run '}  {shown}")
    click.echo(f"{len(plan.missing)} of {len(plan.settings)} settings of {plan.chapter.name} would be run")


def _need_dask() -> None:
    import importlib.util

    from ibkit.book.table import need_pyarrow

    if importlib.util.find_spec("distributed") is None:
        raise InputError("sweeps need Dask: pip install 'ibkit[sweep]'")
    need_pyarrow()


def _watched(run: Any) -> Any:
    """Run a sweep with a console; return its report, None if it could not go on, which has been said."""
    from ibkit.book.sweep import SweepError
    from ibkit.book.sweep_console import SweepConsole

    console = SweepConsole()
    try:
        report = run(console)
    except Interrupted as stop:
        console.close()
        raise options.stopped(stop, f"{len(stop.report.results)} runs are kept") from None
    except SweepError as error:
        console.close()
        options.complain(f"the sweep stopped: {error}; {console.done} runs were finished and are kept")
        return None
    console.close()
    counts = ", ".join(f"{report.count(state)} {state}" for state in ("held", "red", "failed"))
    kept = f"; {len(report.plan.kept)} were there before" if report.plan.kept else ""
    click.echo(f"{len(report.results)} runs of {report.plan.chapter.name} in {report.seconds:.1f} s: {counts}{kept}")
    return report


def _write(report: Any) -> list[str]:
    from ibkit.book.console import shown
    from ibkit.book.summary import write_summary
    from ibkit.book.table import make_table, write_table

    folder = report.plan.folder
    addresses = write_table(make_table(report.results.values(), report.plan.parameters), folder)
    return [shown(address) for address in [*addresses, write_summary(report, folder)]]


def _say_verification(verification: Any, at_least: float) -> bool:
    """Print the share of each claim; return whether every claim holds often enough."""
    from dataclasses import asdict

    from ibkit.book.pages.bits import seeds_text

    width = max((len(claim.id) for claim in verification.claims), default=0)
    fine = not verification.broken and bool(verification.claims)
    for claim in verification.claims:
        click.echo(f"  {claim.id.ljust(width)}  {seeds_text(asdict(claim), verification.confidence)}")
        decided = claim.held + claim.red
        if decided and claim.held < at_least * decided - 1e-9:
            fine = False
    if verification.broken:
        options.complain(f"{verification.chapter}: the run broke off at {verification.broken} seeds")
    elif not fine:
        options.complain(f"{verification.chapter}: a claim holds at less than {at_least:g} of the seeds")
    return fine
