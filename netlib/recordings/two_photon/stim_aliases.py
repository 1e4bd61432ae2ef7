"""Names that users of the published analysis code know, for the stimuli.

See :mod:`netlib.recordings.two_photon.aliases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.units import check_choice

if TYPE_CHECKING:
    import xarray

__all__ = ["GaborNames", "GrayNames", "StimNames", "VisflowNames"]

#: Codes of the Gabor frames.
GABFR = {0: ["A"], 1: ["B"], 2: ["C"], 3: ["D", "U"], 4: ["G"]}
CLOCKS = ("stim", "twop")
#: Degrees of visual angle per pixel of the screen.
DEG_PER_PIX = 0.06251912565744862


class StimNames:
    """Published names on :class:`~netlib.recordings.two_photon.stim.Stim`. "any" means no restriction."""

    deg_per_pix = DEG_PER_PIX
    sess = property(lambda self: self.session)
    stim_fps = property(lambda self: self.session.stim_fps)
    stim_params = property(lambda self: self.parameters)
    seg_len_s = property(lambda self: self.parameters["segment_s"])

    def get_stim_df_by_criteria(
        self,
        *,
        unexp: Any = "any",
        stim_seg: Any = "any",
        gabfr: Any = "any",
        gabk: Any = "any",
        gab_ori: Any = "any",
        visflow_size: Any = "any",
        visflow_dir: Any = "any",
        start_frame_twop: Any = "any",
    ) -> pd.DataFrame:
        """Rows that meet the criteria. ``gabfr``: letters, or 0 A, 1 B, 2 C, 3 D and U, 4 G."""
        criteria = {"rows": stim_seg, "frame": _letters(gabfr), "kappa": gabk, "orientation": gab_ori}
        criteria |= {"size": visflow_size, "direction": visflow_dir, "frames_twop": start_frame_twop}
        unexp = unexp[0] if isinstance(unexp, (list, tuple)) and len(unexp) == 1 else unexp
        if unexp in (0, 1):
            criteria["unexpected"] = bool(unexp)
        return self.select(**{k: v for k, v in criteria.items() if not (isinstance(v, str) and v == "any")})

    def get_segs_by_criteria(self, *, remconsec: bool = False, by: str = "seg", **criteria: Any) -> Any:
        """Numbers of the segments; ``remconsec``: the first of consecutive ones; ``by="block"``: one array each."""
        segs = self.get_stim_df_by_criteria(**criteria).index.to_numpy()
        segs = segs[np.diff(segs, prepend=-9) != 1] if remconsec else segs
        return self._by(segs, by)

    def get_frames_by_criteria(
        self, *, start_fr: bool = True, fr_type: str = "twop", by: str = "frame", **criteria: Any
    ) -> Any:
        """First frames of the segments, or all their frames; ``by="block"``: one array each."""
        segs = self.get_segs_by_criteria(by="block" if by == "block" else "seg", **criteria)
        if by == "block":
            return [self._frames(part, fr_type, start_fr) for part in segs]
        return self._frames(segs, fr_type, start_fr)

    def get_segs_by_frame(self, fr: ArrayLike, fr_type: str = "twop") -> np.ndarray:
        """Number of the segment shown at each frame, -1 where this stimulus was not shown."""
        start, stop = (self.rows[f"{edge}_frame_{fr_type}"].to_numpy() for edge in ("start", "stop"))
        fr = np.asarray(fr)
        place = np.searchsorted(start, fr, side="right") - 1
        return np.where((place >= 0) & (fr < stop[place]), self.rows.index.to_numpy()[place], -1)

    def get_fr_by_seg(
        self, segs: ArrayLike, fr_type: str = "twop", *, start: bool = True, stop: bool = True, ch_fl: Any = None
    ) -> pd.DataFrame:
        """First frames and frames after the last of segments; ``ch_fl`` (pre, post) drops those near the ends."""
        names = [f"{edge}_frame_{fr_type}" for edge, asked in (("start", start), ("stop", stop)) if asked]
        rows = self.rows.loc[np.asarray(segs)]
        if ch_fl is not None:
            rows = rows.iloc[self.session.check_flanks(rows[f"start_frame_{fr_type}"], ch_fl, fr_type, ret_idx=True)]
        return rows[names]

    def get_n_fr_by_seg(self, segs: ArrayLike, fr_type: str = "twop") -> np.ndarray:
        return self.rows.loc[np.asarray(segs), f"num_frames_{fr_type}"].to_numpy()

    def get_start_unexp_segs(self, by: str = "seg") -> Any:
        """First segment of each unexpected run."""
        runs = self.runs()
        return self._by(runs.loc[runs["unexpected"], "start_seg"].to_numpy(), by)

    def get_all_unexp_segs(self, by: str = "seg") -> Any:
        return self._by(self.select(unexpected=True).index.to_numpy(), by)

    def get_start_unexp_stim_fr_trans(self, by: str = "frame") -> Any:
        """First stimulus frame of each unexpected run."""
        segs = self.get_start_unexp_segs("block" if by == "block" else "seg")
        return (
            [self._frames(part, "stim", True) for part in segs] if by == "block" else self._frames(segs, "stim", True)
        )

    def get_all_unexp_stim_fr(self) -> np.ndarray:
        return self._frames(self.get_all_unexp_segs(), "stim", False)

    def get_roi_data(
        self,
        ref_fr: ArrayLike,
        pre: float,
        post: float,
        *,
        integ: bool = False,
        rem_bad: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """dF/F (trial, roi, time) around two-photon frames or rows, or its integral over the window."""
        data = self.session.dff(ref_fr, pre, post, scale=scale, nan="drop" if rem_bad else "flag")
        return data.sum("time", skipna=False) / self.session.fps if integ else data

    def get_run_data(
        self, ref_fr: ArrayLike, pre: float, post: float, *, rem_bad: bool = True, scale: bool = False
    ) -> xarray.DataArray:
        """Running velocity (trial, time) around stimulus frames or rows."""
        return self.session.running_around(ref_fr, pre, post, interpolate=rem_bad, scale=scale)

    def get_pup_diam_data(
        self, ref_fr: ArrayLike, pre: float, post: float, *, rem_bad: bool = True, scale: bool = False
    ) -> xarray.DataArray:
        """Diameter of the pupil (trial, time), mm, around two-photon frames or rows."""
        return self.session.pupil_around(ref_fr, pre, post, interpolate=rem_bad, scale=scale)

    def _by(self, segs: np.ndarray, by: str) -> Any:
        if check_choice("by", by, ("seg", "block")) == "seg":
            return segs
        block = self.structure["block"].loc[segs].to_numpy()
        return [segs[block == k] for k in np.unique(block)]

    def _frames(self, segs: np.ndarray, clock: str, first_only: bool) -> np.ndarray:
        check_choice("fr_type", clock, CLOCKS)
        rows = self.rows.loc[segs]
        start, stop = (rows[f"{edge}_frame_{clock}"].to_numpy() for edge in ("start", "stop"))
        return start if first_only else np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)])


class GaborNames:
    """Published names on Gabors alone."""

    n_segs_per_seq = 5
    n_patches = property(lambda self: int(self.rows["gabor_number"].max()))
    kappas = property(lambda self: self.parameters["kappa"])

    def get_A_segs(self, by: str = "seg") -> Any:
        return self.get_segs_by_criteria(gabfr=0, by=by)

    def get_A_frame_1s(self, by: str = "frame") -> Any:
        return self.get_frames_by_criteria(gabfr=0, fr_type="stim", by=by)

    def get_stim_par_by_seg(self, segs: ArrayLike, *, pos: bool = True, ori: bool = True, size: bool = True) -> dict:
        """Places and sizes (pixels) and orientations (degrees) of the patches of segments: arrays per segment."""
        wanted = {"gabor_locations_x": pos, "gabor_locations_y": pos, "gabor_orientations": ori, "gabor_sizes": size}
        found = {name: self.session.ragged(name) for name, asked in wanted.items() if asked}
        return {name: [rows[seg] for seg in np.asarray(segs)] for name, rows in found.items()}


class VisflowNames:
    """Published names on the visual flow alone."""

    main_flow_direcs = property(lambda self: self.parameters["direction"])
    square_sizes = property(lambda self: self.parameters["size"])
    n_squares = property(lambda self: sorted(self.rows["square_number"].dropna().unique()))
    prop_flipped = property(lambda self: float(self.rows["square_proportion_flipped"].max()))

    def get_dir_segs_exp(self, by: str = "seg") -> dict[str, Any]:
        """Expected segments of each direction."""
        return {name: self.get_segs_by_criteria(visflow_dir=name, unexp=0, by=by) for name in self.main_flow_direcs}


class GrayNames:
    """Published names on the gray screen alone."""

    def get_all_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self._frames(self.rows.index, fr_type, False)

    def get_start_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self.rows[f"start_frame_{fr_type}"].to_numpy()

    def get_stop_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self.rows[f"stop_frame_{fr_type}"].to_numpy()


def _letters(gabfr: Any) -> Any:
    if isinstance(gabfr, str):
        return gabfr
    codes = gabfr if isinstance(gabfr, (list, tuple, np.ndarray)) else [gabfr]
    return [letter for code in codes for letter in GABFR.get(code, [code])]
