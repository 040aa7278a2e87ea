"""Initial weights. Drawn by NumPy in float64 from a seed and then converted, so every array library starts equal."""

from collections.abc import Callable
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Initial: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """All zero. As weights of a hidden layer they leave all its units equal for ever."""
    return np.zeros(shape)


def constant(value: float) -> Initial:
    """All equal to `value`."""
    return lambda rng, shape: np.full(shape, float(value))


def uniform(low: float = -0.5, high: float = 0.5) -> Initial:
    """Uniform in [low, high)."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def normal(std: float = 1.0) -> Initial:
    """Normal with mean 0 and standard deviation `std`."""
    return lambda rng, shape: rng.normal(0.0, std, shape)


def xavier_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniform in +-sqrt(6 / (n_in + n_out)): variance kept forward and backward. Source: Glorot, Bengio 2010."""
    a = sqrt(6 / sum(_fans(shape)))
    return rng.uniform(-a, a, shape)


def xavier_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Normal with variance 2 / (n_in + n_out). Source: Glorot, Bengio 2010."""
    return rng.normal(0.0, sqrt(2 / sum(_fans(shape))), shape)


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniform in +-sqrt(6 / n_in): variance kept through ReLU. Source: He, Zhang, Ren, Sun 2015."""
    a = sqrt(6 / _fans(shape)[0])
    return rng.uniform(-a, a, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Normal with variance 2 / n_in: variance kept through ReLU. Source: He, Zhang, Ren, Sun 2015."""
    return rng.normal(0.0, sqrt(2 / _fans(shape)[0]), shape)


# Every rule for the initial weights, by the name that `mlp(...).init(seed, name)` takes.
INITIALS: dict[str, Initial] = {
    "zeros": zeros,
    "uniform": uniform(),
    "normal": normal(),
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
}


def initial(argument: str, name_or_function: str | Initial) -> Initial:
    """The function of that name, or the function itself. Raises ValueError with the known names and the argument's."""
    if callable(name_or_function):
        return name_or_function
    if name_or_function not in INITIALS:
        raise ValueError(
            f"{argument}: unknown initial values {name_or_function!r}; known: {', '.join(INITIALS)}, "
            "or a function such as manual.initial.constant(0.5)"
        )
    return INITIALS[name_or_function]


def generator(argument: str, seed: int | np.random.Generator) -> np.random.Generator:
    """A generator of that seed, or the generator itself. Raises ValueError for anything else."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"{argument}: seed is {seed!r}, expected a whole number, 0 or more, or a numpy Generator")
    return np.random.default_rng(seed)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(n_in, n_out) of a weight matrix (n_out, n_in)."""
    if len(shape) != 2:
        raise ValueError(f"Xavier and He values are for weight matrices (n_out, n_in), got shape {shape}")
    return shape[1], shape[0]
