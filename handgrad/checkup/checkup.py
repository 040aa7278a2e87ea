"""The report of a check-up, as an object, as text, as JSON and as a page, and the function that makes it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType

from handgrad.checkup.checks import CHECKS, Check
from handgrad.checkup.numbers import Numbers, take_numbers
from handgrad.checkup.page import show_checkup
from handgrad.checkup.text import lay_out
from handgrad.html.page import Paged, Shown
from handgrad.report.console import WIDTH, render
from handgrad.report.report import as_plain
from manual import Array, Loss, Network, Params, Training


@dataclass(frozen=True)
class Checkup(Paged):
    """The checks of one network, and the numbers that they were made from. Its text has 80 columns."""

    name: str
    numbers: Numbers
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether every check found it so."""
        return all(check.healthy for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0, or 1 where something is wrong."""
        return 0 if self.healthy else 1

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r}; there are: {', '.join(check.name for check in self.checks)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists; values that are not finite as the strings "nan", "inf", "-inf"."""
        checks = [asdict(check) for check in self.checks]
        numbers = {k: as_plain(v) for k, v in vars(self.numbers).items() if k not in ("units", "units_after")}
        for name in ("units", "units_after"):
            numbers[name] = [units._asdict() for units in getattr(self.numbers, name)]
        return {"name": self.name, "healthy": self.healthy, "checks": checks, "numbers": numbers}

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def shown(self) -> Shown:
        """What its page says."""
        return show_checkup(self.name, self.checks, self.numbers)

    def renderable(self) -> RenderableType:
        """The report for a rich console."""
        return lay_out(self.name, self.checks)

    def __str__(self) -> str:
        return render(self.renderable(), color=False, width=WIDTH)


def examine(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    *,
    name: str = "",
    resume: Training | None = None,
    **settings: Any,
) -> Checkup:
    """A check-up before a long training: is there anything wrong with network, data, loss, initial values or optimizer?

    The arguments are those of `manual.fit`; settings: its batch_size, seed, clip_norm, shuffle, alpha, train_biases.
    A fifth of 20 samples or more is held back. resume: a Training to examine instead of its start. Takes two short
    trainings, and changes nothing. Raises what `manual.fit` raises before its first step.

    >>> import numpy as np
    >>> from manual import SGD, SoftmaxCrossEntropy, mlp
    >>> rng = np.random.default_rng(0)
    >>> x, net = rng.normal(size=(200, 4)), mlp([4, 16, 2], "tanh")
    >>> target = (x[:, 0] > 0).astype(int)
    >>> examine(net, net.init(0), x, target, SoftmaxCrossEntropy(), SGD(0.1)).healthy
    True
    >>> found = examine(net, net.init(0, "zeros"), x, target, SoftmaxCrossEntropy(), SGD(0.1))
    >>> [check.name for check in found.checks if not check.healthy]
    ['one batch by heart', 'first steps', 'update to weight', 'gradient norms', 'units alike']
    """
    numbers = take_numbers(network, params, x, target, loss, optimizer, settings, resume)
    return Checkup(name or describe(network), numbers, tuple(check(numbers) for check in CHECKS))


def describe(network: Network) -> str:
    """Its layers.

    >>> from manual import mlp
    >>> describe(mlp([2, 3], "tanh"))
    'Linear(n_in=2, n_out=3, bias=True, mask=None)'
    """
    return ", ".join(map(str, network.layers))
