"""Tables of the credit-assignment paper from indices of ROIs, in its file layout or as one tidy table.

Groups are line x plane x session with the ROIs of all mice pooled, as published (Gillon, Pina et al. 2024, J Neurosci
44(5) e1009232023, Figs. 4, 5, 7 and 9); :func:`mouse_level_table` gives the same over mice.

A tidy table has one row per ROI and session: ``mouse``, ``session``, ``line``, ``plane``, ``roi`` (number within mouse;
the same cell in all sessions if tracked) and ``usi``. Files hold tables as {column: {row: value}}, one row per mouse
and session with the ROIs in lists.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.openscope.usi import mean_abs_sem, tracked_correlation, variance_std
from netlib.statistics.mice import design_effect, mouse_interval
from netlib.statistics.permutation import PermutationResult, compare_samples
from netlib.statistics.resampling import generator

__all__ = [
    "GROUP",
    "Source",
    "correlation_table",
    "mean_abs_usi_table",
    "mouse_level_table",
    "session_tests_table",
    "usi_frame",
    "variance_table",
]


GROUP = ("line", "plane")
COLUMNS = ["mouse", "session", "line", "plane", "roi", "usi"]
Source = pd.DataFrame | Mapping[str, Any] | str | Path


def _published_columns(source: Source, needed: Sequence[str]) -> pd.DataFrame:
    """Table of a published JSON that has the columns needed, wherever it lies in it."""
    if isinstance(source, pd.DataFrame):
        return source[list(needed)].copy()
    data = json.loads(Path(source).read_text(encoding="utf-8")) if isinstance(source, (str, Path)) else source
    for table in (data, *data.values()):
        if isinstance(table, Mapping) and all(isinstance(table.get(c), Mapping) for c in needed):
            rows = list(table[needed[0]])
            return pd.DataFrame({c: [table[c][row] for row in rows] for c in needed}, index=rows)
    raise KeyError(f"no table with columns {list(needed)} among {list(data)}: is this the panel's JSON file?")


def usi_frame(source: Source) -> pd.DataFrame:
    """Tidy table of indices from a published JSON (file, or what it holds), or checked from a tidy table.

    Parameters
    ----------
    source : DataFrame, mapping, str or Path
        A tidy table, or the layout of ``idx_only_df`` (file, its contents, or a DataFrame): columns lines, planes,
        mouse_ns, sess_ns and roi_idxs, one row per mouse and session.

    Returns
    -------
    DataFrame
        Columns mouse, session, line, plane, roi, usi (and others that were there); mice and ROIs in file order, so
        that row k of a session of a group is row k of its other sessions if ROIs are tracked.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If an index is NaN, or a ROI comes twice in a session.
    """
    if not isinstance(source, pd.DataFrame) or "roi_idxs" in source:
        table = _published_columns(source, ("mouse_ns", "sess_ns", "lines", "planes", "roi_idxs"))
        table.columns = ["mouse", "session", "line", "plane", "usi"]
        table = table.assign(roi=[range(len(v)) for v in table["usi"]]).explode(["usi", "roi"], ignore_index=True)
        source = table.astype({"usi": float, "roi": int, "mouse": int, "session": int})
    missing = [c for c in COLUMNS if c not in source.columns]
    if missing:
        raise KeyError(f"columns {missing} are missing: a table of indices has {COLUMNS}")
    if not np.isfinite(source["usi"].to_numpy(float)).all():
        raise ValueError(
            f"usi holds {int(source['usi'].isna().sum())} NaN: drop those ROIs (in all sessions if tracked)"
        )
    if source.duplicated(["mouse", "session", "line", "plane", "roi"]).any():
        raise ValueError("a ROI comes twice in one session of a mouse")
    others = [c for c in source.columns if c not in COLUMNS]
    first_seen = {mouse: k for k, mouse in enumerate(pd.unique(source["mouse"]))}
    order = source.assign(_mouse=source["mouse"].map(first_seen))
    order = order.sort_values(["line", "plane", "session", "_mouse", "roi"], kind="stable")
    return order[[*COLUMNS, *others]].reset_index(drop=True)


# ---------------------------------------------------------------- tables


def _name(key: tuple[Hashable, ...]) -> str:
    return " ".join(map(str, key))


def _sessions(part: pd.DataFrame) -> dict[int, pd.Series]:
    """Indices of a group by session, indexed by (mouse, roi)."""
    return {int(s): p.set_index(["mouse", "roi"])["usi"] for s, p in part.groupby("session", sort=True)}


def _test_columns(test: PermutationResult) -> dict[str, float]:
    low, median, high = test.null_ci
    p_values = {"raw_p": test.raw_p, "p": test.p, "p_exact": test.p_exact}
    return p_values | {"null_low": low, "null_median": median, "null_high": high}


def _aligned(a: pd.Series, b: pd.Series, name: str) -> tuple[np.ndarray, np.ndarray]:
    if set(a.index) != set(b.index):
        raise ValueError(f"{name}: sessions have {len(a)} and {len(b)} ROIs, not the same: they are not tracked ROIs")
    return a.to_numpy(float), b.loc[a.index].to_numpy(float)


def session_tests_table(
    source: Source,
    statistic: str = "mean_abs",
    *,
    by: Sequence[str] = GROUP,
    tracked: bool = True,
    n_permutations: int = 10_000,
    seed: int = 905,
    alpha: float = 0.05,
    multcomp: int | None = None,
) -> pd.DataFrame:
    """Tests between sessions of each group: one row per group and pair of sessions.

    Parameters
    ----------
    source : DataFrame, mapping, str or Path
        As in :func:`usi_frame`.
    statistic : str
        As in :func:`netlib.statistics.permutation.session_null`; "mean_abs" (Fig. 4G, 7D) or "variance" (Fig. 4H).
    by : sequence of str
        What makes a group; ("line", "plane", "mouse") for one mouse each (Fig. 5C).
    tracked : bool
        The same ROIs in all sessions: paired swaps. Else values are dealt anew.
    n_permutations, seed, alpha
        Of the test; the paper has 100,000 permutations.
    multcomp : int, optional
        Comparisons, all rows unless told.

    Returns
    -------
    DataFrame
        The columns ``by``, ``first``, ``last`` (sessions), ``difference``, ``raw_p``, ``p``, ``p_exact``, ``null_low``,
        ``null_median``, ``null_high``.
    """
    pairs = []
    for key, part in usi_frame(source).groupby(list(by)):
        values = _sessions(part)
        for first, last in combinations(values, 2):
            name = f"{_name(key)} {first}v{last}"
            a, b = values[first], values[last]
            a, b = _aligned(a, b, name) if tracked else (a.to_numpy(float), b.to_numpy(float))
            pairs.append((key, first, last, name, a, b))
    rows = []
    for key, first, last, name, a, b in pairs:
        rng = generator(seed, "sessions", statistic, name)
        options = {"paired": tracked, "statistic": statistic, "n_permutations": n_permutations, "seed": rng}
        test = compare_samples(a, b, **options, alpha=alpha, multcomp=multcomp or len(pairs))
        row = dict(zip(by, key, strict=True)) | {"first": first, "last": last, "difference": test.value}
        rows.append(row | _test_columns(test))
    return pd.DataFrame(rows)


def mean_abs_usi_table(
    source: Source,
    *,
    by: Sequence[str] = GROUP,
    tracked: bool = True,
    n_permutations: int = 0,
    seed: int = 905,
    multcomp: int | None = None,
) -> pd.DataFrame:
    """Mean |USI| and its standard error over pooled ROIs, one row per group and session (Figs. 4G, 5C, 7D).

    Parameters
    ----------
    source, by, tracked, seed, multcomp
        As in :func:`session_tests_table`.
    n_permutations : int
        With more than 0, p values between sessions are added, ``raw_p_1v2``, ``p_1v2``, ``p_exact_1v2``..., on the
        rows of both sessions (published files lack them in one).

    Returns
    -------
    DataFrame
        The columns ``by``, ``session``, ``mice``, ``n_rois``, ``mean_abs_usi``, ``sem``.
    """
    tests = {"tracked": tracked, "n_permutations": n_permutations, "seed": seed, "multcomp": multcomp}
    return _statistic_table(source, by, ("mean_abs_usi", "sem"), lambda x, _: mean_abs_sem(x), "mean_abs", tests)


def variance_table(
    source: Source,
    *,
    by: Sequence[str] = GROUP,
    tracked: bool = True,
    n_permutations: int = 0,
    n_resamples: int = 10_000,
    seed: int = 905,
    multcomp: int | None = None,
) -> pd.DataFrame:
    """Variance of USI over pooled ROIs (ddof 0) and its bootstrapped standard deviation (Fig. 4H).

    Arguments as in :func:`mean_abs_usi_table`. Columns: ``by``, ``session``, ``mice``, ``n_rois``, ``variance``,
    ``std``.
    """

    def measure(x: np.ndarray, name: str) -> tuple[float, float]:
        return variance_std(x, n_resamples, generator(seed, "variance", name))

    tests = {"tracked": tracked, "n_permutations": n_permutations, "seed": seed, "multcomp": multcomp}
    return _statistic_table(source, by, ("variance", "std"), measure, "variance", tests)


def _statistic_table(
    source: Source, by: Sequence[str], names: tuple[str, str], measure: Any, statistic: str, tests: dict[str, Any]
) -> pd.DataFrame:
    """A measure of each group and session, and with permutations the tests on the rows of both sessions."""
    frame, rows = usi_frame(source), []
    for key, part in frame.groupby([*by, "session"]):
        measured = dict(zip(names, measure(part["usi"].to_numpy(float), _name(key)), strict=True))
        mice = tuple(pd.unique(part["mouse"]).tolist())
        row = dict(zip((*by, "session"), key, strict=True)) | {"mice": mice, "n_rois": len(part)}
        rows.append(row | measured)
    table = pd.DataFrame(rows)
    if not tests["n_permutations"]:
        return table
    for row in session_tests_table(frame, statistic, by=by, **tests).itertuples():
        here = table["session"].isin([row.first, row.last])
        for column in by:
            here &= table[column] == getattr(row, column)
        for p in ("raw_p", "p", "p_exact"):
            table.loc[here, f"{p}_{row.first}v{row.last}"] = getattr(row, p)
    return table


def correlation_table(
    source: Source,
    *,
    by: Sequence[str] = GROUP,
    pairs: Sequence[tuple[int, int]] = ((1, 2), (2, 3)),
    n_permutations: int = 10_000,
    n_resamples: int = 10_000,
    seed: int = 905,
    multcomp: int | None = None,
    within_mouse: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Correlations of the USIs of tracked ROIs between sessions, one row per group and pair (Fig. 9C, F).

    Parameters
    ----------
    source, by, n_permutations, n_resamples, seed, multcomp
        As in :func:`session_tests_table` and :func:`variance_table`.
    pairs : sequence of (int, int)
        Sessions to correlate.
    within_mouse : bool
        Shuffle identities within mice only.
    **options
        ``permute``, ``kind``, ``tails``, ``alpha`` of :func:`netlib.openscope.usi.tracked_correlation`.

    Returns
    -------
    DataFrame
        The columns ``by``, ``first``, ``last``, ``n_rois``, ``r``, ``std``, ``raw_p``, ``p``, ``p_exact``,
        ``null_low``, ``null_median``, ``null_high``.
    """
    sessions = {key: _sessions(part) for key, part in usi_frame(source).groupby(list(by))}
    multcomp = multcomp or len(sessions) * len(pairs)
    rows = []
    for key, values in sessions.items():
        for first, last in pairs:
            if first not in values or last not in values:
                raise ValueError(f"{_name(key)} has sessions {list(values)}: pair ({first}, {last}) needs both")
            a, b = _aligned(values[first], values[last], f"{_name(key)} {first}v{last}")
            mice = values[first].index.get_level_values("mouse").to_numpy() if within_mouse else None
            sizes = {"n_permutations": n_permutations, "n_resamples": n_resamples, "multcomp": multcomp}
            part_seed = int(generator(seed, "correlation", f"{_name(key)} {first}v{last}").integers(2**62))
            found = tracked_correlation(a, b, mice=mice, seed=part_seed, **sizes, **options)
            row = dict(zip(by, key, strict=True)) | {"first": first, "last": last, "n_rois": found.n, "r": found.r}
            rows.append(row | {"std": found.std} | _test_columns(found.test))
    return pd.DataFrame(rows)


def mouse_level_table(
    source: Source, *, by: Sequence[str] = GROUP, absolute: bool = True, level: float = 0.95
) -> pd.DataFrame:
    """Mean |USI| (or USI) over mice beside the pooled one, and how far the pooled ROIs are from independent.

    Parameters
    ----------
    source, by
        As in :func:`session_tests_table`.
    absolute : bool
        Of |USI|, else of USI.
    level : float
        Coverage of Student's t interval over mice.

    Returns
    -------
    DataFrame, one row per group and session
        ``n_mice``, ``n_rois``, ``pooled_mean``, ``pooled_sem``; ``mean``, ``sem``, ``low``, ``high`` over mice, NaN
        with the reason in ``refused`` when mice are too few; ``icc``, ``design_effect``, ``effective_n``.
    """
    rows = []
    for key, part in usi_frame(source).groupby([*by, "session"]):
        x = part["usi"].to_numpy(float)
        x, mice = np.abs(x) if absolute else x, part["mouse"].to_numpy()
        row: dict[str, Any] = dict(zip((*by, "session"), key, strict=True))
        row |= {"n_mice": part["mouse"].nunique(), "n_rois": len(x), "pooled_mean": x.mean()}
        row |= {"pooled_sem": x.std(ddof=1) / np.sqrt(len(x)), "refused": ""}
        try:
            found = mouse_interval(x, mice, level)
            row |= {name: found[name] for name in ("mean", "sem", "low", "high")}
            row |= design_effect(x, mice)
        except ValueError as reason:
            row["refused"] = str(reason)
        rows.append(row)
    columns = [*rows[0], *(c for c in ("mean", "sem", "low", "high", "icc", "design_effect", "effective_n"))]
    return pd.DataFrame(rows).reindex(columns=list(dict.fromkeys(columns)))
