"""Judge anyone's backward pass: two functions of NumPy, array API or torch, a torch.autograd.Function, a module.

The forward passes are compared first, since gradients of two different functions cannot be compared. Then every
gradient goes through the judge like that of any other stage.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from handgrad.arrays.imitated_jax import is_jax
from handgrad.arrays.precision import dtype_name
from handgrad.judge.planted_error import plant_error
from handgrad.judge.settings import check_seconds, choose_seed
from handgrad.mend.change import Change
from handgrad.mend.search import Objection
from handgrad.report.listing import list_passes
from handgrad.report.report import Report
from handgrad.subjects.function.arguments import (
    check_arguments,
    check_callables,
    check_constants,
    check_inputs,
    check_overwrites,
    check_precision,
)
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.failures import raising_line
from handgrad.subjects.function.first_run import keep_parameters, repeat_draws, run_once
from handgrad.subjects.function.form import arrange
from handgrad.subjects.function.kinks import numbers_in
from handgrad.subjects.function.ledger import keep_ledger
from handgrad.subjects.function.memory import mend_memory
from handgrad.subjects.function.mending import find_place
from handgrad.subjects.function.numpy_twin import NOTE, as_numpy
from handgrad.subjects.function.own_forward import OWN
from handgrad.subjects.function.prepare import list_models, prepare
from handgrad.subjects.function.rows import list_notes, list_rows, object_to
from handgrad.subjects.function.searchable import Searchable, without_left_out
from handgrad.subjects.function.tries import any_refuted, any_wrong, names_broken, try_models, try_readings


def verify_function(
    forward: Any,
    backward: Callable[..., Any] | None = None,
    reference: Callable[..., Any] | None = None,
    inputs: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    constants: Sequence[str] = (),
    seed: int | None = None,
    slack: float = 1.0,
    dtype: str | None = None,
    may_overwrite: Sequence[str] = (),
    not_linear: bool = False,
    precision: str | None = None,
    compiled: bool = False,
    mend: float | None = None,
    name: str = "",
) -> Report:
    """Certify a hand-written backward pass against a torch function, or against the gradient of its own forward pass.

        y, cache = forward(*inputs)    grads = backward(dy, cache)
        y        = forward(*inputs)    grads = backward(dy, *inputs), or backward(dy) of an object that keeps its state
        y, cache = forward(*inputs)    grads = backward(cache, dy), if the second argument has a name such as dy or g

    grads: one array, a tuple in the order of the inputs, or a dict by name ("dW" or "W"); a list of gradients for a
    list of arrays; None where the gradient is zero, and for an input that is meant to have none if the reference
    detaches it or `constants` names it. Without a reference, the gradients of parameters that an object keeps itself
    are judged where backward leaves them beside these: self.dW or self.grads["W"] of self.W. A backward pass that takes
    no dy (the gradient of a loss, the derivative of an activation) is multiplied by dy here, and the report says so.
    Without `backward`, forward is torch code that brings its own: a torch.autograd.Function or its apply, any function
    that uses one, or an nn.Module (whose parameters are judged as well; reference is then a module with the same
    parameter names, or a function of inputs and parameters).

    Several results: y is a tuple, list, dict or named tuple, `(y0, y1), cache`; with a reference that returns as many,
    `y0, y1, cache` and `y0, y1` as well. backward takes one dy for each, or dy in the same form. Every floating-point
    result gets a random dy of its own, all together and each alone. Whole numbers and None get none, and the report
    says so; a torch result that requires no gradient is right where the reference's has none.

    reference: any callable of float64 torch tensors in the order of the inputs, returning y. None: forward itself is
    differentiated, be it NumPy, array API, torch or JAX code, or the forward of a torch.autograd.Function; random
    numbers that it draws are the same in every run. The report says so, and code that differs at a kink of forward is
    judged beside it, for both sides are right there.
    inputs: arrays, or shapes (tuples of sizes; () is a scalar) from which ordinary and special inputs (tiny, large,
    zeros, ties, kinks, saturated, one-hot, sparse) are drawn, at several sizes; a list, or a dict by the argument names
    of forward. A dict goes by name to a reference with the same names as well, to any other in forward's order. A
    tuple, list or dict of arrays or shapes is one argument, whose entries are judged as xs[0], xs[1]. Integer and
    boolean arrays, strings, None and other things that are no array are passed on as constants; so is a Python float,
    unless backward gives a gradient for it. Precisions may differ: each gradient is judged in that of its input. For
    shapes, NumPy arrays are drawn, or torch tensors where there is no backward, or the code raises TypeError or
    AttributeError on those of NumPy.
    kwargs: further arguments by name, keyword-only ones too. Arrays among them have a gradient; a tuple is passed on as
    it is, and drawn as no shape. For an apply, which takes no keywords, they go into their places.
    constants: the names of floating-point arguments, given or drawn, that have no gradient: ("target", "mask").
    dtype: of what is drawn for shapes, float64 if None; bfloat16 and float16 are drawn as torch tensors.
    may_overwrite, not_linear: what the author means to do: arguments that are written into ("dy", an input, "cache"),
    and a gradient that is not linear in dy (a clipped one). Neither is then called a broken contract.
    precision: for bfloat16 and float16, the step of the precision ladder below which code is refuted: "correctly
    rounded", "float32 inside, rounded once", "float32 inside" (sums in float32) or "rounded at every operation".
    compiled: whether what torch.compile makes of torch code is judged as well, which takes seconds.

    mend: for how many seconds of the processor, at most, the wrong line of refuted code is looked for, and a change
    with which every gradient is CERTIFIED (10 if None, 0 for not at all). Both are shown in the report; nothing is
    written to a file.
    report.ledger tells what every value of the backward pass is, line by line; it is kept when it is asked for.

    All entries of large inputs are judged; the contracts, which ask for many runs, are then checked on fewer rows and
    columns. What will take more than a few seconds is told before, on a terminal.

    Raises TypeError or ValueError for arguments that cannot be judged. What the code itself raises is reported.

    >>> import numpy as np
    >>> import torch
    >>> def forward(x):
    ...     h = np.tanh(x)
    ...     return h, h
    >>> verify_function(forward, lambda dh, h: dh * (1 - h**2), torch.tanh, [(3, 4)]).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    >>> verify_function(forward, lambda dh, h: dh * (1 - h), torch.tanh, [(3, 4)]).verdict
    <Verdict.REFUTED: 'REFUTED'>

    >>> verify_function(forward, lambda dh, h: dh * (1 - h**2), inputs=[(3, 4)]).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    check_callables(forward, backward, reference)
    name = name or title(forward)
    check_inputs(inputs, kwargs or {})
    arguments = arrange(forward, reference, inputs, kwargs or {})
    check_arguments(forward, reference, arguments, slack, dtype)
    constants = check_constants(constants, arguments.form.nests)
    check_precision(precision)
    seconds = check_seconds(mend)
    numbers = numbers_in(forward, backward, reference)
    seed = choose_seed(seed)
    code, oracle, given = prepare(forward, backward, reference, arguments, constants)
    if compiled and code.graph is None:
        raise ValueError("compiled: got True for two functions, expected torch code that brings its own backward pass")
    code = replace(code, may_overwrite=check_overwrites(may_overwrite, code.names), not_linear=not_linear)
    code = replace(code, precision=precision, numbers=numbers, compiled=compiled)
    models = list_models(code, given, dtype)
    code, oracle, given = keep_parameters(code, oracle, given, models)
    code, oracle = repeat_draws(code, oracle, given, models, seed)
    code, oracle = run_once(code, oracle, given, models[0])
    code, model, rng, tried, side = try_readings(code, oracle, given, models, seed, slack)
    judged = [t for t in tried if t.judgement is not None]
    twin = as_numpy(code, oracle, given, seed, slack) if is_jax(model) and any_wrong(tried) else None
    source = without_left_out(twin or Searchable(code, oracle.on(model), given, models, tried), seed, slack)

    def again(changed: Code) -> tuple[Objection | None, set[str]]:
        for other in (seed + 1, seed + 2):  # the second where rounding hides the first's digits, as behind a softmax
            new = try_models(changed, source.reference, source.given, source.models, other, slack)
            if not any_wrong(new.tried) or any_refuted(new.tried):
                break
        return object_to(new.tried), names_broken(new.side)

    ledger = partial(keep_ledger, source.code, source.tried, seed)
    found, ended = None, ""
    if seconds > 0 and any_wrong(tried) and not any(t.opaque for t in tried):
        found, ended = find_place(
            source.code, source.reference, source.tried, names_broken(side), again, ledger, seconds, seed
        )
    elif seconds > 0 and not any_wrong(tried) and judged and names_broken(side):
        found = mend_memory(code, oracle.on(model), judged[0], names_broken(side), again, seconds)
    wrong = any_refuted([t for t in tried if t.error is None])
    lines = [raising_line(t.error) for t in (tried[:1] if wrong else tried)]  # what else raises is not what is wrong
    stopped = next((place for place in lines if place is not None), None)
    return Report(
        name=name,
        dtype=" and ".join(dict.fromkeys(map(dtype_name, tried[0].case.inputs.values()))),
        library=type(model).__module__.partition(".")[0],
        device=str(getattr(model, "device", "cpu")),
        seed=seed,
        slack=slack,
        stages=tuple(list_rows(code, tried)),
        control=plant_error([t.judgement for t in judged[:1] if t.judgement], [{}], rng),
        contracts=side,
        notes=tuple(
            dict.fromkeys([*([OWN] if oracle.own else []), *list_notes(tried), *filter(None, [ended, twin and NOTE])])
        ),
        chain=False,
        change=found if isinstance(found, Change) else None,
        suspect=None if isinstance(found, Change) else stopped or found,
        keep_ledger=cache(ledger),
        listings=list_passes(code.graph or code.forward, None if code.graph else code.backward),
    )


def title(forward: Any) -> str:
    """A name for the report."""
    own = getattr(forward, "_qualname", type(forward).__name__)  # that of an operator: "library::name"
    return str(getattr(forward, "__qualname__", own)).replace("<locals>.", "")
