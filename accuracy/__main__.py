"""Print how near estimates come to start-up logs: `python -m accuracy [--cases]`."""

import argparse
import statistics

from rich.console import Console
from rich.table import Table

from accuracy import figures, others
from accuracy.cases import carried, cases
from pillion import sizing

ESTIMATORS: dict[str, figures.Estimator] = {
    "Pillion": sizing.estimate,
    "hf-mem": others.hf_mem,
    "KAITO": others.kaito,
}


def rows() -> list[tuple[str, ...]]:
    """The table of the figures, a row each: what it is, what was aimed at, and what each estimator reaches."""
    names = list(ESTIMATORS)
    weights = {name: figures.weights(ESTIMATORS[name]) for name in names}
    tokens = {name: figures.kv_tokens(ESTIMATORS[name]) for name in names}
    each = {name: figures.kv_bytes_per_token(ESTIMATORS[name]) for name in names}
    verdicts = {name: figures.verdicts(ESTIMATORS[name]) for name in names}
    promises = figures.promised()
    kept = sum(error.said <= error.printed for error in promises) / len(promises)
    typical = statistics.median(error.said / error.printed for error in promises)
    started = verdicts["Pillion"]
    return [
        (
            f"weights, error, median / 90th percentile ({len(weights['Pillion'])} logs)",
            "0.3% / 2%",
            *(_spread(weights[name]) for name in names),
        ),
        (
            f"KV bytes a token, within rounding ({len(each['Pillion'])})",
            "95%",
            *(f"{sum(ok for _, ok in each[name]) / len(each[name]):.0%}" for name in names),
        ),
        (
            f"KV cache from start to finish, error, median / 90th ({len(tokens['Pillion'])})",
            "3% / 10%",
            *(_spread(tokens[name]) for name in names),
        ),
        (
            f"tokens promised: kept / part at the median ({len(promises)})",
            "95% / 90%",
            f"{kept:.0%} / {typical:.0%}",
            "-",
            "-",
        ),
        (
            f"starts or does not ({len(started.right) + len(started.wrong)})",
            "95%",
            *(_right(verdicts[name]) for name in names),
        ),
        (
            "of those that failed, said to fit",
            "1 of 17",
            *(f"{len(verdicts[name].failed_said_to_fit)} of {len(verdicts[name].failed)}" for name in names),
        ),
        ("answered", "97%", *(f"{figures.answered(ESTIMATORS[name]):.0%}" for name in names)),
    ]


def _spread(errors: list[figures.Error]) -> str:
    return f"{figures.median(errors):.2%} / {figures.percentile(errors, 0.9):.1%}"


def _right(found: figures.Verdicts) -> str:
    answered = len(found.right) + len(found.wrong)
    return f"{len(found.right) / answered:.0%}" if answered else "-"


def markdown() -> str:
    """The same table as docs/accuracy.md shows it."""
    heads = ("figure", "aimed at", *ESTIMATORS)
    lines = [heads, ("---",) * len(heads), *rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the table, and the single cases where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", action="store_true", help="print each log's figures too")
    parser.add_argument("--markdown", action="store_true", help="print the table as the documentation has it")
    asked = parser.parse_args()
    console = Console(width=150)
    if asked.markdown:
        console.print(markdown(), markup=False, soft_wrap=True)
        return
    table = Table(
        "figure", "aimed at", *ESTIMATORS, title=f"{len(cases())} of {carried()} logs can be compared"
    )
    for row in rows():
        table.add_row(*row)
    console.print(table)
    if asked.cases:
        _print_cases(console)


def _print_cases(console: Console) -> None:
    tokens = {error.case: error for error in figures.kv_tokens(sizing.estimate)}
    first = {error.case: error for error in figures.kv_tokens(sizing.estimate, first_engine=True)}
    weights = {error.case: error for error in figures.weights(sizing.estimate)}
    each = {error.case: (error, ok) for error, ok in figures.kv_bytes_per_token(sizing.estimate)}
    promises = {error.case: error for error in figures.promised()}
    verdicts = figures.verdicts(sizing.estimate)
    table = Table("log", "model", "weights", "bytes a token", "KV cache", "promised", "starts")
    for case in cases():
        name = case.name
        kv = tokens.get(name) or first.get(name)
        token = each.get(name)
        table.add_row(
            name,
            case.request.model.architecture,
            f"{weights[name].relative:+.2%}" if name in weights else "",
            f"{token[0].relative:+.2%}{'' if token[1] else ' off'}" if token else "",
            f"{kv.relative:+.1%}{' (V0)' if case.first_engine else ''}" if kv else "",
            f"{promises[name].said / promises[name].printed:.0%}" if name in promises else "",
            "wrong" if name in verdicts.wrong else "right" if name in verdicts.right else "",
        )
    console.print(table)


if __name__ == "__main__":
    main()
