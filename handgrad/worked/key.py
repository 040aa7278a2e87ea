"""What answers are graded by: every asked number, its value, and how far an answer may be from it."""

from typing import Any

from handgrad.worked.solution import Solution
from handgrad.worked.values import index_of, tensor_of


def grading_key(solution: Solution) -> dict[str, Any]:
    """{"title", "given": {name: number}, "quantities": [...]}, for JSON.

    Each quantity has its name, the tensor it stands in and its index there (counted from 0), its value, and the
    tolerance: an answer is right where |answer - value| <= tolerance. That is half a unit of the last digit that was
    asked for, so that exactly what rounds to the shown number is right. digits says how many were asked for (of a zero,
    after the point), and exact that the value ends: then they are five at least.
    """
    asked = []
    for name in solution.formulas:
        shown = solution.shown[name]
        asked.append(
            {
                "name": name,
                "tensor": "loss" if name == "E" else tensor_of(name),
                "index": list(index_of(name)),
                "value": float(shown.number) if shown.exact else solution.values[name].number,
                "tolerance": float(shown.half_unit),
                "digits": shown.asked,
                "exact": shown.exact,
            }
        )
    given = {name: solution.values[name].number for name in solution.given}
    return {"title": solution.example.title, "given": given, "quantities": asked}
