"""The face of scikit-learn: estimators that train by hand-derived gradients; nothing that scikit-learn has itself."""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError("manual.sklearn needs scikit-learn: pip install 'handgrad[sklearn]'", name="sklearn")

from manual.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
