"""The command `ibkit`: reads arguments, calls the library, prints, and ends with 0 (fine), 1 (something failed) or 2.

Exit code 2 is bad input: one line on stderr, nothing run and nothing written. Ctrl-C ends with 130.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

import ibkit
from ibkit.book import cli_options as options
from ibkit.book.cli_sweep import sweep_command, verify_command
from ibkit.book.errors import InputError, Interrupted

_jobs = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Chapters at once; all cores if not given."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ibkit.__version__, prog_name="ibkit")
def cli() -> None:
    """Run and build the book: chapters are notebooks, run with papermill, whose claims are checked."""


@cli.command("run")
@click.argument("slugs", nargs=-1, metavar="SLUG...")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter; may be repeated.")
@click.option("--profile", metavar="NAME", help="The same as -p profile NAME.")
@_jobs
@click.option("--out", metavar="DIR", help="Output folder, or an fsspec address such as s3://bucket/runs.")
@options.timeout
@options.memory
@options.cold
@options.force
@options.root
def run_command(
    slugs: tuple[str, ...],
    pairs: tuple[tuple[str, str], ...],
    profile: str | None,
    jobs: int | None,
    out: str | None,
    timeout: float | None,
    memory: float | None,
    cold: bool,
    force: bool,
    root: str | None,
) -> int:
    """Run chapters, named by slug, part/slug or a notebook's path; every chapter of the book if none is named."""
    from ibkit.book.run import run_chapters
    from ibkit.book.tree import find_chapter, find_tree, need_tree

    tree = find_tree(root) if slugs else need_tree(root)
    chapters = [find_chapter(slug, tree) for slug in slugs] if slugs else tree.chapters()
    given = options.take_pairs(pairs, profile)

    def run(listener: Any) -> Any:
        return run_chapters(
            chapters,
            tree=tree,
            parameters=given,
            jobs=jobs,
            out=out,
            timeout=timeout,
            memory_mb=memory,
            warm=not cold,
            force=force,
            listener=listener,
        )

    with options.alone(tree, exclusive=False):
        report = _run(run, chapters)
    for folder in sorted({r.address[: -len(r.chapter.file) - 1] for r in report.results if r.status != "failed"}):
        from ibkit.book.console import shown

        click.echo(f"Notebooks are in {shown(folder)}")
    return _verdict(report)


@cli.command("build")
@_jobs
@options.timeout
@options.memory
@options.cold
@options.force
@options.root
def build_command(
    jobs: int | None, timeout: float | None, memory: float | None, cold: bool, force: bool, root: str | None
) -> int:
    """Run the chapters that changed, then build the site from those that pass; no site while one fails."""
    from ibkit.book.run import run_chapters
    from ibkit.book.tree import need_tree

    tree = need_tree(root)
    chapters = tree.chapters()

    def run(listener: Any) -> Any:
        return run_chapters(
            chapters,
            tree=tree,
            jobs=jobs,
            timeout=timeout,
            memory_mb=memory,
            warm=not cold,
            force=force,
            listener=listener,
        )

    with options.alone(tree, exclusive=True):
        report = _run(run, chapters)
        if not report.ok:
            return _verdict(report, "; the site is not built")
        tree.prune_executed()
        from ibkit.book.site import build_site

        click.echo("Building the site")
        try:
            site = build_site(tree.root)
        except (RuntimeError, OSError) as error:
            options.complain(f"the site is not built: {error}")
            return 1
    click.echo(f"The site is in {site}")
    return 0


cli.add_command(sweep_command)
cli.add_command(verify_command)


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
@options.root
def list_command(as_json: bool, root: str | None) -> int:
    """List the chapters: part, slug, parameters, and whether each has been run as it is now."""
    from ibkit.book.status import chapter_states
    from ibkit.book.tree import need_tree

    states = chapter_states(need_tree(root))
    if as_json:
        click.echo(json.dumps([state.as_json() for state in states], indent=1))
        return 0
    width = max((len(state.chapter.name) for state in states), default=0)
    for state in states:
        declared = ", ".join(map(str, state.parameters))
        click.echo(f"{state.chapter.name.ljust(width)}  {state.state.ljust(7)}  {declared}".rstrip())
    if not states:
        click.echo("no chapters yet")
    return 0


@cli.command("new")
@click.argument("slug")
@options.root
def new_command(slug: str, root: str | None) -> int:
    """Begin a chapter: a notebook from the template for one of the papers, entered in the table of contents."""
    from ibkit.book.console import shown
    from ibkit.book.template import new_chapter
    from ibkit.book.tree import need_tree

    path = new_chapter(slug, need_tree(root))
    click.echo(f"Wrote {shown(str(path))}; run it with: ibkit run {slug}")
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: the words after `ibkit`; those of the process if not given.

    Raises:
        SystemExit: always, with the exit code.
    """
    try:
        code = cli.main(args=None if arguments is None else list(arguments), prog_name="ibkit", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        options.complain(error.format_message())
        code = 2
    except InputError as error:
        options.complain(str(error))
        code = 2
    except (KeyboardInterrupt, click.Abort):
        options.complain("stopped")
        code = 130
    except BrokenPipeError:
        code = 1
    except OSError as error:
        options.complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _run(run: Any, chapters: Sequence[Any]) -> Any:
    """Run with a console, and say at the end what became of it, also when it was stopped."""
    from ibkit.book.console import Console, plural, summary

    console = Console(max((len(chapter.name) for chapter in chapters), default=0))
    total = len(dict.fromkeys(chapters))
    try:
        report = run(console)
    except Interrupted as stopped:
        console.close()
        passed = [r.chapter.name for r in stopped.report.results if r.status == "passed"]
        kept = f"{plural(len(passed), 'chapter')} finished and kept{': ' if passed else ''}{', '.join(passed)}"
        raise options.stopped(stopped, kept) from None
    console.close()
    click.echo(summary(report, total))
    return report


def _verdict(report: Any, consequence: str = "") -> int:
    """Return the exit code of a run; if it failed, name each failed chapter and its cell in one line."""
    if report.ok:
        return 0
    named = "; ".join(f"{result.chapter.name} {result.problems[0]}" for result in report.failed)
    options.complain(f"{len(report.failed)} of {len(report.results)} chapters failed{consequence}: {named}")
    return 1


if __name__ == "__main__":
    main()
