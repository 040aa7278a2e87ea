"""`torch.func`, higher derivatives, forward mode."""

from typing import Any

import torch
from torch import func
from torch.autograd import forward_ad
from torch.autograd import functional as AF
from torch.fx.experimental.proxy_tensor import make_fx

from tests.torch_ref.idioms.setting import Side, idiom


def still(s: Side) -> Side:
    """In evaluation: no transform may move running statistics."""
    s.model.eval()
    return s


def of_parameters(s: Side) -> tuple[dict[str, torch.Tensor], Any]:
    """The parameters, and E of them and a batch."""
    params = {name: p.detach() for name, p in still(s).model.named_parameters()}
    return params, lambda params, x, t: s.criterion(func.functional_call(s.model, params, (x,)), t)


@idiom("`torch.func.grad`, `grad_and_value`")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    return func.grad(E)(params, s.x, s.t), func.grad_and_value(E)(params, s.x, s.t)


@idiom("a gradient for each sample: `vmap(grad(...))`")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    return func.vmap(lambda x, t: func.grad(E)(params, x[None], t[None]))(s.x, s.t)


@idiom("`torch.func.vjp`, `jacrev`")
def _(s: Side) -> Any:
    y, back = func.vjp(still(s).model, s.x)
    return back(torch.ones_like(y)), func.jacrev(s.model)(s.x)


@idiom("forward mode: `torch.func.jvp`, `jacfwd`, `linearize`")
def _(s: Side) -> Any:
    y, push = func.linearize(still(s).model, s.x)
    return func.jvp(s.model, (s.x,), (s.x + 1,)), func.jacfwd(s.model)(s.x), y, push(s.x)


@idiom("forward mode for parameters: `jvp` through `functional_call`")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    return func.jvp(lambda p: E(p, s.x, s.t), (params,), ({name: p + 1 for name, p in params.items()},))


@idiom("`torch.func.hessian`, of the input and of all parameters")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    return func.hessian(lambda x: s.criterion(s.model(x), s.t))(s.x), func.hessian(lambda p: E(p, s.x, s.t))(params)


@idiom("Hessian-vector products: forward over reverse, reverse over reverse")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    gradient = func.grad(lambda p: E(p, s.x, s.t))
    return func.jvp(gradient, (params,), (params,)), func.vjp(gradient, params)[1](params)


@idiom("`vmap(hessian(...))`, a Hessian for each sample")
def _(s: Side) -> Any:
    still(s)
    return func.vmap(func.hessian(lambda x, t: s.criterion(s.model(x[None]), t[None])))(s.x, s.t)


@idiom(
    "`jvp` of `jvp`, `jacfwd` of `jacfwd`", refused=r"jvp of jvp is not derived; take torch\.func\.hessian, or jacrev"
)
def _(s: Side) -> Any:
    return func.jacfwd(func.jacfwd(lambda x: still(s).model(x).sum()))(s.x)


@idiom("`torch.autograd.forward_ad`: dual numbers, in training too")
def _(s: Side) -> Any:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(s.model(forward_ad.make_dual(s.x, s.x + 1)))


@idiom("`torch.autograd.functional.jacobian`, `hessian`, `hvp`, `vhp`, `jvp`, `vjp`")
def _(s: Side) -> Any:
    def E(x: torch.Tensor) -> Any:
        return s.criterion(s.model(x), s.t)

    still(s)
    first = [AF.jacobian(s.model, s.x), AF.hessian(E, s.x), AF.hessian(E, s.x, vectorize=True)]  # type: ignore[no-untyped-call]
    return first, [f(E, s.x, s.x) for f in (AF.hvp, AF.vhp)], AF.jvp(s.model, s.x, s.x)


@idiom("`gradcheck` in all its modes, `gradgradcheck`")
def _(s: Side) -> Any:
    x, model = s.x[:2].clone().requires_grad_(), still(s).model
    modes = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    return torch.autograd.gradcheck(model, (x,), **modes), torch.autograd.gradgradcheck(model, (x,))


@idiom("`vmap` with dropout on: `randomness='different'`")
def _(s: Side) -> Any:
    s.model[1].eval()
    return func.vmap(s.model, randomness="different")(torch.stack((s.x, s.x)))


@idiom("`make_fx` of a training step")
def _(s: Side) -> Any:
    params, E = of_parameters(s)
    return make_fx(func.grad(E))(params, s.x, s.t)(params, s.x, s.t)


@idiom(
    "`torch.func.functionalize`, which torch has for no custom function",
    refused="NYI: Functionalize rule for custom_function_call",
)
def _(s: Side) -> Any:
    return func.functionalize(still(s).model)(s.x)
