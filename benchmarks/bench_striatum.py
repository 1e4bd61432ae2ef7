"""One simulation of the striatal article: the compiled engine against the same rules, step by step, in plain Python."""

import sys
from pathlib import Path

from timing import Clock, measure, ratio, show  # before NumPy: it sets its threads

# isort: split

from netlib.striatum import article, draw_plan, simulate

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/striatum"))
from _step_by_step import simulate_by_steps

FAST, SLOW = "compiled", "step by step"

if __name__ == "__main__":
    parameters = article(Apostpre=1.0)
    plan = draw_plan(parameters, 1, 1)

    def compiled(clock: Clock) -> None:
        with clock:
            simulate(parameters, plan)

    def by_steps(clock: Clock) -> None:
        with clock:
            simulate_by_steps(parameters, plan)

    times = measure({FAST: compiled}, 9)
    slow = measure({FAST: compiled, SLOW: by_steps}, 1, warm_up=False)
    show(times | {SLOW: slow[SLOW]})
    ratio(slow, SLOW, FAST, least=100)
