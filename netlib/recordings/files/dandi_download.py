"""Files of the DANDI archive by mouse and session: what there is, and a download that resumes and is verified."""

from __future__ import annotations

import os
import shutil
import threading
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from tqdm import tqdm

from netlib.recordings.files.dandi_listing import list_session_files
from netlib.recordings.files.resumed_fetch import DownloadError, fetch_file, on_disk
from netlib.units import check_integer, check_number, check_type

__all__ = ["DownloadError", "describe_plan", "download", "plan_download", "select_sessions"]

API_URL = "https://api.dandiarchive.org/api"
#: The dandiset of Gillon, Lecoq et al. (2023) Sci Data 10:287, and its published version.
DANDISET, VERSION = "000037", "0.230426.0054"
#: Columns of a plan.
COLUMNS = ["sessid", "mouse_n", "sess_n", "path", "size", "sha256", "etag", "have", "state", "url", "file"]


def select_sessions(
    mouse_table: pd.DataFrame,
    mouse_ns: Any = "any",
    sess_ns: Any = (1, 2, 3),
    *,
    pass_fail: str = "P",
    runtype: str = "prod",
) -> pd.DataFrame:
    """Rows of a mouse table that belong to given mice and sessions.

    Parameters
    ----------
    mouse_table : DataFrame
        Columns ``sessid``, ``mouse_n``, ``sess_n``, ``runtype`` and ``pass_fail``, as in the published mouse_df.csv.
    mouse_ns, sess_ns : int, sequence of int or "any"
        Numbers of mice and of sessions.
    pass_fail, runtype : str
        Values to keep, such as "P" (passed quality control) and "prod"; or "any".

    Raises
    ------
    ValueError
        If the table lacks a column, or no session is left.

    Examples
    --------
    >>> columns = ["sessid", "mouse_n", "sess_n", "runtype", "pass_fail"]
    >>> table = pd.DataFrame([[758519303, 1, 1, "prod", "P"], [761624763, 3, 1, "prod", "P"]], columns=columns)
    >>> select_sessions(table, mouse_ns=3)["sessid"].tolist()
    [761624763]
    """
    table = check_type("mouse_table", mouse_table, pd.DataFrame)
    table = table if "sessid" in table.columns else table.reset_index()
    wanted = {"mouse_n": mouse_ns, "sess_n": sess_ns, "pass_fail": pass_fail, "runtype": runtype}
    missing = sorted({"sessid", *wanted} - set(table.columns))
    if missing:
        raise ValueError(f"mouse_table lacks the columns {missing}: it must hold sessid and {list(wanted)}")
    keep = pd.Series(True, index=table.index)
    for column, values in wanted.items():
        if isinstance(values, str) and values == "any":
            continue
        values = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
        keep &= table[column].isin(values)
    if not keep.any():
        raise ValueError(f"no session has {wanted}: mice are {sorted(table['mouse_n'].unique().tolist())}")
    return table[keep].reset_index(drop=True)


def plan_download(
    datadir: str | os.PathLike,
    *,
    mouse_table: pd.DataFrame,
    mouse_ns: Any = "any",
    sess_ns: Any = (1, 2, 3),
    pass_fail: str = "P",
    runtype: str = "prod",
    dandiset: str = DANDISET,
    version: str = VERSION,
    api_url: str | None = None,
    templates: bool = False,
    stacks: bool = False,
    verify: bool = False,
) -> pd.DataFrame:
    """Which files of the archive given mice and sessions need, and which of them are here. Writes nothing.

    Parameters
    ----------
    datadir : path
        Folder of the files; each has the path there that it has in the archive.
    mouse_table, mouse_ns, sess_ns, pass_fail, runtype
        As in :func:`select_sessions`.
    dandiset, version : str
        Number and version of the dandiset.
    api_url : str, optional
        Address of the archive's programming interface; by default that of DANDI.
    templates, stacks : bool
        Of the variants of each session, the one with the stimulus images, or the one with the raw movie (45 GB
        each). By default the plain one (0.1 to 1.7 GB).
    verify : bool
        Verify the checksums of the files that are here, not their sizes alone.

    Returns
    -------
    DataFrame
        A row per file: ``sessid``, ``mouse_n``, ``sess_n``, ``path``, ``size`` (bytes), ``sha256``, ``etag``,
        ``have`` (bytes that are here), ``state`` ("present", "partial", "missing", or "different" if what is here is
        not the file), ``url`` and ``file`` (where it goes). Sessions that the archive has not are named in a warning.

    Raises
    ------
    ConnectionError
        If the archive does not answer.
    ValueError
        If no session is chosen, or the archive has none of them, or no such dandiset.
    """
    sessions = select_sessions(mouse_table, mouse_ns, sess_ns, pass_fail=pass_fail, runtype=runtype)
    sessids = sessions["sessid"].astype(str)
    listed = list_session_files(dandiset, version, api_url or API_URL, sessids, templates=templates, stacks=stacks)
    rows, absent = [], []
    for session in sessions.to_dict("records"):
        asset = listed.get(str(session["sessid"]))
        if asset is None:
            absent.append(session["sessid"])
            continue
        file = Path(datadir).joinpath(*_safe_parts(asset["path"]))
        have, state = on_disk(file, asset, verify)
        facts = {key: session[key] for key in ("sessid", "mouse_n", "sess_n")}
        rows.append({**facts, **asset, "have": have, "state": state, "file": str(file)})
    what = f"dandiset {dandiset} version {version} has no such file for the sessions {absent}"
    if not rows:
        raise ValueError(f"{what}: there is nothing to download")
    if absent:
        warnings.warn(f"{what}: they are left out", stacklevel=2)
    return pd.DataFrame(rows, columns=COLUMNS)


def describe_plan(plan: pd.DataFrame) -> str:
    """One line: how many files and bytes, how many are here, how much is to be fetched."""
    states = plan["state"].value_counts()
    counted = ", ".join(f"{n} {state}" for state, n in states.items())
    rest = int((plan["size"] - plan["have"])[plan["state"] != "present"].sum())
    return f"{len(plan)} files, {plan['size'].sum() / 1e9:.2f} GB: {counted}; {rest / 1e9:.2f} GB to fetch"


def download(
    plan: pd.DataFrame,
    *,
    dry_run: bool = False,
    jobs: int = 1,
    verify: bool = True,
    attempts: int = 5,
    pause: float = 2.0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fetch the files of a plan that are not here, resuming what was interrupted, and verify them.

    A file is written under another name (hidden, ending in ``.part``) and gets its own only when its size and its
    checksum (SHA-256, or the archive's etag) are those of the archive. What fails the check is removed.

    Parameters
    ----------
    plan : DataFrame
        From :func:`plan_download`.
    dry_run : bool
        Do nothing.
    jobs : int
        Files fetched at once.
    verify : bool
        Verify the checksums of files that are here already; those that fail are fetched again.
    attempts : int
        How often in a row the connection may break without bringing anything.
    pause : float
        Wait after the first break (s); it doubles each time, up to a minute.
    progress : bool, optional
        Show a progress bar; by default on a terminal.

    Returns
    -------
    DataFrame
        The plan with the new states.

    Raises
    ------
    DownloadError
        If a file could not be fetched, or was not what the archive says. The other files are fetched all the same.
    """
    jobs, attempts = check_integer("jobs", jobs, 1), check_integer("attempts", attempts, 1)
    pause = check_number("pause", pause, "s", 0)
    missing = sorted(set(COLUMNS) - set(check_type("plan", plan, pd.DataFrame).columns))
    if missing:
        raise ValueError(f"plan lacks the columns {missing}: it must be one of plan_download")
    plan = plan.copy()
    if dry_run:
        return plan
    rows = plan.to_dict("records")
    for row in rows:
        row["have"], row["state"] = on_disk(Path(row["file"]), row, verify)
    todo = [row for row in rows if row["state"] != "present"]
    total = sum(row["size"] - row["have"] for row in todo)
    _check_space(todo, total)
    stop, failed = threading.Event(), []
    with (
        tqdm(total=total, unit="B", unit_scale=True, disable=None if progress is None else not progress) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        futures = [pool.submit(fetch_file, row, attempts, pause, bar, stop) for row in todo]
        try:
            for row, future in zip(todo, futures, strict=True):
                try:
                    future.result()
                    row["have"], row["state"] = row["size"], "present"
                except OSError as error:
                    failed.append(f"{row['path']}: {error}")
        finally:
            stop.set()
    if failed:
        raise DownloadError(f"{len(failed)} of {len(todo)} files failed: " + "; ".join(failed))
    return pd.DataFrame(rows, columns=COLUMNS)


def _safe_parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"asset path {path!r} leads out of the folder: it is refused")
    return parts


def _check_space(todo: list[dict[str, Any]], total: int) -> None:
    if not todo:
        return
    place = Path(os.path.commonpath([os.path.abspath(os.path.dirname(row["file"])) for row in todo]))
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < total:
        raise DownloadError(f"{place} has {free / 1e9:.2f} GB free: {total / 1e9:.2f} GB are to be fetched")
