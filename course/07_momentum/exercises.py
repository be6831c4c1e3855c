# %% [markdown]
# # Momentum: exercises
#
# Six exercises, 11 points. Write your answer in place of the marked line, run the cell, then run the check below it. You
# may check as often as you like; `hint("memory")` gives one of three hints, and `solution("memory")` opens after a right
# answer, or after three attempts with all the hints. What the words mean is in the [lesson](lesson.ipynb).

# %%
import math

import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · How long it remembers (2 points)
#
# After each minibatch, `momentum` is left of what an old gradient did. Write `memory(momentum, samples)`: how many
# *samples* it takes until $1/e$ is left of it (the time constant), and until a half is left (the half-life).
#
# * `momentum`: above 0 and below 1, per minibatch; `samples`: in a minibatch.
# * Returns the two numbers, the time constant first.
#
# Example: `memory(0.9672161004820059, 10)` is about `(300.0, 207.9442)`.


# %% nbgrader={"grade": false, "grade_id": "memory", "locked": false, "schema_version": 3, "solution": true, "task": false}
def memory(momentum, samples):
    """(time constant, half-life) of a momentum, both in samples."""
    ### BEGIN SOLUTION
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant * math.log(2)
    ### END SOLUTION


# %%
check("memory")

# %% [markdown]
# ## 2 · Find the bug: a number without a name (2 points)
#
# A well-known tutorial trains a convolutional net with this list, and says no word about it:
#
# ```python
# momentum_per_sample = [0] * 5 + [0.9990239141819757]
# ```
#
# The bug is that nobody can read it. It was made from a round number, a time constant in samples. Recover that number,
# and say what it means: fill in the dict (you may compute in the cell; four digits are enough).
#
# * `"time constant"`: in samples;
# * `"half-life"`: in samples;
# * `"momentum for minibatches of 256"`: what is left after one of them.


# %% nbgrader={"grade": false, "grade_id": "hidden", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
hidden = {
    "time constant": -1 / math.log(0.9990239141819757),
    "half-life": 1024 * math.log(2),
    "momentum for minibatches of 256": math.exp(-256 / 1024),
}
### END SOLUTION

# %%
check("hidden")

# %% [markdown]
# ## 3 · One step, two gains (2 points)
#
# Write one step of the heavy ball, in the form of the lesson, in which the velocity holds the rate. With `unit_gain` the
# new gradient counts $1 - m$, without it $1$.
#
# * `w`, `v`, `gradient`: tensors of one shape; `rate`, `momentum`: numbers; `unit_gain`: True or False.
# * Returns the new `w` and the new `v`, and leaves what it was given as it is.
#
# Example: from `w = [1, 2]`, `v = [0.5, -0.5]`, `gradient = [1, 1]`, rate 0.1 and momentum 0.9 you come with unit gain
# to `v = [0.46, -0.44]` and `w = [0.54, 2.44]`.


# %% nbgrader={"grade": false, "grade_id": "momentum_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def momentum_step(w, v, gradient, rate, momentum, unit_gain):
    """The next (w, v) of the heavy ball."""
    ### BEGIN SOLUTION
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - v, v
    ### END SOLUTION


# %%
check("momentum_step")

# %% [markdown]
# ## 4 · The same path (1 point)
#
# A learner without unit gain runs at `rate`, its momentum given as a time constant. Which rate does a learner *with* unit
# gain need to go the same path? Write `unit_gain_rate(rate, time_constant, samples)`.
#
# * `time_constant`: in samples; `samples`: in a minibatch. Returns a number.
#
# Example: `unit_gain_rate(1.0, 300, 10)` is about `30.5028`.


# %% nbgrader={"grade": false, "grade_id": "unit_gain_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unit_gain_rate(rate, time_constant, samples):
    """The rate with unit gain that goes the path of `rate` without."""
    ### BEGIN SOLUTION
    return rate / (1 - math.exp(-samples / time_constant))
    ### END SOLUTION


# %%
check("unit_gain_rate")

# %% [markdown]
# ## 5 · Look ahead (2 points)
#
# Write one step of Nesterov's momentum, as he meant it: `w` is the place where you stand, and the gradient is taken at
# the point to which the old velocity alone would carry you. No unit gain.
#
# * `w`, `v`: tensors; `gradient`: a function from a place to the gradient there; `rate`, `momentum`: numbers.
# * Returns the new `w` and the new `v`. The check takes three steps from `v = 0`, and compares the last `w`, the last `v`,
#   and the places where you asked for gradients.
#
# Example: with `gradient = lambda w: w`, from `w = [1.0]`, `v = [0.5]`, rate 0.5 and momentum 0.9, the gradient is asked
# for at 0.55; then `v = [0.725]` and `w = [0.275]`.


# %% nbgrader={"grade": false, "grade_id": "nesterov_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nesterov_step(w, v, gradient, rate, momentum):
    """The next (w, v), with the gradient at the look-ahead point."""
    ### BEGIN SOLUTION
    v = momentum * v + rate * gradient(w - momentum * v)
    return w - v, v
    ### END SOLUTION


# %%
check("nesterov_step")

# %% [markdown]
# ## 6 · The fastest heavy ball (2 points)
#
# A quadratic loss has curvatures from `smallest` to `largest`. Write `fastest(smallest, largest)`: rate and momentum with
# which the heavy ball, without unit gain, shrinks the distance most per step.
#
# * Returns the rate, then the momentum.
#
# Example: `fastest(1.0, 9.0)` is `(0.25, 0.25)`.


# %% nbgrader={"grade": false, "grade_id": "fastest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fastest(smallest, largest):
    """(rate, momentum) of the fastest heavy ball on these curvatures."""
    ### BEGIN SOLUTION
    root = math.sqrt(largest / smallest)
    momentum = ((root - 1) / (root + 1)) ** 2
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, momentum
    ### END SOLUTION


# %%
check("fastest")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [08 Your own learner](../08_own_learner/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("07")
