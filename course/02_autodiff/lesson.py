# ---
# jupyter:
#   gradschool:
#     title: Automatic differentiation
#     minutes: 60
# ---

# %% [markdown]
# # Automatic differentiation
#
# After this lesson `backward()` holds no secret: you can do by hand, node by node, what it does.
#
# You will be able to
#
# * read the graph that a computation leaves behind, and walk it backward;
# * write the gradient rule of an operation as a vector–Jacobian product;
# * say when gradients add up, when they are freed, and when nothing is recorded;
# * test any gradient against finite differences.
#
# **Before:** [01 Tensors](../01_tensors/lesson.ipynb), and the derivative of $x^2$.
# **Time:** 60 minutes. **Backend:** NumPy; everything here also runs on a GPU through CuPy.

# %%
from textwrap import fill  # breaks an error's sentence into lines

import numpy as np

import kernel
from kernel.tape import walk
from widgets import GraphViewer, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · A tensor that remembers
#
# A tensor made with `requires_grad=True` is a **leaf**: you want the slope of something with respect to it. Whatever is
# computed from it keeps a note of how.
#
# **Predict:** which of `data`, `grad` and `grad_fn` are still empty for `x`, and which for `y`? And what stands in `x.grad`
# after `y.backward()`?

# %%
x = kernel.tensor([2.0], requires_grad=True)
y = x**2
print("x: data", x.data, "grad", x.grad, "grad_fn", x.grad_fn)
print("y: data", y.data, "grad", y.grad, "grad_fn", y.grad_fn)
print("x is a leaf:", x.is_leaf, "y is a leaf:", y.is_leaf)

y.backward()
print("dy/dx at x = 2:", x.grad)

# %% [markdown]
# `y` knows that it came from a power. Nobody had to build a graph beforehand: running the line *was* building it.
#
# $$ \frac{dy}{dx} = 2x = 4 \quad\text{at } x = 2 $$
#
# `y` has shape $(1)$ here, not $()$. One element counts as a single number, whatever its shape. (In PyTorch before 0.4
# you wrapped tensors in a `Variable`; since then a Variable *is* a tensor, and the wrapper is history.)
#
# ## 2 · The history
#
# Below, `p` holds the probabilities of two samples. `gather` picks the one of the true class from each row, and the loss
# is the cross-entropy of lesson 00.
#
# **Predict:** four operations are recorded. In which order do you meet them if you start at the loss?

# %%
p = kernel.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], requires_grad=True)
labels = kernel.tensor([[0], [1]])
loss = -p.gather(1, labels).log().mean()

node = loss.grad_fn
while node.next_functions:
    print(node, "←", node.next_functions)
    node = node.next_functions[0][0]

# %% [markdown]
# `next_functions` leads from a result to its operands, each with the number of the output that was used. A leaf shows as
# `AccumulateGrad`, the place where a gradient is delivered. A constant, like `labels`, shows as `None`.
#
# Each node keeps only what its own rule will need. There is no object for "the model"; the chain of nodes is all there
# is, and it is called the **tape**.
#
# ## 3 · One rule for each node
#
# Let $L$ be the number at the end, and write $\bar y = \partial L / \partial y$. A node $y = f(x)$ gets $\bar y$ and has
# to say what $\bar x$ is. The chain rule answers:
#
# $$ \bar x = J^{\top} \bar y, \qquad J = \frac{\partial y}{\partial x}, \qquad (n) = (n, m)\,(m) $$
#
# This is a **vector–Jacobian product**, vjp for short. No rule ever builds $J$, because the product is simple:
#
# | node | shapes | rules |
# |:--|:--|:--|
# | $y = a \cdot b$, elementwise | all alike | $\bar a = \bar y \cdot b$, $\;\bar b = \bar y \cdot a$ |
# | $y = a + b$, $b$ stretched | $(N, C) + (C)$ | $\bar a = \bar y$, $\;\bar b_c = \sum_n \bar y_{nc}$ |
# | $Y = A B$ | $(N, K)(K, M) \to (N, M)$ | $\bar A = \bar Y B^{\top}$, $\;\bar B = A^{\top} \bar Y$ |
# | $y = \sum_i x_i$ | $(n) \to ()$ | $\bar x_i = \bar y$ |
#
# The second row is broadcasting read backward: what was *copied* going forward is *summed* coming back.
#
# **Predict:** in the third row, why can it only be $\bar Y B^{\top}$? Write the shapes below one another.

# %%
a = kernel.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
b = kernel.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], requires_grad=True)
g = kernel.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
(a @ b).backward(g)
print("a:      ", a.grad.tolist())
print("by hand:", (g @ b.T).tolist())
print("b:      ", b.grad.tolist())
print("by hand:", (a.T @ g).tolist())

# %% [markdown]
# $(N, M)$ times $(M, K)$ is the only product of the two that has the shape of $A$. Shapes alone decide most rules.
#
# ## 4 · Walk backward yourself
#
# The viewer shows real tapes of the kernel. Rounded boxes are leaves; below a box, after ∂, stands the gradient that has
# arrived there. First step through $c = x^2 y$ and say each number before you press "Next". Then choose the cross-entropy
# and watch $z$ collect $-y$ on one path and $p$ on the other: together they are the $p - y$ of lesson 00.

# %%
GraphViewer()

# %% [markdown]
# ## 5 · Gradients add up
#
# A value that is used twice gets a gradient from each use, and the parts are added. Therefore the order matters: a node
# may hand on its gradient only when *all* its parts have arrived. An operand is always older than its result, so newest
# first is a safe order.
#
# **Predict:** $a = 1$, $b = a + a$, $c = b + b$. What is $\partial c/\partial a$? And what if someone visits $b$ each time
# a part arrives?

# %%
a = kernel.tensor(1.0, requires_grad=True)
b = a + a
c = b + b
print("c", c.item(), "· the walk will visit", list(walk(c.grad_fn)))
c.backward()
print("dc/da", a.grad.item())

# %% [markdown]
# (An impatient walk gives 6: $b$ hands its first 1 on to both places in $a + a$, and later its sum 2, which counts the
# first part again.)
#
# `grad` adds up as well, from one `backward()` to the next.
#
# **Find the bug.** A well-known course says: "to accumulate gradients, call backward with `retain_graph=True`".
# **Predict** each line below, then decide what `retain_graph` really keeps.

# %%
x = kernel.ones(2)
x.requires_grad = True
y = x.sum()
for keywords in ({"retain_graph": True}, {}, {}):
    y.backward(**keywords)
    print("the same sum again:", x.grad)

x.grad = None
for _ in range(3):
    y = (x**2).sum()
    y.backward()
    print("a new square each time:", x.grad)

try:
    y.backward()
except kernel.GradError as error:
    print(fill(str(error), 58))

# %% [markdown]
# Accumulation is always on: the three new squares added up without `retain_graph`. What it keeps is the *saved values*,
# such as the $x$ that the rule $2x$ reads, and which are freed as soon as they were used. A sum reads nothing, so nothing
# is missing when it is walked again. (PyTorch behaves alike in all three cases.)
#
# So clear `grad` before the next step of a training. And move a leaf outside the tape, or you are told:

# %%
try:
    x -= 0.1 * x.grad
except kernel.GradError as error:
    print(fill(str(error), 58))

with kernel.no_grad():
    x -= 0.1 * x.grad  # what you should write
x.data.sub_(0.1 * x.grad)  # what older code writes: same memory, unseen by the tape
x.data = x.data - 0.1 * x.grad  # or so: other memory in its place
x.grad.zero_()
print(x)
print("grad", x.grad)

# %% [markdown]
# ## 6 · More than one number at the end
#
# **Predict:** `y = x**2` with two elements. Why can `y.backward()` not work? What should one have to add?

# %%
x = kernel.tensor([1.0, 1.0], requires_grad=True)
y = x**2
try:
    y.backward()
except kernel.GradError as error:
    print(fill(str(error), 58))
y.backward(kernel.tensor([1.0, 1.0]))
print("with the gradient (1, 1):", x.grad)

# %% [markdown]
# The argument is $\bar y$: how strongly the cost, further up, depends on each element of $y$. That is how you start in the
# middle of a network. With ones it is the gradient of `y.sum()`.
#
# ## 7 · Loops, branches, corners
#
# Python runs as it always does, and the tape records what really happened. **Predict:** how often is `y` squared, and
# what is the slope at $x = 2$?

# %%
x = kernel.tensor([2.0], requires_grad=True)
y, turns = x, 0
while y < 10:
    y, turns = y**2, turns + 1
print("y", y.item(), "after", turns, "turns")
print("recorded:", list(walk(y.grad_fn)))
y.backward()
print("slope", x.grad.item())

try:
    while kernel.tensor([2.0, 20.0]) < 10:
        pass
except kernel.ShapeError as error:
    print(fill(str(error), 58))

# %% [markdown]
# $$ y = (x^2)^2 = x^4, \qquad \frac{dy}{dx} = 4x^3 = 32 $$
#
# At another $x$ the loop may turn more often, and there the formula is another one. At the border between two formulas
# there is no derivative; a library has to pick a number. **Predict:** who gets the gradient of the maximum of 3 and 3?

# %%
for choose in (kernel.maximum, kernel.element_max):
    a = kernel.tensor(3.0, requires_grad=True)
    b = kernel.tensor(3.0, requires_grad=True)
    choose(a, b).backward()
    print(f"{choose.__name__:12}", a.grad.item(), b.grad.item())

z = kernel.tensor([-1.0, 0.0, 2.0], requires_grad=True)
kernel.relu(z).sum().backward()
print("relu        ", z.grad)

# %% [markdown]
# PyTorch and our `maximum` give half to each; CNTK, and our `element_max`, give all to the second argument. Both are
# right: any split is a *subgradient*. For relu at 0 everybody takes 0. Know it when two libraries differ in one number.
#
# ## 8 · What is not recorded
#
# Three ways to save the work: do not ask for it (`requires_grad=False`, the default), switch it off for a block
# (`no_grad`), or cut one value out of its history (`detach`).
#
# **Predict:** how many nodes does each of the four lines leave behind?

# %%
x = kernel.ones(1, 3)
w = kernel.tensor([[1.0], [2.0], [3.0]], requires_grad=True)


def score(w):
    return ((x @ w) ** 2).mean()


results = {"all": score(w), "constant": score(w.data)}
results["detach"] = score(w).detach() * w.sum()
with kernel.no_grad():
    results["no_grad"] = score(w)
for name, result in results.items():
    nodes = [node.name for node in walk(result.grad_fn)]
    print(f"{name:8} {result.item():5}", ", ".join(nodes) or "nothing")

# %% [markdown]
# `detach` shares the memory and forgets the past: the score went into the product as the constant 36. In the first line
# the matrix product has a rule for `x` too, but `x` does not ask, so it is never computed.
#
# ## 9 · Listen, and differentiate twice
#
# A **hook** sees the gradient as it arrives, and may replace it. And with `create_graph=True` the walk backward is
# recorded in turn, so that it has a gradient of its own.
#
# **Predict:** $f = x^3$ at $x = 3$: $f'$, and $f''$?

# %%
x = kernel.tensor(3.0, requires_grad=True)
s = x**2
s.register_hook(lambda g: print("arrives at s:", g.item()))
(s * x).backward()
print("x.grad:", x.grad.item())

slope = kernel.grad(x**3, x, create_graph=True)
curvature = kernel.grad(slope, x)
print("f' =", slope.item(), "· f'' =", curvature.item())

# %% [markdown]
# ## 10 · Is it right?
#
# The definition of the derivative is its best test. `gradcheck` moves the inputs a little along a random direction $d$ and
# compares:
#
# $$ \bar x \cdot d \;\approx\; \frac{f(x + h d) - f(x - h d)}{2h} $$
#
# Random is not haphazard: after `manual_seed(0)` the same numbers come again, on every run.
#
# **Predict:** what will gradcheck say to a function that detaches one of its two factors?

# %%
kernel.manual_seed(0)
x = kernel.randn(4)
kernel.manual_seed(0)
print("the same again:", bool((x == kernel.randn(4)).all()))

print("tanh:", kernel.gradcheck(kernel.tanh, x))
try:
    kernel.gradcheck(lambda x: (x.detach() * x).sum(), x)
except kernel.GradError as error:
    print(fill(str(error), 58))

# %% [markdown]
# Exactly half: the other factor's path was cut.
#
# **Predict:** it takes $h = 10^{-6}$ and float64. Would a much smaller $h$, or float32, serve as well?


# %%
def slope_errors(dtype, steps, central):
    """|finite difference − gradient| of exp(sin x) at x = 1, for every step h."""
    exact = kernel.tensor(1.0, kernel.float64, requires_grad=True)
    kernel.exp(kernel.sin(exact)).backward()
    h = kernel.tensor(steps, dtype)
    sides = (1, -1 if central else 0)
    up, down = (kernel.exp(kernel.sin(1 + side * h)) for side in sides)
    numeric = (up - down) / ((2 if central else 1) * h)
    return np.abs(numeric.numpy() - exact.grad.item())


steps = 10.0 ** np.arange(-13, 0.5, 0.5)
figure, axes = style.subplots(width=700, height=400)
lines = (
    ("one-sided, float64", "float64", False),
    ("central, float64", "float64", True),
    ("central, float32", "float32", True),
)
for number, (label, dtype, central) in enumerate(lines):
    shown = steps if dtype == "float64" else steps[steps > 3e-7]
    errors = slope_errors(dtype, shown, central)
    axes.loglog(shown, errors, label=label, markersize=5, **style.series(number))
axes.axvline(1e-6, color=style.MUTED, linewidth=1)
axes.text(1.25e-6, 30, "gradcheck's h", color=style.MUTED)
axes.text(4e-12, 3e-10, "rounding error\nε / h grows", color=style.INK, ha="center")
axes.text(1e-3, 3e-10, "curvature error\nh² shrinks", color=style.INK, ha="left")
axes.set(title="Error of a finite difference", ylim=(1e-13, 100))
axes.set(xlabel="step h", ylabel="|error of the slope|")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(
    figure,
    alt="Three V-shaped curves of the error against the step h. The central difference "
    "in float64 has the lowest point, about 1e-11 near h = 1e-5; in float32 the lowest "
    "is about 1e-4 near h = 1e-2.",
    caption="From the right the error falls as the step shrinks, with h for one side "
    "and with h² for two; from the left rounding, divided by h, takes over. "
    "Float32 never gets good enough to judge a gradient.",
)

# %% [markdown]
# ## The same lines elsewhere
#
# | | a leaf, and what is recorded | walking back, and the gradient |
# |:--|:--|:--|
# | our kernel, PyTorch | `requires_grad=True`<br>always | `y.backward()`<br>`x.grad` |
# | MXNet | `x.attach_grad()`<br>`with autograd.record():` | `y.backward()`<br>`x.grad` |
# | TensorFlow 2, Keras | `x = tf.Variable(2.0)`<br>`with tf.GradientTape() as tape:` | `tape.gradient(y, x)`<br>is returned |
# | TensorFlow 1 | `x = tf.placeholder("float")`<br>a graph, built first | `g = tf.gradients(y, x)`<br>`session.run(g, {x: 2.0})` |
# | CNTK | `x = C.input_variable(1, needs_gradient=True)`<br>a graph, built first | `y.grad({x: [2.0]})`<br>is returned |
# | JAX | any argument of `f`<br>while `f` is traced | `jax.grad(f)(2.0)`<br>is returned |
# | NumPy | | by hand |
#
# MXNet *writes* `x.grad` where the first row adds to it; `attach_grad(grad_req="add")` makes it add.
#
# In the first three rows, and in JAX, a line computes as soon as it runs; that style is called *eager*. (JAX runs `f` on
# stand-ins for the numbers while it traces it.) Where the graph is built first, numbers come later: `y.eval({x: [2.0]})` in CNTK, `session.run(y, {x: 2.0})` in TensorFlow 1, and a loop must be an
# operation of the graph.
#
# ## Recap
#
# * Every recorded operation leaves a node; `next_functions` leads back to the leaves.
# * A node knows one thing: from the gradient of its result, the gradient of each operand (a vjp).
# * Gradients of several uses are added, so nodes are visited newest first; `grad` adds up over calls, too.
# * `retain_graph` keeps saved values, `no_grad` and `detach` record nothing, `create_graph` records the walk.
# * What was stretched going forward is summed coming back; gradcheck finds whoever forgot.
#
# **What usually goes wrong.** `grad` is not cleared between two steps. A value takes a detour through `.numpy()`,
# `.item()` or `.data` and loses its history. A running loss is summed up as a tensor, and keeps every step's tape alive.
#
# **Where to read on.** `kernel/tape.py`, whose `pull_back` is the walk of this lesson; Baydin, Pearlmutter, Radul and
# Siskind, *Automatic Differentiation in Machine Learning: a Survey*, JMLR 18 (2018).
#
# **Next:** the [exercises](exercises.ipynb), then [03 Training loop and metrics](../03_training_loop/lesson.ipynb).
