"""What can go wrong before or around a run, as opposed to inside a chapter."""


class InputError(ValueError):
    """The request itself is wrong (unknown chapter, parameter, folder ...), found before anything ran or was written.

    The message is one line that says what came and what was expected.
    """


class SiteError(RuntimeError):
    """The site cannot be built or must not be published; one line for each reason."""


class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal, after its workers and kernels were stopped and finished chapters were kept.

    Args:
        signum: the signal that came, 2 for Ctrl-C.
        report: what had finished by then (an `ibkit.book.run.Report`).
    """

    def __init__(self, signum: int, report: object = None) -> None:
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum
        self.report = report
