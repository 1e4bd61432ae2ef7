"""Measures of responses of any recording: counts, tuning fits, selectivity, decoding, spiking statistics.

Knows nothing of where a recording came from.
"""

from netlib.tuning.counts import counting_windows, psth, psth_of_spikes, response_counts, tuning_curves
from netlib.tuning.decoding import (
    circular_correlation,
    content_correlation,
    content_orientation,
    decode_over_time,
    decode_recording,
    decoding_error,
    held_out_labels,
    orientation_rates,
    population_vector,
)
from netlib.tuning.fit import fit_tuning, fit_tuning_continuous
from netlib.tuning.naka_rushton import fit_naka_rushton
from netlib.tuning.selectivity import (
    circular_variance,
    circular_variance_of_counts,
    direction_index,
    half_width,
    orientation_index,
    preferred_orientation,
    sparseness,
)
from netlib.tuning.spiking import fano_factor, isi_cv, isi_cv2, population_summary, spike_intervals
from netlib.tuning.tables import fit_population, fit_trace_tuning, population_profile, trace_means, tuning_table

__all__ = [
    "circular_correlation",
    "circular_variance",
    "circular_variance_of_counts",
    "content_correlation",
    "content_orientation",
    "counting_windows",
    "decode_over_time",
    "decode_recording",
    "decoding_error",
    "direction_index",
    "fano_factor",
    "fit_naka_rushton",
    "fit_population",
    "fit_trace_tuning",
    "fit_tuning",
    "fit_tuning_continuous",
    "half_width",
    "held_out_labels",
    "isi_cv",
    "isi_cv2",
    "orientation_index",
    "orientation_rates",
    "population_profile",
    "population_summary",
    "population_vector",
    "preferred_orientation",
    "psth",
    "psth_of_spikes",
    "response_counts",
    "sparseness",
    "spike_intervals",
    "trace_means",
    "tuning_curves",
    "tuning_table",
]
