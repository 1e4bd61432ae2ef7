"""From spikes to fluorescence and back: indicators, microscope, baselines, deconvolution, and scores on real cells."""
