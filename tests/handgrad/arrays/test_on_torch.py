"""Arrays on torch: what is needed of torch's private room, and where NumPy's habits are easily missed."""

import numpy as np
import pytest
import torch

from handgrad.arrays.on_torch.array import OnTorch, following
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.arrays.on_torch.torch_numpy import find

# NumPy's functions that come from torch._numpy, each with arguments that show its way of taking them.
NEEDED = {
    "sum": {"axis": (0, 1), "keepdims": True}, "prod": {"axis": 0}, "amax": {"axis": 1}, "amin": {"axis": 1},
    "cumsum": {"axis": 0}, "cumprod": {"axis": 1}, "sort": {"axis": 0}, "diff": {"axis": 1}, "floor": {}, "ceil": {},
    "tril": {"k": 1}, "triu": {}, "trace": {}, "diagonal": {}, "diag": {}, "swapaxes": {"axis1": 0, "axis2": 1},
    "moveaxis": {"source": 0, "destination": 1}, "expand_dims": {"axis": 1}, "squeeze": {}, "round": {"decimals": 2},
    "nan_to_num": {}, "fliplr": {}, "flipud": {}, "atleast_2d": {}, "gradient": {"axis": 1}, "deg2rad": {},
    "linalg.inv": {}, "linalg.det": {}, "linalg.norm": {"axis": 1}, "linalg.pinv": {}, "linalg.matrix_power": {"n": 3},
}  # fmt: skip
OF_MORE = {
    "inner",
    "vdot",
    "kron",
    "tensordot",
    "remainder",
    "floor_divide",
    "linalg.solve",
}


def named(name):
    """NumPy's own function."""
    found = np
    for part in name.split("."):
        found = getattr(found, part)
    return found


def numbers(seed=0):
    return np.random.default_rng(seed).normal(size=(3, 3))


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_torch_has_what_is_needed_of_its_private_room(name):
    x = numbers()
    found = find(name)(torch.tensor(x, requires_grad=True), **NEEDED[name])
    np.testing.assert_allclose(found.detach().numpy(), named(name)(x, **NEEDED[name]), rtol=1e-12, atol=1e-12)
    assert found.requires_grad


@pytest.mark.parametrize("name", sorted(OF_MORE))
def test_the_same_of_two(name):
    x, y = numbers(), numbers(1)
    found = find(name)(torch.tensor(x, requires_grad=True), torch.tensor(y))
    np.testing.assert_allclose(found.detach().numpy(), named(name)(x, y), rtol=1e-12, atol=1e-12)


def test_lists_of_arrays_and_einsum():
    x, y = numbers(), numbers(1)
    both = [torch.tensor(x), torch.tensor(y)]
    np.testing.assert_array_equal(find("stack")(both, axis=1), np.stack([x, y], axis=1))
    np.testing.assert_array_equal(find("concatenate")(both, axis=1), np.concatenate([x, y], axis=1))
    np.testing.assert_allclose(find("einsum")("ij,jk->ki", *both), np.einsum("ij,jk->ki", x, y))
    assert find("no such name") is None


def both(function, x):
    """The function by NumPy and on torch; both get a copy."""
    with following():
        made = on_torch(function)(OnTorch(torch.tensor(x)))
    return function(x.copy()), made.plain


def rows_as_views(x):
    row = x[1]
    row += 1
    number = x[0, 0]
    number += 100
    x.T[2] *= 2
    x[::-1, 0] = np.arange(3)
    x[:, ::2][x[:, ::2] > 0.5] = 0.5
    return x


def as_strided_blocks(x):
    return x.reshape(-1)[1:] * x.flatten()[:-1] + np.squeeze(x[None])[0, 0]


@pytest.mark.parametrize("function", [rows_as_views, as_strided_blocks])
def test_views_and_copies_are_those_of_numpy(function):
    plain, made = both(function, numbers())
    np.testing.assert_array_equal(plain, made)


def test_what_numpy_says_of_itself():
    x = OnTorch(torch.zeros(3, 2, dtype=torch.float64), np.dtype("float32"))
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((3, 2), 2, 6, 3, np.float32)
    assert (x + 1).dtype == np.float32
    assert (x + np.zeros(2)).dtype == np.float64
    assert isinstance(x > 0, np.ndarray)
    assert x.astype(int).dtype == int
    assert np.argmax(x) == 0
    assert not hasattr(x, "no_such_attribute")


def test_a_zero_gradient_meets_an_infinite_slope():
    x = torch.tensor([0.0, 4.0, -1.0], dtype=torch.float64, requires_grad=True)
    with following(), np.errstate(all="ignore"):
        y = on_torch(lambda x: np.where(x > 0, np.sqrt(x) + np.log(x), 0.0))(OnTorch(x.clone()))
    (found,) = torch.autograd.grad(y.tensor.sum(), x)
    assert found.tolist() == [0.0, 0.5, 0.0]


def test_a_write_does_not_spoil_what_autograd_keeps():
    x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)

    def forward(x):
        h = np.exp(x)
        y = h * h
        h *= 0
        return y + h

    with following():
        (found,) = torch.autograd.grad(on_torch(forward)(OnTorch(x.clone())).tensor.sum(), x)
    torch.testing.assert_close(found, 2 * torch.exp(2 * x.detach()))


def test_a_plain_array_written_into_is_spoilt_or_refused():
    x = OnTorch(torch.ones(2, dtype=torch.float64, requires_grad=True))
    buffer, alias = np.ones(2), np.zeros(2)
    with pytest.raises(ValueError, match="setting an array element") as caught:  # by NumPy, from our own
        buffer[0] = x[0]
    assert isinstance(caught.value.__cause__, CannotFollow)
    np.add(x, 1, out=alias)
    assert np.isnan(alias).all()


def test_an_operation_that_nobody_can_follow():
    x = OnTorch(torch.ones(4, dtype=torch.float64, requires_grad=True))
    with pytest.raises(CannotFollow, match=r"np\.histogram"):
        np.histogram(x, density=True)
    with pytest.raises(CannotFollow, match="Python float"):
        float(x[0])
