"""What one run tells of the code: which Python floats have a gradient, and how many results there are.

A slope or a temperature has one if backward gives one. Of two results of forward the second may be the cache: the
reference, which returns none, says how many are meant; without one, how backward can be called.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.repeats import difference_words
from handgrad.judge.stage import Arrays
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import draw_upstream
from handgrad.subjects.function.cost import tell_cost
from handgrad.subjects.function.kept import Kept, find_kept, guess_returned, owner_of
from handgrad.subjects.function.nests import is_shape
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.ways import Way

NOTHING = (
    "no argument of forward is a floating-point array, and backward leaves no gradient of a parameter of its object: "
    "it is looked for in self.dW or self.grads['W'] of self.W"
)


def run_once(code: Code, reference: Reference, given: Mapping[str, Any], model: Any) -> tuple[Code, Reference]:
    """Both, with what a run of each tells."""
    inputs = draw_any(code, given, model)
    exact = {n: to64(a) for n, a in inputs.items()}
    if code.graph is None and not reference.own:
        outputs = attempt(reference.outputs, exact).value
        code = replace(code, results=len(outputs.names) if outputs is not None else None)
    elif code.graph is None and gives_two_results(code, inputs):
        code, reference = replace(code, results=2), replace(reference, results=2)  # type: ignore[call-arg]
    tell_cost(code, reference.on(model), inputs, exact, drawn=any(map(is_shape, given.values())))
    return find_scalars(code, reference, inputs)


def keep_parameters(
    code: Code, reference: Reference, given: dict[str, Any], models: Sequence[Any]
) -> tuple[Code, Reference, dict[str, Any]]:
    """All with the parameters as inputs that the object of the two passes keeps itself, on a copy of that object."""
    owner = owner_of(code.forward)
    nothing = set(code.names) == set(code.constants)
    if not reference.own or code.graph is not None or owner is None or owner is not owner_of(code.backward):
        if nothing:
            raise ValueError(NOTHING)
        return code, reference, given
    runs = (attempt(gone_back, code, draw_any(code, given, model)).value for model in models)
    between, after = next((run for run in runs if run is not None), (None, None))
    kept = {} if after is None or after is owner else find_kept(owner, between, after)
    if not kept and between is not None:
        guessed = guess_returned(owner, between)
        kept = guessed if any(attempt(returns_all, code, given, model, guessed).value for model in models) else {}
    kept = {n: k for n, k in kept.items() if n not in code.names}
    if not kept and nothing:
        raise ValueError(NOTHING)
    if not kept:
        return code, reference, given
    names, drawn = (*code.names, *kept), any(map(is_shape, given.values()))
    values = {n: duplicate(k.parameter.get(owner)) for n, k in kept.items()}
    inputs = {n: tuple(np.shape(v)) if drawn else v for n, v in values.items()}
    moved = tuple(n for n, k in kept.items() if k.moved)
    code = replace(code.copy_object(), names=names, kept=kept, may_overwrite=(*code.may_overwrite, *moved))
    reference = replace(reference, forward=code.copy_object().forward, names=names, kept=kept)  # type: ignore[call-arg]
    return code, reference, given | inputs


def returns_all(code: Code, given: Mapping[str, Any], model: Any, kept: Mapping[str, Kept]) -> bool:
    """Whether backward returns a gradient of its shape for each of these, behind those of forward's arguments."""
    own = code.copy_object()
    owner = owner_of(own.forward)
    values = {name: duplicate(k.parameter.get(owner)) for name, k in kept.items()}
    own = replace(own, names=(*code.names, *kept), kept=kept)
    args = own.arguments(duplicate(draw_any(code, given, model)) | values)
    ran = own.run_forward(args)
    own = replace(own, reading=ways.index(Way.STATE)) if Way.STATE in (ways := own.ways(ran)) else own
    found = own.run_backward(args, ran.outputs, ran.cache, like(np.ones(ran.outputs.shape), ran.y))
    return all(f"d{n}" in found and np.shape(found[f"d{n}"]) == np.shape(value) for n, value in values.items())


def gone_back(code: Code, inputs: Arrays) -> tuple[Any, Any] | None:
    """Copies of the object of both passes after forward, and after backward; None where backward gets inputs alone."""
    own, args = code.copy_object(), code.arguments(duplicate(inputs))
    ran = own.run_forward(args)
    if Way.STATE in (ways := own.ways(ran)):
        own = replace(own, reading=ways.index(Way.STATE))
    between = copy.deepcopy(owner_of(own.forward))
    attempt(own.run_backward, args, ran.outputs, ran.cache, like(np.ones(ran.outputs.shape), ran.y))  # what is left?
    return None if own.way(ran) is Way.NO_UPSTREAM else (between, owner_of(own.forward))


def repeat_draws(
    code: Code, reference: Reference, given: Mapping[str, Any], models: Sequence[Any], seed: int
) -> tuple[Code, Reference]:
    """Both with the same random numbers in every run, if that is what makes their own draws repeat themselves."""
    steady = replace(code, draws=seed)
    for model in models if reference.own else ():
        inputs = draw_any(code, given, model)
        if (repeats := repeats_itself(code, inputs)) is not None:
            taken = not repeats and repeats_itself(steady, inputs)
            return (steady, replace(reference, draws=seed)) if taken else (code, reference)  # type: ignore[call-arg]
    return code, reference


def repeats_itself(code: Code, inputs: Arrays) -> bool | None:
    """Whether forward gives the same in two runs; None where it gives nothing."""
    ys = [attempt(lambda: to64(code.run_forward(code.arguments(duplicate(inputs))).y)).value for _ in range(2)]
    return None if ys[0] is None or ys[1] is None else not difference_words(*ys)


def gives_two_results(code: Code, inputs: Arrays) -> bool:
    """Whether the two that forward returned are no y and cache: backward cannot take them so, but a dy for each."""
    args = code.arguments(duplicate(inputs))
    one = attempt(code.run_forward, args).value
    if one is None or not one.cache or attempt(code.ways, one).value != []:
        return False
    two = replace(code, results=2)
    both = attempt(two.run_forward, args).value
    return both is not None and bool(attempt(two.ways, both).value)


def draw_any(code: Code, given: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """The arrays given, and for shapes numbers that most functions take."""
    rng, moving = np.random.default_rng(0), {n: v for n, v in given.items() if n not in code.constants}
    return {n: like(rng.uniform(0.25, 0.75, size=v), model) if is_shape(v) else v for n, v in moving.items()}


def find_scalars(code: Code, reference: Reference, inputs: Arrays) -> tuple[Code, Reference]:
    """Both with those Python floats as inputs for which backward gives a gradient; the others stay constants."""
    numbers = [n for n, value in code.constants.items() if type(value) is float]
    if code.graph is not None or not numbers:
        return code, reference
    all_of_them = promoted(code, numbers)
    found = attempt(gradients, code.copy_object(), all_of_them, inputs).value or {}
    scalars = [n for n in numbers if f"d{n}" in found]
    return promoted(code, scalars), promoted(reference, scalars)


def promoted(code: Any, scalars: list[str]) -> Any:
    """Code or a reference where these constants are inputs."""
    constants = {n: value for n, value in code.constants.items() if n not in scalars}
    if isinstance(code, Code):
        return replace(code, constants=constants, scalars=tuple(scalars))
    return replace(code, constants=constants)


def gradients(code: Code, as_if: Code, inputs: Arrays) -> dict[str, Any]:
    """What backward gives if all these numbers are inputs; nothing where a gradient has not the shape of its input."""
    args = code.arguments(duplicate(inputs))
    ran = code.run_forward(args)
    dy = like(draw_upstream(np.random.default_rng(0), ran.outputs.shape), ran.y)
    found = as_if.run_backward(args, ran.outputs, ran.cache, dy)
    expected = {f"d{n}": np.shape(inputs.get(n, 0.0)) for n in as_if.variables}
    return found if all(np.shape(g) == expected[n] for n, g in found.items()) else {}
