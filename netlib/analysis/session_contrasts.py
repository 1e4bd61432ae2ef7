"""Changes between sessions, by cluster and behaviour: paired over neurons, corrected for the number of contrasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.analysis.fixed_effects import clean_table
from netlib.analysis.mouse_level import mouse_sign_test
from netlib.analysis.multiple import adjust_p_values
from netlib.units import check_integer

__all__ = ["PAIRS", "session_contrasts"]

#: Published pairs of sessions: each with the next; first and last of FR1, last of FR1 and first of FR5, first and last
#: of FR5.
PAIRS = (*((s, s + 1) for s in range(1, 8)), (1, 4), (5, 8))


def session_contrasts(
    table: pd.DataFrame,
    pairs: Sequence[tuple[int, int]] = PAIRS,
    *,
    by: Sequence[str] = ("cluster", "behaviour"),
    value: str = "rate",
    transform: str = "none",
    least: int = 5,
) -> pd.DataFrame:
    """Change of a value from one session to another, for each cluster and behaviour.

    Neurons present in both sessions are compared with themselves. Two tests stand side by side: over neurons, with the
    mouse as a fixed effect (Student's t of the mean difference, spread within mice: inference is about the neurons of
    these mice), and over mice, exact (inference is about mice; no p below 2 / 2**n).

    Parameters
    ----------
    table : DataFrame
        Such as :func:`netlib.analysis.neuron_table.neuron_table` makes; candidates are in one session and drop out.
    pairs : sequence of (int, int)
        Sessions compared; (4, 5) is among the first seven of the default.
    by : sequence of str
        Columns that tell contrasts apart.
    value, transform
        As in :func:`netlib.analysis.mixed_models.fit_mixed_model`.
    least : int
        Fewest neurons of a contrast.

    Returns
    -------
    DataFrame, one row per contrast
        ``first``, ``second``, the columns of ``by``, ``n_neurons``, ``n_mice``, ``mean_first``, ``mean_second``,
        ``difference``, ``relative`` (difference over the first mean), ``effect`` (mean difference over its standard
        deviation), ``p`` and ``q`` over neurons, ``p_mouse``, ``q_mouse``, ``smallest_p_mouse`` over mice (NaN below 3
        mice), ``status`` ("tested" or why not). q: Benjamini-Hochberg over all contrasts of the call.
    """
    check_integer("least", least, 2)
    frame, y, _ = clean_table(table, [*by, "session"], value, transform, ())
    wide = frame.assign(y_=y).pivot_table(index=["mouse", "neuron", *by], columns="session", values="y_", observed=True)
    wide = wide.reset_index()
    rows = []
    for first, second in pairs:
        both = wide.dropna(subset=[first, second]) if {first, second} <= set(wide.columns) else wide[:0]
        groups = dict(iter(both.groupby(list(by), observed=True)))
        for key in wide[list(by)].drop_duplicates().sort_values(list(by)).itertuples(index=False, name=None):
            part = groups.get(key, both[:0])
            row = dict(zip(("first", "second", *by), (first, second, *key), strict=True))
            rows.append(row | _contrast(part, first, second, least))
    out = pd.DataFrame(rows)
    for p, q in (("p", "q"), ("p_mouse", "q_mouse")):
        out[q] = adjust_p_values(out[p].to_numpy(float), "bh")
    return out


def _contrast(part: pd.DataFrame, first: int, second: int, least: int) -> dict:
    from scipy.stats import t as student

    names = ("mean_first", "mean_second", "difference", "relative", "effect", "p", "p_mouse", "smallest_p_mouse")
    row = dict.fromkeys(names, np.nan) | {"n_neurons": len(part), "n_mice": part["mouse"].nunique(), "status": "tested"}
    if len(part) < least or len(part) <= row["n_mice"]:
        return row | {"status": f"{len(part)} neurons are in both sessions: at least {least} are needed"}
    a, b = part[first].to_numpy(float), part[second].to_numpy(float)
    difference, mice = b - a, part["mouse"].to_numpy()
    mean, freedom = difference.mean(), len(part) - row["n_mice"]
    within = pd.Series(difference).groupby(mice).transform("mean").to_numpy()
    variance = float(((difference - within) ** 2).sum()) / freedom
    row |= {"mean_first": a.mean(), "mean_second": b.mean(), "difference": mean}
    row["relative"] = mean / a.mean() if a.mean() else np.nan
    if variance <= 1e-18:
        return row | {"status": "all neurons change by the same: there is no spread to test with"}
    row["effect"] = mean / difference.std(ddof=1)
    row["p"] = float(2 * student.sf(abs(mean) / np.sqrt(variance / len(part)), freedom))
    if row["n_mice"] >= 3:
        over_mice = mouse_sign_test(difference, mice)
        row |= {"p_mouse": over_mice["p"], "smallest_p_mouse": over_mice["smallest_p"]}
    return row
