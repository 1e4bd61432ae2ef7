"""Tables of the credit-assignment paper from indices of ROIs, in its file layout or as one tidy table.

Groups are line x plane x session with the ROIs of all mice pooled, as published (Gillon, Pina et al. 2024, J Neurosci
44(5) e1009232023, Figs. 4, 5, 7 and 9); :func:`mouse_level_table` gives the same over mice.

The layout of the credit-assignment paper's data files, and the tidy table of indices that the tables read:
A tidy table has one row per ROI and session: ``mouse``, ``session``, ``line``, ``plane``, ``roi`` (number within mouse;
the same cell in all sessions if tracked), ``usi`` and perhaps ``percentile``. Files hold tables as
{column: {row: value}}, one row per mouse and session with the ROIs in lists (Gillon, Pina et al. 2024, J Neurosci 44(5)
e1009232023).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.openscope.responses import StimulusPair, stimulus_change
from netlib.openscope.usi import mean_abs_sem, tracked_correlation, variance_std
from netlib.statistics.mice import design_effect, mouse_interval
from netlib.statistics.permutation import PermutationResult, compare_samples, count_significant, percent_test
from netlib.statistics.resampling import generator

__all__ = [
    "GROUP",
    "Source",
    "correlation_table",
    "counts_frame",
    "groups",
    "idx_by_group",
    "mean_abs_usi_table",
    "mouse_level_table",
    "percent_significant_table",
    "session_tests_table",
    "stimulus_change_table",
    "usi_frame",
    "variance_table",
]


# -------------------- The layout of the credit-assignment paper's data files, and the tidy table of indices that ...


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


def idx_by_group(source: Source, by: Sequence[str] = (*GROUP, "session")) -> dict[tuple[Hashable, ...], np.ndarray]:
    """Indices of the pooled ROIs of each group, keyed by the values of ``by``.

    Examples
    --------
    >>> table = {"mouse_ns": {"0": 1}, "sess_ns": {"0": 2}, "lines": {"0": "L5"}, "planes": {"0": "soma"}}
    >>> idx_by_group({"idx_only_df": {**table, "roi_idxs": {"0": [0.1, -0.2]}}})
    {('L5', 'soma', 2): array([ 0.1, -0.2])}
    """
    return {key: part["usi"].to_numpy(float) for key, part in groups(usi_frame(source), by)}


def groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Hashable, ...], pd.DataFrame]]:
    """Rows of each group, keyed by the values of ``by``, in order of the keys."""
    yield from frame.groupby(list(by), sort=True)


def counts_frame(source: Source, *, by: Sequence[str] = (*GROUP, "session"), alpha: float = 0.05) -> pd.DataFrame:
    """Numbers of ROIs with low, high and positive USI in each group.

    Parameters
    ----------
    source : DataFrame, mapping, str or Path
        The layout of ``perc_sig_df`` (Fig. 4D, E, 5A), a tidy table with a column ``percentile`` (0 to 100), or a table
        that has the counts already.
    by : sequence of str
        What makes a group of a tidy table.
    alpha : float
        Two-tailed level of each ROI.

    Returns
    -------
    DataFrame
        Group columns, ``mice``, ``n_rois``, ``n_low``, ``n_high``, ``n_positive``.
    """
    if not isinstance(source, pd.DataFrame) or "n_signif_lo" in source:
        names = ("lines", "planes", "sess_ns", "mouse_ns", "nrois", "n_signif_lo", "n_signif_hi", "n_pos")
        table = _published_columns(source, names)
        table.columns = ["line", "plane", "session", "mice", "n_rois", "n_low", "n_high", "n_positive"]
        table["n_rois"] = [int(np.sum(n)) for n in table["n_rois"]]
        table["mice"] = [tuple(int(m) for m in np.atleast_1d(mice)) for mice in table["mice"]]
        return table.reset_index(drop=True)
    if {"n_rois", "n_low", "n_high", "n_positive"} <= set(source.columns):
        return source
    frame = usi_frame(source)
    if "percentile" not in frame:
        raise KeyError("column 'percentile' is missing: significance needs each ROI's percentile in its null")
    rows = []
    for key, part in groups(frame, by):
        counts = count_significant(part["percentile"], part["usi"], alpha)
        mice = tuple(pd.unique(part["mouse"]).tolist())
        rows.append(dict(zip(by, key, strict=True)) | {"mice": mice} | counts)
    return pd.DataFrame(rows)


# -------------------- Tables of the credit-assignment paper from indices of ROIs, in its file layout or as one ...


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
    for key, part in groups(usi_frame(source), by):
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


def _statistic_table(frame: pd.DataFrame, by: Sequence[str], names: tuple[str, str], measure: Any) -> pd.DataFrame:
    rows = []
    for key, part in groups(frame, (*by, "session")):
        measured = dict(zip(names, measure(part["usi"].to_numpy(float), _name(key)), strict=True))
        mice = tuple(pd.unique(part["mouse"]).tolist())
        row = dict(zip((*by, "session"), key, strict=True)) | {"mice": mice, "n_rois": len(part)}
        rows.append(row | measured)
    return pd.DataFrame(rows)


def _with_tests(table: pd.DataFrame, tests: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add p values of pairs of sessions to the rows of both sessions (published files lack them in one)."""
    for row in tests.itertuples():
        here = table["session"].isin([row.first, row.last])
        for column in by:
            here &= table[column] == getattr(row, column)
        for p in ("raw_p", "p", "p_exact"):
            table.loc[here, f"{p}_{row.first}v{row.last}"] = getattr(row, p)
    return table


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
        rows of both sessions.

    Returns
    -------
    DataFrame
        The columns ``by``, ``session``, ``mice``, ``n_rois``, ``mean_abs_usi``, ``sem``.
    """
    frame = usi_frame(source)
    table = _statistic_table(frame, by, ("mean_abs_usi", "sem"), lambda x, _: mean_abs_sem(x))
    if not n_permutations:
        return table
    options = {"by": by, "tracked": tracked, "n_permutations": n_permutations, "seed": seed, "multcomp": multcomp}
    return _with_tests(table, session_tests_table(frame, "mean_abs", **options), by)


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
    frame = usi_frame(source)
    table = _statistic_table(
        frame, by, ("variance", "std"), lambda x, name: variance_std(x, n_resamples, generator(seed, "variance", name))
    )
    if not n_permutations:
        return table
    options = {"by": by, "tracked": tracked, "n_permutations": n_permutations, "seed": seed, "multcomp": multcomp}
    return _with_tests(table, session_tests_table(frame, "variance", **options), by)


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
    sessions = {key: _sessions(part) for key, part in groups(usi_frame(source), by)}
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


def percent_significant_table(
    source: Source,
    *,
    by: Sequence[str] = (*GROUP, "session"),
    alpha: float = 0.05,
    multcomp: int | None = None,
    n_resamples: int = 10_000,
    seed: int = 905,
) -> pd.DataFrame:
    """Percents of ROIs with low, high and positive USI against chance (Fig. 4D, E, 5A).

    Parameters
    ----------
    source, by, alpha
        As in :func:`counts_frame`. Chance is alpha / 2 for low and high, a half for positive.
    multcomp : int, optional
        Comparisons; two (low and high) per group unless told.
    n_resamples, seed
        Bootstrap of the standard deviations.

    Returns
    -------
    DataFrame
        One row per group and ``tail`` ("low", "high", "positive"): the group's columns, ``mice``, ``n_rois``, ``k`` and
        what :func:`netlib.statistics.permutation.percent_test` gives.
    """
    counts = counts_frame(source, by=by, alpha=alpha)
    names = counts.drop(columns=["n_low", "n_high", "n_positive"]).to_dict("records")
    rows = []
    for group, row in zip(names, counts.itertuples(), strict=True):
        for tail, null in (("low", alpha / 2), ("high", alpha / 2), ("positive", 0.5)):
            k = int(getattr(row, f"n_{tail}"))
            rng = generator(seed, "percent", len(rows))
            options = {"alpha": alpha, "multcomp": multcomp or 2 * len(counts), "n_resamples": n_resamples, "seed": rng}
            rows.append(group | {"tail": tail, "k": k} | percent_test(k, int(row.n_rois), null, **options))
    return pd.DataFrame(rows)


def stimulus_change_table(
    gabors: Source, visflow: Source, *, by: Sequence[str] = GROUP, sessions: tuple[int, int] = (1, 3), **options: Any
) -> pd.DataFrame:
    """Change of mean |USI| between two sessions, of Gabors and of visual flow, in each group and "all" (Fig. 7E).

    Parameters
    ----------
    gabors, visflow : DataFrame, mapping, str or Path
        Indices of the same tracked ROIs, as in :func:`usi_frame`.
    sessions : (int, int)
        First and last session.
    **options
        Of :func:`netlib.openscope.responses.stimulus_change`.
    """
    both = [{k: _sessions(p) for k, p in groups(usi_frame(s), by)} for s in (gabors, visflow)]
    if set(both[0]) != set(both[1]):
        raise ValueError(
            f"Gabors have groups {sorted(both[0])} and visual flow {sorted(both[1])}: they must be the same"
        )
    pairs = {}
    for key in both[0]:
        values = [both[stimulus][key][session] for stimulus in (0, 1) for session in sessions]
        aligned = [_aligned(values[0], v, _name(key))[1] for v in values]
        pairs[_name(key)] = StimulusPair(*(np.abs(v) for v in aligned))
    return stimulus_change(pairs, **options)


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
    for key, part in groups(usi_frame(source), (*by, "session")):
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
