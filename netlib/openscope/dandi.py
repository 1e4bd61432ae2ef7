"""Files of the DANDI archive by mouse and session: what there is, and a download that resumes and is verified.

The client of the archive lists; fetching is ours: dandi 0.81 names a file before it checks its digest and leaves it if
that fails (download.py:1006, 893), appends whatever answers a Range (dandiapi.py:1874) and only warns of excess (839).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from tqdm import tqdm

from netlib.base.checks import check_integer, check_number, check_type

__all__ = ["DownloadError", "describe_plan", "download", "plan_download", "select_sessions"]

API_URL = "https://api.dandiarchive.org/api"
#: The dandiset of Gillon, Lecoq et al. (2023) Sci Data 10:287, and its published version.
DANDISET, VERSION = "000037", "0.230426.0054"
#: Columns of a plan.
COLUMNS = ["sessid", "mouse_n", "sess_n", "path", "size", "sha256", "etag", "have", "state", "url", "file"]
#: Bytes that are written, and counted, at once.
CHUNK = 1 << 18


class DownloadError(OSError):
    """A file could not be downloaded, or is not what the archive says it is."""


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


# ---------------------------------------------------------------- what the archive holds


def list_session_files(
    dandiset: str, version: str, api_url: str, sessids: Iterable[str], *, templates: bool = False, stacks: bool = False
) -> dict[str, dict[str, Any]]:
    """Path, size (bytes), sha256, etag and url of the file of each session that the archive has, by its id.

    Parameters
    ----------
    dandiset, version : str
        Number and version of the dandiset.
    api_url : str
        Address of the archive's programming interface.
    sessids : iterable of str
        Ids of the sessions, as in the names of the files (``ses-<id>``).
    templates, stacks : bool
        The variant with the stimulus images (``+image``), or with the raw movie (``obj-raw``), not the plain one.

    Raises
    ------
    ConnectionError
        If the archive does not answer.
    ValueError
        If it has no such dandiset, or gives no checksum of a file.
    """
    sessids = set(sessids)
    variant = "stacks" if stacks else "templates" if templates else "plain"
    client = _client(api_url)
    import requests
    from dandi.exceptions import NotFoundError

    with client:
        try:
            found: dict[str, list] = {}
            for asset in client.get_dandiset(dandiset, version).get_assets():
                session = re.search(r"ses-(\d+)", PurePosixPath(asset.path).name)
                if session and session[1] in sessids and _variant(asset.path) == variant:
                    found.setdefault(session[1], []).append(asset)
            return {sessid: _facts(_preferred(assets, templates)) for sessid, assets in found.items()}
        except NotFoundError as error:
            raise ValueError(f"dandiset = {dandiset!r}, version = {version!r} is not at {api_url}: {error}") from error
        except requests.RequestException as error:
            raise ConnectionError(f"api_url = {api_url!r} stopped answering ({error}): try again") from error


def _client(api_url: str) -> Any:
    """Client of the archive, once it is known to answer."""
    os.environ.setdefault("DANDI_NO_ET", "1")  # the client would report to a server that counts its users
    try:
        import requests
        from dandi.dandiapi import DandiAPIClient
    except ImportError as error:
        raise ImportError("downloads from DANDI need its client: pip install 'netlib-v1[nwb]'") from error
    try:
        requests.get(f"{api_url.rstrip('/')}/info/", timeout=30).raise_for_status()
        return DandiAPIClient(api_url)
    except (requests.RequestException, RuntimeError) as error:
        raise ConnectionError(f"api_url = {api_url!r} does not answer ({error}): is the network there?") from error


def _variant(path: str) -> str:
    name = PurePosixPath(path).name
    if not name.endswith(".nwb"):
        return "other"
    return "stacks" if "obj-raw" in name else "templates" if "+image" in name else "plain"


def _preferred(assets: list, templates: bool) -> Any:
    """The first by path, with stimulus images or without as wanted, where there are both."""
    return min(assets, key=lambda asset: (("+image" in asset.path) != templates, asset.path))


def _facts(asset: Any) -> dict[str, Any]:
    digest = asset.get_raw_metadata().get("digest", {})
    sha256, etag = digest.get("dandi:sha2-256", ""), digest.get("dandi:dandi-etag", "")
    if not sha256 and not etag:
        raise ValueError(f"asset {asset.path!r} has no checksum in the archive: it cannot be verified")
    return {"path": asset.path, "size": int(asset.size), "sha256": sha256, "etag": etag, "url": asset.base_download_url}


# ---------------------------------------------------------------- one file over HTTP


def on_disk(file: Path, row: Mapping[str, Any], verify: bool) -> tuple[int, str]:
    """Bytes of a file that are here, and its state."""
    if file.is_file():
        if file.stat().st_size == row["size"] and (not verify or _digest(file, row) == _expected(row)):
            return row["size"], "present"
        state = "different"
    else:
        state = "missing"
    part = _part(file, row)
    have = _size(part)
    return (have, "partial" if state == "missing" else state) if 0 < have <= row["size"] else (0, state)


def fetch_file(row: Mapping[str, Any], attempts: int, pause: float, bar: Any, stop: threading.Event) -> None:
    """Fetch one file, from where it stopped, verify it and give it its name.

    Parameters
    ----------
    row : mapping
        ``url``, ``file``, ``size`` (bytes), ``sha256`` and ``etag`` of the file, as in a plan.
    attempts : int
        How often in a row the connection may break without bringing anything.
    pause : float
        Wait after the first break (s); it doubles each time, up to a minute.
    bar : tqdm
        Counts the bytes.
    stop : threading.Event
        Set from elsewhere to stop after the next piece.

    Raises
    ------
    DownloadError
        If the file could not be fetched (what came stays, to go on from there), or is not what it should be.
    """
    import requests

    file, size = Path(row["file"]), row["size"]
    part = _part(file, row)
    file.parent.mkdir(parents=True, exist_ok=True)
    failures, have, problem = 0, _size(part), None
    furthest = have
    while (have < size or not part.is_file()) and failures < attempts and not stop.is_set():
        try:
            _append(row, part, bar, stop)
        except requests.RequestException as error:
            problem = error
            failures = 1 if _size(part) > furthest else failures + 1
            if failures < attempts:
                stop.wait(min(pause * 2 ** (failures - 1), 60.0))
        have = _size(part)
        furthest = max(have, furthest)
    if have < size or stop.is_set():
        raise DownloadError(f"interrupted after {have} of {size} bytes ({problem}): run again to go on from there")
    if have != size or _digest(part, row) != _expected(row):
        part.unlink()
        raise DownloadError("what was fetched has another checksum than in the archive and was removed: fetch it again")
    os.chmod(part, 0o644)
    os.replace(part, file)


def _append(row: Mapping[str, Any], part: Path, bar: Any, stop: threading.Event) -> None:
    """Ask for what is missing of a file and write it behind what is here."""
    import requests

    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(row["url"], headers=headers, stream=True, timeout=60) as response:
        if response.status_code in (403, 404, 410):
            raise DownloadError(f"the server refuses it (status {response.status_code})")
        if response.status_code == 416:
            part.unlink()
            raise requests.ConnectionError("the server cannot go on from there")
        response.raise_for_status()
        if have and response.status_code != 206:  # the server sends the whole file again
            bar.update(-have)
            have = 0
        length = response.headers.get("Content-Length")
        if length is not None and have + int(length) != row["size"]:
            part.unlink(missing_ok=True)
            raise DownloadError(f"the server has {have + int(length)} bytes, the archive says {row['size']}: refused")
        with open(part, "ab" if have else "wb") as handle:
            for chunk in response.iter_content(CHUNK):
                handle.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
                if have > row["size"]:
                    break
                if stop.is_set():
                    return
            handle.flush()
            os.fsync(handle.fileno())
    if have > row["size"]:
        part.unlink()
        raise DownloadError(f"the server sends more than the {row['size']} bytes of the archive: refused")
    if have < row["size"]:
        raise requests.ConnectionError(f"the connection ended after {have} bytes")


def _part(file: Path, row: Mapping[str, Any]) -> Path:
    """Where the file is written until it is whole; another name for other content."""
    return file.with_name(f".{file.name}.{(row['sha256'] or row['etag'])[:12]}.part")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _expected(row: Mapping[str, Any]) -> str:
    return row["sha256"] or row["etag"]


def _digest(file: Path, row: Mapping[str, Any]) -> str:
    """Checksum of a file, of the kind that the archive gives."""
    if not row["sha256"]:
        from dandischema.digests.dandietag import DandiETag

        return DandiETag.from_file(file).as_str()
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
