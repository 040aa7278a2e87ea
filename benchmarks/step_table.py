"""What benchmarks/step.py measured, as Markdown: each case, and the ratios that are aimed at."""

from typing import Any, NamedTuple

from record import markdown
from step_cases import CASES
from step_contenders import CONTENDERS

EAGER = "torch autograd, eager"
COMPILED = ("torch autograd, compiled", "torch autograd, compiled with its optimizer")
OF_TORCH = (EAGER, "torch autograd, eager, fused optimizer", *COMPILED)
PEERS = (*OF_TORCH, "jax.grad under jit", "jax.grad under scan", "scikit-learn's MLP")

COLUMNS = [
    "",
    "us / step",
    "of the fastest peer",
    "time / that limit",
    "peak MB",
    "since its import",
    "autograd keeps kB",
]


class Aim(NamedTuple):
    """ours / the best of theirs, at most so much in each case."""

    ours: str
    theirs: tuple[str, ...]
    at_most: tuple[float, ...]
    quantity: str = "seconds"
    called: str = ""  # theirs, where they are many


NOT_MORE = (1.0,) * 6
AIMS = (
    Aim("manual under jax.lax.scan", PEERS, NOT_MORE, called="the fastest peer"),
    Aim("manual.fit's steps on JAX", PEERS, NOT_MORE, called="the fastest peer"),
    Aim("manual.fit's steps on torch", OF_TORCH, NOT_MORE, called="the fastest of torch's"),
    Aim("manual on NumPy", (EAGER,), (0.3, 0.3, 0.45, 0.7, 1.0, 1.0)),
    Aim("manual under torch.compile", COMPILED, (0.5, 0.5, 0.5, 0.5, 1.0, 1.0)),
    Aim("manual under jax.jit", ("jax.grad under jit",), NOT_MORE),
    Aim("HandModule", (EAGER,), (1.25, 1.25, 1.25, 1.25, 1.0, 1.0)),
    Aim("HandModule, compiled", COMPILED, NOT_MORE),
    Aim("HandModule", (EAGER,), NOT_MORE, "kept"),
)


def ratio(aim: Aim, case: dict[str, Any]) -> float | None:
    """None where one of the two was not there."""
    rows = case["contenders"]
    theirs = [rows[name][aim.quantity] for name in aim.theirs if name in rows]
    return rows[aim.ours][aim.quantity] / min(theirs) if theirs and aim.ours in rows else None


def table(found: dict[str, Any]) -> str:
    """The aims first, then every case."""
    libraries = {
        CONTENDERS[name].library: row["version"]
        for case in found["cases"].values()
        for name, row in case["contenders"].items()
    }
    return "\n\n".join(
        (
            f"{found['cpu']}, {found['threads']} thread{'s' * (found['threads'] > 1)} each; "
            + ", ".join(f"{name} {version}" for name, version in libraries.items())
            + f"; medians of {found['rounds']} interleaved blocks.",
            *(f"Without {name}: {why}." for name, why in found["absent"].items()),
            "Time over time, or memory over memory; in brackets what it is to be at most, bold where it is more:",
            aims(found),
            *(one_case(case) for case in found["cases"].values()),
        )
    )


def aims(found: dict[str, Any]) -> str:
    rows = []
    for aim in AIMS:
        memory = ", memory kept for the backward pass" * (aim.quantity == "kept")
        cells = []
        for name, limit in zip(CASES, aim.at_most, strict=True):
            value = ratio(aim, found["cases"][name]) if name in found["cases"] else None
            shown = "" if value is None else f"{value:.2f}"
            cells.append(f"**{shown}** ({limit:g})" if value and round(value, 2) > limit else f"{shown} ({limit:g})")
        rows.append([f"{aim.ours} / {aim.called or ' or '.join(aim.theirs)}{memory}", *cells])
    return markdown(["", *CASES], rows)


def rates(case: dict[str, Any]) -> str:
    """The rate that each library reaches, where it was recorded: a ratio between two of them holds that difference."""
    found = case.get("rates", {})
    return "".join(f"; {CONTENDERS[name].library} {rate / 1e9:.0f}" for name, rate in found.items())


def one_case(case: dict[str, Any]) -> str:
    limit, contenders = case["flops"] / case["rate"], case["contenders"]
    fastest = min((contenders[name]["seconds"] for name in PEERS if name in contenders), default=None)
    rows = [
        [
            name,
            f"{1e6 * row['seconds']:,.1f}",
            f"{row['seconds'] / fastest:,.2f}" if fastest else "",
            f"{row['seconds'] / limit:,.1f}",
            f"{row['peak'] / 1e6:,.0f}",
            f"{(row['peak'] - row['before']) / 1e6:,.1f}",
            f"{row['kept'] / 1e3:,.1f}" if "kept" in row else "",
        ]
        for name, row in contenders.items()
    ]
    return (
        f"{case['title']}: {case['flops']:,} operations in matrix products, at the best rate measured "
        f"({case['rate'] / 1e9:.0f} GFLOP/s{rates(case)}) {1e6 * limit:,.3g} us.\n\n" + markdown(COLUMNS, rows)
    )
