"""How long until 97 % of the held-out digits are right, compiling included and left out?

    python benchmarks/digits.py [--rounds 3]

One network (64-128-10, ReLU, Adam at 0.001, batches of 32, the same start and split), trained by each side to the same
accuracy, in turn. "first" has what is compiled or loaded at first use in it, "again" is the median of the rounds after.
Of handgrad's sides a profile of one more training says which part of it goes into steps, and which into evaluations:
the accuracy on the training samples, and loss and accuracy on the others, after every epoch.
JAX with optax is left out where optax is not installed.
"""

import argparse
from collections.abc import Callable
from cProfile import Profile
from functools import cache
from importlib.util import find_spec
from pstats import Stats
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from record import markdown, save

import manual
import torch_ref
from handgrad.experiment.datasets.digits import digits
from manual.training.batches import split

SIZES, RATE, BATCH, GOAL, MOST = [64, 128, 10], 1e-3, 32, 0.97, 60
D = digits()
X, LABELS = D.x.astype(np.float32), D.labels.astype(np.int32)
HOW: dict[str, Any] = {"epochs": MOST, "batch_size": BATCH, "validation": 0.2, "metrics": ["accuracy"]}


def reached(training: manual.Training) -> bool:
    """Whether to end."""
    return bool(training.history[-1]["val_accuracy"] >= GOAL)


def start(to: Callable[[Any], Any] = np.asarray) -> tuple[manual.Network, tuple[manual.Params, ...]]:
    """The network and its first weights, as arrays of a library."""
    network = manual.mlp(SIZES, "relu")
    params = network.init(0, "he_uniform", dtype="float32")
    return network, tuple({name: to(a) for name, a in layer.items()} for layer in params)


def by_manual(to: Callable[[Any], Any], *, compiled: bool = False) -> int:
    """manual.fit on arrays of a library; the epochs it took."""
    network, params = start(to)
    loss, adam = manual.SoftmaxCrossEntropy(), manual.Adam(RATE)
    done = manual.fit(network, params, to(X), to(LABELS), loss, adam, callbacks=[reached], compile=compiled, **HOW)
    return done.epoch


def by_torch_ref(side: Any, *, compiled: bool = False) -> int:
    """torch_ref.fit, by hand or by autograd."""
    network, params = start()
    loss, adam = manual.SoftmaxCrossEntropy(), manual.Adam(RATE)
    how = {**HOW, "side": side, "callbacks": [reached], "compile": compiled}
    return torch_ref.fit(network, params, X, LABELS, loss, adam, **how).epoch


def by_jax() -> int:
    import jax.numpy as jnp

    return by_manual(jnp.asarray, compiled=True)


def by_manual_torch() -> int:
    import torch

    return by_manual(torch.asarray, compiled=True)


@cache
def with_optax() -> tuple[Any, Any, Any]:
    """The optimizer, its step on jax.grad's gradient, and the accuracy, both under jax.jit and compiled once."""
    import jax
    import optax

    adam = optax.adam(RATE)

    def output(weights: Any, x: Any) -> Any:
        hidden, last = weights
        return jax.nn.relu(x @ hidden["W"].T + hidden["b"]) @ last["W"].T + last["b"]

    def step(weights: Any, state: Any, x: Any, t: Any) -> Any:
        def loss(weights: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(output(weights, x), t).mean()

        updates, state = adam.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, updates), state

    def accuracy(weights: Any, x: Any, t: Any) -> Any:
        return (output(weights, x).argmax(1) == t).mean()

    return adam, jax.jit(step), jax.jit(accuracy)


def by_optax() -> int:
    """The loop that one writes with JAX and optax."""
    import jax.numpy as jnp

    adam, step, accuracy = with_optax()
    weights = [layer for layer in start(jnp.asarray)[1] if layer]
    train, held_out = (part.rows for part in split(X, LABELS, 0.2, 0))
    state, rng = adam.init(weights), np.random.default_rng(0)
    for epoch in range(1, MOST + 1):
        for rows in np.array_split(rng.permutation(train), -(-len(train) // BATCH)):
            weights, state = step(weights, state, X[rows], LABELS[rows])
        if accuracy(weights, X[held_out], LABELS[held_out]) >= GOAL:
            return epoch
    return MOST


def by_sklearn() -> int:
    """MLPClassifier, an epoch at a time."""
    from sklearn.neural_network import MLPClassifier

    train, held_out = (part.rows for part in split(X, LABELS, 0.2, 0))
    model = MLPClassifier(SIZES[1:-1], learning_rate_init=RATE, batch_size=BATCH, alpha=0, random_state=0)
    for epoch in range(1, MOST + 1):
        model.partial_fit(X[train], LABELS[train], classes=np.arange(10))
        if model.score(X[held_out], LABELS[held_out]) >= GOAL:
            return epoch
    return MOST


def by_plain_torch() -> int:
    """The loop that one writes: modules, autograd, torch.optim."""
    import torch

    network, params = start()
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    model.load_state_dict(torch_ref.to_torch(network, params))
    optimizer, loss = torch.optim.Adam(model.parameters(), RATE), torch.nn.CrossEntropyLoss()
    train, held_out = (part.rows for part in split(X, LABELS, 0.2, 0))
    x, t, rng = torch.tensor(X), torch.tensor(LABELS).long(), np.random.default_rng(0)
    for epoch in range(1, MOST + 1):
        for rows in np.array_split(rng.permutation(train), -(-len(train) // BATCH)):
            optimizer.zero_grad()
            loss(model(x[rows]), t[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            if (model(x[held_out]).argmax(1) == t[held_out]).double().mean() >= GOAL:
                return epoch
    return MOST


CONTENDERS: dict[str, Callable[[], int]] = {
    "manual, NumPy": lambda: by_manual(np.asarray),
    "manual, JAX compiled": by_jax,
    "manual, torch compiled": by_manual_torch,
    "HandModule": lambda: by_torch_ref("hand"),
    "autograd twin": lambda: by_torch_ref("autograd"),
    "plain torch": by_plain_torch,
    "JAX with optax": by_optax,
    "scikit-learn": by_sklearn,
}

OURS = list(CONTENDERS)[:5]
OPTIONAL = "JAX with optax"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args(arguments).rounds
    names = [name for name in CONTENDERS if name != OPTIONAL or is_there("optax")]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    epochs: dict[str, int] = {}
    for _ in range(1 + rounds):
        for name in names:
            began = perf_counter()
            epochs[name] = CONTENDERS[name]()
            seconds[name].append(round(perf_counter() - began, 3))
            print(f"{name}: {seconds[name][-1]} s, {epochs[name]} epochs", flush=True)
    parts = {name: profile(CONTENDERS[name]) for name in OURS}
    found = {"seconds": seconds, "epochs": epochs, "parts": parts}
    save("digits", found, table(found))


def is_there(library: str) -> bool:
    """Whether it is installed; says so where it is not."""
    there = find_spec(library) is not None
    if not there:
        print(f"without {OPTIONAL}: {library} is not installed; pip install {library}", flush=True)
    return there


def profile(contender: Callable[[], int]) -> tuple[float, float]:
    """Which part of a training goes into steps, and which into evaluations."""
    profiler = Profile()
    profiler.runcall(contender)
    seconds = {"train_batch": 0.0, "train_block": 0.0, "evaluate": 0.0}
    every = Stats(profiler)
    for (file, _, name), (*_, cumulative, _) in every.stats.items():  # type: ignore[attr-defined]
        if file.endswith("manual/training/loop.py") and name in seconds:
            seconds[name] += cumulative
    total = every.total_tt  # type: ignore[attr-defined]
    steps = seconds["train_batch"] + seconds["train_block"]
    return round(steps / total, 3), round(seconds["evaluate"] / total, 3)


def table(found: dict[str, Any]) -> str:
    """Every contender's first training, the median of those after, that beside plain torch's, and its parts."""
    seconds, epochs = found["seconds"], found["epochs"]
    parts = {name: [f"{part:.0%}" for part in own] for name, own in found["parts"].items()}
    again = {name: median(s[1:]) for name, s in seconds.items()}
    unit = again["plain torch"]
    rows = [
        [
            name,
            epochs[name],
            f"{s[0]:.2f}",
            f"{again[name]:.2f}",
            f"{again[name] / unit:.2f}",
            *parts.get(name, ["", ""]),
        ]
        for name, s in seconds.items()
    ]
    return markdown(["", "epochs", "first, s", "again, s", "again, of plain torch", "in steps", "in evaluations"], rows)


if __name__ == "__main__":
    main()
