"""What file names tell: numbers of sessions and days, natural order, names to leave out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netlib.units import check_choice

__all__ = ["EXCLUDED", "FoundFile", "eight_sessions", "find_sessions", "is_excluded", "natural_key", "number_in"]

#: Names that mark files to leave out: baselines, and sessions that do not count.
EXCLUDED = ("BASELINE", "nc")


@dataclass(frozen=True)
class FoundFile:
    """A file with what its name tells: ``session`` of ``Sess<number>`` and ``day`` of ``D<number>``, None without."""

    path: Path
    session: int | None
    day: int | None


def natural_key(name: str) -> tuple:
    """Key that sorts numbers in names by value.

    Examples
    --------
    >>> sorted(["Sess10", "Sess2", "Sess1"], key=natural_key)
    ['Sess1', 'Sess2', 'Sess10']
    """
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if k % 2 else (-1, part.lower()) for k, part in enumerate(parts))


def number_in(name: str, prefix: str) -> int | None:
    """Number after ``prefix`` ("Sess" or "D") in the name of a file, None without; of several, the last.

    The last, because a mouse may be called D1_3. A letter right before the prefix makes it part of a word.

    Examples
    --------
    >>> number_in("data/D1_3_D12_FR1.dat", "D"), number_in("I2_Sess4_Time.csv", "Sess"), number_in("a.csv", "D")
    (12, 4, None)
    """
    check_choice("prefix", prefix, ("Sess", "D", "FR"))
    found = re.findall(rf"(?<![A-Za-z]){prefix}(\d+)", Path(name).name)
    return int(found[-1]) if found else None


def is_excluded(name: str, exclude: Iterable[str] = EXCLUDED) -> bool:
    """Tell whether a file name holds a word to leave out: the word itself, not letters of a longer one.

    Examples
    --------
    >>> is_excluded("I2_BASELINE_D1.dat"), is_excluded("I2_D3_nc.dat"), is_excluded("Once_Sequence.dat")
    (True, True, False)
    """
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", Path(name).name) for word in exclude)


def find_sessions(pattern: str, folder: str | os.PathLike = ".", exclude: Sequence[str] = EXCLUDED) -> list[FoundFile]:
    """Files that match a pattern, in order of session, then day, then name (numbers by value).

    Parameters
    ----------
    pattern : str
        Such as ``"I2/*.dat"`` or ``"**/*Peaks_TS*.csv"``, relative to ``folder``.
    folder : path
        Where to look.
    exclude : sequence of str
        Words whose files are left out (:func:`is_excluded`).

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or nothing in it matches.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder = {str(folder)!r} does not exist, or is not a folder")
    paths = [path for path in folder.glob(pattern) if path.is_file() and not is_excluded(path.name, exclude)]
    if not paths:
        raise FileNotFoundError(f"pattern = {pattern!r} matches no file in {str(folder)!r} (left out: {list(exclude)})")
    found = [FoundFile(path, number_in(path.name, "Sess"), number_in(path.name, "D")) for path in paths]
    last = float("inf")

    def key(file: FoundFile) -> tuple:
        numbers = tuple(last if n is None else n for n in (file.session, file.day))
        return (*numbers, natural_key(file.path.relative_to(folder).as_posix()))

    return sorted(found, key=key)


def eight_sessions(schedules: Sequence[str]) -> list[int]:
    """Places of the first two and last two sessions of FR1, then of FR5, as the published analysis chose them.

    Raises
    ------
    ValueError
        If a schedule has fewer than four sessions.

    Examples
    --------
    >>> eight_sessions(["FR1"] * 6 + ["FR5"] * 4)
    [0, 1, 4, 5, 6, 7, 8, 9]
    """
    chosen = []
    for schedule in ("FR1", "FR5"):
        places = [k for k, s in enumerate(schedules) if s == schedule]
        if len(places) < 4:
            raise ValueError(f"schedules hold {len(places)} sessions of {schedule}: eight need 4 of FR1 and 4 of FR5")
        chosen += places[:2] + places[-2:]
    return chosen
