"""What each parameter of a network means, its unit, and the equations of cells, connections and rules."""

#: (class, field): (unit, meaning). A unit "w" is that of a weight onto the target cell (uS or nA).
FIELDS = {
    ("RingParameters", "n_excitatory"): ("cells", "excitatory cells (E)"),
    ("RingParameters", "n_inhibitory"): ("cells", "inhibitory cells (I)"),
    ("RingParameters", "n_input"): ("cells", "input cells"),
    ("RingParameters", "v_init"): ("mV", "range of the uniform initial potentials"),
    ("RingParameters", "timestep"): ("ms", "integration step"),
    ("TwoRings", "n_excitatory2"): ("cells", "excitatory cells of the second ring (E2)"),
    ("TwoRings", "n_inhibitory2"): ("cells", "inhibitory cells of the second ring (I2)"),
    ("Cell", "model"): ("", "cell model, by its PyNN name"),
    ("Cell", "cm"): ("nF", "capacitance $C_m$"),
    ("Cell", "tau_m"): ("ms", "membrane time constant $\\tau_m$"),
    ("Cell", "tau_refrac"): ("ms", "refractory period"),
    ("Cell", "tau_syn_E"): ("ms", "decay of excitatory synapses $\\tau_E$"),
    ("Cell", "tau_syn_I"): ("ms", "decay of inhibitory synapses $\\tau_I$"),
    ("Cell", "v_rest"): ("mV", "resting potential $V_\\mathrm{rest}$"),
    ("Cell", "v_reset"): ("mV", "reset potential $V_\\mathrm{reset}$"),
    ("Cell", "v_thresh"): ("mV", "threshold $V_\\mathrm{th}$"),
    ("Cell", "e_rev_E"): ("mV", "excitatory reversal potential $E_E$"),
    ("Cell", "e_rev_I"): ("mV", "inhibitory reversal potential $E_I$"),
    ("Connection", "weight"): ("w", "weight (magnitude)"),
    ("Connection", "self_connections"): ("", "whether a cell may connect to itself"),
    ("Connection", "kernel"): ("", "who connects to whom"),
    ("Connection", "plasticity"): ("", "rule by which the weights learn; none: static"),
    ("VonMises", "B_theta"): ("deg", "bandwidth of the profile"),
    ("VonMises", "in_degree"): ("per cell", "expected connections onto a cell; none: all pairs are connected"),
    ("VonMises", "normalise"): ("", "what the profile of all-to-all weights is scaled to"),
    ("DistanceDecay", "decay"): ("1 / ring radius", "decay $a$ of the connection probability"),
    ("Delay", "mean"): ("ms", "mean delay"),
    ("Delay", "sd"): ("ms", "standard deviation of delays before cutting"),
    ("Delay", "low"): ("ms", "shortest delay"),
    ("Delay", "high"): ("ms", "longest delay"),
    ("STDP", "A_plus"): ("of w_max", "change, pre before post"),
    ("STDP", "A_minus"): ("of w_max", "change, post before pre; positive potentiates"),
    ("STDP", "tau_plus"): ("ms", "time constant, pre before post"),
    ("STDP", "tau_minus"): ("ms", "time constant, post before pre"),
    ("STDP", "w_max"): ("w", "largest weight"),
    ("STDP", "mu"): ("", "1: soft bounds, 0: hard bounds"),
    ("STDP", "dendritic"): ("of the delay", "share taken by the postsynaptic spike"),
    ("InputTuning", "peak"): ("Hz", "rate at the best orientation and full contrast"),
    ("InputTuning", "pedestal"): ("of peak", "rate without stimulus"),
    ("InputTuning", "B_theta"): ("deg", "bandwidth of the rates over input cells"),
    ("InputTuning", "contrast_response"): ("", "response to contrast $R(c)$; none: linear"),
    ("ContrastResponse", "c50"): ("", "semi-saturation contrast $c_{50}$"),
    ("ContrastResponse", "exponent"): ("", "exponent $n$"),
    ("LGN", "n_orientations"): ("", "orientation channels"),
    ("LGN", "sigma_centre"): ("px", "standard deviation of the centre"),
    ("LGN", "sigma_surround"): ("px", "standard deviation of the surround"),
    ("LGN", "sf_0"): ("cycles/px", "spatial frequency of the channels"),
    ("LGN", "B_sf"): ("cycles/px", "its bandwidth"),
    ("LGN", "B_theta"): ("deg", "orientation bandwidth of the channels"),
    ("LGN", "n_positions"): ("", "receptive fields along each side of the screen"),
    ("LGN", "spontaneous"): ("Hz", "rate without contrast"),
    ("LGN", "peak_rate"): ("Hz", "rate above it, for the best grating at full contrast"),
    ("LGN", "c50"): ("", "semi-saturation contrast"),
    ("LGN", "exponent"): ("", "exponent of the contrast response"),
    ("LGN", "sigma_gain"): ("px", "window of the contrast gain"),
    ("LGN", "dt"): ("ms", "time bin"),
    ("TemporalKernel", "scale"): ("", "factor of the temporal kernel"),
    ("TemporalKernel", "w1"): ("", "weight of the first lobe"),
    ("TemporalKernel", "w2"): ("", "weight of the second lobe"),
    ("TemporalKernel", "c1"): ("1/ms", "rate of the first lobe"),
    ("TemporalKernel", "c2"): ("1/ms", "rate of the second lobe"),
    ("TemporalKernel", "n1"): ("", "order of the first lobe"),
    ("TemporalKernel", "n2"): ("", "order of the second lobe"),
    ("TemporalKernel", "t0"): ("ms", "start of the lobes"),
    ("Parameters", "P"): ("cells", "cortical neurons"),
    ("Parameters", "stim_by_pattern"): ("cells", "cortical neurons active in a pattern"),
    ("Parameters", "n_pattern"): ("patterns", "patterns to learn"),
    ("Parameters", "Apostpre"): ("epsilon", "change, post before pre: −1 dorsomedial, +1 dorsolateral"),
    ("Parameters", "Aprepost"): ("epsilon", "change, pre before post"),
    ("Parameters", "epsilon"): ("", "learning rate $\\epsilon$"),
    ("Parameters", "noise_pattern"): ("ms", "standard deviation of spike times of a pattern in training"),
    ("Parameters", "noise_input"): ("1/ms", "rate of background spikes, and of noise of all cortical neurons together"),
    ("Parameters", "stop_learning"): ("", "gate of plasticity"),
    ("Parameters", "num_success_params"): ("trials", "for the gate number_success"),
    ("Parameters", "p_reward"): ("", "probability that a pattern is rewarded"),
    ("Parameters", "stim_duration"): ("ms", "length of a trial"),
    ("Parameters", "stim_offset"): ("ms", "time of the pattern in a trial"),
    ("Parameters", "dt"): ("ms", "time step"),
    ("Parameters", "tau_pre"): ("ms", "time constant of presynaptic traces"),
    ("Parameters", "tau_post"): ("ms", "time constant of the postsynaptic trace"),
    ("Parameters", "nearest"): ("", "nearest-neighbour traces"),
    ("Parameters", "w_min"): ("", "smallest weight"),
    ("Parameters", "w_max"): ("", "largest weight"),
    ("Parameters", "w_initial_low"): ("", "initial weights are uniform from"),
    ("Parameters", "w_initial_high"): ("", "to"),
    ("Parameters", "background_weight"): ("", "weight of a background spike: it always fires the neuron"),
    ("Parameters", "test_every"): ("trials", "between tests"),
    ("Parameters", "test_detail"): ("trials", "between tests at the start of a phase"),
    ("Parameters", "test_detail_trials"): ("trials", "length of that start"),
    ("Parameters", "error_memory"): ("trials", "time constant of the gate exponential_trace"),
    ("Parameters", "R"): ("mV", "jump by a spike of weight 1"),
    ("Parameters", "tau_m"): ("ms", "membrane time constant $\\tau_m$"),
    ("Parameters", "E_L"): ("mV", "resting potential $E_L$"),
    ("Parameters", "V_th"): ("mV", "threshold $V_\\mathrm{th}$"),
    ("Parameters", "V_reset"): ("mV", "reset potential"),
    ("Parameters", "legacy"): ("", "do as the published program where we differ on purpose"),
    ("Phase", "name"): ("", "name of the phase"),
    ("Phase", "trials"): ("trials", "length of the phase"),
    ("Phase", "noise"): ("", "factor of the noise"),
    ("Phase", "reward"): ("epsilon", "gain at a presynaptic spike in a rewarded trial"),
    ("Phase", "presentation"): ("", "probability that the pattern of a trial is shown"),
    ("Phase", "pattern_set"): ("", "number of the set of patterns"),
}

CELL_EQUATIONS = {
    "IF_cond_exp": r"""Leaky integrate-and-fire with exponential conductances:

$$
C_m \frac{dV}{dt} = -\frac{C_m}{\tau_m} (V - V_\mathrm{rest}) - g_E (V - E_E) - g_I (V - E_I)
$$
$$
\frac{d g_E}{dt} = -\frac{g_E}{\tau_E}, \qquad \frac{d g_I}{dt} = -\frac{g_I}{\tau_I}, \qquad
g \to g + w \text{ at each spike that arrives}
$$

At $V \ge V_\mathrm{th}$ the cell fires; $V$ is held at $V_\mathrm{reset}$ for the refractory period.""",
    "IF_curr_exp": r"""Leaky integrate-and-fire with exponential currents:

$$
C_m \frac{dV}{dt} = -\frac{C_m}{\tau_m} (V - V_\mathrm{rest}) + I_E - I_I
$$
$$
\frac{d I_E}{dt} = -\frac{I_E}{\tau_E}, \qquad \frac{d I_I}{dt} = -\frac{I_I}{\tau_I}, \qquad
I \to I + w \text{ at each spike that arrives}
$$

At $V \ge V_\mathrm{th}$ the cell fires; $V$ is held at $V_\mathrm{reset}$ for the refractory period.""",
}

RING = r"""Cell $i$ of a population of $n$ prefers the orientation $\theta_i = 180^\circ \, i / n$. Profiles over
orientation are von Mises of period 180°, of peak 1, with $B$ the bandwidth `B_theta` in radians:

$$
\operatorname{vm}(\theta) = \exp \frac{\cos 2 \theta - 1}{4 B^2}
$$"""

KERNEL_EQUATIONS = {
    "VonMises drawn": r"""**Drawn at random**: a pair is connected with the probability

$$
p_{ij} = \min \left( 1, \; K \,
\frac{\operatorname{vm}(\theta_i - \theta_j)}{\sum_k \operatorname{vm}(\theta_k - \theta_j)} \right)
$$

with $K$ the `in_degree`; every synapse has the same weight. A $B_\theta$ of inf is flat.""",
    "VonMises dense": r"""**Dense**: every pair is connected, and weights follow the profile,

$$
w_{ij} = w \, \frac{\operatorname{vm}(\theta_i - \theta_j)}{\sum_k \operatorname{vm}(\theta_k - \theta_j)}
$$

so that `weight` is the sum of the weights onto a cell. A $B_\theta$ of inf is flat.""",
    "DistanceDecay": r"""**Distance**: a pair is connected with the probability $p_{ij} = \exp(-a \, d_{ij})$, where
$d_{ij} = 2 |\sin(\theta_i - \theta_j)|$ is the chord between two cells on a ring of radius 1; every synapse has the
same weight.""",
    "Uniform": "**All to all**: every pair is connected with the same weight.",
    "OneToOne": "**One to one**: each cell is connected to the cell of the same index.",
}

STDP = r"""Spike-timing-dependent plasticity with bounds that are right for each sign. Each pair of spikes, $\Delta t$
apart where they meet the synapse, changes the weight by

$$
\frac{\Delta w}{w_\mathrm{max}} = A \, e^{-|\Delta t| / \tau}
\left( 1 - \frac{w}{w_\mathrm{max}} \right)^\mu \; (A > 0), \qquad
A \, e^{-|\Delta t| / \tau} \left( \frac{w}{w_\mathrm{max}} \right)^\mu \; (A < 0)
$$

with $(A, \tau)$ = (`A_plus`, `tau_plus`) for pre before post, (`A_minus`, `tau_minus`) for post before pre. All pairs
count; weights are clipped to $[0, w_\mathrm{max}]$ (Gütig et al. 2003)."""

INPUT = r"""Without a movie, input cell $i$ fires an inhomogeneous Poisson train, drawn in NumPy before the run, of rate

$$
r_i(t) = r_\mathrm{peak} \left[ (1 - p) \, R(c) \operatorname{vm}(\theta_i - \theta(t); B_\theta) + p \right]
$$

with $p$ the pedestal and $R(c) = c^n (1 + c_{50}^n) / (c^n + c_{50}^n)$, or $R(c) = c$ where there is no contrast
response. With a movie the rates are those of the LGN model, interpolated over its channels."""

STRIATUM_EQUATIONS = r"""Time goes in steps of $dt$ (forward Euler). With the presynaptic spikes $s_i$, the background
spike $q$ and the postsynaptic spike $z$ of the step before,

$$
V \to V + \frac{dt}{\tau_m} (E_L - V) + R \left( \sum_i w_i s_i + w_q \, q \right)
$$

Above $V_\mathrm{th}$ the neuron fires, and the next step puts it to `V_reset` whatever it receives. The traces before
these spikes, $x_i$ of the presynaptic and $y$ of the postsynaptic ones, give

$$
\Delta w_i = g \, \epsilon
\left( A_\mathrm{prepost} \, z \, x_i + A_\mathrm{postpre} \, y \, s_i + \rho \, r \, s_i \right)
$$

with $r$ = 1 in a trial of a rewarded pattern, $\rho$ the `reward` of the phase, and $g$ the gate (`stop_learning`).
Weights stay within their bounds. Traces decay with $\tau_{pre}$ and $\tau_{post}$ and grow by 1 at a spike."""
