"""What few mice can say of pathways: the smallest p that any data can give, and the refusal of what is beyond it.

A mouse has one pathway, so that mice, not neurons, are the sample of a claim about pathways. With three mice in each
they can be dealt to pathways in 20 ways, and no exact test can give p below 0.1.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from netlib.analysis.mouse_level import mouse_permutation_test
from netlib.units import check_integer

__all__ = ["pathway_claim", "refusal_of", "smallest_p"]


def smallest_p(n_a: int, n_b: int) -> float:
    """Smallest two-sided p that any data can give when mice are dealt to two groups in all ways.

    Examples
    --------
    >>> round(smallest_p(3, 3), 3), round(smallest_p(4, 4), 3)
    (0.1, 0.029)
    """
    n_a, n_b = check_integer("n_a", n_a, 0, unit="mice"), check_integer("n_b", n_b, 0, unit="mice")
    return min(1.0, (2 if n_a == n_b else 1) / math.comb(n_a + n_b, n_a))


def mice_per_pathway(frame: pd.DataFrame) -> dict[str, int]:
    return frame.groupby("pathway", observed=True)["mouse"].nunique().to_dict()


def refusal_of(frame: pd.DataFrame, term: str, alpha: float, fixed: bool, insist: bool) -> str:
    """Why a term cannot be tested, or an empty string."""
    if "pathway" not in term.split(":"):
        return ""
    mice = mice_per_pathway(frame)
    said = " and ".join(f"{n} {p}" for p, n in mice.items())
    if len(mice) != 2:
        return f"pathway has {len(mice)} levels ({said} mice): there is nothing to compare"
    if fixed and term == "pathway":
        return f"mouse is a fixed effect ({said} mice): a mouse has one pathway, whose effect is then the mice's own"
    least = smallest_p(*mice.values())
    if least > alpha and not insist:
        return (
            f"pathway is a property of mice, and {said} mice can be dealt to pathways in so few ways that no data give "
            f"p below {least:.3g} (alpha = {alpha:g}): a claim about pathways needs more mice"
        )
    return ""


def pathway_claim(table: pd.DataFrame, *, value: str = "rate", alpha: float = 0.05) -> dict[str, float | bool | str]:
    """Compare pathways with the mouse as the unit, and say whether these mice can support a claim at all.

    Returns
    -------
    dict
        ``value`` (A2A minus D1, or second minus first in order of names, mean of mouse means), exact ``p``,
        ``smallest_p``, ``supported`` (True only if p <= alpha), ``refused`` (no data of so few mice could be) and
        ``reason``.

    Raises
    ------
    ValueError
        If there are not two pathways of at least two mice each.
    """
    frame = table[np.isfinite(table[value].to_numpy(float))]
    mice = mice_per_pathway(frame)
    if len(mice) != 2 or min(mice.values()) < 2:
        raise ValueError(f"table: mice per pathway are {mice}: a comparison needs two pathways of at least 2 mice")
    names = ["D1", "A2A"] if set(mice) == {"D1", "A2A"} else sorted(mice)
    a, b = (frame[frame["pathway"] == p] for p in names)
    found = mouse_permutation_test(
        a[value].to_numpy(float), a["mouse"].to_numpy(), b[value].to_numpy(float), b["mouse"].to_numpy()
    )
    refused = found["smallest_p"] > alpha
    reason = refusal_of(frame, "pathway", alpha, False, False) if refused else ""
    if not reason and found["p"] > alpha:
        reason = f"p = {found['p']:.3g} over {int(found['n_mice'])} mice is above alpha = {alpha:g}"
    supported = bool(found["p"] <= alpha)
    return {
        **{k: found[k] for k in ("value", "p", "smallest_p", "n_mice")},
        "supported": supported,
        "refused": bool(refused),
        "reason": reason,
    }
