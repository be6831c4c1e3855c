# %% [markdown]
# # Learners: exercises
#
# Five exercises, 12 points. Write your answer in place of the marked line, or of the three dots, run the cell, then run
# the check below it. You may check as often as you like; `hint("adam_path")` gives one of three hints, and
# `solution("adam_path")` opens after a right answer, or after three attempts with all the hints. The rules are those of
# the [lesson](lesson.ipynb); here you write them yourself, in a few lines each, without `kernel.Adam` and its like.

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · What the rate is per (2 points)
#
# Write `sgd_update(w, gradient, rate, samples, per)`: the weights after one step of SGD.
#
# * `w`, `gradient`: tensors of one shape; the gradient is the *sum* over the samples of the minibatch.
# * `samples`: how many these are; `per`: what the rate is meant for, `"sample"` or `"minibatch"`.
# * Returns the new weights; `w` stays as it is.
#
# Example: with `w = [0, 0]`, `gradient = [1, 1]`, rate 0.5 and two samples, `"sample"` gives `[-0.5, -0.5]` and
# `"minibatch"` gives `[-0.25, -0.25]`.


# %% nbgrader={"grade": false, "grade_id": "sgd_update", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sgd_update(w, gradient, rate, samples, per):
    """The weights after one step of SGD; the gradient is a sum over the samples."""
    ### BEGIN SOLUTION
    if per == "minibatch":
        rate = rate / samples
    return w - rate * gradient
    ### END SOLUTION


# %%
check("sgd_update")

# %% [markdown]
# ## 2 · Adagrad (2 points)
#
# $$ a \leftarrow a + g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{a + \varepsilon}}, \qquad a = 0 \text{ at first} $$
#
# Here $\varepsilon$ stands *under* the root, as CNTK has it. Write `adagrad_path(w, gradients, rate, epsilon)`: the weights
# after one step for each gradient.
#
# * `w`: shape $(P)$; `gradients`: shape $(T, P)$, one row for each step, in their order.
# * Returns the weights after the last step, shape $(P)$. `0 * w` makes zeros of the right kind.
#
# Example: `w = [0, 0]`, `gradients = [[3, 1], [4, 1]]`, rate 1 and $\varepsilon = 0$ give `[-1.8, -1.7071]`: in the first
# step both weights go by 1, in the second by 4/5 and $1/\sqrt{2}$.


# %% nbgrader={"grade": false, "grade_id": "adagrad_path", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adagrad_path(w, gradients, rate, epsilon):
    """The weights (P) after Adagrad's steps by the rows of gradients (T, P)."""
    ### BEGIN SOLUTION
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w
    ### END SOLUTION


# %%
check("adagrad_path")

# %% [markdown]
# ## 3 · Adam (3 points)
#
# $$ m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad a \leftarrow \beta_2 a + (1 - \beta_2)\, g^2 $$
# $$ \hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat a = \frac{a}{1 - \beta_2^t} \qquad t = 1, 2, \dots $$
# $$ w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat a} + \varepsilon} $$
#
# Write `adam_path(w, gradients, rate, beta1, beta2, epsilon)`, with arguments and result as in exercise 2. Here
# $\varepsilon$ stands *outside* the root, as PyTorch has it.
#
# Example: `w = [0, 0]`, `gradients = [[4, 0.01], [4, 0.01]]`, rate 0.1, $\beta_1 = 0.9$, $\beta_2 = 0.999$ and
# $\varepsilon = 0$ give `[-0.2, -0.2]`: two steps of the length of the rate, whatever the gradient.


# %% nbgrader={"grade": false, "grade_id": "adam_path", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adam_path(w, gradients, rate, beta1, beta2, epsilon):
    """The weights (P) after Adam's steps by the rows of gradients (T, P)."""
    ### BEGIN SOLUTION
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w
    ### END SOLUTION


# %%
check("adam_path")

# %% [markdown]
# ## 4 · Adadelta (3 points)
#
# $$ a \leftarrow \rho\, a + (1 - \rho)\, g^2, \qquad d = \frac{\sqrt{x + \varepsilon}}{\sqrt{a + \varepsilon}}\; g $$
# $$ x \leftarrow \rho\, x + (1 - \rho)\, d^2, \qquad w \leftarrow w - d $$
#
# In this order: the new $a$ and the old $x$ make the step. Write `adadelta_path(w, gradients, rho, epsilon)`; $a$ and $x$
# begin at 0.
#
# Example: `w = [0]`, `gradients = [[3]]`, $\rho = 0$ and $\varepsilon = 16$: $a = 9$, $d = 4/5 \cdot 3$, and the result is
# `[-2.4]`.


# %% nbgrader={"grade": false, "grade_id": "adadelta_path", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adadelta_path(w, gradients, rho, epsilon):
    """The weights (P) after Adadelta's steps by the rows of gradients (T, P)."""
    ### BEGIN SOLUTION
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w
    ### END SOLUTION


# %%
check("adadelta_path")

# %% [markdown]
# ## 5 · Switch, and retune (2 points)
#
# Which rate does it take? A to C are about section 8 of the lesson: ten updates, 32 samples each, every gradient 1. Give the
# nearest whole numbers. You may compute in the cell, with more than four decimals:
#
# ```python
# w = kernel.Parameter([0.0])
# learner = kernel.adadelta([w], 1, 0.999, 1e-6)
# kernel.inspect_update(learner, 32, 10)[0].item()
# ```
#
# | | learner | at rate 1 it goes to | it should go to |
# |:--|:--|:--|:--|
# | A | Adadelta ($\rho = 0.999$, $\varepsilon = 10^{-6}$) | −0.0099 | −9.9228 |
# | B | Adam *with* unit gain | −0.3124 | −9.9203 |
# | C | Adagrad with `need_ave_multiplier=False` | −0.1569 | −0.3125 |
#
# In D and E the loss is from now on reported 10 times larger, and the way should stay as it was. F and G are the two
# tutorials that seemed to contradict each other: the minibatches grow from 32 to 64 samples.
#
# | | learner | its rate was | what should stay |
# |:--|:--|:--|:--|
# | D | SGD | 0.1 | the way |
# | E | Adam | 0.1 | the way |
# | F | SGD | 0.5 per minibatch | how far it gets with each sample seen |
# | G | SGD | 0.5 per sample | how far it goes in each update |

# %% nbgrader={"grade": false, "grade_id": "retuned", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
retuned = {"A": 1004, "B": 32, "C": 2, "D": 0.01, "E": 0.1, "F": 1.0, "G": 0.25}
### END SOLUTION

# %%
check("retuned")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [06 Schedules](../06_schedules/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("05")
