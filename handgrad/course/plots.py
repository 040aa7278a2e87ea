"""Pictures that several lectures have."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from manual import activation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def activation_curves(*names: str) -> "Callable[[Axes], None]":
    """Draws each activation, and dashed in the same colour its derivative, both by `manual`."""
    z = np.linspace(-6, 6, 241)[None]

    def draw(ax: "Axes") -> None:
        for name in names:
            layer = activation(name)
            h, cache = layer.forward({}, z)
            (line,) = ax.plot(z[0], h[0], label=f"{name}(z)")
            slope, _ = layer.backward({}, cache, np.ones_like(z))
            ax.plot(z[0], slope[0], "--", color=line.get_color(), label=f"{name}'(z)")
        ax.set(xlabel="z", title=f"{', '.join(names)}; dashed the derivative")
        ax.set_ylim(top=min(ax.get_ylim()[1], 1.6))  # what grows on would leave no room for the others
        ax.legend()

    return draw
