"""The pages and pieces of pages that the machine writes.

Small HTML fragments and Markdown pages, from the catalogue, the ledger and the chapters' metadata: they take their
colours from the theme, are whole without a script, and link relatively, so that the site reads the same from a server
and from a folder.
"""
