"""One file over HTTP: taken up where it stopped, verified, and there under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["DownloadError", "fetch_file", "on_disk"]

#: Bytes that are written, and counted, at once.
CHUNK = 1 << 18


class DownloadError(OSError):
    """A file could not be downloaded, or is not what the archive says it is."""


def _part(file: Path, row: Mapping[str, Any]) -> Path:
    """Where the file is written until it is whole; another name for other content."""
    return file.with_name(f".{file.name}.{(row['sha256'] or row['etag'])[:12]}.part")


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
