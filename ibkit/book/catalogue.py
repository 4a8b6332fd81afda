"""The 181 papers and the 19 parts of the book.

``references.bib`` is the one home of the papers: the BibTeX key is the chapter's slug, ``keywords`` its part.
This module reads it once into plain records; everything else (ledger, part pages, templates) asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ibkit.book.errors import InputError

BIBLIOGRAPHY = "references.bib"


class CatalogueError(InputError):
    """``references.bib`` breaks its contract; the message names the entry."""


@dataclass(frozen=True)
class Part:
    """A part of the book: its folder's name, its title and one sentence on what it is about."""

    name: str
    title: str
    sentence: str


@dataclass(frozen=True)
class Paper:
    """One paper, as ``references.bib`` knows it.

    ``authors`` are full names in natural order, ``families`` their family names; ``others`` says that the list is only
    the beginning of the true one. ``None`` stands for what is not known for certain.
    """

    slug: str
    part: str
    title: str
    authors: tuple[str, ...]
    others: bool
    year: int
    arxiv: str | None = None
    venue: str | None = None
    code: str | None = None
    doi: str | None = None
    families: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where the chapter's notebook stands, relative to ``chapters/``."""
        return f"{self.part}/{self.slug}.ipynb"

    @property
    def url(self) -> str | None:
        """Where to read the paper, if that is known."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else None

    @property
    def citation(self) -> str:
        """Authors and year as running text writes them.

        Example:
            >>> names = {"authors": ("Chen Fan", "Mark Schmidt"), "families": ("Fan", "Schmidt")}
            >>> Paper("s", "margins", "T", **names, others=False, year=2025).citation
            'Fan and Schmidt, 2025'
            >>> Paper("s", "margins", "T", **names, others=True, year=2024).citation
            'Fan et al., 2024'
        """
        if not self.families:
            return str(self.year)
        if self.others or len(self.families) > 2:
            return f"{self.families[0]} et al., {self.year}"
        return f"{' and '.join(self.families)}, {self.year}"


# In reading order: the sharpest results on where training ends up first, what they do to language models next,
# then optimizers, theory, and at the end what trains without gradients.
PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part(
            "margins", "Margins", "Which separating solution an optimizer ends up in when infinitely many fit the data."
        ),
        Part(
            "collapse",
            "Neural collapse",
            "The shapes that features and classifiers settle into when training goes past zero error.",
        ),
        Part(
            "next-token",
            "Next-token prediction",
            "What learning to predict the next word does to the geometry of words and contexts.",
        ),
        Part(
            "attention",
            "Attention",
            "How attention chooses what to look at, what it can store, and how fast it learns to.",
        ),
        Part(
            "imbalance",
            "Imbalance",
            "Losses, priors and retraining for data whose classes or groups come in unequal numbers.",
        ),
        Part(
            "optimizers",
            "Optimizers",
            "Update rules beyond plain gradient descent: spectral, second-order, memory-saving.",
        ),
        Part(
            "landscape", "Loss landscapes", "Curvature, valleys, connected minima, and the step sizes that they allow."
        ),
        Part(
            "convergence",
            "Convergence",
            "How fast iterative methods come close to a solution, and what schedules and averages add.",
        ),
        Part(
            "generalization", "Generalization", "Why models that could memorise their data still do well on new data."
        ),
        Part(
            "bilevel",
            "Bilevel optimization",
            "Problems nested in problems: hyperparameters, constraints, penalties and line searches.",
        ),
        Part("online", "Online learning and bandits", "Decisions made while the data arrive, measured by regret."),
        Part(
            "statistics",
            "Statistics",
            "Sparse, private, causal and sampled estimation, where the optimizer is half of the estimator.",
        ),
        Part("robustness", "Robustness", "Certificates and training methods that hold up under adversarial change."),
        Part(
            "fine-tuning",
            "Fine-tuning",
            "Adapting a large model: low-rank updates, distillation, unlearning, valuing data.",
        ),
        Part("continual", "Continual learning", "Learning task after task without losing the earlier ones."),
        Part(
            "in-context",
            "In-context learning",
            "What transformers infer from the prompt alone, and what that rests on.",
        ),
        Part(
            "reasoning-rl",
            "Reasoning and reinforcement",
            "Training language models to reason: rewards, verifiers and policy gradients.",
        ),
        Part("alignment", "Alignment", "Learning from preferences and specifications without overshooting them."),
        Part(
            "beyond-backprop",
            "Beyond backpropagation",
            "Training without gradients, through discrete units, and networks in place of equations.",
        ),
    )
}


def load_catalogue(root: Path) -> dict[str, Paper]:
    """Read the papers from ``references.bib``, sorted by slug.

    Args:
        root: the book's folder.

    Returns:
        The papers by slug.

    Raises:
        CatalogueError: the file is missing or cannot be parsed, a key stands twice, an entry has no title, year or
            part, or its part is not one of the book's.
    """
    from pybtex.database import BibliographyDataError, parse_string
    from pybtex.scanner import PybtexSyntaxError

    path = Path(root) / BIBLIOGRAPHY
    if not path.is_file():
        raise CatalogueError(f"{BIBLIOGRAPHY}: expected in {Path(root)}, not found")
    try:
        database = parse_string(path.read_text(encoding="utf-8"), "bibtex")
    except BibliographyDataError as error:
        raise CatalogueError(f"{BIBLIOGRAPHY}: {error} (every key stands once)") from error
    except PybtexSyntaxError as error:
        raise CatalogueError(f"{BIBLIOGRAPHY}: {error}") from error
    return {key: _paper(key, entry) for key, entry in sorted(database.entries.items())}


def _paper(key: str, entry) -> Paper:
    fields = {name.lower(): value.strip() for name, value in entry.fields.items()}
    for needed in ("title", "year", "keywords"):
        if not fields.get(needed):
            raise CatalogueError(f"{BIBLIOGRAPHY}: entry {key!r} has no {needed}")
    if not fields["year"].isdecimal():
        raise CatalogueError(f"{BIBLIOGRAPHY}: entry {key!r} has year {fields['year']!r}, expected a number")
    if fields["keywords"] not in PARTS:
        raise CatalogueError(
            f"{BIBLIOGRAPHY}: entry {key!r} names the part {fields['keywords']!r}, expected one of {', '.join(PARTS)}"
        )
    people = entry.persons.get("author", [])
    known = [person for person in people if str(person) != "others"]
    return Paper(
        slug=key,
        part=fields["keywords"],
        title=_plain(fields["title"]),
        authors=tuple(_plain(_natural_order(person)) for person in known),
        others=len(known) < len(people),
        year=int(fields["year"]),
        arxiv=fields.get("eprint"),
        venue=_plain(fields["note"]) if "note" in fields else None,
        code=fields.get("code"),
        doi=fields.get("doi"),
        families=tuple(_plain(" ".join([*person.prelast_names, *person.last_names])) for person in known),
    )


def _natural_order(person) -> str:
    return " ".join(
        [*person.first_names, *person.middle_names, *person.prelast_names, *person.last_names, *person.lineage_names]
    )


def _plain(latex: str) -> str:
    """LaTeX as plain text: accents and dashes as characters, no braces."""
    latex = latex.removeprefix("{").removesuffix("}") if latex.count("{") == 1 else latex
    if not any(sign in latex for sign in ("\\", "{", "--", "~", "$")):  # the parser is slow, most fields need none
        return latex
    from pybtex.richtext import Text

    return Text.from_latex(latex).render_as("text")
