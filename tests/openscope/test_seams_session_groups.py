"""Columns of the published tables: each session of a row has its own numbers."""

from _session_maker import METADATA, make_session

from netlib.openscope.parameters import common_columns


def three_mice():
    numbers = {1: 4, 2: 7, 3: 5}
    return [
        make_session(n, mouse, metadata=METADATA | {"mouse_n": mouse, "mouseid": 100 + mouse, "sessid": 200 + mouse})
        for mouse, n in numbers.items()
    ]


def test_each_mouse_of_a_row_has_its_own_columns():
    row = common_columns(three_mice())
    assert row["mouse_ns"] == [1, 2, 3] and row["mouseids"] == [101, 102, 103] and row["sessids"] == [201, 202, 203]
    assert row["nrois"] == [4, 7, 5] and len(row["twop_fps"]) == 3
    assert common_columns(three_mice()[1:2], single=True)["nrois"] == 7
