"""JAX code in NumPy: what JAX gives, for every operation of the table and for those that are not in it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.imitated_jax import Rounding
from handgrad.arrays.jax_in_numpy import OPERATIONS, in_numpy, operate

jax = pytest.importorskip("jax", reason="JAX is not installed")
jnp, lax = jax.numpy, jax.lax
X, Y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
POSITIVE = np.abs(X) + 0.5


def loop(x: Any) -> Any:
    return lax.scan(lambda h, row: (jnp.tanh(h + row), h), x[0], x)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "entry by entry": (
        lambda x, p: (jnp.exp(x), jnp.log(p), jnp.tanh(x), jax.nn.sigmoid(x), jnp.sqrt(p), lax.rsqrt(p), x**3, p**0.3),
        (X, POSITIVE),
    ),
    "others": (
        lambda x, p: (jnp.expm1(x), jnp.log1p(p), jnp.sin(x), jnp.cos(x), jnp.sign(x), jnp.floor(x), -x, jnp.abs(x)),
        (X, POSITIVE),
    ),
    "rare": (
        lambda x: (jnp.ceil(x), jnp.cbrt(x), jnp.cosh(x), jnp.sinh(x), jnp.tan(x), jnp.exp2(x), lax.square(x)),
        (X,),
    ),
    "two": (lambda x, y: (x + y, x - y, x * y, x / y, jnp.maximum(x, y), jnp.minimum(x, y)), (X, Y)),
    "choices": (lambda x, y: (jnp.where((x > y) & ~(x < 0), x, y), lax.clamp(-0.5, x, 0.5), jnp.isfinite(x)), (X, Y)),
    "comparisons": (lambda x, y: (x == y, x != y, x <= y, x >= y, (x > 0) | (y > 0)), (X, Y)),
    "sums": (
        lambda x: (x.sum(0), x.mean(), x.max(1), x.min(), x.prod(0), jnp.cumsum(x, 1), (x > 0).any(0), (x > 0).all(1)),
        (X,),
    ),
    "sums from the other end": (lambda x: lax.cumsum(x, 0, reverse=True), (X,)),
    "forms": (
        lambda x: (x.T, x.reshape(2, 6), x[None, :, 1:3], x[::-1], x[:, ::2], jnp.concatenate([x, x], 1), x[..., None]),
        (X,),
    ),
    "kinds": (
        lambda x: (jnp.copy(x), x.astype("int32"), jnp.arange(4) * x, jnp.ones_like(x), lax.iota("int32", 3)),
        (X,),
    ),
    "products": (lambda x, y: (x @ y.T, jnp.einsum("ij,ij->i", x, y), jnp.einsum("bi,bj->bij", x, y)), (X, Y)),
    "indices": (lambda x: (x[jnp.array([0, 2, 2])], x.at[jnp.array([0, 0])].add(1.0), jnp.sort(x), x.argmax(1)), (X,)),
    "functions within": (lambda x: (jax.nn.relu(x), jax.nn.gelu(x), jax.nn.softmax(x), jax.jit(jnp.tanh)(x)), (X,)),
    "a loop": (loop, (X,)),
    "a gradient": (jax.grad(lambda x: jax.nn.logsumexp(jnp.tanh(x) @ jnp.ones((4, 2)), axis=1).sum()), (X,)),
    "of a loop": (jax.grad(lambda x: loop(x)[1].sum()), (X,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_gives_what_jax_gives(name: str) -> None:
    function, given = FUNCTIONS[name]
    args = [jnp.asarray(a) for a in given]
    expected, found = function(*args), in_numpy(function, *args)
    assert jax.tree_util.tree_structure(found) == jax.tree_util.tree_structure(expected)
    leaves = jax.tree_util.tree_leaves
    for ours, theirs in zip(leaves(found), leaves(expected), strict=True):
        assert (type(ours), ours.dtype, ours.shape) == (np.ndarray, theirs.dtype, theirs.shape)
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)


def test_every_operation_of_the_table_was_run_above() -> None:
    seen: set[str] = set()

    def noted(line: Any, given: Any) -> Any:
        seen.add(line.primitive.name)
        return operate(line, given)

    for function, given in FUNCTIONS.values():
        in_numpy(function, *map(jnp.asarray, given), operate=noted)
    assert set(OPERATIONS) <= seen


def test_a_value_that_is_asked_for_is_refused() -> None:
    with pytest.raises(TypeError):
        in_numpy(lambda x: x if x.sum() > 0 else -x, jnp.ones(2))


def roundings(rng: int = 0) -> Rounding:
    return Rounding(np.random.default_rng(rng), lambda a: Arithmetic.of(a.dtype.name))


def test_what_rounds_is_off_by_about_a_unit_and_what_is_exact_is_not() -> None:
    x = jnp.asarray(X)
    for function in (jnp.tanh, lambda x: x * 0.3, lambda x: x @ jnp.asarray(Y).T):
        off = np.stack([roundings(i)(function, x) for i in range(50)]) / np.asarray(function(x)) - 1
        assert 0.3 * 2**-24 < np.sqrt(np.mean(off**2)) < 100 * 2**-24
    for function in (lambda x: x - x, lambda x: 2 * x, lambda x: x.T, lambda x: jnp.maximum(x, 0), lambda x: x.max(1)):
        rounding = roundings()
        np.testing.assert_array_equal(rounding(function, x), function(x))


def test_a_difference_shows_the_roundings_of_what_it_is_made_of() -> None:
    x = jnp.full(100, 5.0)
    off = np.stack([roundings(i)(lambda x: 1 - jnp.tanh(x) ** 2, x) for i in range(20)])
    assert np.std(off) > 1e-4 * np.mean(off)  # digits are lost where 1 - h^2 cancels
