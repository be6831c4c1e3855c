# %% [markdown]
# # Cross-entropy: exercises
#
# Five functions, 12 points. Write your answer in place of the marked line, run the cell, then run the check below it. The
# check tries your function on fresh random numbers, large ones among them, and says in one sentence what is wrong.
#
# Check as often as you like. `hint("softmax")` gives one of three hints; `solution("softmax")` opens after a right answer,
# or after three attempts with all the hints. `B` is the number of samples, `C` of classes. The [lesson](lesson.ipynb) is
# one click away.

# %%
import math

import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Probabilities from logits (3 points)
#
# `softmax(logits)` turns logits of shape $(B, C)$ into probabilities of the same shape; each row adds up to 1. It must
# survive logits of 1000, in any row and at any place of it. Write it with `kernel.exp`, `.max` and `.sum`.
#
# `[[2, 1, 0], [0, 3, 1]]` gives `[[0.6652, 0.2447, 0.0900], [0.0420, 0.8438, 0.1142]]`.


# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax(logits):
    """Probabilities of each row, (B, C) -> (B, C)."""
    ### BEGIN SOLUTION
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %%
check("softmax")

# %% [markdown]
# ## 2 · The loss of a batch (3 points)
#
# `crossentropy(logits, labels)` is the mean negative log-likelihood, one number: logits $(B, C)$, labels $(B)$ of whole
# numbers from 0 to $C - 1$. A label that the network holds to be almost impossible must cost what it costs, not `inf`.
# `kernel.logsumexp` and `kernel.gather` are yours to use; `kernel.cross_entropy` would do it all, so leave it out.
#
# The logits above with the labels `[0, 2]` give `1.2887`.


# %% nbgrader={"grade": false, "grade_id": "crossentropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def crossentropy(logits, labels):
    """Mean negative log-likelihood of the labels (B,) under the logits (B, C)."""
    ### BEGIN SOLUTION
    of_the_truth = kernel.gather(logits, 1, kernel.expand_dims(labels, 1))
    return (kernel.logsumexp(logits, axis=1, keepdims=True) - of_the_truth).mean()
    ### END SOLUTION


# %%
check("crossentropy")

# %% [markdown]
# ## 3 · The push on each logit (2 points)
#
# `crossentropy_gradient(logits, labels)` is the gradient of the loss in exercise 2 with respect to the logits, of shape
# $(B, C)$, without `backward()`. You may call `softmax`, and `kernel.one_hot(labels, C, dtype)` makes the rows of zeros
# and a one; the dtype should be that of the logits.
#
# The same logits and labels give `[[-0.1674, 0.1224, 0.0450], [0.0210, 0.4219, -0.4429]]`.


# %% nbgrader={"grade": false, "grade_id": "crossentropy_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def crossentropy_gradient(logits, labels):
    """Gradient of the mean loss with respect to the logits, (B, C)."""
    ### BEGIN SOLUTION
    truth = kernel.one_hot(labels, logits.shape[1], logits.dtype)
    return (softmax(logits) - truth) / len(logits)
    ### END SOLUTION


# %%
check("crossentropy_gradient")

# %% [markdown]
# ## 4 · Targets that are distributions (2 points)
#
# `soft_crossentropy(logits, targets)` takes a distribution for each sample, $(B, C)$, where exercise 2 took a label: a
# smoothed label, or the shares of several opinions. It returns the mean over the batch. Targets may hold zeros.
#
# The same logits with the targets `[[1, 0, 0], [0, 0.25, 0.75]]` give `1.0387`.


# %% nbgrader={"grade": false, "grade_id": "soft_crossentropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def soft_crossentropy(logits, targets):
    """Mean over the batch of -sum(y log p), for targets (B, C) that are distributions."""
    ### BEGIN SOLUTION
    log_probabilities = logits - kernel.logsumexp(logits, axis=1, keepdims=True)
    return -(targets * log_probabilities).sum(axis=1).mean()
    ### END SOLUTION


# %%
check("soft_crossentropy")

# %% [markdown]
# ## 5 · How far one distribution is from another (2 points)
#
# `kl_divergence(y, p)` is $\mathrm{KL}(y \,\|\, p)$ of each row: $(B, C)$ and $(B, C)$ give $(B)$. Every entry of `p` is
# positive; `y` may hold zeros, and a class with $y = 0$ adds nothing. `kernel.where(condition, a, b)` chooses entry by
# entry.
#
# `y = [[1, 0, 0], [0, 0.25, 0.75]]` and `p = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]` give `[0.6931, 0.6507]`.


# %% nbgrader={"grade": false, "grade_id": "kl_divergence", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kl_divergence(y, p):
    """sum(y log(y/p)) of each row, (B, C) and (B, C) -> (B,), with 0 log 0 = 0."""
    ### BEGIN SOLUTION
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(safe) - kernel.log(p))).sum(axis=1)
    ### END SOLUTION


# %%
check("kl_divergence")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [01 Tensors](../01_tensors/lesson.ipynb): shapes, broadcasting, and whose memory it is.

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("00")
