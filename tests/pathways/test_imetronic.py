"""The .dat file of the operant box: parse(write(x)) = x, and clear refusals of damaged files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlib.pathways.imetronic import (
    COLUMNS,
    IN_FILE,
    BoxLog,
    empty_events,
    event_table,
    format_imetronic,
    make_header,
    parse_imetronic,
    read_imetronic,
    write_imetronic,
)

text = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff"), max_size=20)
whole = st.integers(-(2**63) + 1, 2**63 - 1)
real = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def logs(draw):
    n = draw(st.integers(0, 6))
    header = draw(st.lists(text, min_size=12, max_size=12))
    if draw(st.booleans()):
        header[-1] = "\t".join(IN_FILE)
    if draw(st.booleans()):
        header.append("\t".join(COLUMNS))
    columns = {"time": np.sort(draw(st.lists(st.integers(0, 10**9), min_size=n, max_size=n))).astype(np.int64)}
    for name in COLUMNS[1:]:
        kind, dtype = draw(st.sampled_from([(whole, np.int64), (real, np.float64)]))
        columns[name] = np.array(draw(st.lists(kind, min_size=n, max_size=n)), dtype)
    return BoxLog(tuple(header), pd.DataFrame(columns))


@given(logs())
def test_what_is_written_is_read(log):
    again = parse_imetronic(format_imetronic(log))
    assert again == log
    assert again.events.dtypes.tolist() == log.events.dtypes.tolist()


@given(logs())
def test_files_too(tmp_path_factory, log):
    assert read_imetronic(write_imetronic(tmp_path_factory.mktemp("dat") / "a.dat", log)) == log


def small():
    rows = [
        {"time": 10, "family": 9, "V": 1},
        {"time": 900, "family": 2, "num": 1, "T": 1},
        {"time": 1000, "family": 2, "num": 1, "T": 1},
        {"time": 2500, "family": 9, "V": 2},
    ]
    return BoxLog(make_header("I2", 3, "FR1"), event_table(rows))


def test_the_layout_is_the_published_one():
    lines = format_imetronic(small()).splitlines()
    assert lines[11].split("\t") == ["time[ms]", "family", "num", "P", "V", "L", "R", "T", "W", "X", "Y", "Z"]
    assert lines[13] == "900\t2\t1\t0\t0\t0\t0\t1\t0\t0\t0\t0"
    assert small().field("subject") == "I2" and small().field("weight") is None
    assert small().end == 2500 and BoxLog(make_header(), empty_events()).end == 0


def test_windows_line_ends_spaces_and_names_after_the_header_are_read():
    lines = format_imetronic(small()).splitlines()
    moved = [*lines[:11], "last of the header", lines[11], *(line.replace("\t", "\t ") for line in lines[12:])]
    again = parse_imetronic("".join(f"{line}\r\n" for line in moved))
    assert again.events.equals(small().events) and len(again.header) == 13
    assert parse_imetronic(format_imetronic(again)) == again


def test_accents_of_another_encoding(tmp_path):
    raw = format_imetronic(small()).replace("I2", "été").encode("latin-1")
    (tmp_path / "a.dat").write_bytes(raw)
    assert read_imetronic(tmp_path / "a.dat").field("subject") == "été"


def changed(line, words):
    lines = format_imetronic(small()).splitlines()
    lines[line - 1] = words
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (format_imetronic(small())[:-1], "line 16: truncated"),
        (format_imetronic(small())[:-12] + "\n", "line 16: truncated, the last line has 7 .* it must have 12"),
        (changed(14, "900\t2\t1"), "line 14: not an Imetronic .dat row, it has 3"),
        (changed(14, "5" + "\t0" * 11), r"line 14: time = 5 ms comes after 10 ms: rows are shuffled"),
        (changed(13, "-5" + "\t0" * 11), "line 13: time = -5 ms is negative"),
        (changed(14, "900\ttwo" + "\t0" * 10), "line 14: family = 'two' is not a number"),
        (changed(14, "900\t1_0" + "\t0" * 10), "line 14: family = '1_0' is not a number"),
        (changed(14, "900\t" + "9" * 30 + "\t0" * 10), "line 14: family = 9+ is too large"),
        (changed(12, "\t".join(["time[ms]", "num", "family", *COLUMNS[3:]])), "line 12: columns are named"),
        ("a\nb\n", "has 2 lines: truncated, or not an Imetronic"),
        ("onset,offset\n" + "1,2\n" * 30, "line 13: not an Imetronic .dat row"),
        ("\0" * 100, "not text"),
        ("", "has 0 lines: truncated"),
    ],
)
def test_damaged_files_are_named_with_their_line(tmp_path, content, words):
    path = tmp_path / "Sess3_D12.dat"
    path.write_text(content)
    with pytest.raises(ValueError, match=words) as error:
        read_imetronic(path)
    assert str(path) in str(error.value)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.dat"):
        read_imetronic(tmp_path / "none.dat")
    with pytest.raises(ValueError, match=r"a\.csv' is not a \.dat file"):
        read_imetronic(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("header", "events", "words"),
    [
        (("",) * 11, empty_events(), "header has 11 lines"),
        (("",) * 13, empty_events(), "names of the columns"),
        (("a\nb", *[""] * 11), empty_events(), "header line 1 = 'a\\\\nb'"),
        (make_header(), empty_events().drop(columns="T"), "events has the columns"),
        (make_header(), event_table([{"time": 5}, {"time": 9}]).iloc[::-1], "row 1: time = 5 ms comes after 9 ms"),
        (make_header(), event_table([{"time": 5}]).assign(P=np.nan), "'P' holds something that is not a finite number"),
    ],
)
def test_logs_that_could_not_be_read_back_are_refused(header, events, words):
    with pytest.raises(ValueError, match=words):
        BoxLog(header, events)


def test_no_half_written_file(tmp_path):
    with pytest.raises(TypeError, match="BoxLog"):
        write_imetronic(tmp_path / "a.dat", small().events)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError, match="'zone'"):
        event_table([{"time": 1, "zone": 2}])
    with pytest.raises(ValueError, match="room for 7"):
        make_header(**{f"field{k}": k for k in range(8)})
