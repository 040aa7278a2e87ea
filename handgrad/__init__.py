"""The judge: certifies a hand-derived gradient, places and names the mistake."""

from handgrad.assertions import assert_verified
from handgrad.function import verify_function
from handgrad.report import Report
from handgrad.verdict import Verdict
from handgrad.verify import verify

__version__ = "0.1.0"

__all__ = ["Report", "Verdict", "assert_verified", "verify", "verify_function"]
