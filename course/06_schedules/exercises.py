# %% [markdown]
# # Schedules: exercises
#
# Five exercises, 10 points. Write your answer in place of the marked line, or of the three dots, run the cell, then run
# the check below it. You may check as often as you like; `hint("rates")` gives one of three hints, and `solution("rates")`
# opens after a right answer, or after three attempts with all the hints. What the words mean is in the
# [lesson](lesson.ipynb).

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · From a list to updates (2 points)
#
# Write what a list schedule does, without calling one. `rates(values, epoch_size, n, updates)` returns a list: the rate of
# each of the first `updates` updates, with minibatches of `n` samples.
#
# * Each value holds for `epoch_size` samples, the last one for ever.
# * What counts is how many samples were seen *before* the update; a minibatch may lie across a border.
#
# Example: `rates([0.1, 0.2, 0.4], 100, 32, 9)` is `[0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.4, 0.4]`.


# %% nbgrader={"grade": false, "grade_id": "rates", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rates(values, epoch_size, n, updates):
    """The rate of each update, for minibatches of n samples."""
    ### BEGIN SOLUTION
    places = [update * n // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]
    ### END SOLUTION


# %%
check("rates")

# %% [markdown]
# ## 2 · The minibatch doubles (2 points)
#
# A net was tuned with minibatches of `old` samples and small rates. Now a larger machine takes `new` samples at once.
# Write `carried_over(rate, M, old, new)`: the number to put into the schedule, so that one sample goes on moving the net
# by as much as before.
#
# * `M`: what the number is meant for: 0 a minibatch of any size, otherwise so many samples.
# * Returns a number.
#
# Example: `carried_over(0.1, 0, 32, 64)` is `0.2`.


# %% nbgrader={"grade": false, "grade_id": "carried_over", "locked": false, "schema_version": 3, "solution": true, "task": false}
def carried_over(rate, M, old, new):
    """The number that keeps what a sample moves when n goes from old to new."""
    ### BEGIN SOLUTION
    return rate if M else rate * new / old
    ### END SOLUTION


# %%
check("carried_over")

# %% [markdown]
# ## 3 · Cut on a plateau (3 points)
#
# Write what `Plateau` does. `plateau(losses, rate, factor, patience, threshold)` returns a list: the rate after each report.
#
# * A loss is a new best one if it lies below the best so far by more than the share `threshold` of it. The first always is.
# * Every other report is a bad one. When more than `patience` bad reports have come in a row, the rate is multiplied by
#   `factor`, and the count of bad reports begins again. The best loss stays.
#
# Example: `plateau([1.0, 0.99, 0.98, 0.5], 0.4, 0.5, 1, 0.05)` is `[0.4, 0.4, 0.2, 0.2]`.


# %% nbgrader={"grade": false, "grade_id": "plateau", "locked": false, "schema_version": 3, "solution": true, "task": false}
def plateau(losses, rate, factor, patience, threshold):
    """The rate after each reported loss."""
    ### BEGIN SOLUTION
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told
    ### END SOLUTION


# %%
check("plateau")

# %% [markdown]
# ## 4 · Find the bug: 300 minibatches (2 points)
#
# Somebody wants 0.05 for 300 minibatches of 64, then 0.025 for 200, then 0.0125, and writes
#
# ```python
# kernel.learning_rate_schedule([0.05] * 3 + [0.025] * 2 + [0.0125], "minibatch", epoch_size=100)
# ```
#
# which gives up 0.05 after five minibatches. Write `counted_in_minibatches(phases, n)`, which returns a schedule that does
# what they want.
#
# * `phases`: pairs (minibatches, rate per minibatch); the last rate holds for ever, whatever its count.
# * `n`: samples in every minibatch.
#
# Example: the schedule of `counted_in_minibatches([(300, 0.05), (200, 0.025), (0, 0.0125)], 64)` is 0.05 up to the 300th
# update, and 0.025 in the next. The check trains with it, minibatch by minibatch.


# %% nbgrader={"grade": false, "grade_id": "counted_in_minibatches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def counted_in_minibatches(phases, n):
    """A schedule of rates per minibatch; its phases are so many minibatches of n."""
    ### BEGIN SOLUTION
    return kernel.learning_rate_schedule(phases, "minibatch", epoch_size=n)
    ### END SOLUTION


# %%
check("counted_in_minibatches")

# %% [markdown]
# ## 5 · Find the bug: a zero (1 point)
#
# The tutorial of section 3 gives these lists, of which each entry holds for one sweep; the rates are per sample:
#
# ```python
# rates = [0.001] * 12 + [0.0005] * 6 + [0.00025] * 6  # and so on
# sizes = [256] * 6 + [512] * 9 + [1024] * 7  # and so on
# ```
#
# and its text reads 0.001 for 12 sweeps, *0.005* for another 6. Look at the sweep with index 13, where the first has index
# 0. By what is a mean gradient multiplied in one update, by the list and by the text? And which of the two is right, if
# every phase is to halve the rate?
#
# `zero` is a dict with the keys `"by the list"` and `"by the text"`, two numbers, and `"right"`, which is `"list"` or `"text"`.


# %% nbgrader={"grade": false, "grade_id": "zero", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
zero = {
    "by the list": 0.0005 * 512,
    "by the text": 0.005 * 512,
    "right": "list",
}
### END SOLUTION

# %%
check("zero")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [07 Momentum](../07_momentum/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("06")
