"""The catalogue of mistakes: every source takes a Case and yields what each mistake would have given."""

from collections.abc import Callable, Iterator

from handgrad.catalogue_activations import ACTIVATIONS
from handgrad.catalogue_case import Case, Mistake
from handgrad.catalogue_general import GENERAL
from handgrad.catalogue_layers import LAYERS
from handgrad.catalogue_losses import LOSSES
from handgrad.catalogue_norms import NORMS
from handgrad.catalogue_shapes import SHAPES
from handgrad.catalogue_upstream import UPSTREAM

CATALOGUE: tuple[Callable[[Case], Iterator[Mistake]], ...] = (
    *GENERAL, *SHAPES, *UPSTREAM, *ACTIVATIONS, *LAYERS, *NORMS, *LOSSES,
)  # fmt: skip
