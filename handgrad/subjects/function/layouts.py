"""The same numbers in other memory: transposed, every second column of a buffer, one number spread out, read-only.

Each has memory of its own: what code writes into it does not reach the array that it was made of.

What comes from above in a network is often such a view, and a kernel that walks through memory reads other numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.base import refusal
from handgrad.judge.bound import bound
from handgrad.judge.contracts import outside
from handgrad.judge.isolation import attempt, contents, contiguous, duplicate
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.repeats import difference_words
from handgrad.judge.trial import Trial
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.reference import Reference


def transposed(array: Any) -> Any:
    """A view of an array with its axes the other way round, in memory of its own: a vector too is a copy."""
    if isinstance(array, torch.Tensor):
        backwards = tuple(range(array.ndim))[::-1]
        return contiguous(array.permute(backwards)).permute(backwards)
    return np.array(array.T, order="C").T


def every_second(array: Any) -> Any:
    """A view of every second column of a buffer that has nan between."""
    if not array.ndim:
        return duplicate(array)
    shape = (*array.shape[:-1], 2 * array.shape[-1])
    in_torch = isinstance(array, torch.Tensor)
    buffer: Any = array.new_full(shape, torch.nan) if in_torch else np.full(shape, np.nan, array.dtype)
    view = buffer[..., ::2]
    view[...] = array.detach() if in_torch else array
    return view


def spread(array: Any) -> Any:
    """Its first row in place of all, without a step in memory."""
    return expand(array[:1] if array.ndim else array, array.shape)


def spread_number(array: Any) -> Any:
    """Its first number in place of all, without a step in memory: what comes from above where a result was summed."""
    return expand(array.reshape(-1)[0], array.shape)


def expand(part: Any, shape: Any) -> Any:
    """A view of that shape which repeats the part."""
    return duplicate(part).expand(shape) if isinstance(part, torch.Tensor) else np.broadcast_to(part.copy(), shape)


def read_only(array: Any) -> Any:
    """An array of NumPy that refuses to be written into; torch has none."""
    own = duplicate(array)
    if isinstance(own, np.ndarray):
        own.flags.writeable = False
    return own


View = Callable[[Any], Any]
WRITABLE: dict[str, View] = {"a transposed view": transposed, "every second column of a buffer": every_second}
OF_DY: dict[str, View] = {"one number spread out": spread_number, "a read-only array": read_only}
OF_INPUTS: dict[str, View] = {"one row spread out": spread, "a read-only array": read_only}


def takes_any_layout(
    code: Code, trial: Trial, found: Judgement, reference: Reference, changed: Sequence[str]
) -> Contract:
    """dy and the inputs in other memory give the same numbers, within their bound.

    changed: what the code writes into, declared or not; it cannot be read-only or spread out. A module's own parameters
    stay as they are. A forward pass that refuses a layout says so by itself, and nothing follows; where it takes one,
    the backward pass must as well. Nothing follows either where the reference fails with the same layout (some of
    torch's own kernels do).
    """
    if not all(isinstance(a, np.ndarray | torch.Tensor) for a in (trial.dy, *trial.inputs.values())):
        return Contract(Promise.LAYOUTS, None, "neither NumPy's arrays nor torch's")
    overwritten = {*code.may_overwrite, *changed}
    inputs = tuple(n for n in trial.inputs if n not in code.parameters)
    # Each alone too: a kernel may take another way where all of them are views.
    alone: list[tuple[tuple[str, ...], dict[str, View]]] = [((n,), {}) for n in inputs if len(inputs) > 1]
    for names, more in ((("dy",), OF_DY), (inputs, OF_INPUTS), *alone):
        for word, view in (WRITABLE if set(names) & overwritten else WRITABLE | more).items():
            if (words := misread(trial, found, names, view)) and reference_takes(reference, trial, names, view):
                these = [n for n in names if len(names) > 1 and misread(trial, found, (n,), view)]
                return Contract(Promise.LAYOUTS, False, f"given as {word}", words.format(", ".join(these or names)))
    return Contract(Promise.LAYOUTS, True)


def misread(trial: Trial, found: Judgement, names: Sequence[str], view: View) -> str:
    """In words, with {} for the names: what is wrong where these arrays are views. Empty if nothing is."""
    assert trial.stage.halves is not None
    forward, backward = trial.stage.halves
    inputs = {n: view(a) if n in names else duplicate(a) for n, a in trial.inputs.items()}
    numbers = {n: contiguous(a) for n, a in inputs.items()}
    made = attempt(forward, inputs)
    if made.value is None:
        return ""
    y, (call, cache) = made.value
    if "dy" in names:
        call = replace(call, outputs=replace(call.outputs, layout=view))
    same = trial.at(inputs=numbers, dy=call.outputs.laid_out(trial.dy))  # the same as anyone would hand it over
    kept = contents((same.inputs, same.dy)) == contents((trial.inputs, trial.dy))
    right = found.trial.hand if kept else attempt(same.run).value
    got = attempt(backward, (call, cache), inputs, duplicate(same.dy))
    if right is None:
        return ""
    if got.error is not None:
        if refusal(got.error):
            raise got.error  # an array of the judge's, kept since an earlier call: no layout is to blame
        return f"raises {type(got.error).__name__} for some layouts of {{}}"
    results = {"y": y, **(got.value or {})}
    differ = [n for n in results if n in right and contents(results[n]) != contents(right[n])]
    judged = found if kept or not differ else attempt(bound, same).value
    wrong = judged and [n for n in differ if n in judged.evidence and outside(results[n], judged.evidence[n])]
    if not wrong:
        return ""
    reads = "dy" in names or "y" in wrong  # else forward read it right, and only the backward pass went another way
    return "reads {} as if it were contiguous" if reads else "gives wrong gradients for some layouts of {}"


def reference_takes(reference: Reference, trial: Trial, names: Sequence[str], view: View) -> bool:
    """Whether the reference gives the same for these views as for contiguous tensors of the same numbers."""
    views = dict.fromkeys(names, view)
    copies = dict.fromkeys(names, lambda tensor: contiguous(view(tensor)))
    plain = attempt(reference.gradients, trial.exact, trial.dy64, copies).value
    viewed = attempt(reference.gradients, trial.exact, trial.dy64, views).value
    if plain is None or viewed is None:
        return plain is None
    pairs = [(plain[n], viewed[n]) for n in plain]
    return all(np.array_equal(np.isfinite(a), np.isfinite(b)) and not difference_words(a, b) for a, b in pairs)
