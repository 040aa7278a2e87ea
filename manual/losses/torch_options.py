"""What torch's loss of the same name can be told and ours cannot: refused with what to write in its place."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def without(**instead: str) -> Callable[[type[T]], type[T]]:
    """A class whose constructor refuses these options of torch's, each with what to write in its place.

    >>> @without(weight="weigh the entries")
    ... class Loss:
    ...     pass
    >>> Loss(weight=2)
    Traceback (most recent call last):
    TypeError: weight: got 2, but Loss has no such option; weigh the entries
    """

    def refuse(kind: type[T]) -> type[T]:
        made: Any = kind.__init__

        @wraps(made)
        def __init__(self: Any, *args: Any, **options: Any) -> None:
            for name in options.keys() & instead.keys():
                raise TypeError(
                    f"{name}: got {options[name]!r}, but {kind.__name__} has no such option; {instead[name]}"
                )
            made(self, *args, **options)

        kind.__init__ = __init__  # type: ignore[method-assign]
        return kind

    return refuse
