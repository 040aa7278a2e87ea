"""The entry points: what users call must give, bit for bit, what the judged stages give.

The judge follows `Network.backward_trace`, whose every quantity it can see. `Network.backward`, `gradients` and
`loss_and_gradients` are a few lines each around the same stages, and a slip in those lines is in no stage.
"""

from collections.abc import Callable, Mapping
from typing import Any

from handgrad.judge.isolation import attempt, contents
from handgrad.subjects.network.network_run import Point
from manual import gradients, loss_and_gradients, param_names

Named = dict[str, Any]


def check_entry_points(point: Point) -> tuple[str, ...]:
    """In words: what is wrong with them on this batch. Nothing if the stages themselves do not run."""
    network, params, x, target, loss, states, _dE = point
    names = param_names(network.layers)

    def named(dparams: Any) -> Named:
        """The parameters' gradients under the lectures' names; those that are missing are None."""
        return {
            f"d{name}": own.get(f"d{short}")
            for own, called in zip(dparams, names, strict=True)
            for short, name in called.items()
        }

    def run_stages() -> tuple[Any, Any, Named]:
        y, trace = network.forward(params, x, states)
        E, cache = loss.forward(y, target)
        dy = loss.backward(cache, 1.0)
        stages = network.backward_trace(params, trace, dy)
        return trace, dy, {"loss": E, "dx": stages[0].dx, **named([stage.dparams for stage in stages])}

    ran = attempt(run_stages).value
    if ran is None:  # the run under judgement has said so
        return ()
    trace, dy, right = ran

    def backward() -> Named:
        dx, dparams = network.backward(params, trace, dy)
        return {"dx": dx, **named(dparams)}

    def without_dx() -> Named:
        return named(network.backward(params, trace, dy, need_dx=False)[1])

    def training_step() -> Named:
        value, dparams = loss_and_gradients(network, params, x, target, loss, states=states)
        return {"loss": value, **named(dparams)}

    def by_name() -> Named:
        found = gradients(network, params, x, target, loss, states=states)
        return {name: found[name] for name in right}

    ways = {
        "Network.backward": backward,
        "Network.backward without dx": without_dx,
        "loss_and_gradients": training_step,
        "gradients": by_name,
    }
    return tuple(problem for entry, call in ways.items() for problem in compare_values(entry, call, right))


def compare_values(entry: str, call: Callable[[], Named], right: Mapping[str, Any]) -> list[str]:
    """In words: where this entry point gives other values than the stages."""
    found = attempt(call)
    if found.value is None:
        return [f"{entry} stopped with {type(found.error).__name__}: {found.error}"]
    other = [name for name, value in found.value.items() if contents([value]) != contents([right[name]])]
    return [f"{entry}: other values than the stages of the same pass give, in {', '.join(other)}"] if other else []
