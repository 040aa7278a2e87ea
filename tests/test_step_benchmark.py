"""benchmarks/step.py: all contenders train the same network from the same start, and the table says what was found."""

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STEPS = 4
NUMPY, EAGER, HAND = "manual on NumPy", "torch autograd, eager", "HandModule"


@pytest.fixture(scope="module", autouse=True)
def folder() -> Iterator[None]:
    path = str(Path(__file__).parent.parent / "benchmarks")
    sys.path.insert(0, path)
    yield
    sys.path.remove(path)


@pytest.fixture(scope="module")
def step(folder: None) -> Any:
    return importlib.import_module("step")


@pytest.fixture(scope="module")
def curve(step: Any) -> Callable[[str, str], list[float]]:
    """The losses of some steps of a contender, here in this process; each case has the sizes and batch of its name."""

    def losses(name: str, case: str) -> list[float]:
        contender = step.CONTENDERS[name]
        pytest.importorskip(contender.library)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.compile, about caches
            run = getattr(importlib.import_module(contender.module), contender.function)(step.CASES[case])
            return [run(1) for _ in range(STEPS)]

    return losses


def names() -> list[str]:
    return [
        "manual on torch",
        "manual under torch.compile",
        "manual under jax.jit",
        "manual under jax.lax.scan",
        "manual.fit's steps on JAX",
        "manual.fit's steps on torch",
        HAND,
        "HandModule, compiled",
        "torch autograd, eager, fused optimizer",
        "torch autograd, compiled",
        "torch autograd, compiled with its optimizer",
        "jax.grad under jit",
        "jax.grad under scan",
        "scikit-learn's MLP",
        NUMPY,
    ]


def test_all_contenders_are_tested(step: Any) -> None:
    assert set(names()) == set(step.CONTENDERS) - {step.SKYLAKE, EAGER}


@pytest.mark.parametrize("name", names())
def test_a_contender_trains_as_torch_does(name: str, curve: Any) -> None:
    expected = curve(EAGER, "3-2-1")
    assert len({f"{E:.5f}" for E in expected}) == STEPS  # it does train
    assert curve(name, "3-2-1") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [NUMPY, "manual under jax.jit", HAND, "jax.grad under jit", "scikit-learn's MLP"])
def test_cross_entropy_and_relu_are_the_same_too(name: str, curve: Any) -> None:
    assert curve(name, "784-512-256-10") == pytest.approx(curve(EAGER, "784-512-256-10"), rel=1e-5)


@pytest.mark.parametrize("name", ["manual under jax.lax.scan", "manual.fit's steps on JAX"])
def test_steps_of_one_block_are_the_steps_of_many(name: str, step: Any) -> None:
    pytest.importorskip("jax")
    contender = step.CONTENDERS[name]
    one, many = (
        getattr(importlib.import_module(contender.module), contender.function)(step.CASES["3-4-1"]) for _ in range(2)
    )
    assert many(STEPS) == pytest.approx([one(1) for _ in range(STEPS)][-1], rel=1e-6)


def test_the_operations_of_a_step(step: Any) -> None:
    """Of 3-2-1 with 3 samples: products of 3 x 3 x 2 and 3 x 2 x 1, forward and for dW, and one dx."""
    assert step.CASES["3-2-1"].flops == 2 * (2 * 18 + 2 * 6 + 6)


def test_a_contender_in_its_process(step: Any) -> None:
    """Of two contenders: times, memory, what autograd keeps; and a table of it, where what is too slow is bold."""
    found = step.measure(step.CASES["3-2-1"], [NUMPY, EAGER], rounds=2, threads=1)
    rows = found["contenders"]
    assert rows[NUMPY].keys() == {"seconds", "fastest", "version", "warm-up", "peak", "before"}
    assert rows[EAGER]["kept"] == 4 * (3 * 2 + 3 * 1)  # h1 and y
    assert all(0 < row["fastest"] <= row["seconds"] < 5 for row in rows.values())
    assert all(0 < row["before"] <= row["peak"] for row in rows.values())
    assert 1e8 < found["rate"] < 1e15
    assert found["rates"].keys() == {NUMPY, EAGER}
    assert found["rate"] == max(found["rates"].values())
    assert "; numpy " in step.one_case(found)
    rows[NUMPY]["seconds"], rows[EAGER]["seconds"] = 4.0, 10.0
    whole = {"cpu": "a CPU", "threads": 1, "rounds": 2, "absent": {HAND: "it is not"}, "cases": {"3-2-1": found}}
    table = step.table(whole)
    assert "Without HandModule: it is not." in table
    assert f"| {NUMPY} / {EAGER} | **0.40** (0.3) |  (0.3) |" in table
    assert f"| {NUMPY} | 4,000,000.0 | 0.40 |" in table
    assert f"| {EAGER} | 10,000,000.0 | 1.00 |" in table


def test_the_page_shows_what_was_recorded(step: Any) -> None:
    record = importlib.import_module("record")
    found = record.load("step")
    shown = record.section("step").search(record.PAGE.read_text())
    assert shown is not None
    assert not found or shown[2] == step.table(found)


def test_a_measurement_without_a_place_on_the_page(step: Any) -> None:
    record = importlib.import_module("record")
    with pytest.raises(ValueError, match="<!-- nowhere -->"):
        record.save("nowhere", {}, "")
    assert record.section("cuda").search(record.PAGE.read_text()) is not None
