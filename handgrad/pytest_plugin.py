"""The pytest plugin: a fixture that judges gradients, its reports in failure messages, all of them as JSON.

    def test_my_gelu(handgrad):
        handgrad.assert_verified(forward, backward, torch.nn.functional.gelu, [(5, 3)])

`pytest --handgrad-json reports.json` writes every report of the session. Nothing heavy is imported until the fixture is
used: every pytest run of an environment with handgrad in it loads this file.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from handgrad.report.report import Report

KEY: pytest.StashKey[list[Any]] = pytest.StashKey()
PROPERTY = "handgrad"


class Judge:
    """What the fixture gives: verify, verify_function, assert_verified; each report is kept for the session."""

    def __init__(self, reports: list[Report]) -> None:
        self.reports = reports

    def verify(self, *args: Any, **kwargs: Any) -> Report:
        """`handgrad.verify`."""
        from handgrad.subjects.network.verify import verify

        return self._keep(verify(*args, **kwargs))

    def verify_function(self, *args: Any, **kwargs: Any) -> Report:
        """`handgrad.verify_function`."""
        from handgrad.subjects.function.verify import verify_function

        return self._keep(verify_function(*args, **kwargs))

    def assert_verified(self, subject: Any, *args: Any, **kwargs: Any) -> Report:
        """`handgrad.assert_verified`."""
        __tracebackhide__ = True
        from handgrad.assertions import assert_verified, report_on

        return assert_verified(self._keep(report_on(subject, *args, **kwargs)))

    def _keep(self, report: Report) -> Report:
        if all(report is not kept for kept in self.reports):
            self.reports.append(report)
        return report


@pytest.fixture
def handgrad(request: pytest.FixtureRequest) -> Judge:
    """Judge hand-written gradients; the reports of a failing test are shown with it."""
    return Judge(request.node.stash.setdefault(KEY, []))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("handgrad").addoption(
        "--handgrad-json", metavar="FILE", type=Path, help="write every handgrad report of this session to FILE as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--handgrad-json")
    if path is not None and not hasattr(
        config, "workerinput"
    ):  # pytest-xdist: the controller writes, the workers report
        config.pluginmanager.register(Collector(path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    outcome = yield
    reports = item.stash.get(KEY, [])
    if call.when == "call" and reports:
        if item.config.getoption("--handgrad-json") is not None:
            outcome.user_properties += [(PROPERTY, report.to_dict()) for report in reports]
        if outcome.failed:
            shown = getattr(call.excinfo and call.excinfo.value, "report", None)  # by assert_verified's own error
            outcome.sections += [("handgrad", report.text()) for report in reports if report is not shown]
    return outcome


class Collector:
    """Gathers the reports of all tests, those of other processes among them, and writes them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.found += [{"test": report.nodeid, "report": r} for key, r in report.user_properties if key == PROPERTY]

    def pytest_sessionfinish(self) -> None:
        self.path.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
