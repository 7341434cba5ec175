"""What is printed after every epoch."""

from __future__ import annotations

from .loop import Report


def reporter(verbose: int, label: str, phase: str = "") -> Report:
    """Return what is called after every epoch of a phase."""

    def report(epoch: int, terms: dict[str, float]) -> None:
        if verbose:
            key = "lower_bound" if "lower_bound" in terms else "objective"
            print(
                f"[CausalPIMA] {label}, {phase}epoch {epoch + 1}: {key.replace('lower_', '')} "
                f"{float(terms[key]):.4f} nats (scaled data)\n",
                end="",  # in one piece: workers write side by side
                flush=True,  # and what they write would wait for the end
            )

    return report
