"""Resampling, permutation tests, statistics over animals, mixed models, honest splits."""
