# %% [markdown]
# # Modules: exercises
#
# Six exercises, 13 points. Write your answer in place of the marked line, or of the three dots, run the cell, then run
# the check below it. You may check as often as you like; `hint("OwnDense")` gives one of three hints, and
# `solution("OwnDense")` opens after a right answer, or after three attempts with all the hints. The layers, and the net
# called `SimpleNet`, are those of the [lesson](lesson.ipynb).

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · A layer of your own (3 points)
#
# $$ Y = \max(0,\; X W + b) \qquad (B, K)\,(K, M) + (M) \to (B, M) $$
#
# Write the class `OwnDense`. It is made of the numbers that its parameters begin with, `OwnDense(w, b)`, and called with
# a batch.
#
# * `w`: shape $(K, M)$; `b`: shape $(M)$; both tensors. `x`: shape $(B, K)$.
# * The parameters are called `W` and `b`, in the shapes in which they came; a learner should find both.
#
# The check also calls `backward`, and compares the gradients of what `named_parameters()` lists.
#
# Example: `OwnDense(kernel.tensor([[2.0, -1.0]]), kernel.tensor([1.0, 1.0]))` makes `[[7, 0]]` of `[[3]]`.


# %% nbgrader={"grade": false, "grade_id": "OwnDense", "locked": false, "schema_version": 3, "solution": true, "task": false}
class OwnDense(kernel.Module):
    """relu(x W + b), with the parameters W (K, M) and b (M,)."""

    ### BEGIN SOLUTION
    def __init__(self, w, b):
        self.W = kernel.Parameter(w)
        self.b = kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W + self.b)

    ### END SOLUTION


# %%
check("OwnDense")

# %% [markdown]
# ## 2 · How many numbers does it learn? (2 points)
#
# Write `count_parameters(net)`. A net is a list of layers:
#
# * `("conv", inputs, outputs, side)`: kernels of side × side, one for each output channel, with biases;
# * `("pool", side)`: the largest of each side × side;
# * `("dense", inputs, outputs)`: with biases.
#
# Returns the number of parameters, a whole number.
#
# Example: `[("conv", 1, 2, 3), ("pool", 2), ("dense", 4, 5)]` learns 20 + 0 + 25 = 45 numbers.


# %% nbgrader={"grade": false, "grade_id": "count_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(net):
    """How many numbers the layers of a net learn together."""
    ### BEGIN SOLUTION
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += (side * side * inputs + 1) * outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += (inputs + 1) * outputs
    return total
    ### END SOLUTION


# %%
check("count_parameters")

# %% [markdown]
# ## 3 · One weight, used twice (3 points)
#
# A small net squeezes $x$ through fewer numbers and tries to give it back, with one $W$ for both ways:
#
# $$ h = x W, \qquad y = h W^{\top}, \qquad L = \tfrac{1}{2} \sum (y - x)^2 $$
#
# Write `tied_gradient(w, x)`: $\partial L/\partial W$, by hand. No `backward` here.
#
# * `w`: shape $(K, M)$; `x`: shape $(B, K)$.
# * Returns a tensor of shape $(K, M)$. Let $g = y - x$ be the gradient that arrives at $y$.
#
# Example: with `w = [[2]]` and `x = [[1]]`, $h = 2$, $y = 4$ and $g = 3$; the two uses bring 6 each, together `[[12]]`.


# %% nbgrader={"grade": false, "grade_id": "tied_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tied_gradient(w, x):
    """The gradient (K, M) of half the squared error of x W Wᵀ, w (K, M), x (B, K)."""
    ### BEGIN SOLUTION
    h = x @ w
    g = h @ w.T - x
    return g.T @ h + x.T @ (g @ w)
    ### END SOLUTION


# %%
check("tied_gradient")

# %% [markdown]
# ## 4 · Why not begin with zeros? (2 points)
#
# `SimpleNet` (2 numbers, 12 hidden units, 3 classes) is trained for 400 steps on points of the plane, from five
# beginnings:
#
# | | beginning | asked |
# |:--|:--|:--|
# | A | every parameter is 0 | how many of the four parameters have moved? |
# | B | every parameter is 0.5 | how many different rows has `lin1.weight`? |
# | C | `lin1.weight` is random, the others are 0 | how many different rows has `lin1.weight`? |
# | D | `lin1.bias` is random, the others are 0.5 | how many different rows has `lin1.weight`? |
# | E | `lin2.weight` is random, the others are 0,<br>and tanh stands for relu | how many of the four parameters have moved? |
#
# The last entry: what helps a net that began with B? `"more steps"`, `"another rate"`, `"more units"`, or
# `"random weights"` and a new start?

# %% nbgrader={"grade": false, "grade_id": "symmetry", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
symmetry = {"A": 1, "B": 1, "C": 12, "D": 12, "E": 4, "remedy": "random weights"}
### END SOLUTION

# %%
check("symmetry")

# %% [markdown]
# ## 5 · Find the bug: a test that drops (2 points)
#
# This function is to say which share of a test set a net gets right. For a net with dropout it gives another share each
# time, and always one that is too low:
#
# ```python
# def accuracy_in_use(net, x, labels):
#     return (net(x).argmax(axis=1) == labels).float().mean().item()
# ```
#
# Mend it. It may be called in the middle of a training, and afterwards the net should be as it came.
#
# * `net`: a module that makes scores $(B, C)$ of `x`; `labels`: shape $(B)$.
# * Returns the share of right answers, a Python number.


# %% nbgrader={"grade": false, "grade_id": "accuracy_in_use", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accuracy_in_use(net, x, labels):
    """The share of the samples for which the largest score is that of the label."""
    ### BEGIN SOLUTION
    was_training = net.training
    net.eval()
    share = (net(x).argmax(axis=1) == labels).float().mean().item()
    net.train(was_training)
    return share
    ### END SOLUTION


# %%
check("accuracy_in_use")

# %% [markdown]
# ## 6 · A state from elsewhere (1 point)
#
# A friend trained `Sequential([Dense(12, activation=kernel.relu), Dense(3)])`. You want the numbers in a `SimpleNet`, and
# write `SimpleNet().load_state_dict(renamed(state))`. (With `strict=False` a wrong `renamed` would load nothing, and
# say nothing.)
#
# * `state`: a dict with `"0.W"` $(2, 12)$, `"0.b"` $(12)$, `"1.W"` $(12, 3)$ and `"1.b"` $(3)$; other sizes may come.
# * Returns a dict with the names and the shapes of `SimpleNet`: `lin1.weight` is $(12, 2)$.
#
# Example: `"0.W": [[1, 2, 3], [4, 5, 6]]` becomes `"lin1.weight": [[1, 4], [2, 5], [3, 6]]`.


# %% nbgrader={"grade": false, "grade_id": "renamed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def renamed(state):
    """The state of two Dense layers as SimpleNet names it and keeps it."""
    ### BEGIN SOLUTION
    return {
        "lin1.weight": state["0.W"].T,
        "lin1.bias": state["0.b"],
        "lin2.weight": state["1.W"].T,
        "lin2.bias": state["1.b"],
    }
    ### END SOLUTION


# %%
check("renamed")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [05 Learners](../05_learners/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("04")
