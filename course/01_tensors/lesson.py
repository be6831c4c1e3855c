# ---
# jupyter:
#   gradschool:
#     title: Tensors
#     minutes: 45
# ---

# %% [markdown]
# # Tensors
#
# After this lesson you can say, before you run a line, which shape its result has and whose memory it lies in.
#
# You will be able to
#
# * reduce, reshape and join along the axis that you mean;
# * broadcast on purpose, and notice when it happens by accident;
# * tell a view from a copy: in NumPy, in the kernel, and between devices;
# * choose a dtype and know what it cannot hold.
#
# **Before:** Python, and [00 Cross-entropy](../00_crossentropy/lesson.ipynb) for what all this is good for.
# **Time:** 45 minutes. **Backend:** NumPy; one cell uses a GPU through CuPy, where there is one.

# %%
from textwrap import fill  # breaks an error's sentence into lines

import numpy as np

import kernel
from widgets import Broadcasting, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Shape
#
# A tensor is a block of numbers and a **shape**: how many entries there are along each axis. By custom axis 0 counts the
# samples of a batch. Below are two samples with three scores each, so the shape is $(B, C) = (2, 3)$.
#
# **Predict:** does `x.sum(axis=0)` give one total per sample, or one per score? Which shape does it have?

# %%
x = kernel.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print(x)
print("shape", x.shape, "· axes", x.ndim, "· elements", x.numel())
print("over axis 0:", x.sum(axis=0))
print("over axis 1:", x.sum(axis=1))
print("axis 1 kept:", x.sum(axis=1, keepdims=True).shape)

# %% [markdown]
# The axis you name is the axis that disappears, because it is the one summed over:
#
# $$ t_c = \sum_{b=1}^{B} x_{bc} \qquad (B, C) \to (C) $$
#
# `keepdims=True` leaves it behind with size 1. You will need that in a minute.
#
# ## 2 · Reshape, join, stack
#
# **Predict:** `x.reshape(3, 2)` and `x.T` have the same shape. Do they hold the same rows? And which of `cat` and `stack`
# adds an axis?

# %%
y = 10 * x
print(x.reshape(3, 2).tolist(), "reshape")
print(x.T.tolist(), "transpose")
print("cat, axis 0  ", kernel.cat([x, y]).shape)
print("cat, axis 1  ", kernel.cat([x, y], 1).shape)
print("stack, axis 0", kernel.stack([x, y]).shape)
print("stack, axis 2", kernel.stack([x, y], 2).shape)
print("unsqueeze, squeeze", x.unsqueeze(1).shape, x.unsqueeze(1).squeeze(1).shape)

# %% [markdown]
# `reshape` keeps the reading order, row after row, and cuts it differently. A transpose swaps the axes, so it changes the
# reading order. `cat` lengthens an axis that is there; `stack` makes a new one. NumPy says `concatenate` and
# `expand_dims` where PyTorch says `cat` and `unsqueeze`; the kernel answers to both.
#
# ## 3 · Broadcasting
#
# **Predict:** a column of shape $(2, 1)$ plus a row of shape $(3)$. An error, or which shape?

# %%
column = kernel.tensor([[10.0], [20.0]])
row = kernel.tensor([1.0, 2.0, 3.0])
print(column + row)

# %% [markdown]
# Nothing was copied by hand: each operand was *stretched*. Align the two shapes at the right; an axis that one of them
# lacks counts as 1. Counted from the right, the axes are `-1`, `-2`, and so on. Two sizes $n$ and $m$ go together if they are
# equal or one of them is 1, and otherwise there is an error:
#
# $$ (n, m) \mapsto \max(n, m) \quad\text{if } n = m \text{ or } 1 \in \{n, m\} $$
#
# Type two shapes into the drawer and predict the result before you press Enter. Then try "No fit", and mend it with a
# single 1.

# %%
Broadcasting("(2, 1)", "(3,)")

# %% [markdown]
# Broadcasting is kind, and that is its danger. To turn each row of $x$ into shares we divide by the row's total:
#
# $$ p_{bc} = \frac{x_{bc}}{\sum_{k} x_{bk}} \qquad (B, C) \,/\, (B, 1) \to (B, C) $$
#
# **Predict:** someone forgets `keepdims=True`, so the totals have shape $(B)$. What happens with two rows of three, and
# what with two rows of two?

# %%
try:
    x / x.sum(axis=1)
except kernel.ShapeError as error:
    print(fill(str(error), 58))

square = kernel.tensor([[1.0, 3.0], [2.0, 6.0]])
for keep in (False, True):
    shares = square / square.sum(axis=1, keepdims=keep)
    print(f"keepdims={keep!s:5}  rows add up to", shares.sum(axis=1).tolist())

# %% [markdown]
# The rectangle is refused in words. The square is *accepted*, and wrong: $(B)$ lines up with the columns. Test your code
# on arrays whose sizes all differ.
#
# ## 4 · Views and copies
#
# **Predict:** five writes below, each followed by a line that prints another name. Which of them does it see? And what is
# the dtype of a tensor made from `np.ones(3)`?

# %%
x = kernel.tensor([[10, 20, 30], [40, 50, 60]])
x[kernel.tensor([0])].add_(1)
print("1, an index tensor:", x.tolist())
x[0].add_(1)
print("2, a row number:   ", x.tolist())

array = np.ones(3)
tensor = kernel.from_numpy(array)
array += 1
print("3, from_numpy:     ", tensor)
tensor.numpy()[0] = 7
print("4, numpy():        ", array)
tensor = kernel.tensor(array)
array += 1
print("5, kernel.tensor:  ", tensor)

# %% [markdown]
# An index tensor copies and a slice does not. `from_numpy` and `.numpy()` share, in both directions, and so `np.ones`
# stays float64. `kernel.tensor` always copies. Why?
#
# Memory is one long strip. A row-major tensor of shape $(B, C)$ keeps its entry $(i, j)$ at place $i\,C + j$. In general
#
# $$ \text{place}(i, j) = \text{start} + i\,s_0 + j\,s_1 , $$
#
# where $s_0$ and $s_1$ are the **strides**. A **view** is a new start and new strides over old memory: it costs nothing,
# and whoever writes into it writes into the original. Where no start and strides can do it, there must be a **copy**.
#
# **Predict:** a column, a transpose, two reshapes: which of them are views? The folded cell asks real tensors for the
# addresses of their elements, and draws them.

# %% jupyter={"source_hidden": true}
from matplotlib.patches import Rectangle

x = kernel.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]])


def places(tensor):
    """Addresses of the elements in reading order; that of the first one of x is 0."""
    array = tensor.numpy()
    start = (array.ctypes.data - x.numpy().ctypes.data) // array.itemsize
    strides = np.array(array.strides) // array.itemsize
    return (start + np.tensordot(strides, np.indices(array.shape), 1)).ravel()


results = {
    "x": x,
    "x[:, 1]": x[:, 1],
    "x.T": x.T,
    "x.reshape(3, 2)": x.reshape(3, 2),
    "x.T.reshape(6)": x.T.reshape(6),
    "x[kernel.tensor([1])]": x[kernel.tensor([1])],
}
EMPTY = {"fill": False, "edgecolor": style.RULE}
VIEW = {"facecolor": "#CFE4F2", "edgecolor": style.BLUE}
COPY = {"facecolor": "#F9DCC9", "edgecolor": style.DARK_VERMILLION, "linestyle": "--"}
figure, axes = style.subplots(width=760, height=360)
for line, (code, tensor) in enumerate(results.items()):
    shared = np.shares_memory(tensor.numpy(), x.numpy())
    axes.text(-0.2, line, code, ha="right", va="center", family="monospace")
    kind = "original" if tensor is x else "view" if shared else "copy"
    axes.text(13.2, line, kind, va="center", weight="bold")
    for slot in range(6):
        axes.add_patch(Rectangle((slot, line - 0.36), 0.92, 0.72, **EMPTY))
    slots = places(tensor) if shared else places(tensor) - places(tensor).min() + 7
    look = VIEW if shared else COPY
    for order, slot in enumerate(slots):
        axes.add_patch(Rectangle((slot, line - 0.36), 0.92, 0.72, **look))
        value = tensor.flatten()[order].item()
        axes.text(slot + 0.56, line + 0.08, f"{value:.0f}", ha="center", va="center")
        small = {"fontsize": 8, "color": style.MUTED}
        axes.text(slot + 0.08, line - 0.18, order + 1, va="center", **small)
axes.text(0, -0.75, "memory of x")
axes.text(7, -0.75, "memory of its own")
axes.set(xlim=(-4.4, 14.8), ylim=(5.6, -1.2))
axes.axis("off")
show(
    figure,
    alt="Six strips of memory. x[:, 1], x.T and x.reshape(3, 2) read places of x, "
    "x.T in the order 10, 40, 20, 50, 30, 60; "
    "x.T.reshape(6) and x[kernel.tensor([1])] have memory of their own.",
    caption="Small figures count the reading order. A view walks over the memory of x "
    "with another start or stride; x.T.reshape(6) would need steps of +3, −2, +3, …, "
    "which no stride gives, so it has to copy.",
)

# %% [markdown]
# ## 5 · dtype
#
# **Predict:** what does 2049 become in float16? What does 70000? In which of the three dtypes does 0.1 + 0.2 equal 0.3?

# %%
print("dtype    bits  step at 1  at 2048  2049 is  0.1+0.2==0.3")
for dtype in (kernel.float16, kernel.float32, kernel.float64):
    limits = np.finfo(dtype)
    step = np.spacing(np.array(2048, dtype))
    whole = kernel.tensor(2049.0, dtype=dtype).item()
    one, two, three = kernel.tensor([0.1, 0.2, 0.3], dtype=dtype)
    equal = (one + two == three).item()
    steps = f"{limits.eps:.1e}    {step:.1e}"
    print(f"{dtype!s:8} {limits.bits:4}  {steps}  {whole}   {equal}")

print("largest float16:", float(np.finfo(kernel.float16).max))
with np.errstate(over="ignore"):  # NumPy would warn of the overflow; a GPU says nothing
    print("70000 becomes", kernel.tensor(70000.0).half().item())

# %% [markdown]
# float16 keeps 11 significant bits, so between 2048 and 4096 it has even numbers only. 2049 lies halfway between two of
# them, and a tie goes to the one whose last bit is 0. Beyond 65504 comes `inf`. A tenth is no finite sum of powers of
# two, so `==` between computed floats is luck: float32 has it here, the finer float64 does not. Allow a tolerance.
#
# 16 bits are called *half* precision, 32 *single*, 64 *double*. There are three ways to cast.
#
# **Predict:** what do 1.7 and −1.7 become as whole numbers? Which dtype has the half of a whole number?

# %%
labels = kernel.from_numpy(np.array([0.0, 2.0, 1.0]))
print(labels, "from NumPy")
print(labels.type(kernel.FloatTensor), "or", labels.astype(kernel.float32))
print(labels.type(kernel.LongTensor), "or", labels.long())
print("Its type is", labels.long().type())
print(labels.to(kernel.float16))
print(kernel.tensor([1.7, -1.7]).long(), "a cast to whole numbers cuts")
print("whole / 2:", (kernel.tensor([1, 2]) / 2).dtype)
print("half + single:", (labels.half() + row).dtype)

print(kernel.ones(2, requires_grad=True))
print(kernel.ones(1, requires_grad=True) ** 2)
print(kernel.Parameter(kernel.ones(2)))

# %% [markdown]
# A printed tensor names its dtype only where it is not float32, int64 or bool, and its device only where it is not the
# CPU. The last three lines show what lesson 02 is about: a tensor that wants a gradient says so, a result names the operation
# it came from, and a `Parameter` is what a layer learns. The kernel never widens to float64 by itself.
#
# ## 6 · Devices
#
# A tensor lives on one device, and work is done where the operands are. `a.cuda()` copies to the first GPU, `a.cuda(1)`
# to the second, `a.cpu()` back. The kernel has a third kind, `"strict"`: it lies in the CPU's memory but refuses whatever
# a GPU would refuse, so that code for the GPU can be tried on any machine.
#
# **Predict:** may tensors on two devices be added? May NumPy read one that is not on the CPU?

# %%
far = kernel.ones(2).to("strict")
for attempt in (lambda: far + kernel.ones(2), lambda: far.numpy()):
    try:
        attempt()
    except kernel.DeviceError as error:
        print(fill(str(error), 58))
print(far, far.cpu().numpy())
print("row.cpu() is row:", row.cpu() is row)

# %% [markdown]
# **Predict:** `a_` is a copy of `a` on a GPU. Then `a.add_(1)`. What is `a_`?
#
# The next cell runs on your GPU if you have one. If not, it shows the text that was saved with the lesson and says where
# that was recorded.

# %% tags=["nbval-ignore-output"]
# Not compared by nbval: the versions and devices below differ from machine to machine.
from pathlib import Path


def tour(place):
    """Copy to a device, compute there, come back; the lines to print."""
    a, b = kernel.ones(5), kernel.ones(5)
    a_, b_ = a.to(place), b.to(place)
    x = a_ + b_
    y = x + 1
    lines = [f"a_          {a_}", f"x = a_ + b_ {x}"]
    lines += [f"y = x + 1   {y}", f"y.cpu()     {y.cpu()}"]
    a.add_(1)
    lines += ["after a.add_(1)", f"a           {a}", f"a_          {a_}"]
    return "\n".join(lines)


here = kernel.gpu_available()
print(f"kernel {kernel.__version__} · a GPU is here: {here}")
print(f"devices: {kernel.devices()}\n")
print(tour("gpu:0") if here else Path("data/gpu.txt").read_text(encoding="utf-8"))
if "gpu:1" in kernel.devices():
    print("on the second GPU", kernel.ones(5).cuda().cuda(1))
try:
    kernel.ones(5).cuda(7)
except kernel.DeviceError as error:
    print(fill(str(error), 58))

# %% [markdown]
# A copy on another device never aliases: `a` changed and `a_` did not. No graph had to be declared first; the lines ran
# one by one, like any Python. To compare with NumPy, write `.cpu().numpy()`. One exception saves time: `.cpu()` of a
# tensor that is on the CPU already is that tensor itself.
#
# ## 7 · One operation, two dialects
#
# This is the whole working vocabulary. The folded cell runs every line in both columns and stops if a pair disagrees. It
# starts from `a = x = [[1, 5], [7, 3]]` and `b = y = [[2, 2], [8, 0]]`.

# %% jupyter={"source_hidden": true}
from IPython.display import Markdown

A, B = np.array([[1, 5], [7, 3]], "float32"), np.array([[2, 2], [8, 0]], "float32")
DIALECTS = """
from a list                | np.array([[1, 2]])           | kernel.Tensor([[1, 2]])
5×3, uninitialised         | np.empty((5, 3)).shape       | kernel.Tensor(5, 3).shape
ones                       | np.ones((2, 2))              | kernel.ones(2, 2)
zeros                      | np.zeros((2, 2))             | kernel.zeros(2, 2)
random, uniform on [0, 1)  | np.random.rand(5, 3).shape   | kernel.rand(5, 3).shape
random, normal             | np.random.randn(5, 3).shape  | kernel.randn(5, 3).shape
shape                      | a.shape                      | x.size()
number of elements         | a.size                       | x.numel()
sum, elementwise           | np.add(a, b)                 | kernel.add(x, y)
add in place               | a += b                       | x.add_(y)
multiply in place          | a *= b                       | x.mul_(y)
first column               | a[:, 0]                      | x[:, 0]
matrix product             | np.matmul(a, b)              | x.mm(y)
matrix times vector        | a @ b[0]                     | x.mv(y[0])
reshape                    | a.reshape(4)                 | x.view(4)
transpose                  | np.transpose(a, (1, 0))      | kernel.transpose(x, 0, 1)
join                       | np.concatenate([a, b])       | kernel.cat([x, y])
stack on a new axis        | np.stack([a, b], 1)          | kernel.stack([x, y], 1)
add an axis                | np.expand_dims(a, 0).shape   | x.unsqueeze(0).shape
drop an axis of size 1     | np.squeeze(a[None], 0).shape | x[None].squeeze(0).shape
range                      | np.arange(3)                 | kernel.arange(3)
largest along an axis      | np.amax(a, 1)                | kernel.max(x, 1)[0]
the same by its own name   | np.amax(a, axis=1)           | kernel.amax(x, axis=1)
larger of two, elementwise | np.maximum(a, b)             | kernel.max(x, y)
the same by its own name   | np.maximum(a, b)             | kernel.maximum(x, y)
"""


def run(code):
    """The value of an expression, or of what a statement such as a += b changes."""
    names = {"np": np, "a": A.copy(), "b": B.copy()}
    names |= {"kernel": kernel, "x": kernel.tensor(A), "y": kernel.tensor(B)}
    names |= {"v": kernel.arange(8), "t": kernel.zeros(2, 3, 4)}
    if code[1:5] in (" += ", " *= "):
        exec(code, names)
        return names[code[0]]
    return eval(code, names)


def table(heads, rows):
    lines = [heads, [":--"] * len(heads), *rows]
    return Markdown("\n".join(f"| {' | '.join(cells)} |" for cells in lines))


def short(value):
    return f"`{' '.join(repr(value).split())}`"


def gives(code):
    return f"`{code}`<br>gives {short(run(code))}"


rows = []
for line in DIALECTS.strip().splitlines():
    what, left, right = (part.strip() for part in line.split("|"))
    expected, result = run(left), run(right)
    found = result.numpy() if isinstance(result, kernel.Tensor) else result
    assert np.array_equal(expected, found), line
    rows.append([what, f"`{left}`", f"`{right}`", short(result)])
print(len(rows), "lines agree")
table(["", "NumPy", "kernel, under PyTorch's name", "result"], rows)

# %% [markdown]
# Some names mean one thing in NumPy and another in PyTorch. The kernel has **one rule**: the keyword `axis=` (and whatever
# only NumPy can mean) speaks NumPy; a bare position or the keyword `dim=` speaks PyTorch.
#
# **Predict:** which of `x.max(axis=1)` and `x.max(1)` gives a pair? How many parts does `split(v, 4)` have, how many
# `split(v, 4, axis=0)`, with eight numbers in `v`? (`t` has shape $(2, 3, 4)$.)

# %% jupyter={"source_hidden": true}
CLASHES = """
max       | x.max(axis=1)                        | x.max(1)
split     | len(kernel.split(v, 4, axis=0))      | len(kernel.split(v, 4))
var       | x.var(axis=1)                        | x.var(1)
pad       | kernel.pad(x, ((1, 0), (0, 0)))      | kernel.pad(x, (1, 0))
transpose | kernel.transpose(t, (2, 0, 1)).shape | kernel.transpose(t, 0, 1).shape
size      | x.size                               | x.size()
view      | a.view("int32")[0]                   | x.view(4)
Tensor    | kernel.Tensor([[1, 2]])              | kernel.Tensor(1, 2).shape
"""
rows = []
for line in CLASHES.strip().splitlines():
    name, left, right = (part.strip() for part in line.split("|"))
    rows.append([f"`{name}`", gives(left), gives(right)])
table(["name", "as in NumPy", "as in PyTorch"], rows)

# %% [markdown]
# Two rows need a word more. `Tensor` takes whole numbers as sizes and leaves the values to chance; a list is data. And
# `view` with a dtype, which reads the same bits as other numbers, is NumPy's alone: the kernel refuses it and says so.
#
# ## 8 · Find the bug
#
# Three statements from a course that many people have learned from. None of them is true. **Find out why** before you run
# the cell.
#
# 1. The first column is `x[:, 1]`.
# 2. `x * 2` multiplies in place.
# 3. Networks compute in single precision, float16, rather than in double precision, float32.

# %%
x = kernel.tensor([[1.0, 2.0], [3.0, 4.0]])
print("x[:, 0] is", x[:, 0].tolist(), "and x[:, 1] is", x[:, 1].tolist())
x * 2
print("after x * 2: ", x.tolist())
x *= 2
print("after x *= 2:", x.tolist())
for dtype in (kernel.float16, kernel.float32, kernel.float64):
    print(dtype, "has", 8 * dtype.itemsize, "bits")

# %% [markdown]
# Counting starts at 0, so `x[:, 1]` is the second column. `x * 2` makes a new tensor, which that line throws away; `*=`
# and `mul_` write into the old one. And half, single and double precision are 16, 32 and 64 bits.
#
# ## The same in other frameworks
#
# | | NumPy, JAX | PyTorch | TensorFlow 2 |
# |:--|:--|:--|:--|
# | product | `a @ b` | `x @ y` | `tf.matmul` |
# | reshape | `a.reshape` | `x.view` | `tf.reshape` |
# | transpose | `a.transpose` | `x.permute` | `tf.transpose` |
# | new axis | `a[:, None]` | `x.unsqueeze` | `tf.expand_dims` |
# | sum along | `a.sum(1)` | `x.sum(1)` | `tf.reduce_sum` |
# | cast | `a.astype` | `x.to` | `tf.cast` |
# | to NumPy | `np.asarray` | `x.numpy()` | `x.numpy()` |
#
# Keras 3 says in `keras.ops` what NumPy says: `ops.matmul`, `ops.sum`, `ops.convert_to_numpy`. In two libraries that are
# no longer developed (`nd` is mxnet.nd, `C` is cntk):
#
# | | MXNet | CNTK |
# |:--|:--|:--|
# | product | `nd.dot` | `C.times` |
# | reshape | `x.reshape` | `C.reshape` |
# | transpose | `x.transpose` | `C.transpose` |
# | new axis | `x.expand_dims` | `C.expand_dims` |
# | sum along | `x.sum(1)` | `C.reduce_sum` |
# | cast | `x.astype` | `C.cast` |
# | to NumPy | `x.asnumpy()` | `node.eval()` |
#
# MXNet and PyTorch compute at once. MXNet asks for a gradient with `x.attach_grad()` and records inside
# `with autograd.record():`. CNTK and TensorFlow 1 build a graph first: CNTK computes with `node.eval()` and
# `node.grad()`, TensorFlow 1 with `session.run`, unless `tf.enable_eager_execution()` was called; TensorFlow 2 is eager
# from the start.
#
# ## Recap
#
# * The axis that you name in a reduction disappears; `keepdims=True` leaves it with size 1.
# * `cat` lengthens an axis, `stack` makes one, `reshape` keeps the reading order, a transpose does not.
# * Shapes broadcast from the right; equal sizes or a 1 go together.
# * Slices, transposes, `from_numpy` and `.numpy()` share memory. Index tensors, `clone`, casts and devices copy.
# * float16 is half precision: 11 bits, at most 65504. Computed floats are compared with a tolerance.
#
# ## What usually goes wrong
#
# * $(B)$ against $(B, 1)$ on a square array: the numbers are wrong and nothing complains. Print the shapes.
# * `cat` where `stack` was meant: count the axes of the result.
# * A slice is changed in place, and the data set with it: `clone` first.
# * float64 from NumPy meets float32 weights: everything turns float64. Cast at the door.
# * Two operands on two devices: move the smaller one.
#
# ## Where to read on
#
# The NumPy manual on [broadcasting](https://numpy.org/doc/stable/user/basics.broadcasting.html) and on
# [copies and views](https://numpy.org/doc/stable/user/basics.copies.html); the head of the file `kernel/functional.py`,
# where the one rule stands. Now the [exercises](exercises.ipynb), then lesson [02 Autodiff](../02_autodiff/lesson.ipynb).
