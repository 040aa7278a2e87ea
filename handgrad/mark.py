"""A mark on a backward pass that says of which forward pass it is the gradient, whatever the two are called."""

from collections.abc import Callable
from typing import Any, TypeVar

Backward = TypeVar("Backward", bound=Callable[..., Any])


def gradient_of(forward: Callable[..., Any]) -> Callable[[Backward], Backward]:
    """Mark a backward pass for `handgrad check`. The function stays as it is and gets the attribute `gradient_of`.

    Raises TypeError for a forward pass that cannot be called.

    >>> def double(x):
    ...     return 2 * x
    >>> @gradient_of(double)
    ... def twice(dy, x):
    ...     return 2 * dy
    >>> twice.gradient_of is double
    True
    """
    if not callable(forward):
        raise TypeError(f"gradient_of: got {type(forward).__name__}, expected the forward pass, a callable")

    def mark(backward: Backward) -> Backward:
        setattr(backward, "gradient_of", forward)  # noqa: B010  a plain assignment is refused by the type checker
        return backward

    return mark
