# %% [markdown]
# # Your own learner: exercises
#
# Five exercises, 12 points. Write your answer in place of the marked line, run the cell, then run the check below it. You
# may check as often as you like; `hint("my_rmsprop")` gives one of three hints, and `solution("my_rmsprop")` opens after a
# right answer, or after three attempts with all the hints. What the words mean is in the [lesson](lesson.ipynb).

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · RMSProp as an expression (3 points)
#
# $$ a \leftarrow \rho\, a + (1 - \rho)\, g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{a}} $$
#
# with $\rho = 0.999$, $\eta = 0.01$, and an $a$ for each parameter that begins at $10^{-6}$. Write the function that
# `kernel.universal` takes.
#
# * `parameters`, `gradients`: lists of symbols of equal length; the shapes within a pair are equal.
# * Use `kernel.constant(value, shape, dtype)`, `kernel.assign(target, value)` and `kernel.sqrt`; return the assignments in
#   a list, or put together by `kernel.combine`.
#
# Example: with parameters 0 and gradients 1, two updates make −0.5397.


# %% nbgrader={"grade": false, "grade_id": "my_rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def my_rmsprop(parameters, gradients):
    """What is to be assigned in an update of RMSProp."""
    ### BEGIN SOLUTION
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps
    ### END SOLUTION


# %%
check("my_rmsprop")

# %% [markdown]
# ## 2 · Descent as a class (2 points)
#
# $$ w \leftarrow w - \frac{\eta}{n}\, g $$
#
# Write the class `MyDescent`, with one method. The rate $\eta$ comes from a schedule that is meant per minibatch, and $g$
# is the sum of the gradients of $n$ samples.
#
# * `gradients`: {parameter: NumPy array}; `n_samples`: $n$.
# * It changes the parameters' `value`, and returns True; `self.learning_rate()` is the rate now.
#
# Example: rate 1, 64 samples, gradients 1: after ten updates parameters that were 0 are −0.1562.


# %% nbgrader={"grade": false, "grade_id": "MyDescent", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MyDescent(kernel.UserLearner):
    """Gradient descent by sums over n samples."""

    ### BEGIN SOLUTION
    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() / n_samples * g
        return True

    ### END SOLUTION


# %%
check("MyDescent")

# %% [markdown]
# ## 3 · Find the bug: a velocity without a home (3 points)
#
# This class is to be a heavy ball, $v \leftarrow 0.9\, v + g/n$ and $w \leftarrow w - \eta\, v$. With one parameter and one
# update it does what it should.
#
# ```python
# class HeavyBall(kernel.UserLearner):
#     def update(self, gradients, n, end):
#         rate, v = self.learning_rate(), 0
#         for p, g in gradients.items():
#             v = 0.9 * v + g / n
#             p.value = p.value - rate * v
#         return True
# ```
#
# Mend it. The check makes several updates of several parameters; half-way it saves the state of your learner, and goes on
# with a new one that has loaded it.
#
# * `HeavyBall(parameters, lr_schedule)` makes one; velocities begin at 0.


# %% nbgrader={"grade": false, "grade_id": "HeavyBall", "locked": false, "schema_version": 3, "solution": true, "task": false}
class HeavyBall(kernel.UserLearner):
    """Descent with a velocity for each parameter, which is kept, saved and restored."""

    ### BEGIN SOLUTION
    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True

    ### END SOLUTION


# %%
check("HeavyBall")

# %% [markdown]
# ## 4 · A rule from a paper (2 points)
#
# **Lion** was found in 2023 by a search over programs. With its decay beside the step it reads
#
# $$ \begin{aligned} d &= \operatorname{sign}(\beta_1 m + (1 - \beta_1)\, g) \\
# w &\leftarrow w - \eta\,(d + \lambda w) \\ m &\leftarrow \beta_2 m + (1 - \beta_2)\, g \end{aligned} $$
#
# Write it as a pure rule.
#
# * `w`, `g`: tensors; `state`: `{"m": tensor}`; `hyper`: a dict with the numbers `"rate"` $\eta$, `"beta1"`, `"beta2"` and
#   `"decay"` $\lambda$.
# * Returns the new `w` and the new state, and leaves what it was given as it is.
#
# Example: from `w = [1, 1]`, `g = [2, -1]`, `m = [0, 1]`, with rate 0.1, $\beta_1 = 0.5$, $\beta_2 = 0.9$ and decay 0 come
# `w = [0.9, 1]` and `m = [0.2, 0.8]`.


# %% nbgrader={"grade": false, "grade_id": "lion_rule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lion_rule(w, g, state, hyper):
    """(the new w, the new state) of Lion."""
    ### BEGIN SOLUTION
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    w = w - hyper["rate"] * (direction + hyper["decay"] * w)
    return w, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}
    ### END SOLUTION


# %%
check("lion_rule")

# %% [markdown]
# ## 5 · Clip them all alike (2 points)
#
# Write `clipped(gradients, largest)`: the gradients, scaled by one factor so that the norm of all of them together is at
# most `largest`.
#
# * `gradients`: a list of tensors of any shapes; `largest`: a number.
# * Returns a list of tensors, and leaves the gradients as they came. Gradients that are small enough stay as they are.
#
# Example: `[[3, 4]]` and `[[0], [12]]` have the norm 13; clipped to 6.5 they become `[[1.5, 2]]` and `[[0], [6]]`.


# %% nbgrader={"grade": false, "grade_id": "clipped", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clipped(gradients, largest):
    """The gradients with a global norm of `largest` at most."""
    ### BEGIN SOLUTION
    norm = sum((g * g).sum() for g in gradients).item() ** 0.5
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]
    ### END SOLUTION


# %%
check("clipped")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes [09 Graphs](../09_graphs/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("08")
