"""Make panels of the papers: compute their data, draw them, keep both; draw again from what is kept."""

from __future__ import annotations

import io
import json
import os
import time
import traceback
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netlib.base.checks import check_integer, check_type
from netlib.base.fingerprint import fingerprint, hash_files
from netlib.base.provenance import atomic_write, hash_of, versions
from netlib.base.workers import run_jobs
from netlib.openscope.metadata import LAYERS
from netlib.openscope.mice import TABLE_NAME, MouseTable, find_file
from netlib.openscope.panels import Panel, find_panels
from netlib.openscope.parameters import PAPER_SEED, Parameters, SessPar, group_key, sort_sessions
from netlib.openscope.session import Session

__all__ = [
    "PROVENANCE",
    "Outcome",
    "Place",
    "SessionPool",
    "differing_parameters",
    "place_of",
    "read_data",
    "run_panel",
    "run_panels",
    "write_panel",
]

#: Key of what netlib says of the origin of the data; published files lack it.
PROVENANCE = "provenance"


@dataclass(frozen=True)
class Outcome:
    """What became of a panel.

    Attributes
    ----------
    name : str
        Such as "analysis Fig 4D".
    state : {"computed", "redrawn", "schematic", "failed"}
    place : Place or None
        Its files.
    message : str
        Why it failed, or what to know of it.
    trace : str
        Where in the code it failed.
    seconds : float
        Time it took (s).
    """

    name: str
    state: str
    place: Place | None = None
    message: str = ""
    trace: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What is common to the panels of a run."""

    output: Path
    datadir: Path | None
    mouse_table: Any
    plot_only: bool
    overwrite: bool
    run: str = ""


def run_panels(
    paper: str = "analysis",
    figures: str | int | Iterable[str | int] = "all",
    panels: str | Iterable[str] = "all",
    *,
    datadir: str | os.PathLike | None = None,
    sessions: Sequence[Session] | None = None,
    mouse_table: Any = None,
    output: str | os.PathLike = ".",
    plot_only: bool = False,
    full_power: bool = False,
    n_permutations: int | None = None,
    jobs: int = 1,
    seed: int | str = "paper",
    overwrite: bool = False,
) -> list[Outcome]:
    """Make panels; one that fails does not stop the others.

    The data of a panel are written beside its picture (see :func:`place_of`). Data that are
    there already, made with the same parameters and, where they say so, from the same sessions, are drawn again.

    Parameters
    ----------
    paper, figures, panels
        As in :func:`netlib.openscope.panels.find_panels`.
    datadir, sessions, mouse_table
        As in :class:`SessionPool`; not needed with ``plot_only``.
    output : path
        Folder of the results.
    plot_only : bool
        Draw from kept data, ours or published ones, whatever their parameters.
    full_power : bool
        The published number of permutations, else the fewest that the tests allow.
    n_permutations : int, optional
        Another number of permutations.
    jobs : int
        Processes, each making one panel at a time, or all one panel of decoders; the results do not depend on it.
    seed : int or "paper"
        Master seed; "paper" is 905, that of all published panels.
    overwrite : bool
        Compute again.

    Returns
    -------
    list of Outcome
        One per panel, in the order of the paper.

    Raises
    ------
    ValueError
        If a figure or panel does not exist, or the options contradict each other.
    FileNotFoundError
        If there is no such folder of data.
    """
    chosen = find_panels(paper, figures, panels)
    jobs = check_integer("jobs", jobs, 1, 1024, "processes")
    seed = PAPER_SEED if seed == "paper" else check_integer("seed", seed, 0, 2**63 - 1)
    if plot_only and overwrite:
        raise ValueError("plot_only and overwrite contradict each other: plot_only keeps the data as they are")
    if sessions is not None and jobs > 1:
        raise ValueError(f"jobs = {jobs} needs datadir: sessions that are open cannot be sent to other processes")
    settings = Settings(
        Path(output), None if datadir is None else Path(datadir), mouse_table, plot_only, overwrite, uuid.uuid4().hex
    )
    options = {"full_power": full_power, "seed": seed, "n_permutations": n_permutations}
    todo = [(panel, panel.run_parameters(**options)) for panel in chosen]
    computable = [one for one, _ in todo if one.computable]
    if jobs > 1 and len(computable) > 1:
        if not plot_only:
            SessionPool(settings.datadir, None, mouse_table).close()  # errors about the folder, once
        return run_jobs(_run_in_process, [(p, parameters, settings) for p, parameters in todo], jobs)
    pool = None if plot_only else SessionPool(settings.datadir, sessions, mouse_table)
    try:
        return [run_panel(p, parameters, settings, pool, jobs) for p, parameters in todo]
    finally:
        if pool is not None:
            pool.close()


#: Sessions of the run that this process works for, by the name of the run.
_pools: dict[str, SessionPool] = {}


def _run_in_process(panel: Panel, parameters: Parameters, settings: Settings) -> Outcome:
    """A panel in a process of its own, whose sessions stay open for its next panel."""
    for other in _pools.keys() - {settings.run}:  # processes outlive a run
        _pools.pop(other).close()
    if settings.run not in _pools and not settings.plot_only:
        _pools[settings.run] = SessionPool(settings.datadir, None, settings.mouse_table)
    return run_panel(panel, parameters, settings, _pools.get(settings.run))


def run_panel(
    panel: Panel, parameters: Parameters, settings: Settings, pool: SessionPool | None, workers: int = 1
) -> Outcome:
    """Make one panel, or say why it could not be made."""
    if not panel.computable:
        return Outcome(panel.name, "schematic", message=panel.reason)
    start, place = time.perf_counter(), place_of(panel, parameters, settings.output)
    try:
        state, message = _make(panel, parameters, settings, pool, place, workers)
        return Outcome(panel.name, state, place, message, seconds=time.perf_counter() - start)
    except Exception as error:  # whatever it was, the other panels go on
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        text = f"{panel.name}: {text or type(error).__name__}"
        return Outcome(panel.name, "failed", place, text, traceback.format_exc(), time.perf_counter() - start)


def _make(
    panel: Panel, parameters: Parameters, settings: Settings, pool: SessionPool | None, place: Place, workers: int
) -> tuple[str, str]:
    """Compute or redraw a panel: what was done, and what to know of it."""
    title, draw = f"{panel.name}: {panel.title}", panel.draw
    if settings.plot_only:
        if not place.data.is_file():
            raise FileNotFoundError(f"{place.data} is not there: plot_only draws from kept data")
        data = read_data(place.data)
        write_panel(place, None, draw(data), title)
        other = differing_parameters(data, parameters)
        return "redrawn", f"drawn with other values of {', '.join(other)}" if other else ""
    tracked = bool(parameters.analyspar and parameters.analyspar.tracked)
    sessions, note = pool.select(parameters.sesspar, tracked)
    seed, contents = parameters.extra("seed", PAPER_SEED), [_content(session) for session in sessions]
    key = hash_of([fingerprint(panel.compute), parameters.to_json(), seed, contents])
    kept = None if settings.overwrite else _kept(place, parameters, key)
    if kept is not None:
        write_panel(place, None, draw(kept), title)
        return "redrawn", note
    options = {"workers": workers} if panel.parallel else {}
    tables = panel.compute(sessions, parameters, seed, **options)
    # No date: the same panel is the same file, whatever the number of processes.
    facts = {"panel": panel.name, "title": panel.title, "seed": seed, "versions": versions(), "note": note, "key": key}
    facts["sessions"] = [f"{s.metadata.sessid}: {content}" for s, content in zip(sessions, contents, strict=True)]
    data = {**parameters.to_json(), **tables}
    data[PROVENANCE] = facts | {"content": _checksum(data)}
    write_panel(place, data, draw(data), title)
    return "computed", note


def _kept(place: Place, parameters: Parameters, key: str) -> dict[str, Any] | None:
    """Kept data of a panel, if whole and of this key; published data, which have no key, if of these parameters."""
    if not place.data.is_file():
        return None
    try:
        data = read_data(place.data)
    except ValueError:
        return None
    facts = data.get(PROVENANCE)
    if facts is None:
        return None if differing_parameters(data, parameters) else data
    content = {name: value for name, value in data.items() if name != PROVENANCE}
    return data if facts.get("key") == key and facts.get("content") == _checksum(content) else None


def _checksum(data: Mapping[str, Any]) -> str:
    """Hash of data as they are after writing and reading."""
    return hash_of(json.loads(_json(data)))


# ---------------------------------------------------------------- the sessions a panel needs


class SessionPool:
    """Sessions of a folder, or given ones; each is opened when a panel first asks for it, and stays open.

    Parameters
    ----------
    datadir : path, optional
        Folder in which the NWB files lie at any depth. With a table of mice files are found by its sessions; without
        one every ``sub-*_ses-*.nwb`` is opened and must itself say mouse, session, line and plane.
    sessions : sequence of Session, optional
        Open sessions, instead of a folder.
    mouse_table : path or MouseTable, optional
        By default the ``mouse_df.csv`` in the folder, if there is one.

    Raises
    ------
    ValueError
        If neither or both of folder and sessions are given.
    FileNotFoundError
        If there is no such folder, or no NWB file in it.
    """

    def __init__(
        self,
        datadir: str | os.PathLike | None = None,
        sessions: Iterable[Session] | None = None,
        mouse_table: str | os.PathLike | MouseTable | None = None,
    ) -> None:
        if (datadir is None) == (sessions is None):
            raise ValueError("give either datadir, a folder of NWB files, or sessions")
        self.datadir = None if datadir is None else Path(datadir)
        self._opened: dict[Any, Session] = {}
        self._given = None
        if sessions is not None:
            self._given = [check_type("sessions", session, Session) for session in sessions]
            self.table = None
            return
        if not self.datadir.is_dir():
            raise FileNotFoundError(
                f"{self.datadir}: no such folder; `netlib openscope download` and `simulate` make one"
            )
        beside = self.datadir / TABLE_NAME
        table = mouse_table if mouse_table is not None else beside if beside.is_file() else None
        self.table = None if table is None else MouseTable.of(table)

    def select(self, sesspar: SessPar, tracked: bool = False) -> tuple[list[Session], str]:
        """Sessions that a panel needs, open, and what to say of those that are not there.

        Mice that a panel names are examples of their groups: where one is absent another mouse of the group with the
        same sessions takes its place. Of tracked ROIs a mouse must have all the sessions.

        Parameters
        ----------
        sesspar : SessPar
            What the panel asks for.
        tracked : bool
            Show only tracked ROIs.

        Raises
        ------
        ValueError
            If no session is left.
        """
        found, missing = self._all(sesspar)
        kept = [s for s in found if _fits(s, sesspar)]
        numbers = set(sesspar.sess_n)
        if tracked:
            there: dict[Any, set] = {}
            for session in kept:
                there.setdefault(session.metadata.mouse_n, set()).add(session.metadata.sess_n)
            kept = [s for s in kept if there[s.metadata.mouse_n] >= numbers and s.tracking_ids is not None]
        kept, replaced = _examples(kept, sesspar)
        if not kept:
            what = "mouse with all of the sessions, and tracked ROIs," if tracked else "session"
            raise ValueError(f"no {what} {sorted(numbers)} of {_criteria(sesspar)} among {len(found)} sessions found")
        for session in kept:
            if session.tracked_only != tracked:
                session.tracked_only = tracked
        notes = [f"{missing} sessions of the table have no file"] if missing else []
        return sort_sessions(kept), "; ".join([*notes, *replaced])

    def close(self) -> None:
        """Close the files that were opened here."""
        for session in self._opened.values():
            session.close()
        self._opened.clear()

    def __enter__(self) -> SessionPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self, sesspar: SessPar) -> tuple[list[Session], int]:
        """Sessions that may fit, and how many of the table's have no file."""
        if self._given is not None:
            return self._given, 0
        if self.table is None:
            paths = sorted(p for p in self.datadir.rglob("sub-*_ses-*.nwb") if "ophys" in p.name)
            if not paths:
                raise FileNotFoundError(f"{self.datadir}: no file sub-*_ses-*ophys*.nwb in it")
            return [self._open(path) for path in paths], 0
        rows = self.table.select(
            sess_n=list(sesspar.sess_n), runtype=sesspar.runtype, pass_fail=sesspar.pass_fail, plane=sesspar.plane,
            line=sesspar.line, incl=sesspar.incl, min_rois=sesspar.min_rois,
        )  # fmt: skip
        sessions, missing = [], 0
        for row in rows.itertuples():
            try:
                sessions.append(self._open(find_file(self.datadir, row.sessid, row.mouseid)))
            except FileNotFoundError:
                missing += 1
        if not sessions:
            raise FileNotFoundError(f"{self.datadir} has none of the {missing} sessions of {self.table.path} asked for")
        return sessions, missing

    def _open(self, path: Path) -> Session:
        if path not in self._opened:
            self._opened[path] = Session.open(path, mouse_table=self.table)
        return self._opened[path]


def _fits(session: Session, sesspar: SessPar) -> bool:
    """Whether a session is one that the panel asks for; facts that are not known do not speak against it."""
    facts, (line, plane) = session.metadata, group_key(session)
    short = {layer.replace("/", ""): name for name, layer in LAYERS.items()}
    wanted = {"line": short.get(sesspar.line, sesspar.line), "plane": sesspar.plane, "runtype": sesspar.runtype}
    wanted |= {"pass_fail": sesspar.pass_fail}
    known = {"line": line, "plane": plane, "runtype": facts.runtype, "pass_fail": facts.pass_fail}
    if any(value not in ("all", "any", known[name]) and known[name] is not None for name, value in wanted.items()):
        return False
    return facts.sess_n in sesspar.sess_n and len(session.roi_ids) >= sesspar.min_rois


def _examples(sessions: Sequence[Session], sesspar: SessPar) -> tuple[list[Session], list[str]]:
    """Sessions of the mice that a panel names, or of others of the same groups, and which were replaced."""
    if sesspar.mouse_n in ("any", "all"):
        return list(sessions), []
    named = np.atleast_1d(sesspar.mouse_n).tolist()
    groups: dict[Any, dict[int, set]] = {}
    for session in sort_sessions(sessions):
        mice = groups.setdefault(group_key(session), {})
        mice.setdefault(session.metadata.mouse_n, set()).add(session.metadata.sess_n)
    chosen, replaced = [], []
    for mice in groups.values():
        present = [mouse for mouse in named if mouse in mice]
        if not present:
            present = [max(mice, key=lambda mouse: (len(mice[mouse]), -mouse))]
            replaced.append(f"mouse {present[0]} stands for one of the paper's mice {named}")
        chosen += present
    if len(named) == 1 and len(chosen) > 1:
        chosen = [mouse for mouse in chosen if mouse in named] or chosen[:1]
        replaced = [note for note in replaced if f"mouse {chosen[0]} " in note]
    return [s for s in sessions if s.metadata.mouse_n in chosen], replaced


def _criteria(sesspar: SessPar) -> str:
    asked = {"mouse_n": sesspar.mouse_n, "line": sesspar.line, "plane": sesspar.plane, "pass_fail": sesspar.pass_fail}
    return ", ".join(f"{name} = {value}" for name, value in asked.items() if value not in ("any", "all")) or "any mouse"


def _content(session: Session) -> str:
    """Hash of all that a session holds: of its file, or of its arrays."""
    if session.path is not None:
        return hash_files([session.path])[0]
    return session.fingerprint()


# ---------------------------------------------------------------- files of a panel


@dataclass(frozen=True)
class Place:
    """Files of a panel: ``svg`` and, in a folder ``data_files`` beside it, ``data`` (JSON)."""

    svg: Path
    data: Path


def place_of(panel: Panel, parameters: Parameters, output: Path | str = ".") -> Place:
    """Where a panel goes: beside the published one's place if power or seed are not those of the paper.

    Examples
    --------
    >>> from netlib.openscope.panels import panel
    >>> one = panel("analysis", "2", "B")
    >>> place_of(one, one.parameters).svg.as_posix()
    'analysis_paper/Fig2/panel_B.svg'
    >>> place_of(one, one.run_parameters(seed=3)).data.as_posix()
    'analysis_paper/Fig2/panels_with_diff_params/data_files/panel_B_lower_power_seed3.json'
    """
    folder, name = Path(output) / f"{panel.paper}_paper" / f"Fig{panel.figure}", f"panel_{panel.letter}"
    if parameters != panel.parameters:
        folder = folder / "panels_with_diff_params"
        if parameters.permpar != panel.parameters.permpar:
            name += "_lower_power"
        if parameters.extra("seed") not in (None, PAPER_SEED):
            name += f"_seed{parameters.extra('seed')}"
    return Place(folder / f"{name}.svg", folder / "data_files" / f"{name}.json")


def read_data(path: Path) -> dict[str, Any]:
    """Data of a panel.

    Raises
    ------
    ValueError
        If the file holds no such data.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}): remove it, or use --overwrite") from None
    if not isinstance(data, dict) or not any(name.endswith("_df") for name in data):
        raise ValueError(f"{path} holds no table (..._df): it is not the data of a panel")
    return data


def differing_parameters(data: Mapping[str, Any], parameters: Parameters) -> list[str]:
    """Names of the parameters of stored data that are not the ones wanted, such as ``permpar.n_perms``."""
    wanted = parameters.to_json()
    found = {name: value for name, value in data.items() if not name.endswith("_df") and name != PROVENANCE}
    names = []
    for name in sorted({*wanted, *found}):
        left, right = wanted.get(name), found.get(name)
        if not isinstance(left, dict) or not isinstance(right, dict):
            names += [name] * (left != right)
            continue
        keys = sorted({*left, *right})
        names += [f"{name}.{key}" for key in keys if left.get(key) != right.get(key)]
    return names


def write_panel(place: Place, data: Mapping[str, Any] | None, figure: Figure, title: str) -> None:
    """Write picture and data (if given) of a panel: both are made in memory first, then written, each atomically.

    What a killed run left of an earlier attempt, under hidden names, is removed.
    """
    for path in (place.svg, place.data):
        for left in path.parent.glob(f".{path.name}.*") if path.parent.is_dir() else ():
            left.unlink(missing_ok=True)
    picture = _svg(figure, title)
    text = None if data is None else _json(data)
    if text is not None:
        atomic_write(place.data, lambda file: file.write(text))
    atomic_write(place.svg, lambda file: file.write(picture))


def _json(data: Mapping[str, Any]) -> bytes:
    """JSON in the published dialect, in which a number that is missing is NaN."""
    return json.dumps(data, indent=1).encode()


def _svg(figure: Figure, title: str) -> bytes:
    import matplotlib

    from netlib import __version__
    from netlib.figures.style import STYLE

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        # No date: the same panel is the same file.
        metadata = {"Title": title, "Creator": f"netlib {__version__}", "Date": None}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()
