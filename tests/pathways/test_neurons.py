"""Changes of neurons between sessions: paired over neurons, over mice beside it, corrected for all contrasts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from netlib.base.seeds import stream
from netlib.pathways.behaviour import GROUPS
from netlib.pathways.neurons import PAIRS, session_contrasts


def make(seed, mice=6, per=20, days=4):
    """A row for each neuron, day and behaviour, none of which matters."""
    rng, parts = stream(seed, "mixed"), []
    for m in range(mice):
        own = rng.integers(0, 6, per)
        base = 1 + 0.1 * rng.normal() + 0.3 * rng.normal(size=per)
        n, d, b = (g.ravel() for g in np.meshgrid(range(per), range(days), range(4), indexing="ij"))
        rate = base[n] + 0.4 * rng.normal(size=len(n))
        facts = {"mouse": f"m{m}", "behaviour": np.array(GROUPS, object)[b], "cluster": own[n], "session": d + 1}
        parts.append(pd.DataFrame({"neuron": [f"m{m}/r{k}" for k in n], **facts, "rate": rate}))
    return pd.concat(parts, ignore_index=True)


def test_contrast_of_one_mouse_is_the_paired_t_test():
    table = make(14, mice=1, per=30, days=2)
    found = session_contrasts(table, [(1, 2)], by=["behaviour"])
    for _, row in found.iterrows():
        wide = table[table["behaviour"] == row["behaviour"]].pivot_table(
            index="neuron", columns="session", values="rate"
        )
        assert row["p"] == pytest.approx(ttest_rel(wide[2], wide[1]).pvalue)
        assert row["difference"] == pytest.approx((wide[2] - wide[1]).mean()) and np.isnan(row["p_mouse"])


def test_contrasts_are_corrected_and_mice_have_their_own_test():
    assert set(PAIRS) >= {(1, 2), (7, 8), (1, 4), (4, 5), (5, 8)}
    flagged, raw = [], []
    for seed in range(5):
        found = session_contrasts(make(seed, per=20, days=4), [(1, 2), (2, 3), (1, 4)])
        flagged.append((found["q"] < 0.1).any())
        raw.append((found["p"] < 0.05).mean())
        assert len(found) == 3 * 6 * 4 and (found["smallest_p_mouse"].dropna() <= 0.25).all()
    assert np.mean(raw) == pytest.approx(0.05, abs=0.03) and np.mean(flagged) <= 0.4
    table = make(20, per=20, days=2)
    table.loc[(table["session"] == 2) & (table["behaviour"] == "food"), "rate"] += 0.4
    found = session_contrasts(table, [(1, 2)], by=["behaviour"]).set_index("behaviour")
    assert (
        found.loc["food", "q"] < 1e-4
        and found.loc["food", "p_mouse"] == 2 / 2**6
        and found["q"].drop("food").min() > 0.01
    )
    assert found.loc["food", "relative"] == pytest.approx(0.4 / found.loc["food", "mean_first"], abs=0.15)


def test_contrasts_without_neurons_say_so():
    table = make(21, per=6, days=2)
    table = table[~((table["cluster"] == 0) & (table["session"] == 2))]
    found = session_contrasts(table, [(1, 2), (1, 8)], least=3)
    none = found[(found["cluster"] == 0) | (found["second"] == 8)]
    assert none["p"].isna().all() and none["status"].str.contains("at least 3").all()
