"""What was recorded: one object for simulated and real data."""

from netlib.recordings.recording import Recording, Trace
from netlib.recordings.simulate import record_ring

__all__ = ["Recording", "Trace", "record_ring"]
