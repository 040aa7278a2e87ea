"""Pictures and curves: each number its own shade, in a PNG that others can read."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest

from handgrad.html.curves import draw_curves
from handgrad.html.picture import LEVELS, Scale, draw, indices, palette
from handgrad.judge.compare import Evidence
from handgrad.report.entries import MOST, pick_entries
from handgrad.report.heat_map import show_entries


def test_a_sign_is_never_lost_and_zero_alone_has_no_colour():
    shades = indices(np.array([[-1.0, -1e-9, 0.0, 1e-9, 1.0, np.nan, np.inf, -np.inf]]), Scale.SIGNED)[0]
    zero = LEVELS + 1
    assert shades.tolist() == [1, zero - 1, zero, zero + 1, 2 * LEVELS + 1, 0, 2 * LEVELS + 1, 1]
    colours = palette(Scale.SIGNED)
    assert [k for k in range(len(colours)) if colours[k, 3] == 0] == [zero]
    assert len(np.unique(colours, axis=0)) == len(colours)


def test_a_share_beyond_the_bound_is_red():
    shades = indices(np.array([[0.5, 1.0, 1.001, np.inf]]), Scale.SHARE)[0]
    red, _, blue, strength = palette(Scale.SHARE)[shades].T
    assert (red > blue).tolist() == [False, False, True, True]
    assert strength[-1] == 255


def test_the_picture_is_a_png():
    image = pytest.importorskip("PIL.Image", reason="Pillow, which comes with matplotlib, reads the picture")
    values = np.random.default_rng(0).normal(size=(5, 7))
    html = draw(values, Scale.SIGNED, "five rows")
    data = re.search(r"base64,([^\"]+)", html)
    assert data is not None
    picture = image.open(BytesIO(base64.b64decode(data[1])))
    assert picture.size == (7, 5)
    assert np.array_equal(np.asarray(picture), indices(values, Scale.SIGNED))
    assert np.array_equal(np.asarray(picture.convert("RGBA")), palette(Scale.SIGNED)[indices(values, Scale.SIGNED)])
    assert 'alt="five rows"' in html


def evidence(shape, wrong=()):
    """Random values, one of them off by a thousand bounds."""
    rng = np.random.default_rng(0)
    right = rng.normal(size=shape)
    hand = right + 1e-17 * rng.normal(size=shape)
    if wrong:
        hand[wrong] += 1e-10
    return Evidence(hand, right, np.full(shape, 1e-13))


@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (2, 3, 4), (64, 64)])
def test_every_entry_of_a_small_tensor_is_kept(shape):
    e = evidence(shape)
    found = pick_entries(e)
    assert found.hand.ndim == 2
    assert np.array_equal(found.hand.ravel(), e.hand.ravel())
    assert np.array_equal(found.reference.ravel(), e.reference.ravel())
    assert found.block == (1, 1)


@pytest.mark.parametrize(("shape", "wrong"), [((65, 130), (64, 129)), ((1000,), (999,)), ((3, 70, 65), (2, 69, 64))])
def test_of_a_large_tensor_the_worst_entry_of_a_block_is_kept(shape, wrong):
    e = evidence(shape, wrong)
    found = pick_entries(e)
    assert max(found.ratio.shape) <= MOST
    assert found.ratio[-1, -1] == pytest.approx(1e3, rel=1e-3)
    assert (found.ratio > 1).sum() == 1
    assert found.hand[-1, -1] == e.hand[wrong]
    assert np.isfinite(found.hand).all()


def test_nothing_is_shown_of_another_shape():
    assert pick_entries(Evidence(np.ones(3), np.ones((3, 1)), np.ones(3))) is None
    assert pick_entries(Evidence(np.ones((0, 3)), np.ones((0, 3)), np.ones((0, 3)))) is None


def test_what_is_no_number_and_what_has_no_bound():
    e = Evidence(np.array([np.nan, 1.0, 1.0]), np.ones(3), np.array([1e-15, np.nan, 0.0]))
    found = pick_entries(e)
    assert np.array_equal(found.ratio, [[np.inf, np.nan, 0.0]], equal_nan=True)
    assert "1 of 3 entries outside" in show_entries("dx", found)


def test_the_worst_entries_are_written_out():
    html = show_entries("dW", pick_entries(evidence((4, 3), (2, 1))))
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert ">2,1<" in rows[1]
    assert ">1e+03<" in rows[1]
    assert html.count("<img") == 4
    assert show_entries("dW", pick_entries(evidence((4, 3)))).count("<img") == 3
    assert 'scope="row">2<' in show_entries("db", pick_entries(evidence((4,), (2,))))  # as "worst at" has it
    assert '<th scope="col">at<' in html
    assert "row, column" in show_entries("dW", pick_entries(evidence((65, 130), (64, 129))))


def test_curves_take_a_logarithmic_scale_where_they_need_one():
    wide = draw_curves("loss", [1, 2, 3], {"a": [1.0, 1e-3, 1e-6], "b": [2.0, float("nan"), 0.0]}, "step")
    assert "loss, logarithmic" in wide
    points = re.findall(r'points="([^"]*)"', wide)
    assert [len(p.split()) for p in points] == [3, 1]
    assert "logarithmic" not in draw_curves("loss", [1, 2], {"a": [1.0, 2.0]}, "step")
    assert draw_curves("loss", [1], {"a": [float("inf")]}, "step") == ""
    level = draw_curves("rate", [1, 2], {"a": [1e-3, 1e-3]}, "epoch")
    assert ">0.0015<" in level
