"""Exercises of the notebook on striatal learning: what is asked, and what computes the right answer anew each time."""

from __future__ import annotations

from netlib.base.exercises import Exercise

__all__ = ["EXERCISES"]


def _kept() -> float:
    from netlib import striatum

    kept = []
    for Apostpre in (1.0, -1.0):
        result = striatum.run_simulations(striatum.article(Apostpre=Apostpre), 1, 400, progress=False)
        kept.append(result.accuracy[:, result.checkpoints["maintenance"]].mean())
    return kept[0] - kept[1]


#: Tolerances are some three standard deviations over seeds.
EXERCISES = {
    "kept": Exercise(
        "How much more accurate is the DLS rule (Apostpre = 1) than the DMS rule (-1) after 500 trials without reward?",
        "of 1", 0.05, _kept, "result.accuracy[:, result.checkpoints['maintenance']].mean() of 200 simulations each.",
    ),
}  # fmt: skip
