"""Two-photon sessions of the credit-assignment experiment, and every panel of its papers.

Gillon, Lecoq et al. 2023, Sci Data 10:287; Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023. A :class:`Session`
is a published file (DANDI 000037) or a simulation; each panel is kept as JSON in the published layout beside its
picture. Names load at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dandi": ["DownloadError", "describe_plan", "download", "plan_download"],
        "metadata": ["SessionMetadata"],
        "mice": ["MouseTable"],
        "nwb_writing": ["write_session"],
        "panels": ["Panel", "find_panels", "panel", "panels_of"],
        "published_names": ["PublishedSession"],
        "session": ["Gabors", "Grayscr", "Session", "Stim", "Visflow"],
        "simulate": ["session_from_recording", "simulate_mouse", "simulate_session"],
        "tracking": ["RoiTracking", "read_roi_tracking", "tracked_order"],
    },
)
