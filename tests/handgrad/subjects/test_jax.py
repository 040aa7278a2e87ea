"""JAX code is judged in JAX, from shapes alone as well, by its own forward pass, with the rounding that JAX has."""

from pathlib import Path
from typing import Any

import pytest

from handgrad import Verdict, verify_function
from handgrad.cli import main
from handgrad.subjects.function.libraries import speaks_of
from handgrad.subjects.function.numpy_twin import NOTE

jax = pytest.importorskip("jax", reason="JAX is not installed")
jnp = jax.numpy


def tanh(z: Any) -> Any:
    return jnp.tanh(z), z


def tanh_back(dh: Any, z: Any, factor: float = 1.0) -> Any:
    """Where tanh is near 1, float32 loses most digits of 1 - h^2."""
    return factor * dh * (1 - jnp.tanh(z) ** 2)


def helped(x: Any) -> Any:
    return tanh(x)[0]


def test_right_code_passes_and_wrong_code_does_not() -> None:
    report = verify_function(tanh, tanh_back, inputs=[(3, 4)], seed=2)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert (report.dtype, report.library) == ("float32", "jaxlib")
    wrong = lambda dh, z: tanh_back(dh, z, 1.001)  # noqa: E731
    assert verify_function(tanh, wrong, inputs=[(3, 4)], seed=2, mend=0).verdict is Verdict.REFUTED


def test_code_that_is_wrong_at_some_sizes_alone_is_refuted() -> None:
    wrong = lambda dh, z: tanh_back(dh, z, 2.0 if z.shape[0] == 8 else 1.0)  # noqa: E731
    report = verify_function(tanh, wrong, inputs=[(3, 4)], seed=2, mend=0)
    assert report.verdict is Verdict.REFUTED
    assert "sizes 8x" in report.text()


def slope(z: Any) -> Any:
    return 1 - jnp.tanh(z)


def wrong_back(dh: Any, z: Any) -> Any:
    return dh * slope(z)


@pytest.mark.mends
def test_the_line_is_named_and_the_change_shown() -> None:
    report = verify_function(tanh, wrong_back, inputs=[(3, 4)], seed=0)
    assert report.place is not None
    assert report.place.text.strip() == "return 1 - jnp.tanh(z)"
    assert report.change is not None
    assert report.change.diff.count("+    return 1 - jnp.tanh(z) ** 2") == 1
    assert NOTE in report.notes
    assert report.ledger.rows


def test_a_forward_pass_that_asks_for_a_value_it_computed_is_judged_too() -> None:
    def forward(x: Any) -> Any:
        return (x * x, x) if float(x.sum()) > -1e9 else (x, x)

    report = verify_function(forward, lambda dy, x: 2 * x * dy, inputs=[(3,)], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()


def test_which_library_code_speaks_of() -> None:
    assert speaks_of("jax", tanh)
    assert speaks_of("jax", helped)
    assert not speaks_of("numpy", tanh, None)
    assert not speaks_of("jax", len, test_which_library_code_speaks_of.__code__)


FILE = """
import jax.numpy as jnp
from jaxtyping import Array, Float

def tanh(z: Float[Array, "n c"]):
    return jnp.tanh(z), z

def tanh_backward(dh, z):
    return dh * (1 - jnp.tanh(z) ** 2)
"""


def test_a_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jaxtyping")
    file = tmp_path / "code.py"
    file.write_text(FILE)
    assert main(["check", str(file), "--seed", "1"]) == 0, capsys.readouterr().out
    assert "CERTIFIED  tanh_backward: dz" in capsys.readouterr().out
