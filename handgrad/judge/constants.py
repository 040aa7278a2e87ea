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
DRIFT_SIGMAS = 16

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
    "DRIFT_SIGMAS": Reason(
        "words",
        "standard deviations of the whole pass beyond which a stage is called drifted, and the width of the "
        "directional test: right networks exceed it only at extreme numbers (docs/evidence.md)",
    ),
}
