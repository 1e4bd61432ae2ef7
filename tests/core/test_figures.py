"""Figures draw the numbers they are given; reports hold all they show."""

import base64
import dataclasses
import html.parser
import re
import subprocess
import sys

import imageio.v2 as imageio
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image as Pillow

from netlib import figures
from netlib.base.orientation import von_mises
from netlib.figures.report import Facts, Image, Section, Table, write_report
from netlib.figures.schematic import projection_profile
from netlib.networks.kernels import OneToOne, Uniform, VonMises
from netlib.networks.parameters import Connection
from netlib.networks.presets import PRESETS, preset
from netlib.recordings.recording import Recording
from netlib.stimuli import Blank, Grating, Movie, NaturalMovie, Protocol
from netlib.tuning import tuning_curves, tuning_table


def make_recording(protocol: Protocol, sizes: dict[str, int], peak: float = 60.0, seed: int = 0) -> Recording:
    """Poisson cells tuned with B_theta = 15 deg, silent in the gaps but for 1 Hz."""
    rng = np.random.default_rng(seed)
    neurons = pd.concat(
        [pd.DataFrame({"population": p, "orientation": 180.0 * np.arange(n) / n}) for p, n in sizes.items()],
        ignore_index=True,
    )
    place = neurons["orientation"].to_numpy()
    index, time = [], []
    stretches = [(0.0, protocol.duration, np.full(len(neurons), 1.0))]
    for (on, off), theta in zip(protocol.windows(), protocol.table["orientation"], strict=True):
        stretches.append((on, off, peak * von_mises(place, theta, 15.0)))
    for on, off, rate in stretches:
        index.append(np.repeat(np.arange(len(neurons)), rng.poisson(rate * (off - on) / 1000)))
        time.append(rng.uniform(on, off, len(index[-1])))
    index, time = np.concatenate(index), np.concatenate(time)
    order = np.argsort(time)
    return Recording(neurons, index[order].astype(np.int32), time[order], protocol.duration, protocol)


@pytest.fixture(scope="module")
def recording() -> Recording:
    protocol = Protocol.tuning(Grating(), orientations=4, duration=300, gap=100, lead=200)
    return make_recording(protocol, {"input": 120, "E": 72, "I": 36})


@pytest.fixture(scope="module")
def tuned() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves and table of 12 cells, the last of them silent."""
    protocol = Protocol.tuning(Grating(), orientations=12, trials=4, duration=500, gap=0, lead=0)
    whole = make_recording(protocol, {"E": 12})
    keep = whole.spike_index != 11
    whole = dataclasses.replace(whole, spike_index=whole.spike_index[keep], spike_time=whole.spike_time[keep])
    return tuning_curves(whole), tuning_table(whole, progress=False)


def raster_points(ax):
    return next(line for line in ax.get_lines() if line.get_rasterized())


def by_gid(ax, gid):
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


# ---------------------------------------------------------------- raster


@pytest.mark.parametrize("window", [None, (250.0, 900.0)])
def test_raster_shows_every_spike_of_the_window(recording, window):
    figure = figures.plot_raster(recording, window=window, bin=10.0)
    low, high = window or (0, recording.duration)
    for ax, name in zip(figure.axes, ("input", "E", "I"), strict=False):
        cells = recording.population(name)
        inside = (cells.spike_time >= low) & (cells.spike_time < high)
        x, y = raster_points(ax).get_data()
        assert_array_equal(x, cells.spike_time[inside])
        assert_array_equal(y, cells.neurons["orientation"].to_numpy()[cells.spike_index[inside]])
        stairs = next(p for p in figure.axes[-1].patches if p.get_label() == name)
        rate, edges, _ = stairs.get_data()
        assert (rate * np.diff(edges)).sum() * len(cells) / 1000 == pytest.approx(inside.sum())
    assert "Hz" in figure.axes[-1].get_ylabel()
    assert "ms" in figure.axes[-1].get_xlabel()


def test_raster_shades_and_labels_the_presentations(recording):
    figure = figures.plot_raster(recording, ["E"])
    labels = [t.get_text() for t in figure.axes[0].texts if t.get_gid() == "presentation"]
    assert labels == ["0°", "45°", "90°", "135°"]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in figure.axes[0].patches]
    assert_allclose(spans, recording.protocol.windows())
    assert len(figure.axes) == 2


def test_raster_draws_many_spikes_as_pixels():
    protocol = Protocol.sequence([Grating(theta=30.0)], duration=1000)
    rng = np.random.default_rng(1)
    n = 150_000
    many = Recording(
        pd.DataFrame({"population": "E", "orientation": 180.0 * np.arange(1000) / 1000}),
        rng.integers(0, 1000, n).astype(np.int32), np.sort(rng.uniform(0, 1000, n)), 1000.0, protocol,
    )  # fmt: skip
    points = raster_points(figures.plot_raster(many).axes[0])
    assert len(points.get_xdata()) == n


def test_raster_of_cells_without_orientation_uses_their_number(recording):
    cells = recording.population("E")
    cells = dataclasses.replace(cells, neurons=cells.neurons.assign(orientation=np.nan))
    ax = figures.plot_raster(cells).axes[0]
    assert_array_equal(raster_points(ax).get_ydata(), cells.spike_index)
    assert "cell (number)" in ax.get_ylabel()


def test_raster_of_silence(recording):
    silent = dataclasses.replace(recording, spike_index=np.empty(0, np.int32), spike_time=np.empty(0))
    assert len(raster_points(figures.plot_raster(silent).axes[0]).get_xdata()) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"populations": ["X"]}, "populations = 'X' is unknown"),
        ({"populations": []}, "populations is empty"),
        ({"window": (500.0, 100.0)}, "start < end"),
        ({"window": (0.0, 1e6)}, r"window\[1\] = 1e\+06 ms is out of range"),
        ({"bin": 0.0}, "bin = 0.0 ms"),
    ],
)
def test_raster_refuses(recording, options, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_raster(recording, **options)


# ---------------------------------------------------------------- map and ring


def test_map_holds_the_counts(recording):
    cells = recording.population("E")
    ax = figures.plot_orientation_time(recording, "E", bin=50.0, places=36)
    rates = ax.collections[0].get_array()
    assert rates.shape == (36, 36)
    starts = np.arange(0, 1800, 50.0)
    counts = cells.counts(np.column_stack([starts, starts + 50.0]))
    # 72 cells of 2.5 deg in 36 places of 5 deg, the first centred on 0: cells 143 (of 177.5 deg) and 0 and so on.
    place = np.floor(np.arange(72) * 2.5 / 5 + 0.5).astype(int) % 36
    expected = np.array([counts[place == p].sum(0) for p in range(36)]) / 2 / 0.05
    assert_allclose(rates, expected)
    assert "Hz" in ax.get_figure().axes[1].get_ylabel()


def test_map_marks_the_stimulus_and_cuts_the_last_bin(recording):
    ax = figures.plot_orientation_time(recording, "E", bin=70.0, window=(200.0, 900.0 + 20.0))
    assert [line.get_ydata()[0] for line in by_gid(ax, "stimulus")] == [0.0, 45.0]
    edges = ax.collections[0].get_coordinates()[0, :, 0]
    assert edges[-1] == 920.0
    seconds = np.diff(edges)[None, :] / 1000
    spikes = (ax.collections[0].get_array() * seconds * 72 / 36).sum()
    assert spikes == pytest.approx(recording.population("E").counts(np.array([[200.0, 920.0]])).sum())


@pytest.mark.parametrize("shown", range(4))
def test_ring_peaks_at_the_stimulus(recording, shown):
    window = recording.protocol.windows()[shown]
    ax = figures.plot_ring_activity(recording, window)
    theta = recording.protocol.table["orientation"][shown]
    for name in ("E", "I"):
        angle, rate = by_gid(ax, name)[0].get_data()
        mean = np.angle((rate[:-1] * np.exp(1j * angle[:-1])).sum())
        assert abs(np.angle(np.exp(1j * (mean - 2 * np.radians(theta))))) < np.radians(12)
        counts = recording.population(name).counts(window[None, :]).sum()
        assert rate[:-1].mean() * 0.3 * len(recording.population(name)) == pytest.approx(counts)
    (mark,) = by_gid(ax, "stimulus")
    assert_allclose(mark.get_xdata(), 2 * np.radians(theta))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0°", "30°", "60°", "90°", "120°", "150°"]
    assert_allclose(ax.get_xticks(), np.radians([0, 60, 120, 180, 240, 300]))


def test_ring_in_a_gap_has_no_stimulus(recording):
    assert by_gid(figures.plot_ring_activity(recording, (0.0, 150.0)), "stimulus") == []


def test_ring_needs_polar_axes_and_places(recording):
    with pytest.raises(ValueError, match="needs 'polar' axes"):
        figures.plot_ring_activity(recording, ax=Figure().add_subplot())
    unknown = dataclasses.replace(recording, neurons=recording.neurons.assign(orientation=np.nan))
    with pytest.raises(ValueError, match="orientation is unknown"):
        figures.plot_ring_activity(unknown)
    with pytest.raises(ValueError, match="orientation is unknown"):
        figures.plot_orientation_time(unknown)


# ---------------------------------------------------------------- tuning


def test_grid_states_the_widths_of_the_table(tuned):
    curves, table = tuned
    figure = figures.plot_tuning_grid(curves, table)
    assert len(figure.axes) == 12
    for ax, (_, row) in zip(figure.axes, table.iterrows(), strict=True):
        title = ax.get_title()
        if row.success:
            assert f"HWHH {row.hwhh:.1f} ± {row.hwhh_se:.1f}°" in title
            (fit,) = by_gid(ax, "fit")
            assert fit.get_ydata().max() == pytest.approx(row.baseline + row.amplitude, rel=1e-3)
            top = fit.get_xdata()[fit.get_ydata().argmax()] % 180
            assert min(abs(top - row.preferred), 180 - abs(top - row.preferred)) < 0.6
        else:
            assert f"fit failed: {row.failure}" in title
    assert "fit failed: silent" in figure.axes[11].get_title()
    assert not by_gid(figure.axes[11], "fit")
    points = figure.axes[3].containers[0].lines[0]
    assert_allclose(np.asarray(points.get_ydata(), float), curves[curves.cell == 3]["rate"].to_numpy())


def test_grid_without_half_height(tuned):
    curves, table = tuned
    table = table.assign(hwhh=np.where(table.cell == 2, np.nan, table.hwhh))
    assert "no half height" in figures.plot_tuning_grid(curves, table, [2]).axes[0].get_title()


def test_grid_refuses(tuned):
    curves, table = tuned
    with pytest.raises(ValueError, match=r"cells = \[99\] are not in the tables"):
        figures.plot_tuning_grid(curves, table, [0, 99])
    with pytest.raises(ValueError, match=r"table lacks the columns \['hwhh'\]"):
        figures.plot_tuning_grid(curves, table.drop(columns="hwhh"))
    with pytest.raises(ValueError, match="table holds several conditions"):
        figures.plot_tuning_grid(curves, pd.concat([table, table]))


def test_population_tuning_aligns_and_states_the_median(tuned):
    curves, table = tuned
    ax = figures.plot_population_tuning({"E": curves}, {"E": table})
    (line,) = by_gid(ax, "E")
    assert line.get_ydata().max() == 1.0
    assert line.get_xdata()[line.get_ydata().argmax()] == 0.0
    good = table[table.success]
    assert f"E: {good.hwhh.median():.1f}°" in line.get_label()
    assert f"{len(good)} cells" in line.get_label()
    x, y = ax.containers[0].lines[0].get_data()
    assert abs(x[np.argmax(y)]) <= 10
    raw = figures.plot_population_tuning({"E": curves}, {"E": table}, normalise=False)
    assert by_gid(raw, "E")[0].get_ydata().max() == pytest.approx((good.baseline + good.amplitude).mean())
    assert "Hz" in raw.get_ylabel()


def test_population_tuning_refuses(tuned):
    curves, table = tuned
    with pytest.raises(ValueError, match="must hold the same names"):
        figures.plot_population_tuning({"E": curves}, {"I": table})
    with pytest.raises(ValueError, match="no successful fit"):
        figures.plot_population_tuning({"E": curves}, {"E": table.assign(success=False)})


# ---------------------------------------------------------------- montage and schematic


def test_montage_shows_frames_row_0_at_the_top():
    frames = np.zeros((3, 8, 8), np.float32)
    frames[1, 0, :] = 1.0
    movie = Movie(frames, 20.0)
    figure = figures.plot_montage({"a film": movie}, frames=3)
    images = [next(c for c in ax.get_children() if isinstance(c, AxesImage)) for ax in figure.axes]
    assert_array_equal(images[1].get_array(), frames[1])
    assert all(image.origin == "upper" and image.get_clim() == (0, 1) for image in images)
    assert [ax.get_title() for ax in figure.axes] == ["0 ms", "20 ms", "40 ms"]
    assert figure.axes[0].get_ylabel() == "a film"


def test_montage_labels_orientations_and_marks_contours():
    figure = figures.plot_montage([Grating(theta=30.0), Grating(theta=90.0, contrast=0.5), Blank()], size=16)
    assert "θ = 30°" in figure.axes[0].get_title()
    assert "50 % contrast" in figure.axes[1].get_title()
    bar = by_gid(figure.axes[0], "contour")[-1]
    slope = np.degrees(np.arctan2(np.diff(bar.get_ydata()), np.diff(bar.get_xdata())))[0]
    assert slope == pytest.approx(30.0)
    assert by_gid(figure.axes[2], "contour") == []


def test_montage_refuses():
    with pytest.raises(ValueError, match="stimuli is empty"):
        figures.plot_montage([])
    with pytest.raises(TypeError, match="must be a Movie or Stimulus"):
        figures.plot_montage([np.zeros((2, 2))])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_schematic_draws_the_projections_that_exist(name):
    parameters = preset(name)
    ax = figures.plot_schematic(parameters)
    drawn = {c.get_gid() for c in ax.collections} - {None}
    assert drawn == set(parameters.projections())
    legends = [child for child in ax.get_children() if isinstance(child, Legend)]
    text = " ".join(t.get_text() for legend in legends for t in legend.get_texts())
    assert f"{parameters.n_excitatory} excitatory" in text
    for projection in parameters.projections():
        assert projection.replace("_to_", " → ") in text


def test_schematic_without_recurrence():
    ax = figures.plot_schematic(preset("v1").without_recurrence())
    assert {c.get_gid() for c in ax.collections} - {None} == {"input_to_E", "input_to_I"}


def test_profiles_follow_the_kernel():
    fan = projection_profile(Connection(VonMises(20.0, in_degree=30), 0.002), 360, 360)
    assert_allclose(fan.strength, von_mises(fan.offset, 0.0, 20.0), atol=1e-12)
    assert fan.in_degree == pytest.approx(30)
    assert fan.total == pytest.approx(0.06)
    fan = projection_profile(Connection(VonMises(20.0), 0.3), 100, 50)
    assert fan.total == pytest.approx(0.3)
    assert projection_profile(Connection(OneToOne(), 0.4), 50, 50).in_degree == 1
    assert projection_profile(Connection(Uniform(), 0.4), 50, 50, recurrent=True).in_degree == 49


# ---------------------------------------------------------------- animation


@pytest.fixture(scope="module")
def film(recording) -> Movie:
    return recording.protocol.movie(size=32, frame_rate=50.0)


def test_gif_has_the_right_frames_and_length(recording, film, tmp_path):
    path = figures.animate(film, recording, tmp_path / "a.gif", window=(0.0, 1000.0), progress=False)
    with Pillow.open(path) as image:
        assert image.n_frames == 20
        assert image.info["duration"] == 50
    assert path.stat().st_size < 1_000_000
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


def test_mp4_shows_movie_and_bump(recording, film, tmp_path):
    path = figures.animate(film, recording, tmp_path / "a.mp4", window=(200.0, 700.0), speed=0.5, progress=False)
    frames = np.array(imageio.mimread(path))
    assert len(frames) == 20
    assert frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    red = (frames[..., 0].astype(int) - frames[..., 2] > 90).sum((1, 2))  # the vermillion curve
    assert red[2:10].max() > 30
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == 20


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.avi", {}, "format = '.avi' is unknown"),
        ("a.gif", {"fps": 100.0}, "fps = 100.0 Hz is out of range"),
        ("a.gif", {"window": (0.0, 20.0)}, "less than one frame"),
        ("a.gif", {"speed": 0.0}, "speed = 0.0"),
    ],
)
def test_animation_refuses(recording, film, tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        figures.animate(film, recording, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_animation_refuses_a_window_after_the_movie(recording, tmp_path):
    with pytest.raises(ValueError, match="after the movie"):
        figures.animate(Movie(np.full((5, 4, 4), 0.5), 20.0), recording, tmp_path / "a.gif", window=(0.0, 500.0))


# ---------------------------------------------------------------- files and state


def test_save_keeps_the_origin(recording, tmp_path):
    ax = figures.plot_ring_activity(recording)
    path = figures.save(ax, tmp_path / "deep" / "a.png", title="ring", provenance={"seed": 7})
    with Pillow.open(path) as image:
        assert image.text["Title"] == "ring"
        assert image.text["Description"] == '{"seed": 7}'
    # Drawn again, the same figure is the same file.
    files = [figures.save(figures.plot_ring_activity(recording), tmp_path / f"{n}.svg") for n in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ValueError, match=r"format = '\.jpg' is unknown"):
        figures.save(ax, tmp_path / "a.jpg")


def test_no_global_state_is_touched(recording):
    before = dict(matplotlib.rcParams)
    figures.plot_raster(recording)
    figures.plot_schematic(preset("v1"))
    assert dict(matplotlib.rcParams) == before
    code = "import sys, netlib.figures, netlib.figures.report as r; print(*(m in sys.modules for m in sys.argv[1:]))"
    command = [sys.executable, "-c", code, "matplotlib.pyplot", "nest"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_figures_show_themselves_in_notebooks(recording):
    assert figures.plot_raster(recording)._repr_png_().startswith(b"\x89PNG")


# ---------------------------------------------------------------- report


class Links(html.parser.HTMLParser):
    """Collects what a page refers to, and images without alternative text."""

    def __init__(self):
        super().__init__()
        self.links, self.no_alt, self.text, self.tags = [], 0, [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.links += [attrs[k] for k in ("src", "href", "data", "poster", "srcset") if k in attrs]
        self.no_alt += (tag == "img" and not attrs.get("alt")) + (tag == "video" and not attrs.get("aria-label"))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def page(recording, film, tmp_path):
    gif = figures.animate(film, recording, tmp_path / "a.gif", window=(0.0, 200.0), progress=False)
    mp4 = figures.animate(film, recording, tmp_path / "a.mp4", window=(0.0, 200.0), progress=False)
    svg = figures.save(figures.plot_ring_activity(recording), tmp_path / "a.svg")
    table = pd.DataFrame({"cell": [0, 1, 2], "hwhh": [20.123456, np.nan, 1e-5], "why": ["", "<silent>", "x"]})
    sections = [
        Section(
            "Ring & <b>", ["Text with <script>.", Image(svg, 'A "ring"'), Image(gif, "moves"), Image(mp4, "moves")]
        ),
        Section("Raster", [Image(figures.plot_raster(recording), "raster", "All spikes.")]),
        Section("Table", [Table(table, "Widths (deg)", max_rows=2), Facts("Preset", {"n": 3})]),
    ]
    path = write_report(tmp_path / "out", "A <title>", sections, {"seed": 7, "versions": {"netlib": "0.1.0"}})
    text = path.read_text()
    parser = Links()
    parser.feed(text)
    return path, text, parser


def test_report_is_self_contained(page):
    path, text, parser = page
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert all(link.startswith(("data:", "#")) for link in parser.links)
    assert "script" not in parser.tags and "link" not in parser.tags
    assert not re.search(r"https?://|@import|url\(", re.sub(r"base64,[\w+/=]+", "", text))
    assert parser.no_alt == 0
    kinds = [re.match(r"data:([\w/+]+);base64,(.*)", link) for link in parser.links if link.startswith("data:")]
    assert [k[1] for k in kinds] == ["image/svg+xml", "image/gif", "video/mp4", "image/png"]
    assert base64.b64decode(kinds[3][2]).startswith(b"\x89PNG")


def test_report_shows_the_text_and_numbers(page):
    _, text, parser = page
    words = " ".join(parser.text)
    for expected in ("A <title>", "Ring & <b>", "Text with <script>.", "20.12", "–", "<silent>", "All spikes."):
        assert expected in words
    assert "the first 2 of 3 rows" in words
    assert '"seed": 7' in words
    assert "prefers-color-scheme: dark" in text
    assert "details" in parser.tags


def test_report_refuses(tmp_path):
    with pytest.raises(ValueError, match="sections is empty"):
        write_report(tmp_path, "t", [])
    with pytest.raises(ValueError, match="alt is empty"):
        Image("a.png", " ")
    with pytest.raises(ValueError, match="does not exist"):
        write_report(tmp_path, "t", {"s": [Image(tmp_path / "no.png", "a")]})
    with pytest.raises(TypeError, match="must be a str or Image or Table or Facts"):
        Section("s", [3])
    assert list(tmp_path.iterdir()) == []


def test_montage_of_a_natural_movie_has_no_contour():
    assert by_gid(figures.plot_montage(NaturalMovie(), size=16, duration=40).axes[0], "contour") == []
