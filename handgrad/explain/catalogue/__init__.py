"""The catalogue, never a judgement: every source takes a FailedTrial and yields what each mistake would have given."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from handgrad.explain.catalogue.activations import ACTIVATIONS
from handgrad.explain.catalogue.general import GENERAL
from handgrad.explain.catalogue.linear import LINEAR
from handgrad.explain.catalogue.losses import LOSSES
from handgrad.explain.catalogue.mistake import Mistake
from handgrad.explain.catalogue.network import NETWORK
from handgrad.explain.catalogue.norms import NORMS
from handgrad.explain.catalogue.overflow import OVERFLOW
from handgrad.explain.catalogue.overlaps import OVERLAPS
from handgrad.explain.catalogue.paths import PATHS
from handgrad.explain.catalogue.shapes import SHAPES
from handgrad.explain.catalogue.softmax import SOFTMAX
from handgrad.explain.catalogue.upstream import UPSTREAM
from handgrad.explain.recognise.failed_trial import FailedTrial

Source: TypeAlias = Callable[[FailedTrial], Iterator[Mistake]]

CATALOGUE: tuple[Source, ...] = (
    *GENERAL, *SHAPES, *UPSTREAM, *ACTIVATIONS, *LINEAR, *SOFTMAX, *NORMS, *LOSSES, *OVERFLOW, *PATHS, *OVERLAPS,
    *NETWORK,
)  # fmt: skip
