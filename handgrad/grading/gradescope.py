"""The grade as Gradescope's autograder reads it, in /autograder/results/results.json.

https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

from typing import Any

from handgrad.grading.grade import Grade
from handgrad.grading.text import remarks, summary


def as_results(grade: Grade) -> dict[str, Any]:
    """One test for each quantity; the score is their sum. Students see all, and nothing that the submission printed."""
    return {
        "output": "\n".join([summary(grade), *remarks(grade)]),
        "output_format": "text",
        "execution_time": round(grade.seconds, 2),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": f"{row.name} in {row.function}",
                "score": row.earned,
                "max_score": row.points,
                "status": "passed" if row.slip is None else "failed",
                "output": row.hint or ("right" if row.slip is None else "wrong"),
                "output_format": "text",
            }
            for row in grade.rows
        ],
    }
