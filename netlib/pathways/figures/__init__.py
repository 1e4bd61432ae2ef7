"""Every figure of the direct and the indirect pathway by name, so that a report or a command can ask for it.

Each function draws results given as arrays and tables, computes none, and returns a matplotlib Figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from matplotlib.figure import Figure

from netlib.pathways.figures.behaviour import (
    plot_behaviour_candidates,
    plot_cycle_histogram,
    plot_cycles,
    plot_durations,
    plot_session_raster,
    plot_sessions,
    plot_time_budget,
    plot_training,
    plot_transition_matrices,
)
from netlib.pathways.figures.clusters import (
    plot_ari_matrix,
    plot_cluster_choice,
    plot_cluster_map,
    plot_comparison,
    plot_contingency,
    plot_dendrogram,
    plot_method_panel,
    plot_mouse_balance,
)
from netlib.pathways.figures.neurons import (
    plot_agreement,
    plot_best_labels,
    plot_candidates,
    plot_follow_matrix,
    plot_footprints,
    plot_fractions,
    plot_guard,
    plot_labels_per_neuron,
    plot_neuron_counts,
    plot_registration,
    plot_shift_null,
    plot_sign_confusion,
)
from netlib.pathways.figures.results import (
    plot_cluster_changes,
    plot_codes,
    plot_confusion,
    plot_decoding,
    plot_leakage,
    plot_learning_curve,
    plot_mixed_model,
    plot_mouse_claims,
    plot_planted,
    plot_population_components,
    plot_recall_maps,
    plot_score_sizes,
    plot_time_correlation,
    plot_verdicts,
)

#: All figures by name.
FIGURES: Mapping[str, Callable[..., Figure]] = MappingProxyType(
    {
        "session_raster": plot_session_raster,
        "transition_matrices": plot_transition_matrices,
        "cycles": plot_cycles,
        "cycle_histogram": plot_cycle_histogram,
        "durations": plot_durations,
        "sessions": plot_sessions,
        "time_budget": plot_time_budget,
        "training": plot_training,
        "neuron_counts": plot_neuron_counts,
        "follow_matrix": plot_follow_matrix,
        "registration": plot_registration,
        "footprints": plot_footprints,
        "fractions": plot_fractions,
        "labels_per_neuron": plot_labels_per_neuron,
        "best_labels": plot_best_labels,
        "shift_null": plot_shift_null,
        "guard": plot_guard,
        "agreement": plot_agreement,
        "sign_confusion": plot_sign_confusion,
        "cluster_map": plot_cluster_map,
        "dendrogram": plot_dendrogram,
        "method_panel": plot_method_panel,
        "ari_matrix": plot_ari_matrix,
        "cluster_choice": plot_cluster_choice,
        "comparison": plot_comparison,
        "contingency": plot_contingency,
        "mouse_balance": plot_mouse_balance,
        "candidates": plot_candidates,
        "mixed_model": plot_mixed_model,
        "cluster_changes": plot_cluster_changes,
        "decoding": plot_decoding,
        "confusion": plot_confusion,
        "codes": plot_codes,
        "leakage": plot_leakage,
        "learning_curve": plot_learning_curve,
        "recall_maps": plot_recall_maps,
        "score_sizes": plot_score_sizes,
        "time_correlation": plot_time_correlation,
        "population_components": plot_population_components,
        "behaviour_candidates": plot_behaviour_candidates,
        "mouse_claims": plot_mouse_claims,
        "planted": plot_planted,
        "verdicts": plot_verdicts,
    }
)

__all__ = ["FIGURES", *(function.__name__ for function in FIGURES.values())]
