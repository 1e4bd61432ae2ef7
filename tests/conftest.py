"""What every test needs before the first import: a quiet NEST, no window, and threads that sleep while they wait."""

import os
from pathlib import Path

os.environ.update(PYNEST_QUIET="1", MPLBACKEND="Agg", OMP_WAIT_POLICY="passive", OPENBLAS_NUM_THREADS="1")

import hypothesis
import pytest

# Machines that run several things at once are no reason to fail; the same examples every time are worth more.
hypothesis.settings.register_profile("netlib", deadline=None, derandomize=True)
hypothesis.settings.load_profile("netlib")


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """Folder of the reference files, from the environment variable NETLIB_REFERENCE; without it the test skips."""
    folder = os.environ.get("NETLIB_REFERENCE")
    if not folder:
        pytest.skip("needs reference files: set NETLIB_REFERENCE to their folder")
    if not Path(folder).is_dir():
        pytest.fail(f"NETLIB_REFERENCE is {folder!r}, which is not a folder")
    return Path(folder)
