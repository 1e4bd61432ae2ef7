"""Tables over seeds: the same for any number of workers, and saved with their provenance."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.seeds import stream
from netlib.sweep import load_table, mean_interval, over_seeds, paired_difference, save_table


def draw(seed: int, scale: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"condition": ["a", "b"], "value": scale * stream(seed, "draw").normal(size=2) + [1.0, 0.0]})


def test_any_number_of_workers_gives_the_same_table():
    one, two = (over_seeds(draw, range(4), workers=w, progress=False, scale=2.0) for w in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert list(one["seed"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert one.attrs["parameters"] == {"scale": 2.0}
    assert one.attrs["seeds"] == [0, 1, 2, 3]


def test_tables_come_back_with_their_provenance(tmp_path):
    table = over_seeds(draw, [5, 6], progress=False)
    back = load_table(save_table(table, tmp_path / "t.csv"))
    pd.testing.assert_frame_equal(back, table, check_like=True, rtol=1e-5)
    assert back.attrs["seeds"] == [5, 6]
    assert "numpy" in back.attrs["versions"]


def test_a_table_without_provenance_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is not a table of netlib"):
        load_table(tmp_path / "t.csv")


@pytest.mark.parametrize(("seeds", "workers", "name"), [([], 1, "seeds"), ([-1], 1, "seed"), ([1], 0, "workers")])
def test_bad_input(seeds, workers, name):
    with pytest.raises(ValueError, match=name):
        over_seeds(draw, seeds, workers=workers, progress=False)


def test_the_interval_covers_the_mean():
    rng = np.random.default_rng(1)
    covered = [low <= 3.0 <= high for _, low, high in (mean_interval(rng.normal(3.0, 2.0, 10)) for _ in range(2000))]
    assert 0.935 < np.mean(covered) < 0.965
    assert np.isnan(mean_interval([1.0])[1])


def test_differences_are_paired_by_seed():
    offset = np.arange(10.0) * 100  # large between seeds, cancelled within each
    rng = np.random.default_rng(2)
    table = pd.DataFrame({
        "seed": np.repeat(np.arange(10), 2), "condition": ["a", "b"] * 10,
        "value": np.repeat(offset, 2) + np.tile([2.0, 0.0], 10) + rng.normal(0, 0.1, 20),
    })  # fmt: skip
    mean, low, high = paired_difference(table, "value", "condition", "a", "b")
    assert mean == pytest.approx(2.0, abs=0.15)  # five standard errors
    assert high - low < 0.5
