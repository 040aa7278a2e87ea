"""The face of scikit-learn: estimators that train by hand-derived gradients; nothing that scikit-learn has itself."""

from manual.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
