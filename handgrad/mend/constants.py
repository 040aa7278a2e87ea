"""Every number somebody chose in this room that steers the search for a line and a change; no verdict is.

`docs/method.md` prints this table, and a test holds that the two are the same.
"""

RIGHT = 1e-8
ROUNDINGS = 64
SMALL = 1e-4
STEP = 1e-6
FOLLOWED = 1e-3
CLOSED = 1e-6
ROUNDED = 1e-11
RESOLVED = 1e-8
LINEAR = 1e-2
NEWTON_STEPS = 8
PARTS_OF_A_STEP = (1, 1 / 2, 1 / 4, 1 / 16)
MOST_CURVED = 40
NEAR = 1e-3
SAME = 1e-5
FITS = 1e-6
MOST_NUMBERS = 300
MOST_ROWS = 500
MOST_CHECKS = 64
MOST_ITEMS = 60
MOST_SHARING = 10
MOST_NODES = 14
LONGEST_INDEX = 9
MOST_PIECES = 120
MOST_MEMBERS = 12
MOST_STEPS = 3
FORWARD = 3.0
RETURN = 0.5
LINE_SECONDS = 2
LINE_SHARE = 0.2
MOST_COUNTS = 40
RUN_SECONDS = 2
JUDGE_SECONDS = 60
REASONS = {
    "RIGHT": "of a tensor's largest entry: so far off a candidate may be to be judged at all",
    "ROUNDINGS": "the same in low precision, where so many roundings of that entry are more than RIGHT",
    "SMALL": "of the largest entry of all tensors: one that is smaller throughout is what rounding left of a zero",
    "STEP": "of a value's size, by which it is moved: half of float64's digits are left for the difference",
    "FOLLOWED": "of what moves: so far autograd may be off from the code as it runs, which a step bends a little",
    "CLOSED": "of what is missing: so much may be left by a value that puts everything right",
    "ROUNDED": "of the size of everything: what rounding leaves",
    "RESOLVED": "of the largest slope: an entry on which everything depends less is as good as free in least squares",
    "LINEAR": "of what is missing: what one step may leave where the value stands in a square or under a root",
    "NEWTON_STEPS": "of which each doubles the right digits",
    "PARTS_OF_A_STEP": "tried in turn where the whole one goes too far, as in an exponent",
    "MOST_CURVED": "numbers of a value in which something bends so much that one step leaves more than LINEAR",
    "NEAR": "of what is missing: an edit whose value comes so near is tried in earnest",
    "SAME": "of the largest entry: so far least squares may be from a value that is known to be right",
    "FITS": "of the largest entry of a value: so near must come what is at hand to stand for it beside something else",
    "MOST_NUMBERS": "of one expression, over all times it is computed: least squares take the cube of it",
    "MOST_ROWS": "results that an expression is held against: more than it has numbers",
    "MOST_CHECKS": "of slopes by autograd, where some are not those of the code: each is two runs, and halves the rest",
    "MOST_ITEMS": "things at hand of which two are joined to an expression: the pairs grow with the square of it",
    "MOST_SHARING": "things at hand of the shape that is needed, of which what entries share is made, in pairs",
    "MOST_NODES": "of one piece of the passes that may be written again elsewhere: longer ones are seldom forgotten",
    "LONGEST_INDEX": "nodes of an index that is tried in the place of others: longer ones are seldom meant elsewhere",
    "MOST_PIECES": "that may be written again at one line: each is evaluated there, and joined to every expression",
    "MOST_MEMBERS": "of a list or a tuple that are at hand by their place in it",
    "MOST_STEPS": "changes at different places, one after the other: each is a search of its own",
    "FORWARD": "more that a change of the forward pass costs where y is right: a slip is seldom in what it hands on",
    "RETURN": "more that a change costs where results are returned: the line that made one says more",
    "LINE_SECONDS": "at most, kept for the line that is wrong and for what is wrong with it, where no change is found",
    "LINE_SHARE": "of the time, kept for the same",
    "MOST_COUNTS": "numbers at hand of which others are made: the pairs grow with the square of it",
    "RUN_SECONDS": "at most, for one run of changed code on a few numbers: what takes longer is a loop that never ends",
    "JUDGE_SECONDS": "at most, for the judge on a change: at another size a loop may not end",
}
