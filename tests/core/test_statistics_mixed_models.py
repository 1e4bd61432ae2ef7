"""Mixed models against statsmodels and a dense likelihood, their nulls, refusals and claims on pathways."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, f, kstest, multivariate_normal

from netlib.base.seeds import stream
from netlib.statistics.mice import pathway_claim, smallest_p
from netlib.statistics.mixed_models import (
    OLS_LABEL,
    expand_terms,
    fit_mixed_model,
    fit_nested,
    make_design,
    marginal_terms,
    nested_groups,
    ols_anova,
    poisson_gee,
    simulate_nested,
)

BEHAVIOURS = np.array(["sequence", "zones", "food", "explo"], object)
MAIN = "behaviour + cluster + day"


def make(
    seed, mice=6, per=20, days=4, mouse_sd=0.1, neuron_sd=0.3, noise=0.4, cluster=0.0, pathway=0.0, same_names=False
):
    """A row for each neuron, day and behaviour; the null by default."""
    rng, parts = stream(seed, "mixed"), []
    for m in range(mice):
        own = rng.integers(0, 6, per)
        base = 1 + mouse_sd * rng.normal() + neuron_sd * rng.normal(size=per) + cluster * (own == 0) + pathway * (m % 2)
        n, d, b = (g.ravel() for g in np.meshgrid(range(per), range(days), range(4), indexing="ij"))
        rate = base[n] + noise * rng.normal(size=len(n))
        name = [f"{k}" if same_names else f"m{m}/r{k}" for k in n]
        facts = {"mouse": f"m{m}", "pathway": ("D1", "A2A")[m % 2], "behaviour": BEHAVIOURS[b], "cluster": own[n]}
        parts.append(pd.DataFrame({"neuron": name, **facts, "session": d + 1, "day": d + 1, "rate": rate}))
    return pd.concat(parts, ignore_index=True)


# --- the likelihood


@pytest.mark.parametrize("reml", [False, True])
def test_fit_equals_a_dense_gaussian(reml):
    table = make(1, mice=4, per=5, days=2)
    table = table[stream(1, "gone").random(len(table)) > 0.2].reset_index(drop=True)  # not balanced
    groups, y = nested_groups(table, ("mouse", "neuron")), table["rate"].to_numpy()
    x = make_design(table, ("behaviour", "day")).x
    fit = fit_nested(y, x, groups, reml=reml)

    def dense(mouse, neuron, residual, beta=None):
        v = residual * np.eye(len(y))
        for name, variance in (("mouse", mouse), ("neuron", neuron)):
            code = table.groupby(["mouse", "neuron"][: 1 + (name == "neuron")], sort=False).ngroup().to_numpy()
            v += variance * (code[:, None] == code[None])
        inverse = np.linalg.inv(v)
        best = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y) if beta is None else beta
        value = multivariate_normal(x @ best, v).logpdf(y)
        if reml:
            value += 0.5 * x.shape[1] * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(x.T @ inverse @ x)[1]
        return value, best, np.sqrt(np.diag(np.linalg.inv(x.T @ inverse @ x)))

    value, beta, error = dense(*fit.variances, fit.residual)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-6) and fit.converged
    np.testing.assert_allclose(fit.beta, beta, atol=1e-8)
    np.testing.assert_allclose(fit.std_error, error, rtol=1e-6)
    found = np.array([*fit.variances, fit.residual])
    for k, factor in itertools.product(range(3), (0.9, 1.1)):
        moved = found.copy()
        moved[k] *= factor
        assert dense(*moved)[0] <= value + 1e-6


def test_engines_agree():
    table = make(2, mice=6, per=6, days=2, mouse_sd=0.5)
    ours, theirs = (
        fit_mixed_model(table, "behaviour + cluster", within="none", engine=e) for e in ("closed form", "statsmodels")
    )
    np.testing.assert_allclose(ours.tests["lr"], theirs.tests["lr"], atol=0.02)
    np.testing.assert_allclose(ours.coefficients["estimate"], theirs.coefficients["estimate"], atol=2e-3)
    np.testing.assert_allclose(ours.coefficients["std_error"], theirs.coefficients["std_error"], rtol=0.08)
    for name, variance in ours.variances.items():
        assert theirs.variances[name] == pytest.approx(variance, rel=0.1, abs=2e-3)


def test_variances_are_those_planted():
    found = [fit_mixed_model(make(s, mice=12, per=10, days=2, mouse_sd=0.4), "behaviour").variances for s in range(4)]
    mean = pd.DataFrame(found).mean()
    assert np.sqrt(mean["neuron"]) == pytest.approx(0.3, rel=0.15) and np.sqrt(mean["residual"]) == pytest.approx(
        0.4, rel=0.05
    )
    assert np.sqrt(mean["mouse"]) == pytest.approx(0.4, rel=0.3)


def test_simulated_responses_have_the_variances():
    table = make(3, mice=8, per=10, days=1)
    groups = nested_groups(table, ("mouse", "neuron"))
    fit = fit_nested(table["rate"].to_numpy(), np.ones((len(table), 1)), groups)
    rng = stream(3, "simulate")
    drawn = np.stack([simulate_nested(np.zeros(len(table)), fit, groups, rng) for _ in range(4000)])
    covariance = np.cov(drawn[:, [0, 1, 4, 40]].T)
    mouse, neuron = fit.variances
    expected = [[mouse + neuron + fit.residual, mouse + neuron, mouse, 0]]
    np.testing.assert_allclose(covariance[:1], expected, atol=0.03)


def test_neurons_of_two_mice_with_one_name_are_two():
    one, two = (fit_mixed_model(make(4, per=5, days=2, same_names=s), "behaviour") for s in (True, False))
    np.testing.assert_allclose(one.tests["lr"], two.tests["lr"], atol=1e-6)
    fixed = [fit_mixed_model(make(4, mice=2, per=5, days=2, same_names=s), "behaviour") for s in (True, False)]
    assert fixed[0].variances["neuron"] == pytest.approx(fixed[1].variances["neuron"], abs=1e-8)


# --- the bar: nulls, where least squares fails


def null_rates(seeds, **options):
    tables = [make(seed, **options) for seed in seeds]
    ours = pd.DataFrame([fit_mixed_model(t, MAIN).tests["p"] for t in tables])
    return ours, pd.DataFrame([ols_anova(t)["p"] for t in tables])


def test_least_squares_finds_clusters_where_there_are_none():
    ours, ols = null_rates(range(6), per=8, days=2)
    assert (ours["cluster"] < 0.05).mean() <= 0.34 and (ols["cluster"] < 0.05).mean() >= 0.5


@pytest.mark.slow
def test_null_p_is_uniform():
    ours, ols = null_rates(range(60))
    for term in ("behaviour", "cluster", "day"):
        assert (ours[term] < 0.05).mean() <= 0.1 and kstest(ours[term], "uniform").pvalue > 0.01
    assert (ols["cluster"] < 0.05).mean() >= 0.7 and (ols["mouse"] < 0.05).mean() >= 0.7


def test_tuning_of_single_neurons_is_no_effect_of_behaviour():
    """Each neuron has its own rate in each behaviour, on all days; as independent rows these are effects."""
    found = {"auto": [], "none": []}
    for seed in range(4):
        table = make(seed, mice=4, per=8, days=3)
        code = table.groupby(["neuron", "behaviour"]).ngroup().to_numpy()
        table["rate"] += 0.6 * stream(seed, "own tuning").normal(size=code.max() + 1)[code]
        for within, p in found.items():
            p.append(fit_mixed_model(table, "behaviour * cluster", within=within).tests["p"].astype(float))
    right, wrong = (pd.DataFrame(found[k])[["behaviour", "behaviour:cluster"]] < 0.05 for k in ("auto", "none"))
    assert right.to_numpy().mean() <= 0.25 and wrong.to_numpy().mean() >= 0.4
    variances = fit_mixed_model(table, "behaviour * cluster").variances
    assert list(variances) == ["mouse", "neuron", "behaviour", "residual"]
    assert np.sqrt(variances["behaviour"]) == pytest.approx(0.6, rel=0.25)


def test_planted_effects_are_found():
    table = make(5, per=15, days=3, cluster=0.5)
    table.loc[table["behaviour"] == "sequence", "rate"] += 0.2
    found = fit_mixed_model(table, MAIN)
    assert found.tests.loc["cluster", "q"] < 0.01 and found.tests.loc["behaviour", "q"] < 1e-6
    assert found.tests.loc["day", "p"] > 0.01 and found.tests.loc["cluster", "df"] == 5
    one = found.coefficients.loc["cluster[1]"]
    assert one["high"] < 0 and one["estimate"] == pytest.approx(-0.5, abs=0.25) and one["low"] < -0.5 < one["high"]
    assert one["effect"] == pytest.approx(one["estimate"] / np.sqrt(sum(found.variances.values())))


def test_few_mice_are_tested_as_few():
    """With eight mice chi-squared flags one null pathway in ten or six; the F of eight values does not."""
    tables = [make(s, mice=8, per=4, days=1, mouse_sd=0.3) for s in range(20)]
    tests = pd.DataFrame([fit_mixed_model(t, "pathway").tests.loc["pathway"] for t in tables])
    assert (tests["df_error"] == 6).all() and (tests["p"].astype(float) < 0.05).mean() <= 0.15
    lr = tests["lr"].astype(float)
    np.testing.assert_allclose(tests["p"].astype(float), f.sf(6 * np.expm1(lr / 8), 1, 6))
    assert (tests["p"] >= chi2.sf(lr, 1) - 1e-12).all()
    # Where the mouse's own variance is found, it is the F test of the means of mice.
    means = tables[0].groupby(["pathway", "mouse"])["rate"].mean().unstack(0)
    a, b = (means[p].dropna().to_numpy() for p in ("D1", "A2A"))
    within = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    plain = f.sf((a.mean() - b.mean()) ** 2 * 2 / (within / 6), 1, 6)
    assert tests["p"].iloc[0] == pytest.approx(plain, rel=0.02)


def test_each_term_has_the_freedom_of_its_stratum():
    """Balanced data: F of the classical split-plot table."""
    from statsmodels.stats.anova import AnovaRM

    table = make(15, mice=4, per=10, days=2)
    tests = fit_mixed_model(table, "behaviour + cluster + day").tests
    none = fit_mixed_model(table, "behaviour + cluster + day", within="none").tests["df_error"]
    assert none.tolist() == [320 - 40 - 4, 40 - 4 - 5, 320 - 40 - 4]
    assert tests["df_error"].tolist() == [40 * 3 - 3, 40 - 4 - 5, 40 - 1]
    one = table[table["day"] == 1]
    ours = fit_mixed_model(one, "behaviour").tests.loc["behaviour"]
    classic = AnovaRM(one, "rate", "neuron", within=["behaviour"]).fit().anova_table.iloc[0]
    assert ours["df_error"] == classic["Den DF"] and ours["p"] == pytest.approx(classic["Pr > F"], rel=0.02)


def test_bootstrap_agrees_with_theory():
    table = make(6, mice=4, per=3, days=1)
    found = fit_mixed_model(table, "behaviour", bootstrap=19).tests.loc["behaviour"]
    assert found["p_bootstrap"] == pytest.approx(found["p"], abs=0.3) and found["p_bootstrap"] >= 1 / 20


# --- what cannot be said


def test_three_mice_per_pathway_cannot_support_a_claim():
    found = fit_mixed_model(make(7, per=5, days=1, pathway=5.0), "behaviour * pathway")
    for term in ("pathway", "behaviour:pathway"):
        row = found.tests.loc[term]
        assert row["status"] == "refused" and np.isnan(row["p"]) and "p below 0.1" in row["reason"]
    assert found.coefficients.loc[found.coefficients["term"] == "pathway", "p"].isna().all()
    assert found.tests.loc["behaviour", "status"] == "tested" and "n = 6 mice" in found.statement
    insisted = fit_mixed_model(make(7, per=5, days=1, pathway=5.0), "pathway", insist=True).tests.loc["pathway"]
    assert insisted["status"] == "tested" and insisted["p"] < 0.01
    allowed = fit_mixed_model(make(7, mice=8, per=5, days=1, pathway=5.0), "pathway").tests.loc["pathway"]
    assert allowed["status"] == "tested" and allowed["p"] < 0.01


def test_three_mice_are_a_fixed_effect_and_neurons_the_subject():
    found = fit_mixed_model(make(8, mice=3, per=6, days=1), "behaviour + pathway")
    assert found.mouse == "fixed" and "not about mice in general" in found.statement and "mouse" not in found.variances
    assert found.tests.loc["pathway", "status"] == "refused" and "fixed effect" in found.tests.loc["pathway", "reason"]
    one = make(8, mice=6, per=4, days=1)
    alone = fit_mixed_model(one[one["pathway"] == "D1"], "pathway").tests.loc["pathway"]
    assert alone["status"] == "refused" and "1 levels" in alone["reason"]


def test_terms_that_others_hold_are_not_estimable():
    table = make(9, per=4, days=2).assign(week=lambda t: (t["day"] > 1).astype(int))
    row = fit_mixed_model(table, "day + week").tests.loc["week"]
    assert row["status"] == "not estimable" and row["df"] == 0


@pytest.mark.parametrize(
    "change, options, match",
    [
        (lambda t: t.drop(columns="cluster"), {}, "cluster"),
        (lambda t: t.assign(rate=np.nan), {}, "0 rows"),
        (lambda t: t.assign(rate=1.0), {}, "nothing to explain"),
        (lambda t: t.assign(rate=-1.0 + t["rate"] * 0 - t.index), {"transform": "log1p"}, "log1p"),
        (lambda t: t, {"terms": "behaviour + + day"}, "empty term"),
        (lambda t: t, {"mouse": "none"}, "mouse"),
        (lambda t: t, {"engine": "lme4"}, "engine"),
        (lambda t: t, {"alpha": 0.0}, "alpha"),
    ],
)
def test_faults_are_named(change, options, match):
    with pytest.raises(ValueError, match=match):
        fit_mixed_model(change(make(10, per=3, days=1)), **({"terms": MAIN} | options))


def test_missing_values_and_unassigned_neurons_are_dropped_and_counted():
    table = make(11, per=4, days=2)
    table.loc[:4, "rate"] = np.nan
    table.loc[20:23, "cluster"] = -1
    found = fit_mixed_model(table, "behaviour + cluster")
    assert found.n["dropped"] == 9 and found.n["rows"] == len(table) - 9
    assert fit_mixed_model(table, "behaviour").n["dropped"] == 5


# --- designs


def test_terms_and_designs():
    assert expand_terms("a * b * c", 3)[-1] == "a:b:c" and len(expand_terms("a * b * c", 2)) == 6
    assert marginal_terms(("a", "b", "a:b"), "b") == ("a",)
    table = make(12, per=4, days=3)
    design = make_design(table, ("behaviour", "day", "behaviour:day"))
    assert design.x.shape[1] == 12 == np.linalg.matrix_rank(design.x)
    assert make_design(table, ("day",), linear=("day",)).x[:, 1].mean() == pytest.approx(0)
    assert make_design(table, ("mouse", "pathway")).term.count("pathway") == 0  # a mouse has one pathway


# --- the published table under its true name, and a Poisson model


def test_anova_is_the_sequential_one_of_statsmodels_and_says_what_it_is():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    table = make(13, per=5, days=2)
    found = ols_anova(table)
    plain = anova_lm(ols("rate ~ C(behaviour) + C(cluster) + C(day) + C(mouse)", table).fit(), typ=1)
    np.testing.assert_allclose(found["F"], plain["F"].to_numpy()[:-1])
    np.testing.assert_allclose(found["p"], plain["PR(>F)"].to_numpy()[:-1])
    assert (found["model"] == OLS_LABEL).all() and "independent" in OLS_LABEL


def test_poisson_model_finds_effects_and_not_their_absence():
    p = []
    for seed in range(8):
        table = make(seed, per=8, days=2)
        rng = stream(seed, "counts")
        table["rate"] = rng.poisson(np.exp(table["rate"] + 0.5 * (table["behaviour"] == "food"))).astype(float)
        found = poisson_gee(table, "behaviour + day")
        p.append(found["p"])
        assert (found["groups"] == "neuron").all() and (found["status"] == "tested").all()
    p = pd.DataFrame(p)
    assert (p["behaviour"] < 0.01).mean() >= 0.9 and (p["day"] < 0.05).mean() <= 0.25
    with pytest.raises(ValueError, match="Poisson"):
        poisson_gee(table.assign(rate=-1.0 - table.index))


# --- claims


@pytest.mark.parametrize("n_a, n_b", [(2, 2), (3, 3), (2, 4), (5, 5)])
def test_smallest_p_is_that_of_all_ways(n_a, n_b):
    """The most extreme data: one group far beyond the other."""
    values = np.r_[np.zeros(n_a), 100 + 0.01 * np.arange(n_b)]
    ways = list(itertools.combinations(range(n_a + n_b), n_a))
    gap = [np.delete(values, w).mean() - values[list(w)].mean() for w in ways]
    assert smallest_p(n_a, n_b) == pytest.approx(np.mean(np.abs(gap) >= abs(gap[0]) - 1e-9))


def test_claims_rest_on_mice():
    six = pathway_claim(make(22, pathway=5.0))
    assert not six["supported"] and six["refused"] and six["p"] == pytest.approx(0.1) and "more mice" in six["reason"]
    eight = pathway_claim(make(22, mice=8, pathway=5.0))
    assert eight["supported"] and not eight["refused"] and eight["p"] == pytest.approx(2 / 70) and eight["reason"] == ""
    null = [pathway_claim(make(s, mice=10, per=4, days=1, mouse_sd=0.5)) for s in range(40)]
    assert np.mean([c["supported"] for c in null]) <= 0.15 and all(c["reason"] for c in null if not c["supported"])
    # A thousand neurons are no more mice.
    pooled = make(23, mice=10, per=60, days=1, mouse_sd=0.5)
    assert pathway_claim(pooled)["n_mice"] == 10
    with pytest.raises(ValueError, match="two pathways"):
        pathway_claim(make(24, mice=3, per=3, days=1))
