"""A jax.custom_vjp is handed over as it is: on shapes, in both precisions, beside a constant, without a reference."""

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function

jax = pytest.importorskip("jax", reason="JAX is not installed")
jnp = jax.numpy


def power(factor):
    """n sin(x) for a whole number n, whose backward pass has another factor where that is not 1."""

    @jax.custom_vjp
    def f(x, n):
        return n * jnp.sin(x)

    f.defvjp(lambda x, n: (f(x, n), (x, n)), lambda cache, dy: (factor * cache[1] * dy * jnp.cos(cache[0]), None))
    return f


def reference(x, n):
    return n * torch.sin(x)


@pytest.mark.parametrize(("factor", "verdict"), [(1, Verdict.CERTIFIED), (1.01, Verdict.REFUTED)])
@pytest.mark.parametrize("right", [reference, None])
def test_right_and_wrong_with_a_constant_beside_it(factor, verdict, right):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
    assert verify_function(power(factor), None, right, [x, 3], seed=0).verdict is verdict


def test_what_is_drawn_for_shapes_has_the_precision_jax_computes_in():
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (jnp.sin(x), x), lambda x, dy: (dy * jnp.cos(x),))
    report = verify_function(f, None, torch.sin, [(2,)], seed=0)
    assert (report.verdict, report.dtype, report.library) == (Verdict.CERTIFIED, "float32", "jaxlib")
    with pytest.raises(ValueError, match="dtype: got float64, which JAX computes in only inside"):
        verify_function(f, None, torch.sin, [(2,)], dtype="float64")
    with jax.enable_x64(True):
        assert verify_function(f, None, torch.sin, [jnp.ones(2)], seed=0).dtype == "float64"


def test_a_rule_under_vmap_without_a_reference_is_refused():
    with pytest.raises(TypeError, match="forward brings its own backward pass, which cannot judge itself"):
        verify_function(jax.vmap(power(1), in_axes=(0, None)), None, None, [jnp.ones((3, 2)), 3])
