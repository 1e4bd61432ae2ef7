"""What a dandiset of the DANDI archive holds, asked of the archive with its own client."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

__all__ = ["list_session_files"]


def _client(api_url: str) -> Any:
    """Client of the archive, once it is known to answer."""
    os.environ.setdefault("DANDI_NO_ET", "1")  # the client would report to a server that counts its users
    try:
        import requests
        from dandi.dandiapi import DandiAPIClient
    except ImportError as error:
        raise ImportError("downloads from DANDI need its client: pip install 'netlib[nwb]'") from error
    try:
        requests.get(f"{api_url.rstrip('/')}/info/", timeout=30).raise_for_status()
        return DandiAPIClient(api_url)
    except (requests.RequestException, RuntimeError) as error:
        raise ConnectionError(f"api_url = {api_url!r} does not answer ({error}): is the network there?") from error


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
    return {
        "path": asset.path,
        "size": int(asset.size),
        "sha256": sha256,
        "etag": etag,
        "url": asset.base_download_url,
    }
