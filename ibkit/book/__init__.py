"""The book as a program: find its chapters, run them, keep what passed, and build the site.

Each module here is a library first (``ibkit.book.run.run_chapters`` runs chapters from Python);
the command line ``ibkit`` in ``ibkit.book.cli`` only reads arguments and prints. No science imports this package,
and importing it is cheap: papermill and its kin are imported by the worker processes alone.
"""

from ibkit.book.errors import InputError, Interrupted

__all__ = ["InputError", "Interrupted"]
