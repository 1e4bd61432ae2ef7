"""Which behaviour is it, from the activity of a set of neurons? A linear support-vector machine on blocked splits.

Neighbouring bins are nearly the same bin. Dealt at random to training and test they make a classifier look good that
knows nothing (:func:`leakage`); here whole stretches of time go to one side, with a gap between. Behaviours do not last
equally long: scores are means over behaviours, and classes are weighted. More neurons decode better, so sets of
different sizes say little side by side: they are compared in equal numbers (:func:`matched_scores`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer
from netlib.base.fields import Declared, choice, integer, number
from netlib.base.seeds import simulator_seed, stream
from netlib.pathways.behaviour import block_groups
from netlib.statistics.mice import mouse_sign_test
from netlib.statistics.resampling import adjust_p_values
from netlib.statistics.splits import Split, blocked_splits

__all__ = [
    "Decoding",
    "DecodingTest",
    "Svm",
    "cluster_model",
    "code_scores",
    "decode_behaviour",
    "decoding_test",
    "leakage",
    "learning_curve",
    "matched_scores",
    "paired_clusters",
    "random_splits",
    "size_control",
    "summarise_draws",
]


@dataclass(frozen=True)
class Svm(Declared):
    """The classifier and how time is split.

    Attributes
    ----------
    kernel : {"linear", "rbf"}
        Of the machine.
    C : float
        Inverse strength of the penalty.
    splits : {"blocked", "random"}
        Groups of bins to one side, or single bins at random (to show what that does).
    n_folds : int
        Every bin is tested once.
    block : float
        Length of a group (ms), where groups are not given.
    gap : float
        Training bins within this time of a test bin are left out (ms).
    seed : int
        Of the splits.
    """

    kernel: str = choice("linear", ("linear", "rbf"))
    C: float = number(1.0, "", 0, low_open=True)
    splits: str = choice("blocked", ("blocked", "random"))
    n_folds: int = integer(5, 2, unit="folds")
    block: float = number(30_000.0, "ms", 0, low_open=True)
    gap: float = number(2000.0, "ms", 0)
    seed: int = 0

    def model(self):
        """Scale each neuron by the training bins, then the machine with balanced classes."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "linear":
            machine = LinearSVC(C=self.C, class_weight="balanced", dual="auto", tol=1e-3, random_state=0)
        else:
            machine = SVC(C=self.C, class_weight="balanced")
        return make_pipeline(StandardScaler(), machine)


@dataclass(frozen=True, eq=False)
class Decoding:
    """How well behaviours are told apart, over all test bins.

    Attributes
    ----------
    balanced_accuracy : float
        Mean of the recalls of the behaviours that were tested; chance is ``chance``.
    accuracy : float
        Share of bins that were right: a classifier that always says the longest behaviour has a high one.
    recall : Series
        Per behaviour; NaN for one that was never tested.
    confusion : DataFrame of int
        Bins of a behaviour (row) that were taken for another (column).
    chance : float
        1 / number of behaviours tested.
    n_neurons, n_bins : int
        Size.
    """

    balanced_accuracy: float
    accuracy: float
    recall: pd.Series
    confusion: pd.DataFrame
    chance: float
    n_neurons: int
    n_bins: int


@dataclass(frozen=True, eq=False)
class DecodingTest:
    """A score against those with labels shifted in time: ``p`` = (1 + #) / (1 + N), one-sided."""

    score: Decoding
    null: np.ndarray
    p: float


def random_splits(n: int, n_folds: int, seed: int) -> list[Split]:
    """Folds of single bins, each test set once: what must not be done with a signal that has memory."""
    order = stream(seed, "random folds").permutation(n)
    folds = [np.sort(order[k::n_folds]) for k in range(n_folds)]
    return [(np.setdiff1d(np.arange(n), test), test) for test in folds]


def decode_behaviour(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Iterable[str],
    *,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
) -> Decoding:
    """Decode the behaviour of each bin from activity in it.

    Parameters
    ----------
    features : array_like, shape (n_bins, n_neurons)
        Activity (:func:`~netlib.pathways.behaviour.bin_activity`) of any set of neurons.
    labels : array_like of int, shape (n_bins,)
        Behaviour of each bin (:func:`~netlib.pathways.behaviour.bin_labels`); -1 is left out.
    times : array_like, shape (n_bins,)
        Centre of each bin (ms), rising.
    names : sequence of str
        Behaviours by number.
    groups : array_like of int, shape (n_bins,), optional
        Stretches that stay together, such as cycles (:func:`~netlib.pathways.behaviour.cycle_groups`); by default
        blocks of ``svm.block``.
    svm : Svm, optional
        Classifier and splits.

    Returns
    -------
    Decoding

    Raises
    ------
    ValueError
        If shapes differ, a feature is NaN, or fewer than two behaviours have bins.
    """
    svm = Svm() if svm is None else svm
    x, y, when, group, names = _checked(features, labels, times, groups, names, svm)
    if svm.splits == "random":
        splits = random_splits(len(y), svm.n_folds, svm.seed)
    else:
        seed = simulator_seed(svm.seed, "behaviour folds")
        splits = blocked_splits(
            y, group, when / 1000.0, n_folds=svm.n_folds, gap=svm.gap / 1000.0, seed=seed, strict=False
        )
    counts = np.zeros((len(names), len(names)), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*failed to converge.*")
        for train, test in splits:
            if len(np.unique(y[train])) >= 2:
                np.add.at(counts, (y[test], svm.model().fit(x[train], y[train]).predict(x[test])), 1)
    return _scored(counts, names, x.shape[1])


def _checked(features, labels, times, groups, names, svm):
    x = check_array("features", features, ndim=2)
    y, when, names = np.asarray(labels), check_array("times", times, "ms", ndim=1), list(names)
    group = block_groups(when, svm.block) if groups is None else np.asarray(groups)
    if not len(x) == len(y) == len(when) == len(group):
        raise ValueError(
            f"features has {len(x)} bins, labels {len(y)}, times {len(when)}, groups {len(group)}: they must be one"
        )
    if y.size and not (y.min() >= -1 and y.max() < len(names)):
        raise ValueError(f"labels run from {y.min()} to {y.max()}: they must be in [0, {len(names)}), or -1 for none")
    keep = y >= 0
    if len(np.unique(y[keep])) < 2:
        raise ValueError(f"labels hold {len(np.unique(y[keep]))} behaviours: at least 2 are needed to tell apart")
    return x[keep], y[keep].astype(int), when[keep], group[keep], names


def _scored(counts: np.ndarray, names: list[str], n_neurons: int) -> Decoding:
    shown = counts.sum(axis=1)
    recall = np.divide(np.diag(counts), shown, out=np.full(len(names), np.nan), where=shown > 0)
    total = int(shown.sum())
    return Decoding(
        balanced_accuracy=float(np.nanmean(recall)) if total else float("nan"),
        accuracy=float(np.trace(counts) / total) if total else float("nan"),
        recall=pd.Series(recall, names, name="recall"),
        confusion=pd.DataFrame(counts, names, names),
        chance=1.0 / max(int((shown > 0).sum()), 1),
        n_neurons=n_neurons,
        n_bins=total,
    )


def decoding_test(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Iterable[str],
    *,
    n_shifts: int = 39,
    guard: float = 20_000.0,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
) -> DecodingTest:
    """Compare the balanced accuracy with that of labels shifted along the session.

    Shifts are evenly spread over the session, at least ``guard`` away from none; the memory of labels and activity, and
    the shares of behaviours, stay as they are.

    Parameters
    ----------
    features, labels, times, names, groups, svm
        As for :func:`decode_behaviour`; all bins of the session at equal distances, those without label too.
    n_shifts : int
        Size of the null, each a new training.
    guard : float
        Shortest shift (ms).
    """
    n_shifts = check_integer("n_shifts", n_shifts, 1)
    labels, names = np.asarray(labels), list(names)
    when = check_array("times", times, "ms", ndim=1)
    step = np.diff(when)
    if not np.allclose(step, step[0]):
        raise ValueError("times are not evenly spaced: a shift of labels needs all bins of the session")
    first = int(np.ceil(guard / step[0]))
    if 2 * first >= len(labels):
        raise ValueError(f"guard = {guard:g} ms leaves no shift in a session of {len(labels) * step[0]:g} ms")
    lags = np.unique(np.linspace(first, len(labels) - first, n_shifts).round().astype(int))
    options = {"groups": groups, "svm": svm}
    score = decode_behaviour(features, labels, times, names, **options)
    null = [decode_behaviour(features, np.roll(labels, k), times, names, **options).balanced_accuracy for k in lags]
    p = (1 + np.sum(np.array(null) >= score.balanced_accuracy - 1e-12)) / (1 + len(null))
    return DecodingTest(score, np.array(null), float(p))


def leakage(
    features: ArrayLike, labels: ArrayLike, times: ArrayLike, names: Iterable[str], *, svm: Svm | None = None
) -> pd.DataFrame:
    """Balanced accuracy of random and of blocked splits, for a linear and a radial kernel.

    Returns
    -------
    DataFrame, rows "linear" and "rbf"
        ``random``, ``blocked`` and ``chance``.
    """
    svm, names, rows = Svm() if svm is None else svm, list(names), {}
    for kernel in ("linear", "rbf"):
        row = {}
        for splits in ("random", "blocked"):
            found = decode_behaviour(features, labels, times, names, svm=replace(svm, kernel=kernel, splits=splits))
            row |= {splits: found.balanced_accuracy, "chance": found.chance}
        rows[kernel] = row
    return pd.DataFrame.from_dict(rows, orient="index")[["random", "blocked", "chance"]]


# ---------------------------------------------------------------- equal numbers of neurons


def matched_scores(
    features: ArrayLike,
    sets: Mapping[str, ArrayLike],
    labels: ArrayLike,
    times: ArrayLike,
    names: Sequence[str],
    *,
    n: int | None = None,
    draws: int = 50,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Decode from the same number of neurons of each set, drawn many times.

    Parameters
    ----------
    features, labels, times, names, groups, svm
        As for :func:`decode_behaviour`.
    sets : mapping of name to array_like
        Neurons of each set (indices, or bool per neuron): clusters, codes, pathways.
    n : int, optional
        Neurons drawn, by default those of the smallest set.
    draws : int
        Draws of each set; one, where the set has no more than ``n``.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        ``set``, ``draw``, ``n``, ``size`` (of the set), ``balanced_accuracy``, ``accuracy``, and ``recall <name>``;
        a set of fewer than ``n`` neurons has a row of NaN: it cannot be matched.

    Raises
    ------
    ValueError
        If the smallest set is empty.
    """
    x = check_array("features", features, ndim=2)
    draws = check_integer("draws", draws, 1)
    members = {name: _members(name, which, x.shape[1]) for name, which in sets.items()}
    smallest = min(members, key=lambda name: len(members[name]))
    if n is None and not len(members[smallest]):
        raise ValueError(f"sets[{smallest!r}] is empty: give n, or leave it out")
    n = check_integer("n", len(members[smallest]) if n is None else n, 1, unit="neurons")
    rows = []
    for name, which in members.items():
        head = {"set": name, "n": n, "size": len(which)}
        if len(which) < n:
            rows.append(head | {"draw": 0, "balanced_accuracy": np.nan, "accuracy": np.nan})
            continue
        for draw in range(draws if len(which) > n else 1):
            chosen = stream(seed, "matched neurons", name, draw).choice(which, n, replace=False)
            found = decode_behaviour(x[:, np.sort(chosen)], labels, times, names, groups=groups, svm=svm)
            scores = {"balanced_accuracy": found.balanced_accuracy, "accuracy": found.accuracy}
            recall = {f"recall {label}": value for label, value in found.recall.items()}
            rows.append(head | {"draw": draw} | scores | recall)
    return pd.DataFrame(rows)


def _members(name: str, which: ArrayLike, n: int) -> np.ndarray:
    which = np.asarray(which)
    if which.dtype == bool:
        if which.shape != (n,):
            raise ValueError(f"sets[{name!r}] has shape {which.shape}: as bool it must be ({n},)")
        return np.flatnonzero(which)
    which = np.unique(which.astype(int))
    if which.size and not 0 <= which.min() <= which.max() < n:
        raise ValueError(f"sets[{name!r}] runs from {which.min()} to {which.max()}: indices must be in [0, {n})")
    return which


def code_scores(
    features: ArrayLike, signs: ArrayLike, labels: ArrayLike, times: ArrayLike, names: Sequence[str], **options
) -> pd.DataFrame:
    """Decode from activated neurons only, inactivated only, and all, in equal numbers.

    Take ``signs`` of another session, or of another part of this one: neurons chosen for how they behave in the bins
    that are decoded, decode these well by chance alone.

    Parameters
    ----------
    signs : array_like, shape (n_neurons, n_labels)
        1, 0, -1 or NaN (:meth:`netlib.pathways.modulation.Modulation.signs`). A neuron with both signs has neither
        code.
    features, labels, times, names, **options
        As for :func:`matched_scores`.

    Returns
    -------
    DataFrame
        As :func:`matched_scores`, sets "activation", "inactivation", "all".
    """
    signs = np.asarray(signs, float)
    up, down = (signs == 1).any(axis=1), (signs == -1).any(axis=1)
    sets = {"activation": up & ~down, "inactivation": down & ~up, "all": np.ones(len(signs), bool)}
    return matched_scores(features, sets, labels, times, names, **options)


def learning_curve(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Sequence[str],
    sizes: Sequence[int] | None = None,
    *,
    draws: int = 20,
    **options,
) -> pd.DataFrame:
    """Score against the number of neurons.

    Parameters
    ----------
    sizes : sequence of int, optional
        Numbers of neurons, by default 1, 2, 5, 10, 20, 50, ... up to all.
    features, labels, times, names, draws, **options
        As for :func:`matched_scores`.
    """
    total = np.shape(features)[1]
    if sizes is None:
        sizes = sorted({s * 10**k for k in range(5) for s in (1, 2, 5) if s * 10**k < total} | {total})
    sets = {"all": np.arange(total)}
    tables = [matched_scores(features, sets, labels, times, names, n=n, draws=draws, **options) for n in sizes]
    return pd.concat(tables, ignore_index=True)


def summarise_draws(table: pd.DataFrame, score: str = "balanced_accuracy") -> pd.DataFrame:
    """Mean, sd and range (2.5 to 97.5 %) of a score over draws, per set and number of neurons.

    Draws share neurons and bins: their sd is not a standard error.
    """
    groups = table.groupby(["set", "n"], sort=False)[score]
    quantile = {name: groups.quantile(q) for name, q in (("low", 0.025), ("high", 0.975))}
    return pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), **quantile, "draws": groups.size()}).reset_index()


# ---------------------------------------------------------------- clusters over mice and sessions


COLUMNS = ("mouse", "session", "cluster", "score", "size")


def _scores(table: pd.DataFrame, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    missing = sorted(set(columns) - set(table.columns))
    if missing:
        raise ValueError(f"table lacks the columns {missing}: it must have {list(columns)}")
    table = table[list(columns)].dropna().reset_index(drop=True)
    if "size" in columns and (table["size"] <= 0).any():
        raise ValueError(f"size = {table['size'].min():g} neurons is out of range: it must be in [1, inf) neurons")
    if len(table) < 4:
        raise ValueError(f"table has {len(table)} rows with a score: at least 4 are needed")
    return table


def size_control(table: pd.DataFrame) -> pd.DataFrame:
    """How much of a cluster's score is its size: slope of the score on log2(size) within mice and sessions.

    Parameters
    ----------
    table : DataFrame
        ``mouse``, ``session``, ``cluster``, ``score`` (one decoding each), ``size`` (neurons).

    Returns
    -------
    DataFrame
        The table with ``adjusted``, the score at the mean log size; ``attrs`` hold ``slope`` (score per doubling),
        ``correlation`` (Pearson, both less their means of mouse and session).
    """
    rows = _scores(table)
    log_size = np.log2(rows["size"].to_numpy(float))
    key = [rows["mouse"], rows["session"]]
    x = log_size - pd.Series(log_size).groupby(key).transform("mean").to_numpy()
    y = (rows["score"] - rows.groupby(["mouse", "session"])["score"].transform("mean")).to_numpy()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 1e-12 else 0.0
    norm = np.sqrt(spread * float(y @ y))
    rows["adjusted"] = rows["score"] - slope * (log_size - log_size.mean())
    rows.attrs.update(slope=slope, correlation=float(x @ y) / norm if norm > 1e-12 else float("nan"))
    return rows


def paired_clusters(table: pd.DataFrame, score: str = "score", method: str = "holm") -> pd.DataFrame:
    """Compare every two clusters within mice: the exact sign-flip test on the differences of each mouse.

    Differences are taken within a session, averaged within a mouse: mice are the unit. With three mice no p can be
    below 0.25, and the column ``smallest_p`` says so.

    Parameters
    ----------
    table : DataFrame
        ``mouse``, ``session``, ``cluster`` and the score.
    score : str
        Its column: "score", or "adjusted" of :func:`size_control`.
    method : str
        Correction over the pairs (:func:`~netlib.statistics.resampling.adjust_p_values`).

    Returns
    -------
    DataFrame
        ``a``, ``b``, ``difference`` (a minus b), ``n_mice``, ``p``, ``p_adjusted``, ``smallest_p``; NaN for pairs that
        fewer than three mice have.
    """
    rows = _scores(table, ("mouse", "session", "cluster", score))
    wide = rows.pivot_table(index=["mouse", "session"], columns="cluster", values=score)
    found = []
    for a, b in combinations(wide.columns, 2):
        difference = (wide[a] - wide[b]).dropna()
        mice = difference.index.get_level_values("mouse").to_numpy()
        head = {"a": a, "b": b, "n_mice": len(set(mice))}
        if head["n_mice"] < 3:
            mean = difference.groupby(level="mouse").mean().mean() if len(difference) else np.nan
            found.append(head | {"difference": mean, "p": np.nan, "smallest_p": np.nan})
            continue
        test = mouse_sign_test(difference.to_numpy(), mice)
        found.append(head | {"difference": test["value"], "p": test["p"], "smallest_p": test["smallest_p"]})
    columns = ["a", "b", "difference", "n_mice", "p", "smallest_p"]
    out = pd.DataFrame(found, columns=columns)
    return out.assign(p_adjusted=adjust_p_values(out["p"].to_numpy(float), method))


def cluster_model(table: pd.DataFrame, mouse: str = "auto") -> dict[str, float | int | str]:
    """Do clusters differ beyond their sizes? Likelihood-ratio test of cluster in a linear model of the scores.

    score ~ cluster + log2(size) + session, with a random intercept of each mouse, by maximum likelihood; with three
    mice or fewer the mouse is a fixed effect (no variance can be estimated), and the result is about these mice only.

    Parameters
    ----------
    table : DataFrame
        As for :func:`size_control`.
    mouse : {"auto", "random", "fixed"}
        How mice enter.

    Returns
    -------
    dict
        ``chi2``, ``df``, ``p`` of cluster; ``size_slope`` (score per doubling), ``n_mice``, ``n_rows``, ``mouse``
        ("random" or "fixed") and ``about`` ("mice like these" or "these mice").
    """
    from scipy.stats import chi2
    from statsmodels.formula.api import mixedlm, ols

    check_choice("mouse", mouse, ("auto", "random", "fixed"))
    rows = _scores(table).assign(log_size=lambda t: np.log2(t["size"]))
    n_mice, n_clusters = rows["mouse"].nunique(), rows["cluster"].nunique()
    if n_clusters < 2:
        raise ValueError(f"table has {n_clusters} cluster with scores: at least 2 are needed to compare")
    if mouse == "auto":
        mouse = "random" if n_mice > 3 else "fixed"
    rest = ["log_size"] if rows["log_size"].std() > 1e-9 else []
    rest += ["C(session)"] if rows["session"].nunique() > 1 else []
    fixed = ["C(mouse)"] if mouse == "fixed" and n_mice > 1 else []

    def fit(terms: list[str]):
        formula = "score ~ " + " + ".join(terms or ["1"])
        if mouse == "fixed":
            return ols(formula, rows).fit()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mixedlm(formula, rows, groups=rows["mouse"]).fit(reml=False)

    full, without = fit(["C(cluster)", *rest, *fixed]), fit([*rest, *fixed])
    value = max(0.0, 2 * (full.llf - without.llf))
    return {
        "chi2": float(value),
        "df": n_clusters - 1,
        "p": float(chi2.sf(value, n_clusters - 1)),
        "size_slope": float(full.params.get("log_size", np.nan)),
        "n_mice": n_mice,
        "n_rows": len(rows),
        "mouse": mouse,
        "about": "mice like these" if mouse == "random" else "these mice",
    }
