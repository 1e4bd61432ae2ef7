"""Statistics: permutation and bootstrap, mixed models, tests over mice, splits that do not leak.

Names load at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mice": [
            "design_effect",
            "hierarchical_bootstrap",
            "mixed_model",
            "mouse_interval",
            "mouse_means",
            "mouse_permutation_test",
            "mouse_sign_test",
            "pathway_claim",
            "smallest_p",
        ],
        "mixed_models": ["MixedModel", "fit_mixed_model", "ols_anova", "poisson_gee"],
        "permutation": [
            "PermutationResult",
            "compare_samples",
            "exact_p",
            "joint_difference_test",
            "percent_test",
            "permutation_result",
            "published_p",
        ],
        "resampling": [
            "adjust_p_values",
            "bootstrap_interval",
            "bootstrap_std",
            "bootstrap_values",
            "correlation",
            "relabelled",
        ],
        "splits": ["Split", "blocked_splits", "matched_split", "random_split", "time_blocks"],
    },
)
