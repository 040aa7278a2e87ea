"""Of several changes that make everything right, the one that a reader would make, where the mistake is."""

import numpy as np
import pytest

from handgrad import verify_function

pytestmark = pytest.mark.mends


def mend(forward, backward, shapes):
    """The line, what stands there, and what should."""
    report = verify_function(forward, backward, inputs=shapes, seed=1)
    assert report.change is not None, report.text()
    (replacement,) = report.change.replacements
    return report.place.text.strip(), replacement.before, replacement.after


def normalise_without_2(dy, cache):
    x, mu, std = cache
    dvar = (dy * (x - mu) * -0.5 * std**-3).sum(axis=0)
    return dy / std + dvar * (x - mu) / len(x) - (dy / std).mean(axis=0)


def normalise_with_half_of_dvar(dy, cache):
    x, mu, std = cache
    dvar = (dy * (x - mu) * -0.25 * std**-3).sum(axis=0)
    return dy / std + 2 * dvar * (x - mu) / len(x) - (dy / std).mean(axis=0)


def var_of_its_own(x, eps=1e-5):
    mu = x.mean(axis=0)
    var = x.var(axis=0)
    std = np.sqrt(var + eps)
    return (x - mu) / std, (x, mu, std)


def test_a_line_that_gives_the_gradient_its_name_says_is_not_where_the_mistake_is():
    """With 1 for 0.5 in dvar everything would be right as well."""
    place, *_ = mend(var_of_its_own, normalise_without_2, [(5, 3)])
    assert place.startswith("return dy / std")
    place, *edit = mend(var_of_its_own, normalise_with_half_of_dvar, [(5, 3)])
    assert place.startswith("dvar = ")
    assert edit == ["0.25", "0.5"]


def total(h, W):
    y = np.zeros(W.shape[1])
    for t in range(len(h) - 1):
        y = y + h[t] @ W
    return y, (h, W)


def one_late(dy, cache):
    h, W = cache
    dh, dW = np.zeros_like(h), np.zeros_like(W)
    for t in range(len(h) - 1):
        dh[t] = W @ dy
        dW += np.outer(h[t + 1], dy)
    return dh, dW


def test_an_index_loses_its_1_and_is_not_multiplied_by_it():
    assert mend(total, one_late, [(4, 3), (3, 2)])[1:] == ("t + 1", "t")


def scores(q, k, scale=0.7):
    return scale * (q @ k.T), (q, k, scale)


def scores_backward(ds, cache):
    q, k, scale = cache
    dq = scale * ds @ k
    dk = ds.T @ q
    return dq, dk


def test_the_line_that_makes_a_result_and_not_the_one_that_returns_it():
    place, before, after = mend(scores, scores_backward, [(4, 3), (5, 3)])
    assert place == "dk = ds.T @ q"
    assert "scale" in after
    assert "scale" not in before


def half_square(x):
    return 0.5 * np.mean(x * x), x


@pytest.mark.parametrize("count", ["len(x)", "x.shape[0]"])
def test_all_entries_where_the_rows_were_counted(count, tmp_path):
    """And not divided by the columns once more, which is right for two axes alone."""
    path = tmp_path / "rows.py"
    path.write_text(f"def backward(dy, x):\n    return dy * x / {count}\n")
    scope = {}
    exec(compile(path.read_text(), path, "exec"), scope)
    assert mend(half_square, scope["backward"], [(4, 3)])[1:] == (count, "x.size")


def gated(x, w):
    s = np.tanh(x * w)
    return x * s, (x, s, w)


def gated_backward(dy, cache):
    x, s, w = cache
    da = dy * x
    return da * w + dy * s, da * x * (1 - s**2)


def test_what_is_at_hand_is_not_computed_again():
    """1 - s ** 2, and not 1 - np.tanh(x * w) ** 2."""
    _, _, after = mend(gated, gated_backward, [(4, 3), (4, 3)])
    assert "s" in after
    assert "tanh" not in after


def mean_loss(x, W):
    n = x.shape[0]
    z = x @ W
    return (z * z).sum() / n, (x, W, z)


def mean_loss_backward(dy, cache):
    x, W, z = cache
    n = x.shape[1]
    dz = 2 * dy * z / n
    return dz @ W.T, x.T @ dz


def test_a_count_is_mended_where_it_is_counted():
    assert mend(mean_loss, mean_loss_backward, [(5, 4), (4, 3)]) == ("n = x.shape[1]", "1", "0")


def two_residuals(x, W1, W2):
    h1 = np.tanh(x @ W1)
    r = x + h1
    h2 = np.tanh(r @ W2)
    return r + h2, (x, W1, W2, h1, r, h2)


def layer_backward(dh, h, W):
    dz = dh * (1 - h**2)
    return dz @ W.T, dz


def two_residuals_backward(dy, cache):
    x, W1, W2, h1, r, h2 = cache
    dr, dz2 = layer_backward(dy, h2, W2)
    dx, dz1 = layer_backward(dr, h1, W1)
    return dx + dr, x.T @ dz1, r.T @ dz2


def test_a_line_that_is_missing_is_put_in():
    """After the line that sets dr and another variable: dr is used at two places, so no expression alone is wrong."""
    report = verify_function(two_residuals, two_residuals_backward, inputs=[(4, 3), (3, 3), (3, 3)], seed=1)
    assert "+    dr = dr + dy\n" in report.change.diff
    assert report.change.words == "`dr = dr + dy` is missing after `dr, dz2 = layer_backward(dy, h2, W2)`"


def centred(x):
    return x - x.mean(axis=0), ()


def centred_backward(dy, cache):
    m = dy.mean(axis=1, keepdims=True)
    return dy - m


def test_another_axis_where_no_value_of_that_shape_would_do():
    place, before, after = mend(centred, centred_backward, [(5, 3)])
    assert place.startswith("m = ")
    assert ("1" in before, "0" in after) == (True, True)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dy, x):
    p = softmax(x)
    return p * (dy - (dy * p).sum(axis=0, keepdims=True))


def normalise(x):
    return x / np.sqrt((x**2).sum(1, keepdims=True))


def normalise_backward(dy, x):
    n = np.sqrt((x**2).sum(1, keepdims=True))
    return (dy - x * (dy * x).sum(0, keepdims=True) / n**2) / n


def test_an_axis_is_counted_as_in_the_forward_pass():
    assert mend(softmax, softmax_backward, [(4, 3)])[2] == "-1"
    assert mend(normalise, normalise_backward, [(4, 3)])[2] == "1"


def attend(q, k):
    d = q.shape[-1]
    s = np.einsum("td,sd->ts", q, k) / np.sqrt(d)
    return np.tanh(s), (q, k, s)


def attend_backward(dy, cache):
    q, k, s = cache
    ds = dy * (1 - np.tanh(s) ** 2)
    dq = np.einsum("ts,sd->td", ds, k) / np.sqrt(q.shape[-1])
    dk = np.einsum("ts,td->sd", ds, q)
    return dq, dk


def test_a_line_of_the_backward_pass_comes_before_what_the_forward_pass_hands_on():
    """With q / np.sqrt(d) in the cache everything would be right as well."""
    place, _, after = mend(attend, attend_backward, [(4, 3), (5, 3)])
    assert place.startswith("dk = ")
    assert after.endswith("/ np.sqrt(q.shape[-1])")


class Norm:
    def forward(self, x):
        self.mu = x.mean(0)
        self.var = x.var(0)
        self.std = np.sqrt(self.var + 1e-5)
        self.x = x
        return (x - self.mu) / self.std

    def backward(self, dy):
        dvar = (dy * (self.x - self.mu) * -0.5 * self.std**-3).sum(axis=0)
        return dy / self.std + dvar * (self.x - self.mu) / len(dy) - (dy / self.std).mean(axis=0)


def test_what_an_attribute_holds_has_a_gradient_by_its_name_too():
    norm = Norm()
    place, *_ = mend(norm.forward, norm.backward, [(5, 3)])
    assert place.startswith("return dy / self.std")
