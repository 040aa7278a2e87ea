"""The judge: certifies a hand-derived gradient, places and names the mistake.

The names below are imported when they are first used: the pytest plugin loads this package in every run of an
environment that has it, and torch takes its time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.assertions import assert_verified
    from handgrad.checkup.checkup import Checkup, examine
    from handgrad.judge.verdict import Verdict
    from handgrad.mark import gradient_of
    from handgrad.report.report import Report
    from handgrad.subjects.function.verify import verify_function
    from handgrad.subjects.network.verify import verify
    from handgrad.subjects.retained_gradient import cmp
    from handgrad.subjects.verify_update import UpdateReport, verify_update

__version__ = "0.1.0"

__all__ = [
    "Checkup",
    "Report",
    "UpdateReport",
    "Verdict",
    "assert_verified",
    "cmp",
    "examine",
    "gradient_of",
    "verify",
    "verify_function",
    "verify_update",
]

_HOMES = {
    "Checkup": "checkup.checkup",
    "Report": "report.report",
    "UpdateReport": "subjects.verify_update",
    "Verdict": "judge.verdict",
    "assert_verified": "assertions",
    "cmp": "subjects.retained_gradient",
    "examine": "checkup.checkup",
    "gradient_of": "mark",
    "verify": "subjects.network.verify",
    "verify_function": "subjects.function.verify",
    "verify_update": "subjects.verify_update",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"handgrad.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'handgrad' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    """What TAB offers in a notebook: the names above, used before or not."""
    return ["__version__", *__all__]
