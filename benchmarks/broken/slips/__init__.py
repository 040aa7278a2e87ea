"""For each module its torch references, the sizes of its inputs, and its slips."""

import importlib
import pkgutil

for _, name, _ in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{name}")
