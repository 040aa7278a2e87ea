"""What tracers and compilers of torch make of a HandModule, whose gradient none of them may take apart."""

from typing import Any, NoReturn

from torch import nn
from torch.fx import Proxy


def node(module: nn.Module, x: Proxy, *rest: Any) -> Any:
    """A call of the module as one node of the graph that torch.fx is tracing. TypeError where it is the whole graph."""
    tracer: Any = x.tracer
    path = next((name for name, part in tracer.root.named_modules() if part is module), "")
    if not path:
        raise TypeError(
            "torch.fx: a HandModule of one layer or loss is a single node, and so is a network with its loss; trace a "
            "module that holds it, and a network alone with concrete_args={'target': None, 'states': None}"
        )
    return tracer.create_proxy("call_module", path, (x, *rest), {})


def refuse_script(self: nn.Module) -> NoReturn:
    """What torch.jit.script asks a module before it compiles it."""
    raise TypeError(
        "torch.jit.script: takes no gradient written by hand; use torch.compile or torch.export, or load this "
        "state_dict into an nn.Sequential of torch's own layers and script that"
    )
