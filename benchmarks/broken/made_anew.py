"""Layers as classes that keep state in self, called as a forward and a backward function."""

from collections.abc import Callable
from types import ModuleType
from typing import Any


def with_parameters(name: str, *parameters: str) -> Callable[[ModuleType], tuple[Any, Any]]:
    """The layer `name` made anew for its parameters at every forward pass; its gradients beside dx."""

    def make(module: ModuleType) -> tuple[Any, Any]:
        layers: list[Any] = []

        def forward(x: Any, *values: Any) -> Any:
            layers[:] = [getattr(module, name)(*values)]
            return layers[0].forward(x)

        def backward(dy: Any) -> tuple[Any, ...]:
            dx = layers[0].backward(dy)
            return (dx, *(getattr(layers[0], f"d{p}") for p in parameters))

        return forward, backward

    return make
