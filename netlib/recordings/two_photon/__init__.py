"""Sessions of two-photon imaging over NWB: one handle, two clocks, lazy slices; simulated ones are the same object."""
