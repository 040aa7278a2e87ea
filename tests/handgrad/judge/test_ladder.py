"""bfloat16 and float16 code is told how it computes; what its own roundings do not explain is not certified."""

import pytest
import torch

from handgrad.judge.judge import judge
from handgrad.judge.ladder import Rung
from handgrad.judge.stage import Halves, Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.verify import verify_function


def reference(x, w):
    return x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5) * w


def rms_norm(how: str, kept: float = 1.0) -> Halves:
    """RMS normalisation in one of the ways in which low-precision code is written; kept: of the second term of dx."""

    def forward(i):
        x, w = (t.float() if how in ("once", "between sums") else t for t in (i["x"], i["w"]))
        return (x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5) * w).to(i["x"].dtype), ()

    def backward(cache, i, dy):
        x, w = i["x"], i["w"]
        if how == "once":
            x, w, dy = x.float(), w.float(), dy.float()
        r = torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5)
        d = dy * w
        dx = r * (d - kept * x * r * r * (d * x).mean(1, keepdim=True))
        terms = dy * x * r
        dw = terms.sum(0)
        if how == "every":
            dw = torch.zeros_like(w)
            for row in terms:
                dw = dw + row
        return {"dx": dx.to(i["x"].dtype), "dw": dw.to(i["x"].dtype)}

    return Halves(forward, backward)


def trial(how, kept=1.0, dtype=torch.bfloat16, precision=None, equal=False):
    halves = rms_norm(how, kept)

    def hand(inputs, dy):
        y, cache = halves.forward(inputs)
        return {"y": y, **halves.backward(cache, inputs, dy)}

    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(400, 16, generator=g), torch.randn(16, generator=g)
    dy = torch.randn(400, 16, generator=g)
    if equal:
        x, dy = x[:1].expand(400, 16).clone(), dy[:1].expand(400, 16).clone()
    stage = Stage("rms", hand, Reference(reference, ("x", "w"), {}).gradients, None, None, halves)
    inputs = {"x": x.to(dtype), "w": w.to(dtype)}
    return Trial(stage, inputs, dy.to(dtype), drawn=True, precision=precision)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("how", "rung"), [("once", Rung.ONCE), ("between", Rung.BETWEEN)])
def test_how_right_code_computes_is_found(how, rung, dtype):
    found = judge(trial(how, dtype=dtype))
    assert found.verdict is Verdict.CERTIFIED, found.report
    assert found.rung is rung or (rung is Rung.ONCE and found.rung is Rung.CORRECT)


def test_code_that_rounds_once_has_a_bound_of_one_rounding():
    """Twice the bound, relative to the value: 2^-7 in bfloat16."""
    for t in judge(trial("once")).report.tensors:
        assert t.floor_median <= 1.1 * 2.0**-7


@pytest.mark.parametrize("kept", [0.8, 0.95])
def test_a_lost_term_is_refuted_in_code_that_rounds_once(kept):
    assert judge(trial("once", kept)).verdict is Verdict.REFUTED


@pytest.mark.parametrize("kept", [0.8, 0.95])
def test_a_lost_term_is_not_certified_in_code_that_rounds_everywhere(kept):
    assert judge(trial("between", kept)).verdict is not Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("how", "asked", "verdict"),
    [
        ("once", "float32 inside, rounded once", Verdict.CERTIFIED),
        ("once", "float32 inside", Verdict.CERTIFIED),
        ("between", "float32 inside", Verdict.CERTIFIED),
        ("between", "float32 inside, rounded once", Verdict.REFUTED),
    ],
)
def test_a_step_may_be_asked_for(how, asked, verdict):
    assert judge(trial(how, precision=asked)).verdict is verdict


def test_a_sum_that_is_rounded_after_every_addition_shows_in_equal_rows():
    found = judge(trial("every", precision="float32 inside", equal=True))
    dw = found.report.tensors[2]
    assert (dw.name, dw.verdict) == ("dw", Verdict.REFUTED)
    assert "accumulates in bfloat16" in dw.reason
    assert judge(trial("between", precision="float32 inside", equal=True)).verdict is Verdict.CERTIFIED


def test_a_forward_pass_below_the_precision_asked_for_is_no_other_function():
    def softcap(x):
        return 30 * torch.tanh(x / 30)

    asked = "float32 inside, rounded once"
    report = verify_function(softcap, None, softcap, [(4, 128)], dtype="bfloat16", precision=asked, seed=1, mend=0)
    y = report.stages[0].isolated.tensors[0]
    assert (y.name, y.verdict) == ("y", Verdict.REFUTED)
    assert y.reason.startswith("rounds to bfloat16 between operations: ")
    assert y.reason.endswith(f"entries are off by more than {asked} explains")
