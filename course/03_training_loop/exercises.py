# %% [markdown]
# # Training loop and metrics: exercises
#
# Six exercises, 13 points. Write your answer in place of the marked line, run the cell, then run the check below it. You
# may check as often as you like; `hint("update")` gives one of three hints, and `solution("update")` opens after a right
# answer, or after three attempts with all the hints. What the words mean stands in the [lesson](lesson.ipynb).

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · The update (2 points)
#
# Write `update(parameters, rate)`, the last two acts of a training step. No `kernel.SGD` here:
#
# $$ \theta \;\leftarrow\; \theta - \eta\, \frac{\partial L}{\partial \theta} \qquad\text{for every parameter } \theta $$
#
# * `parameters`: a list of parameters of any shapes; each has its gradient in `.grad`. `rate`: the number $\eta$.
# * Changes the parameters in place, leaves every gradient cleared, and returns nothing.
#
# The check makes two steps one after the other.
#
# Example: a parameter `[1.0]` with the gradient `[2.0]` becomes `[0.8]` at the rate 0.1.


# %% nbgrader={"grade": false, "grade_id": "update", "locked": false, "schema_version": 3, "solution": true, "task": false}
def update(parameters, rate):
    """One step downhill for every parameter, and clean gradients."""
    ### BEGIN SOLUTION
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)
        parameter.grad.zero_()
    ### END SOLUTION


# %%
check("update")

# %% [markdown]
# ## 2 · Minibatches (2 points)
#
# Write `batches(x, labels, order, size)`: all samples once, in a given order, in batches.
#
# * `x`: shape $(N, K)$; `labels`: shape $(N)$; `order`: the numbers 0 to $N - 1$ shuffled, shape $(N)$.
# * Returns a list of pairs (samples, labels) with `size` rows each; the last batch has what is left.
#
# Example: `order = [3, 0, 4, 1, 2]` and `size = 2` give three batches: rows 3 and 0, rows 4 and 1, row 2.


# %% nbgrader={"grade": false, "grade_id": "batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batches(x, labels, order, size):
    """[(samples, labels), …], `size` rows at a time, in the given order."""
    ### BEGIN SOLUTION
    pairs = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        pairs.append((x[rows], labels[rows]))
    return pairs
    ### END SOLUTION


# %%
check("batches")

# %% [markdown]
# ## 3 · Accuracy, precision, recall (3 points)
#
# Write `report(answers, labels, k)` with comparisons and counts alone. No `kernel.precision` here.
#
# * `answers`, `labels`: classes, shape $(N)$. `k`: the class that is asked about.
# * Returns `{"accuracy": …, "precision": …, "recall": …}`, three shares from 0 to 1: the accuracy over all classes,
#   precision and recall of class `k`. A share of nothing, $0/0$, is 0.
#
# Example: answers `[0, 0, 0, 1]` for labels `[0, 1, 2, 0]` have, for `k = 0`, accuracy 1/4, precision 1/3, recall 1/2.


# %% nbgrader={"grade": false, "grade_id": "report", "locked": false, "schema_version": 3, "solution": true, "task": false}
def report(answers, labels, k):
    """Accuracy, and precision and recall of class k, in a dict."""
    ### BEGIN SOLUTION
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()

    def share(whole):
        return hits / whole if whole else 0.0

    right = (answers == labels).sum().item() / len(labels)
    return {
        "accuracy": right,
        "precision": share(answered.sum().item()),
        "recall": share(actual.sum().item()),
    }
    ### END SOLUTION


# %%
check("report")

# %% [markdown]
# ## 4 · The area under the ROC curve (2 points)
#
# Of the two areas this is the one with a meaning: the chance that a one, drawn at random, has a higher score than a zero.
#
# $$ \text{AUC} = \frac{1}{N_1 N_0} \sum_{a\,\in\,\text{ones}} \;\sum_{b\,\in\,\text{zeros}}
# \begin{cases} 1 & a > b \\ \tfrac{1}{2} & a = b \\ 0 & a < b \end{cases} $$
#
# Write `auc(scores, labels)` in this way. No `kernel.roc_auc` here.
#
# * `scores`: shape $(N)$; `labels`: 0 or 1, shape $(N)$; both occur.
# * Returns a Python number.
#
# Example: ones at 0.8 and 0.4, zeros at 0.4 and 0.1: (1 + 1 + ½ + 1) / 4 = 0.875.


# %% nbgrader={"grade": false, "grade_id": "auc", "locked": false, "schema_version": 3, "solution": true, "task": false}
def auc(scores, labels):
    """How often a one is ahead of a zero; a tie is half."""
    ### BEGIN SOLUTION
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().mean().item()
    level = (ones[:, None] == zeros).double().mean().item()
    return higher + level / 2
    ### END SOLUTION


# %%
check("auc")

# %% [markdown]
# ## 5 · Stop in time (2 points)
#
# After every turn two losses are known. Write `early_stop(training, validation, patience)`, which says what a training with
# early stopping would have done.
#
# * `training`, `validation`: lists of losses, one for each turn, counted from 0.
# * `patience`: it stops in the first turn in which the best turn so far is `patience` turns ago. The best is the one with
#   the lowest loss; an equal loss later on is no improvement.
# * Returns two whole numbers: the turn whose parameters are kept, and the turn in which it stops (or the last one).
#
# Which of the two lists do you need? Nobody knows the turns to come.
#
# Example: validation losses `[1.0, 0.8, 0.9, 0.85, 0.7]` with `patience = 2` give `(1, 3)`.


# %% nbgrader={"grade": false, "grade_id": "early_stop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def early_stop(training, validation, patience):
    """(the turn that is kept, the turn in which training stops)."""
    ### BEGIN SOLUTION
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn
    ### END SOLUTION


# %%
check("early_stop")

# %% [markdown]
# ## 6 · Find the bug: three lost signs (2 points)
#
# A step as in section 3 of the lesson, for a net of one layer. In print it lost three minus signs; one left a gap, which
# somebody filled with a plus, so that it runs:
#
# ```python
# def mended(theta, x, labels, i):
#     rate = 0.5 * 0.1 ** (max(i + 100, 0) // 1000)
#     p = kernel.softmax(x @ theta, axis=1)
#     loss = p.gather(1, labels[:, None]).log().mean()
#     loss.backward()
#     theta.data.add_(rate * theta.grad)
#     return loss.item(), rate
# ```
#
# Mend it. The rate should be 0.5 for the first 1,100 steps, then a tenth for 1,000 steps, and so on.
#
# * `theta`: a parameter, shape $(K, C)$, changed in place; `x`: shape $(B, K)$; `labels`: shape $(B)$; `i`: the step.
# * Returns the loss before the step, and the rate.
#
# Example: with two classes and `theta` all zeros the loss is $\log 2 \approx 0.6931$.


# %% nbgrader={"grade": false, "grade_id": "mended", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mended(theta, x, labels, i):
    """One step down the cross-entropy of softmax(x theta); returns (loss, rate)."""
    ### BEGIN SOLUTION
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate
    ### END SOLUTION


# %%
check("mended")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes [04 Modules](../04_modules/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("03")
