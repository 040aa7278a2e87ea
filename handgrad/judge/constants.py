"""Every number somebody chose that can decide a verdict or word a report, each with its reason; nothing else.

No tolerance decides a verdict where interval (ball) arithmetic enters: there the bound is derived. `docs/method.md`
prints this table, and a test holds that the two are the same.
"""

from typing import Literal, NamedTuple

Kind = Literal["verdict", "words"]


class Reason(NamedTuple):
    """What a constant can do, and why it has this value."""

    decides: Kind
    why: str


NOISE_SIGMAS = 32
ROUNDINGS = 8
OWN = 4
CLOSE = 2.0**-30
QUOTIENT_ENTRIES = 64
QUOTIENT_ERROR = 1 / 8
QUOTIENT_NEAR = 1 / 4
QUOTIENT_BEND = 3 / 4
QUOTIENT_ROUNDINGS = 8
DRIFT_SIGMAS = 16
COARSE_FEWEST = 4
COARSE_SIZE = 1 / 16
COARSE_SPREAD = 1 / 2

REASONS: dict[str, Reason] = {
    "NOISE_SIGMAS": Reason(
        "verdict",
        "standard deviations of the reference's noise in a bound by noise: no right code among 300 public backward "
        "passes needed more, and every wrong one was refuted",
    ),
    "ROUNDINGS": Reason(
        "verdict", "roundings of the right value itself in a bound by noise; measured with NOISE_SIGMAS"
    ),
    "OWN": Reason("verdict", "times the change a wider precision makes in the code's own result; measured likewise"),
    "CLOSE": Reason(
        "verdict",
        "share of the size below which two forward passes are nearly equal (UNRESOLVED, not REFUTED): float32 rounding "
        "is larger, rounding in float64 far smaller",
    ),
    "QUOTIENT_ENTRIES": Reason(
        "verdict", "failing entries that a difference quotient may clear: more are no rounding of the reference"
    ),
    "QUOTIENT_ERROR": Reason("verdict", "share of the difference that a quotient's own error may be"),
    "QUOTIENT_NEAR": Reason("verdict", "share of the difference within which a quotient must agree with the code"),
    "QUOTIENT_BEND": Reason(
        "verdict", "share left of the one-sided slopes' difference when the step is halved: 1/2 if smooth, 1 at a kink"
    ),
    "QUOTIENT_ROUNDINGS": Reason("verdict", "roundings of the forward pass in a quotient's own error"),
    "DRIFT_SIGMAS": Reason(
        "words",
        "standard deviations of the whole pass beyond which a stage is called drifted, and the width of the "
        "directional test: right networks exceed it only at extreme numbers (docs/evidence.md)",
    ),
    "COARSE_FEWEST": Reason("words", "errors fewer than these show no pattern of rounding"),
    "COARSE_SIZE": Reason("words", "of a unit: errors that small are no rounding of the coarser precision"),
    "COARSE_SPREAD": Reason("words", "of the typical error: errors that differ less are one common factor"),
}
