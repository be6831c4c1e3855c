# %% [markdown]
# # Automatic differentiation: exercises
#
# Six exercises, 12 points. Write your answer in place of the marked line, or of the three dots, run the cell, then run
# the check below it. You may check as often as you like; `hint("slopes")` gives one of three hints, and
# `solution("slopes")` opens after a right answer, or after three attempts with all the hints. The table of rules and the
# viewer are in the [lesson](lesson.ipynb).

# %%
import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Two slopes of one formula (1 point)
#
# $$ f(x, y) = x^2 y + y^3 $$
#
# First work out $\partial f/\partial x$ and $\partial f/\partial y$ at $x = 5$, $y = 2$ on paper. Note that $y$ is used
# twice. Then write `slopes(x, y)`, which lets the kernel do it.
#
# * `x`, `y`: leaves of shape $()$ that require a gradient.
# * Returns the two slopes as tensors, in the order $(\partial f/\partial x, \partial f/\partial y)$.
#
# Example: at $(1, 1)$ the slopes are 2 and 4.


# %% nbgrader={"grade": false, "grade_id": "slopes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def slopes(x, y):
    """The slopes of x²y + y³ with respect to x and to y."""
    ### BEGIN SOLUTION
    f = x**2 * y + y**3
    f.backward()
    return x.grad, y.grad
    ### END SOLUTION


# %%
check("slopes")

# %% [markdown]
# ## 2 · Three rules of a linear layer (3 points)
#
# $$ Y = X W + b \qquad (B, K)\,(K, M) + (M) \to (B, M) $$
#
# Write `linear_vjp(g, x, w)`: given $\bar Y$, what are $\bar X$, $\bar W$ and $\bar b$? No `backward` here: this is the
# rule that backward would call.
#
# * `g`: the gradient of $Y$, shape $(B, M)$; `x`: shape $(B, K)$; `w`: shape $(K, M)$. The bias itself is not needed.
# * Returns the gradients of $X$, $W$ and $b$, each in the shape of its tensor.
#
# Example: with `g = [[1, 2]]`, `x = [[3]]`, `w = [[4, 5]]` they are `[[14]]`, `[[3, 6]]` and `[1, 2]`.


# %% nbgrader={"grade": false, "grade_id": "linear_vjp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_vjp(g, x, w):
    """Gradients of x (B, K), w (K, M) and b (M,), from that of the result, g (B, M)."""
    ### BEGIN SOLUTION
    return g @ w.T, x.T @ g, g.sum(axis=0)
    ### END SOLUTION


# %%
check("linear_vjp")

# %% [markdown]
# ## 3 · Find the bug: what `retain_graph` is for (2 points)
#
# The sentence "to accumulate gradients you need `retain_graph=True`" can be read in a well-known course. Refute it. In
# every snippet `x` is a fresh leaf that holds `[1.0, 1.0]`. What is the **first element of `x.grad`** at the end? Write
# the number, or `"error"` if a line is refused.
#
# ```python
# # A
# y = x.sum()
# y.backward(retain_graph=True)
# y.backward()
# y.backward()
#
# # B
# y = (x**2).sum()
# y.backward()
# y.backward()
#
# # C
# for _ in range(3):
#     y = (x**2).sum()
#     y.backward()
#
# # D
# for _ in range(3):
#     x.grad = None
#     y = (x**2).sum()
#     y.backward()
#
# # E
# y = (x**2).sum()
# y.backward(retain_graph=True)
# y.backward(retain_graph=True)
# y.backward()
# ```
#
# The last entry: what does `retain_graph=True` keep, `"gradients"` or `"saved values"`?

# %% nbgrader={"grade": false, "grade_id": "accumulation", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
accumulation = {"A": 3.0, "B": "error", "C": 6.0, "D": 2.0, "E": 6.0, "retain_graph keeps": "saved values"}
### END SOLUTION

# %%
check("accumulation")

# %% [markdown]
# ## 4 · The slope of a loop (2 points)
#
# Write `loop_slope(x)`: start with $y = x$, square $y$ as long as it is below 10, and find $dy/dx$.
#
# * `x`: a leaf of shape $(1)$ that requires a gradient.
# * Returns $y$ and the slope, two tensors of shape $(1)$.
#
# Example: at $x = 2$ the result is 16 and the slope 32; at $x = 5$ they are 25 and 10. If $x$ is 10 or more, the loop
# does not turn, and the slope of $y = x$ is 1. A number such as $-12$ is below 10: one turn makes 144 of it.


# %% nbgrader={"grade": false, "grade_id": "loop_slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def loop_slope(x):
    """y, squared until it is 10 or more, and dy/dx: two tensors (1,)."""
    ### BEGIN SOLUTION
    y = x
    while y < 10:
        y = y**2
    y.backward()
    return y.detach(), x.grad
    ### END SOLUTION


# %%
check("loop_slope")

# %% [markdown]
# ## 5 · Walk backward over a tape (3 points)
#
# Here is the whole of `backward`, for numbers. A tape is a list of lines `(result, operands, slopes)`, in the order in
# which they were computed; `slopes` holds the local slope for each operand. For $b = a + a$, $c = b + b$ it is
#
# ```python
# tape = [("b", ("a", "a"), (1.0, 1.0)), ("c", ("b", "b"), (1.0, 1.0))]
# ```
#
# Write `walk_back(tape)`. The last line's result is the one to differentiate, and every line leads to it.
#
# * Returns a dict from each name to the derivative of the last result with respect to it.
#
# Example: the tape above gives `{"c": 1.0, "b": 2.0, "a": 4.0}`.


# %% nbgrader={"grade": false, "grade_id": "walk_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def walk_back(tape):
    """{name: derivative of the last result with respect to it}."""
    ### BEGIN SOLUTION
    gradients = {tape[-1][0]: 1.0}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[result] * slope
    return gradients
    ### END SOLUTION


# %%
check("walk_back")

# %% [markdown]
# ## 6 · The same four steps in other frameworks (1 point)
#
# Four steps are the same everywhere: mark a **leaf**, **record** what happens to it, compute **forward**, walk **backward**.
# Which step is each line?
#
# | | line |
# |:--|:--|
# | A | MXNet: `x.attach_grad()` |
# | B | MXNet: `with autograd.record():` |
# | C | TensorFlow 2: `with tf.GradientTape() as tape:` |
# | D | TensorFlow 2: `tape.gradient(y, x)` |
# | E | TensorFlow 1: `session.run(y, {x: 2.0})` |
# | F | CNTK: `y.eval({x: [2.0]})` |
# | G | CNTK: `y.grad({x: [2.0]})` |
# | H | the style of CNTK and of TensorFlow 1 with sessions |
#
# For A to G write `"leaf"`, `"record"`, `"forward"` or `"backward"`; for H `"eager"` or `"graph first"`.

# %% nbgrader={"grade": false, "grade_id": "frameworks", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
frameworks = {
    "A": "leaf",
    "B": "record",
    "C": "record",
    "D": "backward",
    "E": "forward",
    "F": "forward",
    "G": "backward",
    "H": "graph first",
}
### END SOLUTION

# %%
check("frameworks")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [03 Training loop and metrics](../03_training_loop/lesson.ipynb).

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("02")
