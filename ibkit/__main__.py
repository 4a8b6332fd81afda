"""`python -m ibkit` is the command `ibkit`."""

from ibkit.book.cli import main

if __name__ == "__main__":
    main()
