"""One line for a test: the report if it is CERTIFIED, an AssertionError with its text if not."""

from typing import Any

from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report
from handgrad.subjects.function.verify import verify_function
from handgrad.subjects.network.verify import verify
from manual import Network


class NotCertified(AssertionError):
    """What `assert_verified` raises, with the report."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.text())
        self.report = report


def assert_verified(subject: Any, *args: Any, **kwargs: Any) -> Report:
    """Raise NotCertified, an AssertionError, with the whole report unless it is CERTIFIED; return the report.

    subject: a report; or the first argument of `verify` (a manual network) or of `verify_function` (anything else),
    followed by the others.

    >>> import torch
    >>> assert_verified(lambda x: (2 * x, None), lambda dy, _: 2 * dy, lambda x: x + x, [(3,)]).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    __tracebackhide__ = True  # pytest: show the line of the test, not this one
    report = report_on(subject, *args, **kwargs)
    if report.verdict is not Verdict.CERTIFIED:
        raise NotCertified(report)
    return report


def report_on(subject: Any, *args: Any, **kwargs: Any) -> Report:
    """The report on a report, a network, or a function."""
    if isinstance(subject, Report):
        if args or kwargs:
            raise TypeError("assert_verified: a report takes no further arguments")
        return subject
    return (
        verify(subject, *args, **kwargs) if isinstance(subject, Network) else verify_function(subject, *args, **kwargs)
    )
