# %% [markdown]
# # Graphs: exercises
#
# Six exercises, 13 points. Write your answer in place of the marked line, run the cell, then run the check below it. You
# may check as often as you like; `hint("argument_shapes")` gives one of three hints, and `solution("argument_shapes")`
# opens after a right answer, or after three attempts with all the hints. What the words mean is in the
# [lesson](lesson.ipynb).

# %%
import math

import numpy as np

import kernel
from classroom import check, hint, progress_map, solution

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · What the arguments look like (2 points)
#
# Write what `infer_shape` does for a chain of layers, without calling it. A layer is one of
#
# * `("conv", filters, side)`: kernels of side × side, stride 1, no padding: $(N, C, H, W) \to (N, F, H - s + 1, W - s + 1)$;
# * `("dense", hidden)`: joins all axes but the first, as `FullyConnected` does;
# * `("relu",)`: has no arguments, and keeps the shape.
#
# `argument_shapes(layers, data)` returns a list of tuples in the order of `list_arguments()`: `data`, then weight and
# bias of each layer, then the label, one class index for each sample.
#
# Example: `argument_shapes([("dense", 128), ("relu",), ("dense", 10)], (100, 60))` is
# `[(100, 60), (128, 60), (128,), (10, 128), (10,), (100,)]`.


# %% nbgrader={"grade": false, "grade_id": "argument_shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def argument_shapes(layers, data):
    """The shapes of all arguments of a chain of layers, given that of the data."""
    ### BEGIN SOLUTION
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]
    ### END SOLUTION


# %%
check("argument_shapes")

# %% [markdown]
# ## 2 · In which order (2 points)
#
# A graph is a dict from each node to the list of its operands; variables have none. Write
# `computing_order(graph, root)`: all nodes that `root` needs, and `root` itself, each once, every operand before what is
# computed from it. There is more than one such order. Ours goes **depth first**: into the first operand, down to its
# variables, then into the second.
#
# * `graph`: {name: [names]}; `root`: a name. Returns a list of names.
#
# Example: `computing_order({"x": [], "w": [], "h": ["x", "w"], "y": ["h", "x"]}, "y")` is `["x", "w", "h", "y"]`.
# Leave out `h` and `y`, which compute something, and you have what `list_arguments()` gives.


# %% nbgrader={"grade": false, "grade_id": "computing_order", "locked": false, "schema_version": 3, "solution": true, "task": false}
def computing_order(graph, root):
    """The nodes below root, and root, operands first, depth first, each once."""
    ### BEGIN SOLUTION
    order = []

    def visit(node):
        if node not in order:
            for operand in graph[node]:
                visit(operand)
            order.append(node)

    visit(root)
    return order
    ### END SOLUTION


# %%
check("computing_order")

# %% [markdown]
# ## 3 · Find the bug: a step too far (3 points)
#
# This is one step of training, written in the mixed style. For our net it seems to work:
#
# ```python
# def sgd_step(executor, x, y, rate):
#     executor.arg_dict["data"][:] = x
#     executor.arg_dict["out_label"][:] = y
#     executor.forward(is_train=True)
#     executor.backward()
#     for array, gradient in zip(executor.arg_arrays, executor.grad_arrays):
#         array[:] -= rate * (gradient / len(x))
# ```
#
# Afterwards `data` should still hold `x`; and it should work, too, with an executor that was bound with
# `grad_req="add"`: the step follows the gradient of this batch alone. Mend it.
#
# * `executor`: of a net with the arguments `data`, `fc_weight`, `fc_bias` and `out_label`, which ends in `SoftmaxOutput`;
#   its gradient is the sum over the samples.
# * Returns nothing. The check takes one step or two, and compares all four arrays.


# %% nbgrader={"grade": false, "grade_id": "sgd_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sgd_step(executor, x, y, rate):
    """One step down the mean gradient of x (N, K), y (N,), in the executor's arrays."""
    ### BEGIN SOLUTION
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / len(x)
    ### END SOLUTION


# %%
check("sgd_step")

# %% [markdown]
# ## 4 · Find the bug: always above 95 % (2 points)
#
# A notebook ends with these lines, and the last one never fails, not even for a net that knows nothing:
#
# ```python
# executor.forward(is_train=True, data=x)
# accuracy = (executor.outputs[0].argmax(axis=1) == y).sum()
# assert accuracy > 0.95, "Low training accuracy."
# ```
#
# Write `accuracy_of(executor, x, y)`: the share of right answers, of a net that is in use. It has a dropout.
#
# * `x`: shape $(M, K)$; `y`: shape $(M)$. The executor is bound to batches of a size that divides $M$.
# * Returns a Python number between 0 and 1.


# %% nbgrader={"grade": false, "grade_id": "accuracy_of", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accuracy_of(executor, x, y):
    """The share of the samples for which the largest output is that of the label."""
    ### BEGIN SOLUTION
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / len(x)
    ### END SOLUTION


# %%
check("accuracy_of")

# %% [markdown]
# ## 5 · Plan the memory (3 points)
#
# A program is a list of steps `(result, operands)`. Every value has the same size. Write `buffers(program, outputs)`: it
# says in which buffer, 0, 1, 2, …, each result lies.
#
# * At each step the result gets the free buffer with the smallest number, or a new one if none is free.
# * Then every operand whose last reader this was gives its buffer back. (Nothing is computed in place.)
# * Outputs are read by somebody after the last step: they never give theirs back.
# * Operands that are no results, such as `data` and the weights, are bound from outside: they need no buffer.
# * Returns {result: number}.
#
# Example: with `[("a", ["x"]), ("b", ["a"]), ("c", ["b"])]` and `["c"]`, the plan is `{"a": 0, "b": 1, "c": 0}`.


# %% nbgrader={"grade": false, "grade_id": "buffers", "locked": false, "schema_version": 3, "solution": true, "task": false}
def buffers(program, outputs):
    """The number of the buffer in which each result of the program lies."""
    ### BEGIN SOLUTION
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if x in place and last[x] == step and x not in outputs]
    return place
    ### END SOLUTION


# %%
check("buffers")

# %% [markdown]
# ## 6 · Find the bug: 99 of 100 (1 point)
#
# A batch is shared out to devices, in proportion to their powers. The powers `[1, 5]` make 17 and 83 of 100. But
#
# ```python
# def workloads(batch, powers):
#     return [round(batch / sum(powers) * power) for power in powers]
# ```
#
# makes 33, 33 and 33 of `[1, 1, 1]`, and nobody learns from the last sample. Mend it: the parts are whole numbers, they
# add up to `batch`, and no part is more than one sample off its exact share.
#
# Example: `workloads(100, [1, 1, 1])` may be `[33, 34, 33]`, or any other order of these.


# %% nbgrader={"grade": false, "grade_id": "workloads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def workloads(batch, powers):
    """How many samples each device gets: whole numbers that add up to the batch."""
    ### BEGIN SOLUTION
    ends = [round(batch * sum(powers[: k + 1]) / sum(powers)) for k in range(len(powers))]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    ### END SOLUTION


# %%
check("workloads")

# %% [markdown]
# ## How far have you come?
#
# The map below shows your points, attempts and hints in this lesson. Next comes
# 10 Feeding data.

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: every student has a map of their own.
progress_map("09")
