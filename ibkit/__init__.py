"""The library behind an executable companion to 181 papers on how training chooses its solution.

Laid out by what a chapter's author thinks of, in this order, each part importing only those before it:
``data``, ``models``, ``losses``, ``optim``, ``oracles``, ``measure``, ``train``, ``claims``, ``show``, ``book``.
"""

__version__ = "0.1.0"
