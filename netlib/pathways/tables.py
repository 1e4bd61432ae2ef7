"""Sessions in the layout of the published thesis pipeline: one ``.dat`` and six tables of numbers without header.

=================== ==============================================================================================
Temporal_Components neurons x frames: denoised fluorescence
Time                one row of frame times (s); the last is the length of the session
Peaks_TS            one ragged row of event times (s) per neuron
Peaks_amplitude     their amplitudes, in the same shape
Spatial_Components  200 rows x (320 n) columns: the footprints side by side
Deconvolution       neurons x frames: inferred spikes, 0 or more
=================== ==============================================================================================

Beside the sessions of a mouse there is a Longitudinal_Registration: neurons followed across sessions, which count from
1, with 0 for absent; here they count from 0, and -1 is absent. Numbers are read and written without loss.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from netlib.base.checks import check_type
from netlib.base.provenance import atomic_write
from netlib.pathways.behaviour import segment
from netlib.pathways.imetronic import FORMAT, BoxLog, make_header, read_imetronic, write_imetronic
from netlib.pathways.session import BehaviourSession, check_length, frame_clock
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol

__all__ = [
    "FIELD",
    "TABLES",
    "check_label",
    "read_csv_session",
    "read_ragged",
    "read_registration",
    "read_table",
    "write_csv_session",
    "write_ragged",
    "write_registration",
    "write_table",
]

#: Tables of a session, by the name of their column in a manifest, and their name in file names.
TABLES = {
    "temporal_components": "Temporal_Components",
    "time": "Time",
    "peaks_ts": "Peaks_TS",
    "peaks_amplitude": "Peaks_amplitude",
    "spatial_components": "Spatial_Components",
    "deconvolution": "Deconvolution",
}
#: Rows and columns of a footprint (pixels).
FIELD = (200, 320)


def read_csv_session(
    files: Mapping[str, str | os.PathLike],
    *,
    mouse: str,
    pathway: str,
    session: int,
    schedule: str,
    footprints: bool = True,
    field: tuple[int, int] = FIELD,
) -> BehaviourSession:
    """Read a session of the published layout.

    Parameters
    ----------
    files : mapping of path
        ``dat``, ``temporal_components`` and ``time``, and any of the other :data:`TABLES`.
    mouse, pathway, session, schedule
        Whose session it is.
    footprints : bool
        Read the spatial components too.
    field : (int, int)
        Rows and columns of a footprint (pixels).

    Returns
    -------
    BehaviourSession
        Trace "dff" are the temporal components, "events" the deconvolution (counts per frame), spikes the peaks.
        Irregular frames are laid on a regular grid (:mod:`netlib.pathways.session`) and the
        provenance says so.

    Raises
    ------
    FileNotFoundError
        If files are missing: all are named.
    ValueError
        If a file is damaged, cut short, of another mouse or session, or files contradict each other.
    """
    files = {name: Path(path) for name, path in files.items()}
    _check_there(files)
    log = read_imetronic(files["dat"])
    check_label(log, mouse, session, str(files["dat"]))
    clock = frame_clock(read_table(files["time"]).ravel() * 1000.0, str(files["time"]))
    temporal = read_table(files["temporal_components"])
    _same(files, "temporal_components", "frames", temporal.shape[1], "time", len(clock.ends))
    n = len(temporal)
    traces = {"dff": Trace(clock.traces(temporal), np.arange(n), clock.dt, "dF/F")}
    if "deconvolution" in files:
        counts = _deconvolution(files, temporal.shape)
        traces["events"] = Trace(clock.counts(counts), np.arange(n), clock.dt, "counts")
    index, time, amplitude = _peaks(files, n, clock.duration)
    images = _images(files, n, field) if footprints and "spatial_components" in files else None
    check_length(log.events, clock.duration, source=str(files["dat"]))
    recording = Recording(
        neurons=pd.DataFrame({"population": pathway, "orientation": np.full(n, np.nan), "cell": np.arange(n)}),
        spike_index=index,
        spike_time=time,
        duration=clock.duration,
        protocol=Protocol(pd.DataFrame({"onset": [0.0], "duration": [clock.duration]})),
        traces=traces,
        provenance={"source": "CSV", "regular_frames": clock.regular, "frames": len(clock.ends)},
    )
    return BehaviourSession(
        mouse=mouse,
        pathway=pathway,
        session=session,
        schedule=schedule,
        events=log.events,
        intervals=segment(log.events, clock.duration),
        duration=clock.duration,
        recording=recording,
        footprints=images,
        amplitudes=amplitude,
    )


def _check_there(files: Mapping[str, Path]) -> None:
    for name in ("dat", "time", "temporal_components"):
        if name not in files:
            raise KeyError(f"files lacks {name!r}: it must name 'dat', 'time' and 'temporal_components'")
    missing = [f"{name}: {path}" for name, path in files.items() if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"files are missing ({len(missing)}): {'; '.join(missing)}")


def check_label(log: BoxLog, mouse: str, session: int, source: str) -> None:
    """Refuse a file of our own that says it is of another mouse or session; headers of others are not interpreted.

    Raises
    ------
    ValueError
        If the header contradicts the label.
    """
    if log.field("format") != FORMAT:
        return
    for name, value in (("subject", mouse), ("session", str(session))):
        written = log.field(name)
        if written and written != value:
            raise ValueError(f"{source} is mis-labelled: its header says {name} {written!r}, expected {value!r}")


def _same(files: Mapping[str, Path], name: str, what: str, found: int, other: str, expected: int) -> None:
    if found != expected:
        raise ValueError(
            f"{files[name]} has {found} {what} and {files[other]} has {expected}: "
            "one is truncated, or they are of different sessions"
        )


def _deconvolution(files: Mapping[str, Path], shape: tuple[int, int]) -> np.ndarray:
    counts = read_table(files["deconvolution"])
    _same(files, "deconvolution", "neurons", counts.shape[0], "temporal_components", shape[0])
    _same(files, "deconvolution", "frames", counts.shape[1], "temporal_components", shape[1])
    if not (counts >= 0).all():
        cell, frame = np.argwhere(~(counts >= 0))[0]
        raise ValueError(
            f"{files['deconvolution']}, line {cell + 1}, value {frame + 1}: {counts[cell, frame]:g} is out of range: "
            "counts must be 0 or more; is it another table?"
        )
    return counts


def _peaks(files: Mapping[str, Path], n: int, duration: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Cell, time (ms) and amplitude of all events in order of time."""
    if "peaks_ts" not in files:
        return np.zeros(0, np.int32), np.zeros(0), None
    rows = read_ragged(files["peaks_ts"])
    _same(files, "peaks_ts", "neurons", len(rows), "temporal_components", n)
    for k, row in enumerate(rows):
        if len(row) and ((np.diff(row) < 0).any() or row[0] < 0 or row[-1] * 1000.0 > duration + 1e-3):
            raise ValueError(
                f"{files['peaks_ts']}, line {k + 1}: event times must rise from 0 to the session's end "
                f"({duration / 1000:g} s); it is shuffled, in another unit, or of another session"
            )
    lengths = [len(row) for row in rows]
    index = np.repeat(np.arange(n, dtype=np.int32), lengths)
    time = np.minimum(np.round(np.concatenate([*rows, []]) * 1000.0, 6), duration)
    order = np.lexsort((index, time))
    amplitude = None
    if "peaks_amplitude" in files:
        heights = read_ragged(files["peaks_amplitude"])
        _same(files, "peaks_amplitude", "neurons", len(heights), "peaks_ts", n)
        for k, (row, length) in enumerate(zip(heights, lengths, strict=True)):
            _same(files, "peaks_amplitude", f"events in line {k + 1}", len(row), "peaks_ts", length)
        amplitude = np.concatenate([*heights, []])[order]
    return index[order], time[order], amplitude


def _images(files: Mapping[str, Path], n: int, field: tuple[int, int]) -> np.ndarray:
    flat = read_table(files["spatial_components"]).astype(np.float32)
    height, width = field
    if flat.shape != (height, width * n):
        raise ValueError(
            f"{files['spatial_components']} has {flat.shape[0]} rows and {flat.shape[1]} columns: for {n} neurons "
            f"it must have {height} and {width} x {n} = {width * n}; it is truncated, or of another session"
        )
    return np.ascontiguousarray(flat.reshape(height, n, width).transpose(1, 0, 2))


def write_csv_session(session: BehaviourSession, folder: str | os.PathLike) -> dict[str, Path]:
    """Write a session in the published layout; :func:`read_csv_session` gives it back.

    Each file is whole or absent. Parts the session does not have (footprints, events, amplitudes) are not written.

    Parameters
    ----------
    session : BehaviourSession
        With a recording that has a trace "dff" of all its neurons.
    folder : path
        Folder of the mouse; file names hold mouse, day (D), session (Sess) and schedule.

    Returns
    -------
    dict of path
        The files, by column of a manifest.
    """
    recording = check_type("session", session, BehaviourSession).recording
    if recording is None or "dff" not in recording.traces:
        raise ValueError(f"{session!r} has no trace 'dff': the CSV layout needs one")
    n, dff = len(recording), recording.traces["dff"]
    if len(dff.cells) != n or (np.asarray(dff.cells) != np.arange(n)).any():
        raise ValueError("trace 'dff' is of some neurons only, or in another order: it must be of all, in order")
    folder = Path(folder)
    header = session.truth.get("header") or make_header(session.mouse, session.session, session.schedule)
    name = f"{session.mouse}_D{session.session:02d}_Sess{session.session}_{session.schedule}.dat"
    files = {"dat": write_imetronic(folder / name, BoxLog(header, session.events))}
    of = np.asarray(recording.spike_index)
    parts = {
        "temporal_components": dff.values,
        "time": ((np.arange(dff.values.shape[1]) + 1) * (dff.dt / 1000.0))[None],
        "peaks_ts": [recording.spike_time[of == k] / 1000.0 for k in range(n)],
    }
    if session.amplitudes is not None:
        parts["peaks_amplitude"] = [session.amplitudes[of == k] for k in range(n)]
    if session.footprints is not None:
        parts["spatial_components"] = session.footprints.transpose(1, 0, 2).reshape(session.footprints.shape[1], -1)
    if "events" in recording.traces:
        parts["deconvolution"] = recording.traces["events"].values
    for part, values in parts.items():
        path = folder / f"{session.mouse}_Sess{session.session}_{TABLES[part]}.csv"
        files[part] = (write_ragged if isinstance(values, list) else write_table)(path, values)
    return files


# ---------------------------------------------------------------- registration


def read_registration(
    path: str | os.PathLike, n_sessions: int | None = None, n_cells: Sequence[int] | None = None
) -> np.ndarray:
    """Read a table of neurons followed across sessions.

    Parameters
    ----------
    path : path
        Longitudinal_Registration: numbers from 1, 0 where the neuron was not seen.
    n_sessions : int, optional
        How many columns there must be.
    n_cells : sequence of int, optional
        How many neurons each session has.

    Returns
    -------
    ndarray of int, shape (n_registered, n_sessions)
        Local indices from 0; -1 where absent.

    Raises
    ------
    ValueError
        If a number is not whole, negative or too large, or a neuron of a session is registered twice.
    """
    table = read_table(path)
    if n_sessions is not None and table.shape[1] != n_sessions:
        raise ValueError(f"{path} has {table.shape[1]} columns: it must have one for each of {n_sessions} sessions")
    bad = ~((table >= 0) & (table == np.round(table)))
    if n_cells is not None:
        bad |= table > np.asarray(n_cells)[None, :]
    if bad.any():
        row, column = np.argwhere(bad)[0]
        most = "" if n_cells is None else f" to {n_cells[column]}, the neurons of session {column + 1}"
        raise ValueError(
            f"{path}, line {row + 1}, value {column + 1}: {table[row, column]:g} must be a whole number from 0{most}"
        )
    index = table.astype(np.int64) - 1
    for column in range(index.shape[1]):
        seen, counts = np.unique(index[index[:, column] >= 0, column], return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f"{path}, column {column + 1}: neuron {seen[counts > 1][0] + 1} is registered {counts.max()} times: "
                "a neuron of a session can be only one registered neuron"
            )
    return index


def write_registration(path: str | os.PathLike, index: np.ndarray) -> Path:
    """Write local indices (n_registered, n_sessions; -1 = absent) as numbers from 1, atomically."""
    index = np.asarray(index)
    if index.ndim != 2 or index.dtype.kind not in "iu" or (index < -1).any():
        raise ValueError(f"index has the shape {index.shape}, {index.dtype}: it must be whole numbers, -1 where absent")
    return write_table(path, index + 1)


# ---------------------------------------------------------------- tables of numbers


COMMA, END, ZERO, NINE = b",\n09"


def _raw(path: str | os.PathLike) -> bytes:
    """The file with plain line ends and no blanks; refuses what is cut short or no text."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r} does not exist, or is not a file")
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    for blank in (b"\r", b" ", b"\t"):
        if blank in raw:
            raw = raw.replace(blank, b"")
    if b"\0" in raw:
        raise ValueError(f"{path} is not a table of numbers: it is not text")
    if not raw:
        raise ValueError(f"{path} is empty: truncated, it must hold a table of numbers")
    if not raw.endswith(b"\n"):
        raise ValueError(f"{path}: truncated, its last line has no end; if nothing is missing, end it")
    return raw


def read_table(path: str | os.PathLike) -> np.ndarray:
    """Read a rectangular table of numbers.

    Returns
    -------
    ndarray of float, shape (rows, columns)

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is cut short, ragged, or holds something that is not a number; file and line are named.
    """
    raw = _raw(path)
    data = np.frombuffer(raw, np.uint8)
    stop = np.flatnonzero((data == COMMA) | (data == END))
    start = np.r_[0, stop[:-1] + 1]
    last = np.flatnonzero(data[stop] == END)
    columns = np.diff(last, prepend=-1)
    if (columns != columns[0]).any():
        row = int(np.argmax(columns != columns[0]))
        raise ValueError(
            f"{path}, line {row + 1}: has {columns[row]} values and line 1 has {columns[0]}: "
            "the file is truncated or damaged, lines must be equally long"
        )
    digit = data[start]
    single = (stop - start == 1) & (digit >= ZERO) & (digit <= NINE)
    shape = (len(last), int(columns[0]))
    if single.mean() < 0.5:
        return _dense(raw, shape, path)
    values = (digit - np.uint8(ZERO)).astype(float)
    rest = np.flatnonzero(~single)
    cells = [raw[a:b] for a, b in zip(start[rest].tolist(), stop[rest].tolist(), strict=True)]
    values[rest] = _floats(cells, rest, path, shape[1])
    return values.reshape(shape)


def _dense(raw: bytes, shape: tuple[int, int], path: str | os.PathLike) -> np.ndarray:
    """Values of a table that is mostly long numbers, by NumPy's reader; by ours where that one finds a fault."""
    try:
        values = np.loadtxt(io.BytesIO(raw), delimiter=",", comments=None, ndmin=2, encoding="latin-1")
        if values.shape == shape:
            return values
    except ValueError:
        pass
    cells = raw.replace(b"\n", b",").split(b",")[:-1]
    return np.array(_floats(cells, np.arange(len(cells)), path, shape[1])).reshape(shape)


def _floats(cells: list[bytes], places: np.ndarray, path: str | os.PathLike, columns: int) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError:
        for cell, place in zip(cells, places.tolist(), strict=True):
            try:
                float(cell)
            except ValueError:
                line, column = divmod(place, int(columns))
                words = cell.decode("utf-8", "replace")[:40]
                raise ValueError(f"{path}, line {line + 1}, value {column + 1}: {words!r} is not a number") from None
        raise


def read_ragged(path: str | os.PathLike) -> list[np.ndarray]:
    """Read rows of numbers of any length; a blank line is an empty row, and empty or NaN cells are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is cut short or holds something that is not a number; file and line are named.
    """
    rows = []
    for k, line in enumerate(_raw(path).split(b"\n")[:-1]):
        cells = [cell for cell in line.split(b",") if cell]
        values = np.array(_floats(cells, np.full(len(cells), k), path, 1))
        rows.append(values[~np.isnan(values)])
    return rows


def _texts(row: np.ndarray) -> Iterable[str]:
    """Shortest texts that give the numbers back; whole numbers without a point."""
    row = np.asarray(row) if np.asarray(row).dtype.kind in "iubf" else np.asarray(row, float)
    if row.dtype.kind in "iub":
        return map(str, row.astype(np.int64).tolist())
    if (np.abs(row) < 1e15).all() and (row == np.round(row)).all():
        return map(str, row.astype(np.int64).tolist())
    some = np.flatnonzero(row)
    numbers = row[some].astype(str).tolist() if row.dtype == np.float32 else list(map(repr, row[some].tolist()))
    if len(some) == len(row):
        return numbers
    texts = np.full(len(row), "0", object)
    texts[some] = numbers
    return texts.tolist()


def write_ragged(path: str | os.PathLike, rows: Sequence[np.ndarray]) -> Path:
    """Write rows of numbers of any length, atomically; :func:`read_ragged` gives them back."""
    lines = [",".join(_texts(np.asarray(row))) for row in rows]
    return atomic_write(path, lambda file: file.write("".join(f"{line}\n" for line in lines).encode()))


def write_table(path: str | os.PathLike, table: np.ndarray) -> Path:
    """Write a table of numbers, atomically; :func:`read_table` gives it back.

    Raises
    ------
    ValueError
        If it has no rows or no columns.
    """
    table = np.asarray(table)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"table has the shape {table.shape}: it must be (rows, columns), not empty")

    def write(file: object) -> None:
        for row in table:
            file.write(",".join(_texts(row)).encode() + b"\n")

    return atomic_write(path, write)
