"""What ends a run: every failure a person is told about, in plain words, with what to do about it."""


class RunnerFailure(Exception):
    """A cause and its remedy; the command prints both and exits with 1."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


class StepFailed(RunnerFailure):
    """A step of the pipeline ended with a status that is not 0."""


class StepTooLong(StepFailed):
    """A step went over one of its time limits; it still runs."""


class Stopped(Exception):
    """A signal asked the run to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number
