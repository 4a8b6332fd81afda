"""The book around the chapters: its catalogue, runs, ledger and site. No science imports anything from here."""
