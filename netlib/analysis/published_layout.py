"""The layout of the credit-assignment paper's data files, and the tidy table of indices that the tables read.

A tidy table has one row per ROI and session: ``mouse``, ``session``, ``line``, ``plane``, ``roi`` (number within mouse;
the same cell in all sessions if tracked), ``usi`` and perhaps ``percentile``. Files hold tables as
{column: {row: value}}, one row per mouse and session with the ROIs in lists (Gillon, Pina et al. 2024, J Neurosci 44(5)
e1009232023).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.significance import count_significant

__all__ = ["GROUP", "Source", "counts_frame", "groups", "idx_by_group", "usi_frame"]

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
