"""The two sides of every benchmark do the same arithmetic: else their times could not be compared."""

import subprocess
import sys

import pytest

import kernel
from benchmarks import graph_side, kernel_side
from benchmarks.workloads import DENSE, GRAPH_TARGETS, TARGETS, as_torch_has_it

ON_A_GPU = (pytest.mark.gpu, pytest.mark.skipif(not kernel.gpu_available(), reason="no GPU here"))
# How far a parameter may be from the CPU's after three steps, as a part of the way that it has gone.
TOLERANCE = {"strict": 0.0, "gpu:0": 0.01}

GATES = {"h rnn": 1, "h lstm": 4}
WITHOUT_CHANCE = {"g": {"rate": 0.0}}  # two libraries never drop the same


@pytest.mark.oracle
@pytest.mark.parametrize("tuned", (False, True), ids=("default", "tuned"))
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "f 1024"])  # f 64 is the same text
def test_both_sides_reach_the_same_parameters(name, tuned):
    from benchmarks import torch_side

    chance = WITHOUT_CHANCE.get(name, {})
    ours, theirs = kernel_side.workloads("cpu")[name](**chance), torch_side.workloads("cpu", tuned)[name](**chance)
    first = [p.detach().numpy().copy() for p in ours()]
    theirs()
    for _ in range(4):
        mine, other = ours(), theirs()
    mine, other = ([p.detach().numpy() for p in params] for params in (mine, other))
    moves = [abs(p - q).max() for p, q in zip(mine, first, strict=True)]
    if name in GATES:
        mine = [*(as_torch_has_it(array, GATES[name]) for array in mine[:-2]), *mine[-2:]]
    # Rounding may open a relu on one side only, so it is the way gone that decides what is little.
    for p, q, move in zip(mine, other, moves, strict=True):
        assert move > 1e-5
        assert abs(p - q).max() < 0.01 * move


@pytest.mark.oracle
def test_both_sides_drop_at_the_rate_that_they_say():
    """With dropout the parameters differ from those without it, on both sides."""
    from benchmarks import torch_side

    for side in (kernel_side, torch_side):
        with_it, without = side.workloads("cpu")["g"](), side.workloads("cpu")["g"](rate=0.0)
        pairs = zip(with_it(), without(), strict=True)
        assert any(abs(p.detach().numpy() - q.detach().numpy()).max() > 1e-6 for p, q in pairs)


@pytest.mark.parametrize("place", ("strict", pytest.param("gpu:0", marks=ON_A_GPU)))
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "f 1024"])
def test_every_device_reaches_the_same_parameters(name, place):
    chance = WITHOUT_CHANCE.get(name, {})
    here, there = (kernel_side.workloads(device)[name](**chance) for device in ("cpu", place))
    first = [p.detach().numpy().copy() for p in here()]
    there()
    for _ in range(2):
        ours, others = here(), there()
    for p, q, start in zip(ours, others, first, strict=True):
        p, q = p.detach().numpy(), q.detach().cpu().numpy()
        assert abs(p - q).max() <= TOLERANCE[place] * abs(p - start).max()


@pytest.mark.gpu
@pytest.mark.skipif(not kernel.gpu_available(), reason="no GPU here")
def test_the_benchmarks_run_on_a_gpu():
    """Each workload on both sides, on the device; what it prints is the table of docs/performance.md."""
    run = subprocess.run([sys.executable, "-m", "benchmarks", "--gpu", "--turns", "1"], capture_output=True, text=True)
    print(run.stdout)
    assert run.returncode == 0, run.stderr
    assert all(name in run.stdout for name in TARGETS)


@pytest.mark.parametrize("place", ("cpu", "strict", pytest.param("gpu:0", marks=ON_A_GPU)))
@pytest.mark.parametrize("name", [name for name in GRAPH_TARGETS if name != "f 1024"])
def test_an_executor_reaches_the_parameters_of_the_eager_side(name, place):
    eager, graph = (side.workloads(place)[name]() for side in (kernel_side, graph_side))
    for _ in range(3):
        ours, theirs = graph(), eager()
    for p, q in zip(ours, theirs, strict=True):
        assert p.detach().cpu().numpy().tobytes() == q.detach().cpu().numpy().tobytes()


@pytest.mark.parametrize("name", [name for name in GRAPH_TARGETS if name != "f 1024"])
def test_an_executor_plans_less_than_an_eager_step_holds(name):
    """The arrays for gradients included, which the eager step makes anew."""
    executor = graph_side.dense(*DENSE[name][:2]) if name in DENSE else graph_side.lenet(64)
    assert graph_side.planned_bytes(executor) < graph_side.peak_bytes(kernel_side.workloads("cpu")[name]())
