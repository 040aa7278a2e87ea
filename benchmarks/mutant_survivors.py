"""Why a mutant survives, one by one. Every survivor must stand here, and whatever stands here must survive."""

Q = "(1 - self.label_smoothing) * q + self.label_smoothing / C"
MASK = "array_namespace(W).asarray(self.mask, dtype=W.dtype, device=device(W))"
INDICES = "target.ndim == 1"
SLOPE = "xp.astype(cache.h > 0, dh.dtype)"
EXPONENTIAL = "xp.exp(z - xp.max(z, axis=1, keepdims=True))"
BATCH = "BatchNorm1d.forward, return:"

SURVIVORS: dict[str, tuple[str, ...]] = {
    "It is the same function, entry by entry: only h * h is read.": ("Tanh.backward, h: cache.h -> -cache.h",),
    "It is the same function: e = 1 at z = 0, and only its shape is read.": ("sigmoid, return: e -> z",),
    "It is the same function: the larger of two numbers in either order.": (
        "ReLU.forward, h: xp.maximum(z, xp.zeros_like(z)) -> xp.maximum(xp.zeros_like(z), z)",
    ),
    "It is the same mask: z > 0 exactly where h > 0.": (
        "ReLU.forward, return: h -> z (2)",
        "LeakyReLU.forward, return: z -> h",
    ),
    "It is the same function: the mask holds zeros and ones, so M o M = M.": (
        f"Linear._connected, return: W * {MASK} -> W * {MASK} * {MASK}",
        f"ReLU.backward, dz: dh * {SLOPE} -> dh * {SLOPE} * {SLOPE}",
    ),
    "It is the same function: a factor of e cancels in e / sum e.": (
        f"Softmax.forward, e: {EXPONENTIAL} -> -{EXPONENTIAL}",
        f"Softmax.forward, e: {EXPONENTIAL} -> 2 * {EXPONENTIAL}",
    ),
    "It is the same function up to rounding: the entries of xc sum to zero, so mean(x xc) = mean(xc xc).": (
        "LayerNorm.forward, s: xc -> x",
        "LayerNorm.forward, s: xc -> x (2)",
        "BatchNorm1d.forward, var: xc -> x",
        "BatchNorm1d.forward, var: xc -> x (2)",
    ),
    "No gradient reads it: the batch's mean and variance are cached for the running statistics alone.": (
        f"{BATCH} BatchNormCache(xhat, s, mean, var) -> BatchNormCache(xhat, s, var, mean)",
        *(f"{BATCH} mean -> {other}" for other in ("x", "running", "xc", "var", "s", "xhat", "y")),
        *(f"{BATCH} var -> {other}" for other in ("x", "running", "mean", "xc", "s", "xhat", "y")),
    ),
    "It is the same number: the divisor reads the shape, and both have one shape.": (
        "SquaredError.forward, E: e -> y (3)",
        "SquaredError.forward, E: e -> t (3)",
        "BinaryCrossEntropy.forward, E: z -> t (3)",
        "BinaryCrossEntropy.backward, dz: z -> t (2)",
    ),
    "It is the same function: zeros in the shape of another array of that shape, or of one that spreads to it.": tuple(
        f"SoftmaxCrossEntropy.forward, terms: zc -> {other}" for other in ("z", "q", "e", "S", "p")
    ),
    "It is the same branch: a truth value times a number is as true.": (
        f"SoftmaxCrossEntropy.weighted, indices: {INDICES} -> -({INDICES})",
        f"SoftmaxCrossEntropy.weighted, indices: {INDICES} -> 2 * ({INDICES})",
    ),
    "It is the same array: q is the target there.": (
        "SoftmaxCrossEntropy.weighted, indices: target -> q",
        "SoftmaxCrossEntropy.weighted, q: target -> q",
    ),
    "It is the same function: without smoothing the formula gives (1 - 0) q + 0.": (
        f"SoftmaxCrossEntropy._smooth, return: q if not self.label_smoothing else {Q} -> {Q}",
        "SoftmaxCrossEntropy._smooth, return: not self.label_smoothing -> False",
        "SoftmaxCrossEntropy._smooth, return: self.label_smoothing -> 1",
        "SoftmaxCrossEntropy._smooth, return: self.label_smoothing -> 2 * self.label_smoothing",
    ),
    "It is the same object, or the same sequence in another container.": (
        "Network.forward, return: x -> y",
        "Network.forward, return: tuple(trace) -> trace",
        "Network.backward_trace, return: tuple(reversed(stages)) -> reversed(stages)",
    ),
}

# Refuted without a stage: values and gradients are right, but the derivative along a direction (Test C) of the forward
# pass as it is written is another at z = 0 exactly, where the branch that is taken has changed.
AT_THE_KINK = (
    "sigmoid, return: z >= 0 -> z > 0",
    "exp_minus_abs, return: z >= 0 -> z > 0",
    "softplus, return: z >= 0 -> z > 0",
    "LeakyReLU.forward, h: z > 0 -> z >= 0",
)

EXPLAINED = {id: why for why, ids in SURVIVORS.items() for id in ids}
