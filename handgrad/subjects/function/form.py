"""The form of a call: which named arrays and constants stand where, by position, by keyword, in lists and dicts.

The judge knows arrays with names: x, W, xs[0], xs[1]. A form puts them where forward takes them.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handgrad.subjects.function.nests import fill, names_in, nest_of, spread
from handgrad.subjects.function.signatures import function_of, input_names, parameters, plain_forward


@dataclass(frozen=True)
class Form:
    """by_position, by_keyword: for each argument its name, or a nest of names in tuples, lists and dicts."""

    by_position: tuple[Any, ...]
    by_keyword: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """What a function is called with, of values by name."""
        keywords = {name: fill(nest, values) for name, nest in self.by_keyword.items()}
        return [fill(nest, values) for nest in self.by_position], keywords

    def call(self, called: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """What a function gives for values by name."""
        args, keywords = self.arguments(values)
        return called(*args, **keywords)

    @property
    def nests(self) -> dict[str, Any]:
        """Every argument by its name, in order: {"xs": ["xs[0]", "xs[1]"], "W": "W"}."""
        every = (*self.by_position, *self.by_keyword.values())
        return {names_in(nest)[0].partition("[")[0]: nest for nest in every}


@dataclass(frozen=True)
class Arguments:
    """All values by name, in the order of forward; how forward and its reference are called with them.

    literal: the names whose values are passed on as they are, even a tuple that looks like a shape
    """

    values: dict[str, Any]
    form: Form
    reference: Form
    literal: frozenset[str] = frozenset()


def arrange(forward: Any, reference: Any, inputs: Any, kwargs: Mapping[str, Any]) -> Arguments:
    """The inputs and further keyword arguments as forward and its reference take them.

    inputs: a list, or a dict by forward's names. A reference gets what goes by name under the same names if it has
    them all, else in forward's order. Raises TypeError for a name that forward does not have, or that is given twice.
    """
    by_name = isinstance(inputs, Mapping)
    first = dict(inputs) if by_name else dict(name_inputs(forward, inputs))
    known, named, drawn = parameters(forward), dict(kwargs), first.keys()
    for what, given in (("inputs", first if by_name else {}), ("kwargs", named)):
        check_names(what, given, known)
    if twice := [name for name in named if name in first]:
        raise TypeError(f"kwargs: {', '.join(twice)} stands among the inputs already; give it in one of the two")
    if known is not None and all(name in known for name in first):
        first, named = by_position_first(forward, known, first | named)
    given = {**first, **named}
    nests = {name: nest_of(name, value) for name, value in given.items()}
    form = Form(tuple(nests[name] for name in first), {name: nests[name] for name in named})
    values = {leaf: part for name, value in given.items() for leaf, part in spread(name, value)}
    literal = frozenset(leaf for name in given if name not in drawn for leaf in names_in(nests[name]))
    return Arguments(values, form, form_of_reference(reference, form, by_name=by_name), literal)


def name_inputs(forward: Any, inputs: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each input with the name of its argument."""
    return zip(input_names(plain_forward(forward), len(inputs)), inputs, strict=True)


def check_names(what: str, given: Iterable[str], known: Mapping[str, Any] | None) -> None:
    """Raise TypeError for names that forward does not have."""
    if known is not None and (strange := [name for name in given if name not in known]):
        raise TypeError(
            f"{what}: forward has no argument {', '.join(strange)}; it takes {', '.join(known)}; "
            "give a dict by these names, or a list in their order"
        )


def by_position_first(
    forward: Any, known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in front without a gap goes by position, the rest by keyword; both in the function's own order.

    The apply of a torch.autograd.Function takes no keywords: there, what is left out between gets its default.
    """
    ordered = {name: given[name] for name in known if name in given}
    if function_of(plain_forward(forward)) is not None and ordered:
        names = list(known)[: 1 + list(known).index(list(ordered)[-1])]
        if missing := [n for n in names if n not in ordered and known[n].default is inspect.Parameter.empty]:
            raise TypeError(f"inputs: {', '.join(missing)} is missing, and forward has no default for it; give one")
        return {n: ordered.get(n, known[n].default) for n in names}, {}
    first: dict[str, Any] = {}
    for name, parameter in known.items():
        if name not in ordered or parameter.kind is parameter.KEYWORD_ONLY:
            break
        first[name] = ordered.pop(name)
    return first, ordered


def form_of_reference(reference: Any, form: Form, *, by_name: bool) -> Form:
    """How the reference is called with the same values; the own forward pass, where there is none, like itself."""
    if reference is None:
        return form
    theirs, nests = parameters(reference), form.nests
    if (by_name or form.by_keyword) and theirs is not None and all(name in theirs for name in nests):
        first, rest = by_position_first(reference, theirs, nests)
        return Form(tuple(first.values()), rest)
    return Form(tuple(nests.values()))
