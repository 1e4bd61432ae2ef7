"""Download from DANDI: plans, resumption and verification, against a local server that answers as DANDI does."""

import hashlib
import http.server
import json
import threading
import time
import uuid

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("dandi")

from netlib.base.seeds import stream
from netlib.openscope import dandi
from netlib.openscope.dandi import DownloadError, describe_plan, download, plan_download, select_sessions

VERSION = "/api/dandisets/000037/versions/0.230426.0054"
SIZE = 200_000


class Archive:
    """What the server holds, how it misbehaves, and what it was asked."""

    def __init__(self):
        self.assets, self.requests = [], []
        self.cut = self.offer = None  # bytes after which to hang up; content to send instead
        self.ranges = self.sha256 = self.announce = True

    def add(self, path, content):
        asset = {
            "asset_id": str(uuid.uuid4()),
            "blob": str(uuid.uuid4()),
            "zarr": None,
            "path": path,
            "size": len(content),
            "created": "2023-04-26T00:00:00Z",
            "modified": "2023-04-26T00:00:00Z",
        }
        self.assets.append((asset, content))

    def find(self, identifier):
        return next((pair for pair in self.assets if pair[0]["asset_id"] == identifier), (None, None))

    def metadata(self, asset, content):
        digest = {"dandi:dandi-etag": hashlib.md5(hashlib.md5(content).digest()).hexdigest() + "-1"}
        if self.sha256:
            digest["dandi:sha2-256"] = hashlib.sha256(content).hexdigest()
        return {**asset, "digest": digest, "contentSize": len(content)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        archive, path = self.server.archive, self.path.split("?")[0]
        archive.requests.append((path, self.headers.get("Range")))
        if path == "/api/info/":
            return self.send(self.information())
        if path == f"{VERSION}/assets/":
            results = [asset for asset, _ in archive.assets]
            return self.send({"count": len(results), "next": None, "previous": None, "results": results})
        for prefix in (f"{VERSION}/assets/", "/api/assets/"):
            if path.startswith(prefix):
                asset, content = archive.find(path[len(prefix) :].split("/")[0])
                if asset is not None:
                    if path.endswith("/download/"):
                        return self.send_content(archive, content if archive.offer is None else archive.offer)
                    return self.send(archive.metadata(asset, content))
        return self.send({"detail": "Not found."}, 404)

    def information(self):
        url = f"http://127.0.0.1:{self.server.server_port}"
        return {
            "version": "0.3.0",
            "schema_version": "0.6.10",
            "schema_url": f"{url}/schema",
            "cli-minimal-version": "0.14.2",
            "cli-bad-versions": [],
            "services": {"api": {"url": f"{url}/api"}, "webui": {"url": url}, "jupyterhub": {"url": url}},
        }

    def send(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_content(self, archive, content):
        asked = self.headers.get("Range")
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and archive.ranges else 0
        body = content[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if archive.announce:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body if archive.cut is None else body[: archive.cut])
        if archive.cut is not None or not archive.announce:
            self.close_connection = True


def content(seed, size=SIZE):
    return stream(7, "file", seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def name(mouse, session, what="behavior+ophys"):
    return f"sub-{mouse}/sub-{mouse}_ses-{session}_{what}.nwb"


@pytest.fixture
def mice():
    rows = [
        (758519303, 1, 408021, 1, "prod", "P"),
        (759189643, 1, 408021, 2, "prod", "P"),
        (761624763, 3, 411773, 1, "prod", "P"),
        (760269100, 2, 411777, 1, "prod", "F"),
        (999999999, 3, 411773, 4, "pilot", "P"),
    ]
    return pd.DataFrame(rows, columns=["sessid", "mouse_n", "mouseid", "sess_n", "runtype", "pass_fail"])


@pytest.fixture
def archive(monkeypatch, mice):
    monkeypatch.setenv("DANDI_NO_ET", "1")
    monkeypatch.setattr(dandi, "CHUNK", 10_000)
    held = Archive()
    for k, row in enumerate(mice.itertuples()):
        held.add(name(row.mouseid, row.sessid), content(k))
        held.add(name(row.mouseid, row.sessid, "behavior+image+ophys"), content(10 + k, 50))
        held.add(name(row.mouseid, row.sessid, "obj-raw_behavior+image+ophys"), content(20 + k, 60))
    held.add("sub-408021/readme.txt", b"ses-758519303")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.archive, server.daemon_threads = held, True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}/api"
    yield held
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def plan(archive, mice, tmp_path):
    def make(**choice):
        choice = {"mouse_ns": 1, "sess_ns": 1, **choice}
        return plan_download(tmp_path / "data", mouse_table=mice, api_url=archive.url, **choice)

    return make


def fetch(plan, **changes):
    return download(plan, **{"attempts": 1, "pause": 0.0, "progress": False, **changes})


def downloads(archive):
    return [asked for path, asked in archive.requests if path.endswith("/download/")]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_plan_lists_the_files_of_the_chosen_sessions(plan, archive, mice, tmp_path):
    table = plan(mouse_ns="any", sess_ns=(1, 2, 3))
    assert table["path"].tolist() == [
        name(408021, 758519303),
        name(408021, 759189643),
        name(411773, 761624763),
    ]
    assert table["size"].tolist() == [SIZE] * 3 and (table["state"] == "missing").all() and (table["have"] == 0).all()
    assert table["sha256"][0] == hashlib.sha256(content(0)).hexdigest()
    assert describe_plan(table) == "3 files, 0.00 GB: 3 missing; 0.00 GB to fetch"
    assert plan(mouse_ns=[1], sess_ns=[2])["sessid"].tolist() == [759189643]
    assert plan(mouse_ns=2, pass_fail="F")["sessid"].tolist() == [760269100]
    assert plan(mouse_ns=1, templates=True)["size"].tolist() == [50]
    assert plan(mouse_ns=1, stacks=True)["path"].tolist() == [name(408021, 758519303, "obj-raw_behavior+image+ophys")]
    assert plan_download(tmp_path, mouse_table=mice.set_index("sessid"), api_url=archive.url).shape == table.shape
    assert not downloads(archive) and not (tmp_path / "data").exists()


def test_sessions_are_chosen_by_any_column(mice):
    assert select_sessions(mice, sess_ns="any", runtype="any", pass_fail="any").shape[0] == 5
    with pytest.raises(ValueError, match=r"no session has.*mice are"):
        select_sessions(mice, mouse_ns=9)
    with pytest.raises(ValueError, match=r"lacks the columns.*runtype"):
        select_sessions(mice.drop(columns="runtype"))
    with pytest.raises(TypeError, match="mouse_table"):
        select_sessions("mouse_df.csv")


def test_a_dry_run_writes_nothing(plan, archive, tmp_path):
    table = plan()
    pd.testing.assert_frame_equal(fetch(table, dry_run=True), table)
    assert not downloads(archive) and files(tmp_path) == []


def test_downloaded_files_are_whole_and_not_fetched_twice(plan, archive, tmp_path):
    done = fetch(plan(mouse_ns="any", sess_ns=(1, 2)), jobs=3)
    assert (done["state"] == "present").all() and (done["have"] == SIZE).all()
    assert files(tmp_path / "data") == sorted(done["path"])
    assert (tmp_path / "data" / done["path"][1]).read_bytes() == content(1)
    assert len(downloads(archive)) == 3
    again = plan(mouse_ns="any", sess_ns=(1, 2))
    assert (again["state"] == "present").all() and "3 present; 0.00 GB" in describe_plan(again)
    fetch(again)
    assert len(downloads(archive)) == 3


def test_an_interrupted_download_resumes_where_it_stopped(plan, archive, tmp_path):
    archive.cut = 120_000
    with pytest.raises(DownloadError, match=r"interrupted after 1\d0000 of 200000 bytes"):
        fetch(plan())
    assert not (tmp_path / "data" / name(408021, 758519303)).exists()
    table = plan()
    have = table["have"][0]
    assert table["state"][0] == "partial" and 100_000 < have <= 120_000
    archive.cut = None
    done = fetch(table)
    assert done["state"][0] == "present" and downloads(archive) == [None, f"bytes={have}-"]
    assert (tmp_path / "data" / done["path"][0]).read_bytes() == content(0)
    assert files(tmp_path / "data") == [done["path"][0]]


@pytest.mark.parametrize("announce", [True, False])
def test_broken_connections_are_taken_up_again(plan, archive, tmp_path, announce):
    archive.cut, archive.announce = 70_000, announce
    done = fetch(plan(), attempts=2)
    assert (tmp_path / "data" / done["path"][0]).read_bytes() == content(0)
    assert len(downloads(archive)) >= 3  # breaks that brought something do not count as attempts in a row
    archive.cut = 0
    with pytest.raises(DownloadError, match="interrupted after 0 of 200000"):
        fetch(plan(sess_ns=2), attempts=2)


def test_a_server_without_ranges_sends_all_again(plan, archive, tmp_path):
    archive.cut = 120_000
    with pytest.raises(DownloadError):
        fetch(plan())
    archive.cut, archive.ranges = None, False
    done = fetch(plan())
    assert (tmp_path / "data" / done["path"][0]).read_bytes() == content(0)


def test_corrupted_content_is_refused_and_removed(plan, archive, tmp_path):
    bad = bytearray(content(0))
    bad[150_000] ^= 1
    archive.offer = bytes(bad)
    with pytest.raises(DownloadError, match="another checksum"):
        fetch(plan())
    assert files(tmp_path / "data") == []
    archive.offer = None
    assert fetch(plan())["state"][0] == "present"


def test_a_partial_file_with_wrong_bytes_is_refused(plan, archive, tmp_path):
    archive.cut = 120_000
    with pytest.raises(DownloadError):
        fetch(plan())
    archive.cut = None
    part = next((tmp_path / "data").rglob("*.part"))
    part.write_bytes(b"x" * part.stat().st_size)
    with pytest.raises(DownloadError, match="another checksum"):
        fetch(plan())
    assert files(tmp_path / "data") == []


@pytest.mark.parametrize("size", [SIZE - 10, SIZE + 10])
@pytest.mark.parametrize("announce", [True, False])
def test_content_of_another_size_is_refused(plan, archive, tmp_path, size, announce):
    archive.offer, archive.announce = content(0, size), announce
    longer = announce or size > SIZE
    with pytest.raises(DownloadError, match="refused" if longer else "interrupted"):
        fetch(plan())
    assert not list((tmp_path / "data").rglob("*.nwb")) and (not longer or files(tmp_path / "data") == [])


def test_without_sha256_the_etag_is_verified(plan, archive, tmp_path):
    archive.sha256 = False
    table = plan()
    assert table["sha256"][0] == "" and table["etag"][0].endswith("-1")
    archive.offer = content(0)[:-1] + b"?"
    with pytest.raises(DownloadError, match="another checksum"):
        fetch(table)
    archive.offer = None
    assert fetch(table)["state"][0] == "present"


def test_a_file_that_changed_on_disk_is_found_and_replaced(plan, tmp_path):
    table = fetch(plan())
    file = tmp_path / "data" / table["path"][0]
    file.write_bytes(b"?" + file.read_bytes()[1:])
    assert plan()["state"][0] == "present" and plan(verify=True)["state"][0] == "different"
    fetch(plan())
    assert file.read_bytes() == content(0)
    file.write_bytes(b"short")
    assert plan()["state"][0] == "different"


def test_one_bad_file_does_not_stop_the_others(plan, archive, tmp_path):
    table = plan(sess_ns=(1, 2))
    table.loc[0, "url"] = table["url"][0].replace(table["url"][0].split("/")[-3], str(uuid.uuid4()))
    with pytest.raises(DownloadError, match=r"1 of 2 files failed: .*758519303.*404"):
        fetch(table)
    assert files(tmp_path / "data") == [table["path"][1]]


def test_sessions_that_the_archive_lacks_are_named(plan, archive):
    archive.assets = [pair for pair in archive.assets if "759189643" not in pair[0]["path"]]
    with pytest.warns(UserWarning, match=r"\[759189643\]: they are left out"):
        assert len(plan(sess_ns=(1, 2))) == 1
    with pytest.raises(ValueError, match="nothing to download"):
        plan(sess_ns=2)
    with pytest.raises(ValueError, match="version = '9' is not at"):
        plan(version="9")


def test_a_path_out_of_the_folder_is_refused(plan, archive):
    for asset, _ in archive.assets:
        asset["path"] = f"../../{asset['path']}"
    with pytest.raises(ValueError, match="leads out of the folder"):
        plan()


def test_a_server_that_is_down_gives_a_clear_error(mice, tmp_path):
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=r"127.0.0.1:1/api' does not answer"):
        plan_download(tmp_path, mouse_table=mice, api_url="http://127.0.0.1:1/api")
    assert time.monotonic() - start < 5


def test_a_full_disk_is_noticed_before(plan, archive, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 10}))
    with pytest.raises(DownloadError, match=r"0\.00 GB free"):
        fetch(plan())
    assert not downloads(archive)


def test_only_a_plan_can_be_downloaded():
    with pytest.raises(ValueError, match="plan lacks the columns"):
        download(pd.DataFrame({"path": ["a"]}))
