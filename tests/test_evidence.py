"""A small seeded part of every measurement in benchmarks/, and the page's tables against the recorded results."""

import statistics
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts, not a package

import cost  # noqa: E402
import digits  # noqa: E402
import false_alarms  # noqa: E402
import own_reference  # noqa: E402
import power  # noqa: E402
import record  # noqa: E402
import sklearn_face  # noqa: E402

from handgrad import Verdict  # noqa: E402

TABLES = {
    "false_alarms": false_alarms.table,
    "power": power.table,
    "cost": cost.table,
    "digits": digits.table,
    "own_reference": own_reference.table,
    "sklearn_face": sklearn_face.table,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_was_recorded(name):
    found = record.load(name)
    shown = record.section(name).search(record.PAGE.read_text())
    assert shown is not None, f"docs/evidence.md has no section {name}"
    assert shown[2] == TABLES[name](found), f"docs/evidence.md differs from docs/evidence/{name}.json"


def small_seeds(count):
    sizes = {}
    for seed in range(4 * count):
        case = false_alarms.draw(seed)
        sizes[seed] = len(case.x) * sum(v.size for own in case.params for v in own.values())
    return sorted(sizes, key=sizes.__getitem__)[:count]


def test_no_correct_network_is_refuted():
    found = false_alarms.start(0)
    for seed in small_seeds(12):
        case = false_alarms.draw(seed)
        report = false_alarms.judge(case, seed)
        assert report.verdict is not Verdict.REFUTED, false_alarms.why(report)
        false_alarms.add(found, seed, case, report)
    assert found["networks"] == 12 == sum(found["verdicts"].values())
    assert found["entries"] > 100
    assert 0 < max(t["ratio"] for f in found["largest"].values() for d in f.values() for t in d.values()) <= 1
    assert "12 networks" in false_alarms.table(found)


def test_a_network_is_the_same_for_the_same_seed_and_another_for_another():
    first, again, other = (false_alarms.draw(seed) for seed in (3, 3, 4))
    assert first.x.tobytes() == again.x.tobytes() != other.x.tobytes()
    assert [str(f) for f in first.network.layers] == [str(f) for f in again.network.layers]


@pytest.fixture(scope="module")
def point():
    return power.start("tanh", 0)


def test_correct_code_passes_every_checker(point):
    assert not any(detects(point, None) for detects in power.CHECKERS.values())


@pytest.mark.parametrize("mistake", power.MISTAKES)
def test_the_judge_sees_every_planted_mistake_in_float64(point, mistake):
    assert power.CHECKERS["handgrad f64"](point, mistake)


@pytest.mark.parametrize(
    ("checker", "seen", "missed"),
    [
        ("np.allclose f32", "dW scaled by 1 + 1e-3", "dW scaled by 1 + 1e-6"),
        ("assert_close f32", "sign of one delta", "dW scaled by 1 + 1e-8"),
        ("gradcheck slow", "sign of one delta", "dW scaled by 1 + 1e-4"),
        ("gradcheck fast", "sign of one delta", "dW scaled by 1 + 1e-4"),
        ("float64 rtol 1e-9", "dW scaled by 1 + 1e-8", "dW scaled by 1 + 1e-10"),
        ("handgrad f32", "dW scaled by 1 + 1e-5", "dW scaled by 1 + 1e-8"),
    ],
)
def test_every_checker_sees_and_misses(point, checker, seen, missed):
    assert power.CHECKERS[checker](point, seen)
    assert not power.CHECKERS[checker](point, missed)


def test_cost_tells_a_ratio_for_every_part_of_a_verdict():
    found = cost.ratios((6, 5, 3), rounds=2)
    assert found["parameters"] == 53
    assert min(found["seconds"].values()) > 0
    assert found["ratio"]["float32 step"] + found["ratio"]["float64 step"] == pytest.approx(1)
    assert found["ratio"]["verdict"] > 0.5 * found["ratio"]["Test A, certificates"]  # a part of it, on any machine
    assert cost.large((6, 5, 3))["verdict"] == "CERTIFIED"
    assert cost.gradcheck((6, 5, 3), rounds=1)["seconds"] > 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_both_faces_learn_a_small_table_in_the_same_steps():
    data = sklearn_face.load("iris")
    assert sklearn_face.difference(data) < 1e-12
    found = sklearn_face.measure(data, "lbfgs", range(2))
    assert found.keys() == {"scikit-learn", "handgrad"}
    for side in found.values():
        assert min(side["score"]) > 0.9
        assert all(1 < epochs <= 200 for epochs in side["epochs"])
        assert min(side["seconds"]) > 0
    whole = {"sklearn": "1", "seeds": 2, "data sets": {"iris": {"lbfgs": found}}, "difference": {"iris": 1e-16}}
    theirs = {"score": [0.9, 0.8], "epochs": [10, 20], "seconds": [1.0, 1.0]}
    ours = {"score": [0.9, 0.9], "epochs": [20, 20], "seconds": [2.0, 4.0]}
    assert sklearn_face.ratios(theirs, ours) == (3.0, 2.5)
    whole["data sets"]["wine"] = {"adam": {"scikit-learn": theirs, "handgrad": ours}}
    assert "| wine | adam | 0.850 | 0.900 | +0.050 ± 0.050 | 15 | 20 | 3.00 | 2.50 |" in sklearn_face.table(whole)


def test_the_face_of_scikit_learn_learns_as_well_and_as_fast():
    found = record.load("sklearn_face")
    assert found["data sets"].keys() == found["difference"].keys() == sklearn_face.LOADERS.keys()
    assert max(found["difference"].values()) < 1e-12
    ratios = []
    for name, solvers in found["data sets"].items():
        assert solvers.keys() == set(sklearn_face.SOLVERS)
        for solver, sides in solvers.items():
            theirs, ours = sides["scikit-learn"], sides["handgrad"]
            gain = [a - b for a, b in zip(ours["score"], theirs["score"], strict=True)]
            assert len(gain) == found["seeds"] >= 10
            error = statistics.stdev(gain) / len(gain) ** 0.5
            assert statistics.mean(gain) > -3 * error - 0.002, (name, solver)
            ratios.append(sklearn_face.ratios(theirs, ours)[1])
    assert statistics.median(ratios) < 1.1
    assert max(ratios) < 2


def test_the_trainings_to_97_percent_tell_compiling_apart_and_leave_out_what_is_not_installed(capsys):
    found = {"seconds": {"plain torch": [9.0, 2.0, 4.0, 3.0], "x": [5.0, 1.5]}, "epochs": {"plain torch": 7, "x": 8}}
    found |= {"parts": {"x": [0.751, 0.2]}}
    assert digits.table(found).splitlines()[2:] == [
        "| plain torch | 7 | 9.00 | 3.00 | 1.00 |  |  |",
        "| x | 8 | 5.00 | 1.50 | 0.50 | 75% | 20% |",
    ]
    assert digits.is_there("numpy")
    assert not digits.is_there("nowhere")
    assert capsys.readouterr().out == "without JAX with optax: nowhere is not installed; pip install nowhere\n"


def test_the_recorded_numbers_are_those_that_are_claimed():
    alarms, names, mutants = (record.load(name) for name in ("false_alarms", "names", "mutants"))
    assert alarms["networks"] >= 1000
    assert alarms["verdicts"]["REFUTED"] == 0
    assert names["wrong"] == []
    assert sum(mutants["all"][k] for k in ("refuted", "survives")) >= 150
    cost_of = record.load("cost")
    assert cost_of["network"]["ratio"]["Test A, certificates"] <= 10
    assert cost_of["large"]["seconds"] < 30
    assert cost_of["large"]["peak GB"] < 4
    for kind, says in record.load("own_reference")["counts"].items():
        assert "wrong" not in says
        assert says["right"] >= 0.95 * sum(says.values()), kind


@pytest.mark.parametrize("network", ["tanh, start", "tanh, trained", "relu, start", "relu, trained"])
def test_the_recorded_power_is_what_is_claimed(network):
    rows = record.load("power")["networks"][network]
    for mistake, detected in rows.items():
        size = float(mistake.rpartition("+ ")[2]) if "scaled by 1 +" in mistake else 1.0
        expected = {"handgrad f32": 1e-5, "handgrad f64": 1e-12}
        for checker, seen_from in expected.items():
            if mistake == "correct code":
                assert detected[checker] == 0
            elif size >= seen_from:
                assert detected[checker] == 8, (mistake, checker)
