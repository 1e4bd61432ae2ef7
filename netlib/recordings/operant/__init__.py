"""Sessions of the operant box with imaging: behaviour files, manifest, segmentation, readers and a generator."""
