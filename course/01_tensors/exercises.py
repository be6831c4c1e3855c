# %% [markdown]
# # Tensors: exercises
#
# Six exercises, 13 points. Write your answer in place of the marked line, or of the three dots, run the cell, then run
# the check below it. You may check as often as you like; `hint("stack_channels")` gives one of three hints, and
# `solution` opens after a right answer, or after three attempts with all the hints. The [lesson](lesson.ipynb) is one
# click away.

# %%
import math

import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Three channels, one image (2 points)
#
# A camera hands you its colours apart: three tensors of shape $(H, W)$. Most libraries want one image of shape
# $(H, W, 3)$, red first.
#
# `stack_channels(red, green, blue)`: for the 1×2 images `[[1, 2]]`, `[[10, 20]]` and `[[100, 200]]` the result is
# `[[[1, 10, 100], [2, 20, 200]]]`, of shape $(1, 2, 3)$.


# %% nbgrader={"grade": false, "grade_id": "stack_channels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stack_channels(red, green, blue):
    """Three images (H, W) as one of shape (H, W, 3)."""
    ### BEGIN SOLUTION
    return kernel.stack([red, green, blue], axis=2)
    ### END SOLUTION


# %%
check("stack_channels")

# %% [markdown]
# ## 2 · Rows that add up to 1 (2 points)
#
# Turn counts into shares: divide each row of $x$, of shape $(B, C)$, by its own total. Leave `x` itself as it is.
#
# `normalise_rows(x)`: `[[1, 3, 4], [2, 2, 1]]` gives `[[0.125, 0.375, 0.5], [0.4, 0.4, 0.2]]`.


# %% nbgrader={"grade": false, "grade_id": "normalise_rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalise_rows(x):
    """Each row of x (B, C) divided by its total."""
    ### BEGIN SOLUTION
    return x / x.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %%
check("normalise_rows")

# %% [markdown]
# ## 3 · Find three bugs (3 points)
#
# A colleague wanted to double a batch of shape $(B, C)$ **in place**, and to return its **first** column in **single**
# precision, whatever the dtype of the batch. This is the program, and each of the three words went wrong:
#
# ```python
# def prepare(batch):
#     batch * 2
#     return batch[:, 1].astype(kernel.float16)
# ```
#
# `prepare(batch)`: with `batch = [[1, 2], [3, 4]]` it should return `[2, 6]` in float32, and leave `[[2, 4], [6, 8]]` in
# `batch`.


# %% nbgrader={"grade": false, "grade_id": "prepare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prepare(batch):
    """Doubles batch (B, C) in place; its first column (B,) in single precision."""
    ### BEGIN SOLUTION
    batch *= 2
    return batch[:, 0].astype(kernel.float32)
    ### END SOLUTION


# %%
check("prepare")

# %% [markdown]
# ## 4 · View or copy? (2 points)
#
# Let `x = kernel.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])` be on the CPU, `a` a NumPy array, and `far` a tensor on a GPU.
# Fill in "view" where the result shares memory with what it is made from, so that a write to one is a write to the other,
# and "copy" where it does not. For example, `x.T` is a "view".

# %% nbgrader={"grade": false, "grade_id": "view_or_copy", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
view_or_copy = {
    "x[1:]": "view",
    "x.reshape(6)": "view",
    "x.T.reshape(6)": "copy",
    "x[kernel.tensor([1, 0])]": "copy",
    "x.unsqueeze(0)": "view",
    "x.clone()": "copy",
    "x.numpy()": "view",
    "kernel.from_numpy(a)": "view",
    "kernel.tensor(a)": "copy",
    "far.cpu()": "copy",
}
### END SOLUTION

# %%
check("view_or_copy")

# %% [markdown]
# ## 5 · What a float can hold (2 points)
#
# Numbers as numbers (infinity is `math.inf`), yes or no as `True` or `False`, a dtype as a string such as `"int32"`. For
# example, "bits of half precision" would be `16`. Predict first; then ask the kernel in a cell of your own.

# %% nbgrader={"grade": false, "grade_id": "float_facts", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
float_facts = {
    "bits of single precision": 32,
    "bits of double precision": 64,
    "largest float16": 65504,
    "70000 in float16": math.inf,
    "2049 in float16": 2048,
    "0.1 + 0.2 == 0.3 in float64": False,
    "dtype of kernel.from_numpy(np.ones(5))": "float64",
    "dtype of kernel.tensor([1, 2]) / 2": "float32",
}
### END SOLUTION

# %%
check("float_facts")

# %% [markdown]
# ## 6 · The same thing elsewhere (2 points)
#
# Match each task with one of these, copied letter for letter; each is used once. For example, "NumPy: join along an axis"
# would be `"np.concatenate"`.
#
# `C.element_max` · `C.splice` · `autograd.record()` · `keras.ops.concatenate` · `node.eval()` · `node.grad()` ·
# `session.run` · `tf.enable_eager_execution()` · `tf.reduce_max` · `x.attach_grad()`

# %% nbgrader={"grade": false, "grade_id": "equivalents", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
equivalents = {
    "MXNet: want the gradient of x": "x.attach_grad()",
    "MXNet: record what follows": "autograd.record()",
    "CNTK: value of a node": "node.eval()",
    "CNTK: gradient of a node": "node.grad()",
    "CNTK: join along an axis": "C.splice",
    "CNTK: larger of two, elementwise": "C.element_max",
    "TensorFlow: largest along an axis": "tf.reduce_max",
    "TensorFlow 1: value of a node": "session.run",
    "TensorFlow 1: compute at once": "tf.enable_eager_execution()",
    "Keras: join along an axis": "keras.ops.concatenate",
}
### END SOLUTION

# %%
check("equivalents")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# [02 Autodiff](../02_autodiff/lesson.ipynb): how `backward` finds every gradient.

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("01")
