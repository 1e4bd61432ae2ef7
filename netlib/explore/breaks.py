"""Ways to break a network, and to understand it by that: states with what they do and why, as buttons of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netlib.explore.run import Measures
from netlib.explore.state import ExplorerState

__all__ = ["BREAKS", "Break"]


@dataclass(frozen=True)
class Break:
    """A state that shows one thing.

    Attributes
    ----------
    title : str
        What the button says.
    changes : mapping
        What differs from the default :class:`~netlib.explore.state.ExplorerState`.
    explanation : str
        What happens, with numbers, and why.
    expect : mapping
        Range of each measure (:class:`~netlib.explore.run.Measures`) in the networks of seeds 1 to 3; the tests
        run them. None where there must be no such number (NaN).
    """

    title: str
    changes: Mapping[str, Any]
    explanation: str
    expect: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)

    def state(self, seed: int = 1) -> ExplorerState:
        """The state."""
        return ExplorerState(**self.changes, seed=seed)

    def surprises(self, measures: Measures) -> list[str]:
        """What is not as expected, one line each."""
        found = []
        for name, bounds in self.expect.items():
            value = getattr(measures, name)
            fine = math.isnan(value) if bounds is None else bounds[0] <= value <= bounds[1]
            if not fine:
                found.append(f"{self.title}: {name} = {value:.3g}, expected {bounds or 'none'}")
        return found


#: The states of the page's buttons, the first the default.
BREAKS = {
    "normal": Break(
        "normal",
        {},
        "The ring as it should be: E cells fire 7 to 9 Hz, irregularly (CV2 near 0.75), in a bump of about 25° half "
        "width that follows the stimulus to within 4°. The bump is narrower than the input's (31 to 38°), and it stays "
        "so at low contrast.",
        {"rate": (6, 11), "hwhh": (22, 29), "hwhh_input": (29, 40), "error": (0, 6), "irregularity": (0.6, 0.9)},
    ),
    "low_contrast": Break(
        "low contrast",
        {"contrast": 0.1},
        "A tenth of the contrast: the rate falls about fourfold (2 Hz), the width hardly changes (26 to 29°). That is "
        "contrast invariance. Noise in the sum of 36 inputs smooths the threshold into a power law, which sharpens the "
        "same at all contrasts.",
        {"rate": (1, 3.5), "hwhh": (23, 32), "error": (0, 8)},
    ),
    "iceberg": Break(
        "iceberg",
        {"input": 0.5},
        "Half the weight of the input: only its tip still reaches threshold. E cells fire 0.5 to 2 Hz, and the bump is "
        "15° wide instead of 25°. A threshold without noise would do this at low contrast too: the iceberg effect.",
        {"rate": (0.2, 2.5), "hwhh": (12, 19), "error": (0, 6)},
    ),
    "silence": Break(
        "silence",
        {"I_to_E": 6.0},
        "Inhibition of E cells six times as strong: I cells are driven by the input itself, so they need no E cell to "
        "fire. They go on at 13 to 16 Hz; E cells fall to about 0.2 Hz and tell nothing about the stimulus.",
        {"rate": (0, 0.6), "rate_I": (10, 20), "hwhh": None},
    ),
    "runaway": Break(
        "runaway",
        {"I_to_E": 0.0},
        "No inhibition of E cells, as under bicuculline: excitation feeds on itself until refractoriness stops it, at "
        "about 250 Hz in every cell, as regular as a clock. Cells differ by a sixth of that, and no width can be "
        "fitted: tuning is gone. (Read from that many spikes, the orientation is still right to 2°.)",
        {"rate": (200, 300), "irregularity": (0, 0.1), "hwhh": None, "error": (0, 3)},
    ),
    "epilepsy": Break(
        "epilepsy",
        {"E_to_E": 2.0, "width_E": 6.0},
        "Recurrent excitation twice as strong and as wide as the ring: any local bump ignites all cells. They fire "
        "together in bursts 15 to 20 times a second (spike counts in 2 ms vary 50 times as much as those of "
        "independent cells) until inhibition catches up; the bump keeps less than a third of its depth.",
        {"rate": (40, 85), "synchrony": (25, 90), "modulation": (0, 0.33), "frequency": (15, 20)},
    ),
    "lost_tuning": Break(
        "lost tuning",
        {"width_I": 0.1, "I_to_E": 3.0},
        "Inhibition as narrow as a few degrees: a cell is inhibited by its like alone, and nothing cuts the flanks. "
        "The bump widens from 25° to 36°, as wide as the input: the network has stopped sharpening, though cells fire "
        "less than twice as much as before.",
        {"rate": (11, 17), "hwhh": (33, 41)},
    ),
    "frozen": Break(
        "frozen bump",
        {"E_to_E": 2.4},
        "Recurrent excitation 2.4 times as strong: the first bump holds itself, at about 200 Hz, too wide (37 to 80° "
        "in ten of twelve networks; two have no fit), and stays where it is while the stimulus turns away: the "
        "orientation read from it is 27 to 36° wrong on average, where chance is 45°. A memory where there should be a "
        "sense.",
        {"rate": (170, 240), "hwhh": (35, 85), "error": (20, 45)},
    ),
    "phantom": Break(
        "phantom",
        {"network": "bump", "contrast": 0.0},
        "Another network (slow local excitation, broad inhibition), and nothing to see: activity gathers in one place "
        "all the same (vector length over the ring 0.8 in every tenth of a second, where 1 is a point) and stays "
        "there. With its E to E weight halved there is no bump (0.2).",
        {"rate": (3, 9), "rate_I": (25, 45), "synchrony": (4, 20), "irregularity": (0.1, 0.5)},
    ),
}
