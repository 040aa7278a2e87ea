"""HandModule beside torch's own modules in each way it is used: how long do forward and backward pass take?

    python benchmarks/step_uses.py

Network and loss are one HandModule, or two, or one of them is torch's; in training, in evaluation, and where the lines
of `manual` run instead of torch's kernels. Both sides run in one process, in random order; each is timed by its
thread's processor time, and the least of many times counts: what a busy machine adds to some of them does not.
"""

import random
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from record import markdown, save
from step_cases import CASES, Case, problem
from step_manual import network_of

import manual
from torch_ref import HandModule, twin

ROUNDS = {"3-4-1": 2000, "64-64-10": 1000, "784-512-256-10": 100}
Run = Callable[[], Any]


def pairs(case: Case) -> dict[str, tuple[Run, Run, bool]]:
    """Per use our call and torch's, and whether its result goes backward."""
    network, loss = network_of(case)
    x, target = map(torch.from_numpy, problem(case)[1:])
    sequence = x.reshape(1, *x.shape)
    hand, own = HandModule(network), twin(network)
    normed, own_normed = HandModule(with_norms(network)), twin(with_norms(network))
    hooked, own_hooked = HandModule(network), twin(network)
    for module in (hooked, own_hooked):
        module[0].register_forward_hook(lambda *_: None)
    both, E, own_E = HandModule(network, loss), HandModule(loss), twin(loss)

    def low() -> Any:
        return torch.autocast("cpu", torch.bfloat16)

    def call(module: Any, given: torch.Tensor, mode: Callable[[], Any] = nullcontext) -> Run:
        def run() -> Any:
            with mode():
                return module(given)

        return run

    def loss_of(module: Any, criterion: Any, mode: Callable[[], Any] = nullcontext) -> Run:
        def run() -> Any:
            with mode():
                return criterion(module(x), target)

        return run

    return {
        "network and loss in one": (lambda: both(x, target), loss_of(own, own_E), True),
        "network, torch's loss": (loss_of(hand, own_E), loss_of(own, own_E), True),
        "torch's network, loss": (loss_of(own, E), loss_of(own, own_E), True),
        "network, loss": (loss_of(hand, E), loss_of(own, own_E), True),
        "with batch norms, loss": (loss_of(normed, E), loss_of(own_normed, own_E), True),
        "x of three dimensions": (lambda: hand(sequence).sum(), lambda: own(sequence).sum(), True),
        "in no_grad": (call(hand, x, torch.no_grad), call(own, x, torch.no_grad), False),
        "in no_grad, x of three dimensions": (
            call(hand, sequence, torch.no_grad),
            call(own, sequence, torch.no_grad),
            False,
        ),
        "with a hook on a child, loss": (loss_of(hooked, E), loss_of(own_hooked, own_E), True),
        "in autocast to bfloat16, loss": (loss_of(hand, E, low), loss_of(own, own_E, low), True),
    }


def with_norms(network: manual.Network) -> manual.Network:
    """The network with a batch norm after every linear layer but the last."""
    layers: list[Any] = []
    for layer in network.layers:
        layers += [layer, manual.BatchNorm1d(layer.n_out)] if isinstance(layer, manual.Linear) else [layer]
    return manual.Network(layers[:-1])


def timed(run: Run, backward: bool) -> float:
    """Seconds of one call, and of its backward pass."""
    start = time.thread_time()
    result = run()
    if backward:
        result.backward()
    return time.thread_time() - start


def ratios(case: Case) -> dict[str, float]:
    """Our least time over torch's, per use."""
    uses = pairs(case)
    least = {name: [float("inf")] * 2 for name in uses}
    for _ in range(ROUNDS[case.name]):
        for name in random.sample(list(uses), len(uses)):
            *sides, backward = uses[name]
            for i in random.sample((0, 1), 2):
                timed(sides[i], backward)  # its code and its arrays are near again
                least[name][i] = min(least[name][i], timed(sides[i], backward))
    return {name: ours / theirs for name, (ours, theirs) in least.items()}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = {name: ratios(CASES[name]) for name in ROUNDS}
    rows = [[use, *(f"{found[name][use]:.2f}" for name in ROUNDS)] for use in found["3-4-1"]]
    save("uses", {"of torch's time": found}, markdown(["HandModule / torch's own modules", *ROUNDS], rows))


if __name__ == "__main__":
    main()
