"""Measures of responses: counts, tuning, selectivity, decoding. Knows nothing of where a recording came from."""

from netlib.analysis.content import circular_correlation, content_correlation, content_orientation, orientation_rates
from netlib.analysis.count_variance import circular_variance_of_counts
from netlib.analysis.counts import counting_windows, psth, psth_of_spikes, response_counts, tuning_curves
from netlib.analysis.decoding import decode_recording, decoding_error, population_vector
from netlib.analysis.membrane import fit_trace_tuning, trace_means
from netlib.analysis.naka_rushton import fit_naka_rushton
from netlib.analysis.population_decoding import decode_over_time, held_out_labels
from netlib.analysis.profile import population_profile
from netlib.analysis.selectivity import (
    circular_variance,
    direction_index,
    half_width,
    orientation_index,
    preferred_orientation,
)
from netlib.analysis.sparseness import sparseness
from netlib.analysis.spiking import fano_factor, isi_cv, isi_cv2, population_summary, spike_intervals
from netlib.analysis.tables import fit_population, tuning_table
from netlib.analysis.tuning import fit_tuning, fit_tuning_continuous

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
