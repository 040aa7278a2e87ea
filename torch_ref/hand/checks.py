"""What a HandModule refuses: all that would otherwise end in somebody else's error, or in none."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch

from manual import BatchNorm1d, BinaryCrossEntropy, Dropout, Layer, Loss, SoftmaxCrossEntropy, SquaredError
from manual.network import widths

PLAIN = {torch.Tensor, torch.nn.Parameter}


class Expected(NamedTuple):
    """What layers and loss say of the tensors of a call."""

    layers: Sequence[Layer]
    loss: Loss | None
    n_in: int | None  # None where any number fits
    n_out: int | None
    normed: bool  # a batch norm takes rows only
    alike: bool  # whether the loss treats all elements alike

    @classmethod
    def of(cls, layers: Sequence[Layer], loss: Loss | None) -> Self:
        """Read off once, since a call asks every time."""
        normed = any(isinstance(layer, BatchNorm1d) for layer in layers)
        alike = isinstance(loss, SquaredError | BinaryCrossEntropy) and loss.reduction != "batch mean"
        n_in = widths(layers[0])[0] if layers else None
        n_out = next((n for n in (widths(layer)[1] for layer in reversed(layers)) if n), None)
        return cls(layers, loss, n_in, n_out, normed, loss is None or alike)

    def check(self, x: torch.Tensor, target: torch.Tensor | None, params: Sequence[torch.Tensor]) -> None:
        """TypeError for what is no tensor, ValueError for a shape, device or dtype that does not fit."""
        for name, given in (("x", x), ("target", target)):
            if given is not None and not isinstance(given, torch.Tensor):
                raise TypeError(
                    f"{name}: is a {type(given).__name__}, expected a torch.Tensor; torch.as_tensor makes one"
                )
        self.check_shape(x, target)
        if any(type(a) not in PLAIN for a in (x, *params)):
            check_distributed(x, params, self.loss if target is not None else None)
        for p in params:
            if x.device != p.device or x.dtype != p.dtype:
                check_kind(x, p)
        if target is not None:
            self.check_target(x, target)
        elif not self.layers:
            raise ValueError("target: is missing; a loss takes the output and the target")

    def check_shape(self, x: torch.Tensor, target: torch.Tensor | None) -> None:
        """ValueError for x, the input of the layers, or of the loss where there are none."""
        n = self.n_in
        if n is not None and x.shape[-1:] != (n,):
            raise ValueError(f"x: shape is {tuple(x.shape)}, expected (N, {n}) for {self.layers[0]}")
        if x.ndim == 2 or not (self.normed or (target is not None and not self.ranks(x))):
            return
        what, expected = "a batch norm" if target is None else "a loss", f"(N, {n or 'n'})"
        raise ValueError(f"x: shape is {tuple(x.shape)}, expected {expected} with {what}; reshape it to rows first")

    def ranks(self, x: torch.Tensor) -> bool:
        """Whether the loss takes an input that is not (N, n): where all elements, or all samples, are alike to it."""
        if not isinstance(self.loss, SoftmaxCrossEntropy):
            return self.alike
        return x.ndim == 1 or (x.ndim > 2 and not self.layers and self.loss.reduction != "batch mean")

    def rows(self, x: torch.Tensor, target: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x as (N, n), and the target as it then must be: what `manual` takes."""
        if x.ndim == 2:
            return x, target
        labels = self.takes_labels(target)
        in_second = not self.layers and isinstance(self.loss, SoftmaxCrossEntropy)  # z (N, C, d1, ...), as torch has it
        return as_rows(x, in_second), (
            target if target is None else target.reshape(-1) if labels else as_rows(target, in_second)
        )

    def takes_labels(self, target: torch.Tensor | None) -> bool:
        """Whether the target is class indices, not probabilities or values."""
        return target is not None and isinstance(self.loss, SoftmaxCrossEntropy) and not target.is_floating_point()

    def check_target(self, x: torch.Tensor, target: torch.Tensor) -> None:
        """ValueError for a target that does not fit the output, RuntimeError for labels out of range."""
        loss = self.loss
        if loss is None:
            raise ValueError("target: given, but this HandModule has no loss; HandModule(network, loss) has")
        if target.requires_grad:
            raise ValueError("target: requires a gradient, but losses are derived for their output only; detach() it")
        shape, classes = tuple(x.shape), isinstance(loss, SoftmaxCrossEntropy)
        if self.n_out:
            shape = (*shape[:-1], self.n_out)
        C = shape[1 if classes and len(shape) > 1 else -1] if shape else 1
        labels = self.takes_labels(target)
        if labels:
            shape = (*shape[:1], *shape[2:]) if len(shape) > 1 else ()
        if tuple(target.shape) != shape:
            raise ValueError(f"target: shape is {tuple(target.shape)}, expected {shape} for {loss}")
        if target.device != x.device:
            raise ValueError(f"target: is on {target.device}, but x is on {x.device}; move one of them with .to()")
        weights = loss.class_weights if isinstance(loss, SoftmaxCrossEntropy) else None
        if weights is not None and len(weights) != C:
            raise ValueError(f"class_weights: {len(weights)} of them, expected {C}, one per class")
        if labels:
            check_labels(target, C)


def as_rows(x: torch.Tensor, in_second: bool) -> torch.Tensor:
    """x (..., n), or with the classes in the second dimension (N, C, d1, ...), as (rows, n); a number as (1, 1)."""
    x = x.movedim(1, -1) if in_second and x.ndim > 2 else x
    return x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)


def check_kind(x: torch.Tensor, first: torch.Tensor) -> None:
    """Device and dtype of x, against those of the first parameter; autocast casts the dtype itself, but float64."""
    if x.device != first.device:
        raise ValueError(f"x: is on {x.device}, but the parameters are on {first.device}; move one of them with .to()")
    if not autocast(x) or torch.float64 in (x.dtype, first.dtype):
        raise ValueError(f"x: is {x.dtype}, but the parameters are {first.dtype}; convert one of them with .to()")


def check_distributed(x: torch.Tensor, params: Sequence[torch.Tensor], loss: Loss | None) -> None:
    """ValueError where some are DTensors, cut over several processes, and others are not: torch multiplies no two such.

    Nor does a DTensor meet what cross-entropy makes itself, the classes' numbers.
    """
    names = ["x", *(f"parameter {i}" for i in range(len(params)))]
    cut = [hasattr(a, "device_mesh") for a in (x, *params)]
    if any(cut) and not all(cut):
        raise ValueError(
            f"{names[cut.index(False)]}: is a plain tensor, but {names[cut.index(True)]} is a DTensor; let fully_shard "
            "or parallelize_module convert what goes into a layer, or call distribute_tensor on what is plain"
        )
    if any(cut) and isinstance(loss, SoftmaxCrossEntropy):
        raise ValueError(
            "x: is a DTensor, which cross-entropy does not take; HandModule(loss)(y.full_tensor(), target)"
        )


def check_labels(target: torch.Tensor, C: int) -> None:
    """Raise RuntimeError for labels outside 0 to C - 1: at once on CPU, on CUDA when the device reports it."""
    if torch._C._are_functorch_transforms_active():
        return  # no transform knows the assertion
    inside: Any = ((target >= 0) & (target < C)).all()
    words = f"target: has labels outside 0 to {C - 1}, expected one of {C} classes each"
    torch._assert_async(inside, f"{words}; leave out what is to be ignored: keep = t != -100, E(z[keep], t[keep])")


def state_tensors(name: str, layer: Layer, state: Any, shape: tuple[int, int]) -> list[torch.Tensor]:
    """The tensors of a state. ValueError unless it is a mask (N, n) for dropout or statistics (n,) for batch norm."""
    tensors = list(state) if isinstance(state, tuple) else [state]
    expected = {Dropout: [shape], BatchNorm1d: [shape[1:]] * 2}
    fitting = next((shapes for kind, shapes in expected.items() if isinstance(layer, kind)), [])
    if [tuple(getattr(tensor, "shape", ())) for tensor in tensors] != fitting:
        got = [tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__ for tensor in tensors]
        raise ValueError(
            f"{name}: got {got}, expected tensors of shapes {fitting} for {layer}; None where it takes none"
        )
    return tensors


def check_states(states: Sequence[Any] | None, count: int) -> None:
    """ValueError unless there is one entry per layer."""
    if states is not None and len(states) != count:
        raise ValueError(f"states: {len(states)} entries, expected {count}, one per layer (None for most)")


def autocast(x: torch.Tensor) -> bool:
    """Whether autocast is on for the device of x; meta has none, and torch raises where it is asked for it."""
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
