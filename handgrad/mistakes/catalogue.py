"""The catalogue of mistakes: every source takes a Case and yields what each mistake would have given."""

from collections.abc import Callable, Iterator

from handgrad.mistakes.activations import ACTIVATIONS
from handgrad.mistakes.case import Case, Mistake
from handgrad.mistakes.general import GENERAL
from handgrad.mistakes.inside import NETWORK
from handgrad.mistakes.linear import LINEAR
from handgrad.mistakes.losses import LOSSES
from handgrad.mistakes.norms import NORMS
from handgrad.mistakes.overflow import OVERFLOW
from handgrad.mistakes.shapes import SHAPES
from handgrad.mistakes.softmax import SOFTMAX
from handgrad.mistakes.upstream import UPSTREAM

CATALOGUE: tuple[Callable[[Case], Iterator[Mistake]], ...] = (
    *GENERAL, *SHAPES, *UPSTREAM, *ACTIVATIONS, *LINEAR, *SOFTMAX, *NORMS, *LOSSES, *OVERFLOW, *NETWORK,
)  # fmt: skip
