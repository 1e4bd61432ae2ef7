"""A striatal neuron that learns, keeps and forgets rewarded cortical patterns by anti-Hebbian STDP.

After Perez, Cui, Vignoud, Perrin, Mendes, Touboul & Venance (2022), Cell Reports 38(11):110521. Modules load when
one of their names is first used, so that the command starts without the compiler.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "analysis": [
            "SimulationView",
            "checkpoint_table",
            "compare",
            "curve_table",
            "separability_bound",
            "similarity_table",
            "view_simulation",
            "weight_similarity",
        ],
        "engine": ["Run", "patterns_fire", "simulate"],
        "experiment": ["Result", "run_simulations"],
        "forgetting": ["Forgetting", "fit_forgetting", "forgetting_table", "relearning_time"],
        "grid": ["BLOCKS", "Setting", "article_grid", "run_grid", "summary_table"],
        "model": ["LEGACY", "Parameters", "Phase", "Plan", "draw_plan"],
        "on_nest": ["simulate_on_nest"],
        "options": ["ARTICLE", "PUBLISHED", "article", "default_n_patterns", "from_options"],
    },
)
