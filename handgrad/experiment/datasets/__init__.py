"""A reader's own data: .npz, .csv, MNIST's idx files and plain text, and the bundled digits, in one form."""

from handgrad.experiment.datasets.form import Data, DataError, Form, Scaling
from handgrad.experiment.datasets.load import load, load_labelled

__all__ = ["Data", "DataError", "Form", "Scaling", "load", "load_labelled"]
