"""Inputs of a function: asked for on the command line, in its type hints, or kept at their defaults."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pytest
import torch

from handgrad.subjects.file.asked import asked_of, read_inputs
from handgrad.subjects.file.draws import draw_indices
from handgrad.subjects.file.hints import read_hint
from handgrad.subjects.file.inputs import argument_names, choose_inputs
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.file.shapes import Constant, Drawn, Kind


def function(arguments: str, body: str = "None", **scope: Any) -> Callable[..., Any]:
    """A function with these arguments, as it would stand in a file."""
    exec(f"def f({arguments}):\n    return {body}", scope)
    found: Callable[..., Any] = scope["f"]
    return found


def inputs(arguments: str, *asked: str) -> dict[str, Any]:
    return inputs_of(function(arguments), *asked)


def inputs_of(forward: Any, *asked: str) -> dict[str, Any]:
    return choose_inputs(Pair("f", 1, forward, None), read_inputs(asked), 0)[0]


@pytest.mark.parametrize(
    ("word", "asked"),
    {
        "x=4x3": Drawn((4, 3)),
        "x=4": Drawn((4,)),
        "x=(4,)": Drawn((4,)),
        "x=(4, 3)": Drawn((4, 3)),
        "x=scalar": Drawn(()),
        "x=()": Drawn(()),
        "x=4:int<3": Drawn((4,), Kind.INT, 3),
        "x=scalar:int": Drawn((), Kind.INT),
        "x=4x3:bool": Drawn((4, 3), Kind.BOOL),
        "x=4x3:float": Drawn((4, 3)),
        "x=1e-5": Constant(1e-5),
        "x=-1": Constant(-1),
        "x==4": Constant(4),
        "x==(4, 3)": Constant((4, 3)),
        "x=[4, 3]": Constant([4, 3]),
        "x=True": Constant(True),
        "x=None": Constant(None),
        "x='mean'": Constant("mean"),
        "x=mean": Constant("mean"),
    }.items(),
)
def test_what_may_be_asked_for(word: str, asked: Any) -> None:
    assert read_inputs([word]) == {"x": asked}


@pytest.mark.parametrize(
    ("words", "drawn"),
    {
        "n,d": Drawn(("n", "d")),
        "n d": Drawn(("n", "d")),
        "(n, 4)": Drawn(("n", 4)),
        "4*k": Drawn(("4*k",)),
        "n:int<c": Drawn(("n",), Kind.INT, "c"),
        "n d:bool": Drawn(("n", "d"), Kind.BOOL),
        "4x3": Drawn((4, 3)),
        "scalar": Drawn(()),
    }.items(),
)
def test_the_command_line_takes_what_hints_take(words: str, drawn: Drawn) -> None:
    assert read_inputs([f"x={words}"])["x"] == drawn
    assert read_hint(words, {}) == drawn


def test_names_of_sizes_that_are_asked_for_are_those_of_the_hints() -> None:
    found = inputs("x: 'n d', W, y", "W=d,k", "y=n:int<k")
    n, d, k = *found["x"], found["W"][1]
    assert len({n, d, k}) == 3
    assert found["W"] == (d, k)
    assert found["y"].shape == (n,)
    found = inputs("W: 'd k', y", "y=40:int<k")
    assert set(found["y"]) == set(range(found["W"][1]))


def test_what_is_asked_of_one_function_comes_before_what_is_asked_of_all() -> None:
    given = read_inputs(["x=4", "f.x=3", "g.x=2", "y=1"])
    assert asked_of(given, ("f", "f_backward")) == {"x": Drawn((3,)), "y": Drawn((1,))}
    assert asked_of(given, ("h",)) == {"x": Drawn((4,)), "y": Drawn((1,))}


@pytest.mark.parametrize(
    ("hint", "asked"),
    {
        "Float[Array, 'n d']": Drawn(("n", "d")),
        'Float[np.ndarray, "4 3"]': Drawn((4, 3)),
        "jaxtyping.Float64[np.ndarray, 'n']": Drawn(("n",), precision="float64"),
        "BFloat16[Tensor, 'n']": Drawn(("n",), precision="bfloat16", in_torch=True),
        "Float[torch.Tensor, '']": Drawn((), in_torch=True),
        "Int[Array, 'n']": Drawn(("n",), Kind.INT),
        "UInt8[Array, 'n']": Drawn(("n",), Kind.INT),
        "Integer[Array, 'n']": Drawn(("n",), Kind.INT),
        "Bool[Array, '*batch d']": Drawn(("*batch", "d"), Kind.BOOL),
        "Float[Array, '... #n rows=4 _']": Drawn(("...", "n", 4, "_")),
        "Optional[Float[Array, 'n']]": Drawn(("n",)),
        "Float[Array, 'n'] | None": Drawn(("n",)),
        "'Float[Array, \"n\"]'": Drawn(("n",)),
        "Annotated[np.ndarray, 'n d']": Drawn(("n", "d")),
        "n d": Drawn(("n", "d")),
        "'n d'": Drawn(("n", "d")),
        "(n, d)": Drawn(("n", "d")),
        "n, 4": Drawn(("n", 4)),
        "n": Drawn(("n",)),
        "4": Drawn((4,)),
        "4*n": Drawn(("4*n",)),
        "d 4*n": Drawn(("d", "4*n")),
        "(d, 4 * n)": Drawn(("d", "4*n")),
        "Float[Array, 'n+1 2']": Drawn(("n+1", 2)),
        "()": Drawn(()),
        "": Drawn(()),
        "''": Drawn(()),
        "Batch": Drawn(("b",)),
        "np.ndarray": None,
        "int": None,
        "Array": None,
        "list[float]": None,
        "Callable[[int], int]": None,
        "dict[str, int]": None,
        "what the user gave!": None,
    }.items(),
)
def test_type_hints(hint: str, asked: Drawn | None) -> None:
    assert read_hint(hint, {"Batch": Annotated[np.ndarray, "b"], "Array": np.ndarray, "n": 3}) == asked


def test_hints_of_jaxtyping_itself() -> None:
    jaxtyping = pytest.importorskip("jaxtyping")
    for hint in (jaxtyping.Float[np.ndarray, "n 3"], jaxtyping.Float[np.ndarray, "n 3"] | None):
        assert read_hint(hint, {}) == Drawn(("n", 3))
    assert read_hint(jaxtyping.Int[torch.Tensor, "n"], {}) == Drawn(("n",), Kind.INT, in_torch=True)
    assert read_hint("Batch", {"Batch": jaxtyping.Float[np.ndarray, "n"]}) == Drawn(("n",))


def test_a_name_has_one_size_and_each_its_own() -> None:
    found = inputs("x: 'n d', W: 'd m', b: 'm', c: '4 k', r: '*batch n'")
    assert found == {"x": (3, 5), "W": (5, 2), "b": (2,), "c": (4, 6), "r": (7, 3)}
    assert inputs("x: '_ _'") == {"x": (3, 4)}
    assert inputs("W: 'd 4*n', h: 'n'") == {"W": (3, 16), "h": (4,)}


def test_a_shape_that_is_asked_for_decides_the_sizes_of_the_others() -> None:
    assert inputs("x: 'n d', W: 'd m'", "x=6x3") == {"x": (6, 3), "W": (3, 4)}
    assert inputs("x: 'n d', W: 'd m'", "W=3") == {"x": (4, 5), "W": (3,)}


def test_a_mask_has_a_true_in_every_row_and_is_not_all_true() -> None:
    for seed in range(20):
        for shape in ("4x2:bool", "2:bool", "2x1:bool"):
            mask = choose_inputs(Pair("f", 1, lambda m: m, None), read_inputs([f"m={shape}"]), seed).inputs["m"]
            assert not mask.all()
            assert mask.shape[-1] == 1 or mask.any(axis=-1).all()


def test_data_is_drawn_and_has_no_gradient() -> None:
    def forward(x: Any, w: Any) -> Any:
        return x * w

    forward.__annotations__["w"] = "n:data"
    found = choose_inputs(Pair("f", 1, forward, None), read_inputs(["x=4:data"]), 0)
    assert found.inputs == {"x": (4,), "w": (3,)}
    assert found.constants == ("x", "w")


def test_defaults_stay_and_constants_are_passed_on() -> None:
    assert inputs("x: 'n', eps=1e-5, axis=-1", "eps=0.5") == {"x": (3,), "eps": 0.5}
    assert inputs("x: 'n', *, k", "k==2") == {"x": (3,), "k": 2}
    assert inputs("x: 'n', k", "k=2") == {"x": (3,), "k": (2,)}
    assert inputs("x: 'n', k: int, l: 'int'", "k=2", "l==3") == {"x": (3,), "k": 2, "l": 3}


def test_a_number_for_a_default_that_is_one_is_that_number() -> None:
    found = inputs("x, pad=0, rate=0.5, flag=False, axis=None", "x=4", "pad=1", "rate=2", "flag=1", "axis=2")
    assert found == {"x": (4,), "pad": 1, "rate": 2.0, "flag": True, "axis": (2,)}
    assert [type(found[name]) for name in ("pad", "rate", "flag")] == [int, float, bool]
    assert inputs("x, scale=1.0", "x=4", "scale=4x3") == {"x": (4,), "scale": (4, 3)}


def test_whole_numbers_are_labels_that_fit_every_axis() -> None:
    found = inputs("z: 'n c', t: 'Int[Array, \"n\"]', m: 'Bool[Array, \"n c\"]'")
    assert (found["z"], found["t"].shape, found["m"].shape) == ((3, 4), (3,), (3, 4))
    assert set(found["t"]) <= {0, 1, 2}
    assert found["m"].dtype == bool
    assert set(inputs("z, t", "z=2x9", "t=50:int<9")["t"]) > {0, 1, 2, 3}
    assert set(inputs("z, t", "z=9x2", "t=50:int")["t"]) == {0, 1}


def test_they_are_of_torch_where_the_code_is() -> None:
    asked = ("z=4x3", "t=4:int<3")
    assert isinstance(inputs("z, t", *asked)["t"], np.ndarray)
    assert isinstance(inputs_of(function("z, t", "torch.sum(z)", torch=torch), *asked)["t"], torch.Tensor)
    assert isinstance(inputs("z: 'Float[Tensor, \"n c\"]', t: 'Int[Tensor, \"n\"]'")["t"], torch.Tensor)

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: "n c", t: "n") -> Any:  # type: ignore[name-defined,valid-type,syntax]  # noqa: F722, F821
            return z

    assert isinstance(inputs_of(Square, *asked)["t"], torch.Tensor)
    assert inputs_of(Square) == {"z": (3, 4), "t": (3,)}


def test_the_precision_is_the_one_of_the_hints_if_they_have_one() -> None:
    def precision(*names: str) -> str | None:
        arguments = ", ".join(f"x{i}: '{name}[Array, \"n\"]'" for i, name in enumerate(names))
        return choose_inputs(Pair("f", 1, function(arguments), None), {}, 0)[1]

    assert precision("Float32", "Float", "Int64") == "float32"
    assert precision("Float32", "Float64") is None
    assert precision("Float") is None


def test_it_is_float32_in_jax_that_was_not_told_otherwise() -> None:
    jax = pytest.importorskip("jax")

    def precision(name: str) -> str | None:
        backward = function(f"x: '{name}[Array, \"n\"]'", "jnp.tanh(x)", jnp=jax.numpy)
        return choose_inputs(Pair("f", 1, backward, None), {}, 0)[1]

    before = jax.config.jax_enable_x64
    try:
        for wide, expected in {False: "float32", True: None}.items():
            jax.config.update("jax_enable_x64", wide)
            assert (precision("Float"), precision("Float64")) == (expected, "float64")
    finally:
        jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize(
    ("arguments", "says"),
    {
        "x": "x has no type hint with a shape; give --inputs x=4x3",
        "x: 'n', W, b: list": "W, b have no type hints with shapes; give --inputs W=4x3 b=3 (your own",
        "x, k: int": "x, k have no type hints with shapes; give --inputs x=4x3 k=2",
        "*x": "the names of its arguments are not known",
        "x: 'Float[Array, \"n^2\"]'": "x: the size 'n^2' of its type hint is not understood; give --inputs x=4x3",
        "x: 'n-3'": "the size n-3 of a type hint comes out as 0; give --inputs",
        "x: 'Complex64[Array, \"n\"]'": "x: its type hint asks for Complex64, expected real numbers",
    }.items(),
)
def test_what_is_missing_is_told(arguments: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        inputs(arguments)
    if "x:" in arguments:
        assert inputs(arguments, "x=2", "W=3", "b==[1]")["x"] == (2,)


def cross_entropy(z, labels):
    return -np.log(z[np.arange(len(z)), labels]).mean()


def test_whole_numbers_are_suggested_for_what_stands_in_an_index() -> None:
    with pytest.raises(ValueError, match=re.escape('give --inputs z=4x3 labels="4:int<3"')):
        choose_inputs(Pair("cross_entropy", 1, cross_entropy, None), {}, 0)


def test_the_names_that_can_be_asked_for() -> None:
    pairs = [Pair("f_backward", 1, function("x, W"), len, names=("f", "f_backward")), Pair("g", 1, function("x"), len)]
    assert argument_names(pairs) == ["x", "W", "f.x", "f.W", "f_backward.x", "f_backward.W"]


class Kept:
    def __init__(self, W: Any) -> None:
        self.W = W

    def forward(self, x: Any) -> Any:
        return x @ self.W


@pytest.mark.parametrize(("W", "precision"), [(torch.ones(3, 2), "float32"), (np.ones((3, 2)), None)])
def test_an_object_with_parameters_in_float32_is_judged_in_it(W: Any, precision: str | None) -> None:
    chosen = choose_inputs(Pair("Kept", 1, Kept(W).forward, None), read_inputs(["x=4x3"]), 0)
    assert chosen.precision == precision


@pytest.mark.parametrize("shape", [(), (2,), (3,), (4, 2), (2, 2), (3, 4, 2)])
def test_one_index_stands_twice_along_every_axis_and_another_beside_it(shape: tuple[int, ...]) -> None:
    """So that `dE[x] += dh` shows what it loses, in whichever loop; of two indices in all, any are drawn."""
    for seed in range(30):
        values = draw_indices(shape, 9, np.random.default_rng(seed))
        assert values.shape == shape
        assert ((values >= 0) & (values < 9)).all()
        if values.size > 2:
            assert len(set(values.flat)) > 1
            for axis in range(len(shape)):
                lines = np.moveaxis(values, axis, -1).reshape(-1, shape[axis])
                assert any(len(set(line)) < len(line) for line in lines)


def test_an_axis_of_indices_has_three_entries_at_least_where_the_next_size_is_two() -> None:
    drawn = inputs("a: 'u', b: 'k', c: 'v', i: 'n:int<v', d: 'h'")
    assert [drawn[name] for name in "abcd"] == [(3,), (4,), (5,), (2,)]
    assert len(set(drawn["i"])) < len(drawn["i"]) == 6
