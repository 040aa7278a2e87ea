"""The wrong line with its replacement below it, whatever the width."""

import pytest

from handgrad.mend.change import Change, Place, Replacement
from handgrad.report.code_lines import CodeLines

LONG = "    dx = rstd * (dxhat - dxhat.mean(axis=1, keepdims=True) - xhat * dxhat.mean(axis=1, keepdims=True)) / 7"


def lines(*replacements: Replacement, width: int = 76, words: str = "") -> list[str]:
    return [line.plain for line in CodeLines(Change(replacements, "", words), None).lines(width)]


def replaced(text: str, before: str, after: str, line: int = 9, function: str = "f", above: str = "") -> Replacement:
    start = text.index(before)
    return Replacement(Place("a.py", line, function, text, (start, start + len(before)), above=above), before, after)


END = ["   = with this change every gradient is CERTIFIED"]


def test_one_line_with_the_line_above():
    found = lines(replaced("dx = dy * h", "h", "h ** 2", above="dy = 1"), words="the square is missing")
    assert found == [
        "8 | dy = 1",
        "9 | dx = dy * h",
        "  |           ^ should be h ** 2",
        "  |",
        "  = the square is missing",
        "  = with this change every gradient is CERTIFIED",
    ]


def test_what_should_not_be_there():
    assert lines(replaced("    dx *= 2", "dx *= 2", ""))[1] == "  |     ^^^^^^^ should not be here"


@pytest.mark.parametrize("before", ["dxhat -", "xhat * dxhat.mean(axis=1, keepdims=True)", "7"])
@pytest.mark.parametrize("width", [60, 76, 200])
def test_a_long_line_is_cut_around_what_is_replaced(before, width):
    after = "np.einsum('ij,ij->i', dxhat, xhat)[:, None] * xhat"
    found = lines(replaced(LONG, before, after), width=width)
    assert max(map(len, found)) <= width
    code, mark = found[:2]
    start, end = mark.index("^"), mark.rindex("^") + 1
    assert code[start:end].startswith(before[:8])
    assert after in " ".join(" ".join(line.lstrip(" |") for line in found).split())


def test_several_lines_and_functions():
    first, second = replaced("a = 1", "1", "2", line=9), replaced("b = 1", "1", "2", line=10)
    assert [line for line in lines(first, second) if line.startswith(("9", "10", " 9"))] == [" 9 | a = 1", "10 | b = 1"]
    other = replaced("c = 1", "1", "2", line=30, function="helper")
    found = lines(first, other)
    assert found[found.index("a.py:30, in helper") - 1] == ""


def test_two_places_that_are_apart_have_a_blank_line_between_them():
    first, near, far = (replaced("b = 1", "1", "2", line=line, above="a = 0") for line in (9, 10, 30))
    assert "" not in lines(first, near)
    found = lines(first, near, far)
    assert found[found.index("") + 1] == "29 | a = 0"


def test_lines_put_in_stand_where_they_belong():
    below = lines(replaced("    dx = dy", "dx = dy", "dx = dy\n    dx = dx * h\n    dx[0] = 0"))
    assert below[:4] == ["9 |     dx = dy", "+ |     dx = dx * h", "+ |     dx[0] = 0", "  |"]
    above = lines(replaced("    return dx", "return dx", "dx = dx * h\n    return dx", above="    dx = dy"))
    assert above[:4] == ["8 |     dx = dy", "+ |     dx = dx * h", "9 |     return dx", "  |"]
    long = lines(replaced("    dx = dy", "dx = dy", "dx = dy\n    dx = dx * normalised + bias"), width=30)
    assert long[1:3] == ["+ |     dx = dx * normalised +", "  |         bias"]


def test_several_lines_in_the_place_of_one_keep_its_indent():
    found = lines(replaced("    dx = dy", "dx = dy", "for i in n:\n        dx[i] = 1"))
    assert found[:4] == ["9 |     dx = dy", "  |     ^^^^^^^ should be", "+ |     for i in n:", "+ |         dx[i] = 1"]


def test_a_line_without_a_change():
    place = Place("a.py", 9, "f", "dx = dy", words="the result: the columns are permuted", above="dy = 1")
    found = [line.plain for line in CodeLines(None, place).lines(76)]
    assert found[:2] == ["8 | dy = 1", "9 | dx = dy"]
    assert found[3] == "  = the result: the columns are permuted"
    assert found[4].startswith("  = with another value here every gradient would be right")
