"""Which libraries computed what is written into a JSON file."""

import platform

import numpy as np
import torch

import handgrad


def list_versions() -> dict[str, str]:
    """The versions of this package, of Python and of the libraries that compute."""
    return {
        "handgrad": handgrad.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }
