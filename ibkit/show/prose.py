"""Sentences whose numbers come from the run."""

from __future__ import annotations

from IPython.display import Markdown, display


def prose(text: str) -> None:
    """Show a paragraph of Markdown, written by a cell because it speaks of measured numbers.

    Args:
        text: Markdown with ``$...$`` mathematics; usually an f-string.

    Raises:
        ValueError: if the text is empty.

    Example:
        >>> prose(f"The ratio is {0.98765:.3f}.")
        <IPython.core.display.Markdown object>
    """
    if not text.strip():
        raise ValueError("text must not be empty")
    display(Markdown(text))
