"""The catalogue, never a judgement: every source takes a FailedTrial and yields what each mistake would have given."""

from collections.abc import Callable, Iterator

from handgrad.explain.catalogue.activations import ACTIVATIONS
from handgrad.explain.catalogue.general import GENERAL
from handgrad.explain.catalogue.linear import LINEAR
from handgrad.explain.catalogue.losses import LOSSES
from handgrad.explain.catalogue.network import NETWORK
from handgrad.explain.catalogue.norms import NORMS
from handgrad.explain.catalogue.overflow import OVERFLOW
from handgrad.explain.catalogue.shapes import SHAPES
from handgrad.explain.catalogue.softmax import SOFTMAX
from handgrad.explain.catalogue.upstream import UPSTREAM
from handgrad.explain.failed_trial import FailedTrial
from handgrad.explain.mistake import Mistake

CATALOGUE: tuple[Callable[[FailedTrial], Iterator[Mistake]], ...] = (
    *GENERAL, *SHAPES, *UPSTREAM, *ACTIVATIONS, *LINEAR, *SOFTMAX, *NORMS, *LOSSES, *OVERFLOW, *NETWORK,
)  # fmt: skip
