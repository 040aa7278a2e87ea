"""Every number somebody chose that steers the search for a line and a change, each with its reason; no verdict is.

`docs/method.md` prints this table, and a test holds that the two are the same.
"""

RIGHT = 1e-8
SMALL = 1e-4
STEP = 1e-6
FOLLOWED = 1e-3
CLOSED = 1e-6
ROUNDED = 1e-11
LINEAR = 1e-2
NEWTON_STEPS = 8
NEAR = 1e-3
SAME = 1e-5
MOST_NUMBERS = 300
MOST_ROWS = 500
REASONS = {
    "RIGHT": "of a tensor's largest entry: so far off a candidate may be to be judged at all",
    "SMALL": "of the largest entry of all tensors: one that is smaller throughout is what rounding left of a zero",
    "STEP": "of a value's size, by which it is moved: half of float64's digits are left for the difference",
    "FOLLOWED": "of what moves: so far autograd may be off from the code as it runs, which a step bends a little",
    "CLOSED": "of what is missing: so much may be left by a value that puts everything right",
    "ROUNDED": "of the size of everything: what rounding leaves",
    "LINEAR": "of what is missing: what one step may leave where the value stands in a square or under a root",
    "NEWTON_STEPS": "of which each doubles the right digits",
    "NEAR": "of what is missing: an edit whose value comes so near is tried in earnest",
    "SAME": "of the largest entry: so far least squares may be from a value that is known to be right",
    "MOST_NUMBERS": "of one expression, over all times it is computed: least squares take the cube of it",
    "MOST_ROWS": "results that an expression is held against: more than it has numbers",
}
