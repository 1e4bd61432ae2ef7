"""Recordings to and from files: NWB, Neo, xarray, outputs of imaging pipelines, downloads from DANDI."""
