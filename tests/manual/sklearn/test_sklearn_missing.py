"""Without scikit-learn the import says what to install."""

import importlib
import sys

import pytest

import manual.sklearn


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)  # an import of it raises
    with pytest.raises(ModuleNotFoundError, match=r"needs scikit-learn: pip install 'handgrad\[sklearn\]'"):
        importlib.reload(manual.sklearn)
