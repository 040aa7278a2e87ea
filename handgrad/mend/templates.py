"""The tables of edits: what is taken for one another, what is put around an expression, what is joined to it.

Each template stands under what it costs: the more it writes, and the more seldom it is what was meant, the more. A cost
is only ever compared with another: of all candidates of one kind that put right what is wrong, the cheapest is judged
first. {e} is the expression, {m} something at hand, {np} the module of the code's own arrays, {axis} and {keep} its
words for them.
"""

# Functions that are taken for one another.
RELATIVES = """
    sum mean max
    prod sum
    sin cos
    sinh cosh
    maximum minimum
    max min amax amin
    zeros ones empty
    zeros_like ones_like empty_like
    tanh cosh sinh
    exp expm1
    log log1p
    argmax argmin
    std var
    outer dot multiply inner
    matmul multiply
    tril triu
    greater greater_equal
    less less_equal
    sqrt square
    sqrt rsqrt
    abs sign
    floor ceil
    cumsum sum
    ones eye
    softmax log_softmax
    sigmoid tanh
    logical_and logical_or
"""

# What is put around an expression.
AROUND = {
    2: "-{e}; {e}.T; {e} ** 2; 1 - {e}",
    2.5: "1; 0; 2 * {e}; {e} ** 3; 1 + {e}; 1 / {e}; {e} > 0; {e} - 1; {e} ** 0.5; {e}.sum()",
    3: """
        1 - {e} ** 2; {e} * (1 - {e}); {e} < 0; 1 / {e} ** 2; {np}.sqrt({e}); {np}.exp({e}); {np}.exp(-{e});
        {np}.log({e}); {np}.sign({e}); {np}.abs({e}); {np}.tanh({e}); {e}.sum({axis}=0); {e}.sum({axis}=1);
        {e}.sum({axis}=-1); {e}.sum({axis}=0, {keep}=True); {e}.sum({axis}=1, {keep}=True);
        {e}.sum({axis}=-1, {keep}=True); {e}.mean({axis}=0); {e}.mean({axis}=-1, {keep}=True); {e}[:, None];
        {e}[None, :]; {e}[..., None]; {e}[None]; {e}[::-1]; {e}[0]; {e}[-1]; {e}.swapaxes(-1, -2); {e} + {e}.T;
        {e}.copy(); {np}.zeros_like({e})
    """,
    3.5: """
        {np}.cos({e}); {np}.sin({e}); {e}.sum({axis}=(0, 1)); {e}.sum({axis}=(0, 2));
        {e}.sum({axis}=(0, 2, 3)); {e}[:, ::-1]; {e} + {e}.swapaxes(-1, -2); ({e} + {e}.T) / 2
    """,
    4: """
        1 / (1 + {np}.exp(-{e})); {e} - {e}.mean({axis}=0); {e} - {e}.mean({axis}=0, {keep}=True);
        {e} - {e}.mean({axis}=-1, {keep}=True); {e} - {e}.sum({axis}=-1, {keep}=True)
    """,
}

# Its own sizes; tried with what is at hand, for a name of that size says more.
SIZED = {
    3.5: "{e} / {e}.size; {e} / {e}.shape[0]; {e} * {e}.shape[0]; {e} / {e}.shape[-1]; {e} * {e}.shape[-1]",
}

# Numbers that may be missing; tried last, for at one size 0.5 may be what 1 / sqrt(4) was meant to be.
SCALED = {
    4: "2 * {e}; 0.5 * {e}; {e} / 2",
    4.5: "3 * {e}; {e} / 3; 4 * {e}",
}

# How an expression is joined to an array at hand, or gives way to it.
TOGETHER = {
    3: "{e} * {m}; {e} / {m}; {e} + {m}; {e} - {m}; {m}; {e} @ {m}; {m} @ {e}",
    3.2: "{m} - {e}; {e} @ {m}.T; {m}.T @ {e}",
    3.4: "{m} / {e}",
    3.5: """
        -{m}; {e} * {m} ** 2; {e} / {m} ** 2; {e} * (1 - {m}); {e} * ({m} > 0); {e} * {m}.T;
        {e} * {m}.shape[0]; {e} / {m}.shape[0]; {e} / {m}.shape[-1]; {e} * {m}.shape[-1]; {e} / {m}.size;
        {e}.reshape({m}.shape)
    """,
    3.6: "{e} * {m}.size",
    4: """
        {e} * (1 - {m} ** 2); {e} * {m} * (1 - {m}); {e} * {np}.sign({m}); {e} * {m}[:, None];
        {e} * {m}[None, :]; {e} * {m}[..., None]; {e} / {m}[:, None]; {e} - {m}[:, None]; {e} + 2 * {m};
        {e} / {np}.sqrt({m}); {e} * 2 * {m}
    """,
    4.2: "{e} * {np}.sqrt({m})",
    4.5: """
        {e} - {m} / 2; {e} + {m} / 2; {e} * {m}.sum({axis}=-1, {keep}=True);
        {e} - {m}.sum({axis}=-1, {keep}=True); {e} - {m}.mean({axis}=-1, {keep}=True);
        {e} - {m}.mean({axis}=0); {e} * {np}.exp({m}); {m}.reshape({e}.shape); {e} * {np}.cos({m});
        {e} - ({e} * {m}).sum({axis}=-1, {keep}=True)
    """,
}

# The same with an array at hand that is given axes of size 1.
ALONG_AXES: dict[float, str] = {3: "{e} + {m}; {e} - {m}; {e} * {m}; {e} / {m}"}

# The same with a number at hand.
WITH_NUMBER = {
    3: "{e} * {m}; {e} / {m}; {m}",
    3.5: "{e} + {m}; {e} - {m}",
    3.6: "{m} - {e}; {e} * (1 - {m}); {e} / (1 - {m})",
    3.8: "{e} * 2 * {m}; {e} * {m} ** 2; {e} / {m} ** 2",
    4: "{e} / 2 / {m}; {e} * {np}.sqrt({m}); {e} / {np}.sqrt({m})",
}
