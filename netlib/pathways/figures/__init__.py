"""Figures of the direct and the indirect pathway: each draws results given as arrays and tables, and computes none.

Every function returns a matplotlib Figure, a new one or that given as ``figure``. Names load at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "behaviour": [
            "plot_behaviour_candidates",
            "plot_cycle_histogram",
            "plot_cycles",
            "plot_durations",
            "plot_session_raster",
            "plot_sessions",
            "plot_time_budget",
            "plot_training",
            "plot_transition_matrices",
        ],
        "clusters": [
            "plot_ari_matrix",
            "plot_cluster_choice",
            "plot_cluster_map",
            "plot_comparison",
            "plot_contingency",
            "plot_dendrogram",
            "plot_method_panel",
            "plot_mouse_balance",
        ],
        "neurons": [
            "plot_agreement",
            "plot_best_labels",
            "plot_candidates",
            "plot_follow_matrix",
            "plot_footprints",
            "plot_fractions",
            "plot_guard",
            "plot_labels_per_neuron",
            "plot_neuron_counts",
            "plot_registration",
            "plot_shift_null",
            "plot_sign_confusion",
        ],
        "results": [
            "plot_cluster_changes",
            "plot_codes",
            "plot_confusion",
            "plot_decoding",
            "plot_leakage",
            "plot_learning_curve",
            "plot_mixed_model",
            "plot_mouse_claims",
            "plot_planted",
            "plot_population_components",
            "plot_recall_maps",
            "plot_score_sizes",
            "plot_time_correlation",
            "plot_verdicts",
        ],
    },
)
