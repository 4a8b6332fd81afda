"""Models as functions of their parameters, with leading run dimensions."""
