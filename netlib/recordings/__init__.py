"""What was recorded: one object for simulated and real data, and the files of others.

Names load at their first use: importing this room loads neither pynwb nor a simulator.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["from_neo", "from_xarray", "to_neo", "to_xarray"],
        "nwb": ["read_recording", "write_recording"],
        "ophys": ["list_series", "read_ophys", "roi_recording"],
        "readers": ["read_caiman", "read_suite2p"],
        "recording": ["Recording", "Trace"],
        "simulate": ["record_ring"],
    },
)
