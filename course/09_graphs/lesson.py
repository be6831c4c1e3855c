# ---
# jupyter:
#   gradschool:
#     title: Graphs
#     minutes: 60
# ---

# %% [markdown]
# # Graphs
#
# So far every line computed at once. In this lesson you first say what is to be computed and run it afterwards: three
# styles, one net, the same numbers to the last bit.
#
# You will be able to
#
# * build a net from symbols, predict its arguments and their shapes, bind it and run it forward and backward;
# * write the same net as a function object, and say what tracing keeps of your Python and what it does not;
# * train with a symbol for the net and arrays for the loop, and find the bug that moves the data;
# * read a buffer plan, and say why training needs more memory than use.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb) and [04 Modules](../04_modules/lesson.ipynb).
# **Time:** 60 minutes. **Backend:** NumPy; on a GPU, CuPy.

# %%
from textwrap import fill  # breaks an error's sentence into lines

import numpy as np

import kernel
from kernel import sym
from widgets import GraphWorkbench, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Say it now, compute it later
#
# A **symbol** stands for a result that is not there yet. Functions of symbols give symbols, and so a **graph** grows.
# Layers make the variables that they need: a weight, a bias, a label. (What is given by name may come in any order.)
#
# **Predict:** the graph needs six arrays from outside. What are they called, and in which order do they come?


# %%
def two_layers():
    net = sym.Variable("data")
    net = sym.FullyConnected(data=net, name="fc1", num_hidden=128)
    net = sym.Activation(data=net, act_type="relu", name="relu1")
    net = sym.FullyConnected(num_hidden=10, name="fc2", data=net)
    return sym.SoftmaxOutput(data=net, name="out")


net = two_layers()
print(net)
print(net.list_arguments())
print(net.list_outputs())

# %% [markdown]
# The order is **depth first**: from the output back into the first operand, down to its variables, then into the next.
# So the label, second operand of the last node, comes last. Shared nodes count once.
#
# ## 2 · Shapes before numbers
#
# **Predict:** a batch has 100 samples of 60 features. What are the shapes of the six? And what can the graph say if
# nobody gives it a shape, or one that does not fit?

# %%
arguments, outputs, _ = net.infer_shape(data=(100, 60))
for name, shape in zip(net.list_arguments(), arguments, strict=True):
    print(f"{name:11}", shape)
print("gives      ", *outputs)

for given in ({}, {"data": (100, 60), "fc2_weight": (128, 10)}):
    try:
        net.infer_shape(**given)
    except kernel.ShapeError as error:
        print(fill(f"✗ {error}", 78))

# %% [markdown]
# $$ y = \mathrm{relu}(x W_1^{\top} + b_1)\, W_2^{\top} + b_2 $$
# $$ x : (N, 60),\; W_1 : (128, 60),\; b_1 : (128),\; W_2 : (10, 128),\; b_2 : (10) $$
#
# A weight is $(\text{out}, \text{in})$. The batch size $N$ stands in `data` and in the label, and in nothing that is
# learned. No number has been computed so far, and a mistake in the shapes is found already.
#
# ## 3 · Bind, then run
#
# To **bind** is to give the graph its arrays, and to plan everything that running it needs. The result is an
# **executor**.
#
# **Predict:** the weights are small. About how large is each of the ten outputs? And we keep the first answer `p`
# while a second batch runs: what is in `p` afterwards?

# %%
rng = np.random.default_rng(0)
executor = net.simple_bind(device="cpu", data=(100, 60))
args, grads = executor.arg_dict, executor.grad_dict
for name, array in args.items():
    if name.endswith("weight"):
        array[:] = rng.uniform(-0.1, 0.1, array.shape)

args["data"][:] = rng.normal(size=(100, 60))
(p,) = executor.forward(is_train=True)
print(
    p.shape,
    "on",
    p.device,
    "· between",
    f"{p.min().item():.2f} and {p.max().item():.2f}",
)
executor.backward()
print("gradients for", ", ".join(grads))
print("of their shapes:", all(grads[n].shape == args[n].shape for n in args))

first = p.numpy().copy()
executor.forward(is_train=True, data=rng.normal(size=(100, 60)))
print("p is still the first answer:", bool((p.numpy() == first).all()))

# %% [markdown]
# `p` is the executor's own array, and each `forward` writes over it: copy what you want to keep. The same holds on the
# way in. `args["data"][:] = x` writes *into* the bound array; `args["data"] = x` changes a dict, and the executor runs
# on what it had. (`device="cuda"` binds on a GPU; `array.to(device)` and `a.copyto(b)` carry numbers across.)
#
# `SoftmaxOutput` is output and loss in one. Forward gives $p$, backward starts from $p - y$, *summed* over the batch:
# dividing by $N$ is left to you.
#
# ## 4 · One net, three styles
#
# A net of 4 numbers, 5 hidden units and 3 classes, with the same weights, takes ten steps downhill: **eagerly**, as
# until now; as a **function object**, in the style of CNTK; as **symbols** with an executor, in the style of MXNet.
#
# **Predict:** to how many digits will the losses and gradients agree?

# %%
from kernel.layers import Linear, Sequential

rng = np.random.default_rng(0)
x, y = rng.normal(size=(20, 4)).astype(np.float32), rng.integers(3, size=20)
begin = {
    "fc1_weight": rng.normal(0, 0.5, (5, 4)).astype(np.float32),
    "fc1_bias": np.zeros(5, np.float32),
    "fc2_weight": rng.normal(0, 0.5, (3, 5)).astype(np.float32),
    "fc2_bias": np.zeros(3, np.float32),
}
rate, record = 0.5, {"eager": [], "function object": [], "symbols": []}

# Eager: every line computes, and leaves a note on the tape.
w = [kernel.tensor(value, requires_grad=True) for value in begin.values()]
w1, b1, w2, b2 = w
for _ in range(10):
    h = kernel.relu(kernel.linear(kernel.tensor(x), w1, b1))
    loss = kernel.cross_entropy(kernel.linear(h, w2, b2), kernel.tensor(y))
    loss.backward()
    gradients = [each.grad.numpy().copy() for each in w]
    record["eager"].append([loss.detach().numpy(), *gradients])
    for each in w:
        each.data.sub_(rate * each.grad)
        each.grad = None

# %%
# A function object: the model called on variables composes; grad runs it on arrays.
model = Sequential([Linear(4, 5), kernel.relu, Linear(5, 3)])
model.load_state_dict(dict(zip(model.state_dict(), begin.values(), strict=True)))
inputs = kernel.input_variable(4, name="x")
labels = kernel.input_variable((), dtype="int64", name="y")
objective = kernel.cross_entropy(model(inputs), labels)
learned = list(model.parameters())
for _ in range(10):
    found, value = objective.grad({inputs: x, labels: y}, wrt=learned, outputs=True)
    record["function object"].append([value, *found.values()])
    for parameter in learned:
        parameter.value = parameter.value - rate * found[parameter]

# Symbols: the same functions, on symbols; then bind, and an executor runs.
h = kernel.relu(sym.FullyConnected(sym.Variable("data"), num_hidden=5, name="fc1"))
label = sym.Variable("label", shape=(None,), dtype="int64")
net3 = kernel.cross_entropy(sym.FullyConnected(h, num_hidden=3, name="fc2"), label)
bound = net3.simple_bind(data=(20, 4), grad_req={name: "write" for name in begin})
bound.copy_params_from({name: kernel.tensor(value) for name, value in begin.items()})
for _ in range(10):
    (value,) = bound.forward(is_train=True, data=x, label=y)
    bound.backward()
    gradients = [bound.grad_dict[name].numpy().copy() for name in begin]
    record["symbols"].append([value.numpy().copy(), *gradients])
    for name in begin:
        bound.arg_dict[name][:] -= rate * bound.grad_dict[name]

for style_name, steps in record.items():
    same = all(
        np.array_equal(ours, eager)
        for step, first in zip(steps, record["eager"], strict=True)
        for ours, eager in zip(step, first, strict=True)
    )
    losses = f"{steps[0][0]:.4f} … {steps[-1][0]:.4f}"
    print(f"{style_name:15} loss {losses} · equal to eager, bit for bit: {same}")

# %% [markdown]
# Ten losses and forty gradients, all equal. There is one definition of every operation, and the three styles only
# differ in when it is called, and by whom.
#
# ## 5 · What binding saves
#
# An eager call finds out, each time anew, what its operands are and which rule belongs to them; it asks for memory,
# computes, and leaves a note on the tape. A bound graph has found out once.
#
# **Predict:** the net of section 1 takes three passes of training, four operations forward and four back. Of what an
# eager pass does, what share is computing?

# %%
from widgets.graph_workbench import call_lines, draw_calls

for name, calls in call_lines("mlp", passes=3).items():
    share = 100 * calls.count("compute") / len(calls)
    print(f"{name}: {len(calls)} calls, {share:.0f} % of them compute")

figure, axes = style.subplots(width=740, height=270)
draw_calls(axes, "mlp", passes=3)
show(
    figure,
    alt="Two time lines of three training passes. Eager: 84 calls, of four kinds "
    "that repeat: find out, memory, compute, tape. Graph: five calls to bind, "
    "then 36, of which 24 compute.",
    caption="A box is one call, whatever its time: eager finds out the same things in "
    "each pass, the graph once. On the way back every rule is counted with a "
    "request for memory, in both; the executor can do without some of them.",
)

# %% [markdown]
# Counted, not timed. With large arrays a call computes for so long that the rest hardly shows; with small ones, or on
# a GPU that waits for the next call, the rest may be most of it.
#
# ## 6 · A network is a function
#
# In CNTK's style, layers, losses, metrics and whole models are all one thing, a **function object**. On variables it
# composes, on arrays it evaluates. The print says what goes in and out, and leaves out the batch.
#
# **Predict:** the print of a model whose input nobody has described; and the order of `z.parameters`, which are listed
# from the output down.

# %%
from kernel.layers import Dense

kernel.manual_seed(0)
print(kernel.Function(Sequential([Dense(4), Dense(2)])))

d = Dense(5, activation=kernel.tanh)
v = kernel.input_variable(2, name="v")
z = Dense(4)(d(v))
print(d(v), "·", z)
print("parameters:", [p.shape for p in z.parameters])
print("arguments: ", [a.name for a in z.arguments])
print("evaluates: ", z([[1.0, 2.0]], device="cpu").shape)
print("a node in the middle, too:", d(v).eval({v: [[1, 2]]}).shape)

d.W.value = np.zeros((2, 5))
print("W = 0, so h =", d(v)([[1, 2]])[0])
print("dh/dW =", *d(v).grad({v: [[1, 2]]}, wrt=d.W))
try:
    z.eval({})
except kernel.ShapeError as error:
    print(fill(f"✗ {error}", 78))

# %% [markdown]
# ## 7 · Tracing: what is kept of your Python
#
# `@Function` runs your code *once*, on variables, and keeps the operations. (`Function(lambda x, y: …)` does the same
# for one line.) A **criterion** is a function of features and labels to (loss, metric). The softmax is in its loss, so
# the model gives scores; the metric need not be differentiable.
#
# **Predict:** we call the criterion three times on arrays. How often does the line with `append` run? And can traced
# code contain `if x.sum() > 0:`?

# %%
model, ran = Dense(2), []


@kernel.Function
def criterion(data, label_one_hot):
    ran.append("here")
    z = model(data)
    loss = kernel.cross_entropy_with_softmax(z, label_one_hot)
    metric = kernel.classification_error(z, label_one_hot)
    return loss, metric


points, truth = kernel.input_variable(2), kernel.input_variable(2, is_sparse=True)
measure = criterion(points, truth)
print(model(kernel.input_variable(2)))
print(measure)
print(measure.outputs[1])
for _ in range(3):
    losses, wrong = measure(np.array([[1.0, 2.0], [3.0, 4.0]]), np.eye(2))
print("a loss for each sample:", losses, "· wrong:", wrong, "· ran:", len(ran))

double = kernel.Function(lambda x: kernel.where(x > 0, 2 * x, 0))
print("where instead of if:", double([[1.0, -1.0]])[0])
for broken in (
    lambda x, y: x if x.sum() > 0 else -x,
    lambda x, y: kernel.combine([x, y]),
):
    try:
        kernel.criterion(broken)(kernel.input_variable(2), kernel.input_variable(2))
    except kernel.DtypeError as error:
        print(fill(f"✗ {error}", 78))

# %% [markdown]
# Tracing keeps operations, not Python. A `print`, an `append`, a branch or a loop over a list is over when the trace
# is. What depends on the numbers must be an operation: `where` for `if`.
#
# **The graph API** goes without a Python function: apply one layer after another to a variable, and `combine` what you
# want to have. Here is the convolutional net of CNTK's guided tour.
#
# **Predict:** the images are 28 × 28, without a channel axis, which `reduction_rank=0` says. How many of the ten
# parameters are weights of convolutions, and which comes first in the list?

# %%
from kernel.layers import Convolution2D, Dropout, MaxPooling, default_options

kernel.manual_seed(0)
images = kernel.input_variable((28, 28), name="images")
with default_options(activation=kernel.relu, pad=False):
    layers = [
        Convolution2D((5, 5), num_filters=32, reduction_rank=0, pad=True),
        MaxPooling((3, 3), strides=(2, 2)),
        Convolution2D((3, 3), num_filters=48),
        MaxPooling((3, 3), strides=(2, 2)),
        Convolution2D((3, 3), num_filters=64),
        Dense(96),
        Dropout(dropout_rate=0.5),
        Dense(10, activation=None),
    ]
r = images
for layer in layers:
    r = layer(r)
truth = kernel.input_variable(10, is_sparse=True, name="labels")
tour = kernel.combine(
    [
        kernel.cross_entropy_with_softmax(r, truth),
        kernel.classification_error(r, truth),
    ]
)
print(fill(str(tour), 78))
print([p.shape for p in tour.parameters][::2])

whole = Sequential(layers)
some, ones = (
    np.random.default_rng(0).random((5, 28, 28), np.float32),
    np.eye(10, dtype=np.float32)[:5],
)
scores = whole.eval()(kernel.tensor(some))
eager = kernel.cross_entropy_with_softmax(scores, kernel.tensor(ones))
print(
    "as one Sequential, eagerly, the same losses:",
    np.array_equal(tour(some, ones)[0], eager.detach().numpy()),
)

# %% [markdown]
# ## 8 · The mixed style
#
# MXNet's own way: a symbol for the net, where a plan pays; plain arrays for the loop, where you want to see and to
# change things. The data are ten clouds in a space of 100 features.
#
# **Find the bug.** The left picture gives class $i$ the colour number $i \bmod 5$. How many clouds do you count?


# %%
class ToyData:
    """Clouds around random centres, spread 0.1; the classes take turns."""

    def __init__(self, classes, features):
        self.rng = np.random.default_rng(0)
        self.centres = self.rng.random((classes, features))

    def get(self, number):
        y = np.arange(number) % len(self.centres)
        return self.rng.normal(self.centres[y], 0.1), y

    def plot(self, axes, marker):
        x, y = self.get(400)
        for i in range(len(self.centres)):
            cloud = x[y == i]
            colour = style.COLOURS[i % 5]
            axes.scatter(
                cloud[:, 0],
                cloud[:, 1],
                s=14,
                color=colour,
                marker=marker(i),
                label=str(i),
            )


toy = ToyData(10, 100)
shared = {"sharex": True, "sharey": True}
figure, (left, right) = style.subplots(1, 2, width=740, height=320, **shared)
toy.plot(left, lambda i: "o")
toy.plot(right, lambda i: "o^"[i // 5])
left.set_title("five colours for ten classes")
right.set_title("and two markers")
right.legend(
    ncols=2,
    loc="center left",
    bbox_to_anchor=(1, 0.5),
    handletextpad=0,
    columnspacing=0.6,
    title="class",
)
for axes in (left, right):
    axes.set(xlabel="feature 0", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
left.set_ylabel("feature 1")
show(
    figure,
    alt="Two scatter plots of the same ten clouds of points. Left in five colours, "
    "so that pairs of clouds look like one class; right with circles for the "
    "classes 0 to 4 and triangles for 5 to 9.",
    caption="On the left classes 0 and 5, 1 and 6, and so on look alike. Clouds that "
    "overlap here are apart in the other 98 features.",
)

# %%
rng, rate, batch = np.random.default_rng(0), 0.1, 100
executor = net.simple_bind(data=(batch, 100))
args, grads = executor.arg_dict, executor.grad_dict
for name, array in args.items():
    array[:] = rng.uniform(-0.1, 0.1, array.shape) if "weight" in name else 0

for i in range(31):
    x, y = toy.get(batch)
    args["data"][:] = x
    args["out_label"][:] = y
    executor.forward(is_train=True)
    executor.backward()
    for array, gradient in zip(args.values(), grads.values(), strict=True):
        array[:] -= rate * (gradient / batch)
    if i % 10 == 0:
        right = (executor.outputs[0].argmax(axis=1).numpy() == y).sum()
        print(f"iteration {i:2}: {right} right, accuracy {right / batch:.2f}")

# %% [markdown]
# It works. And yet the loop holds a mistake of a well-known tutorial, which also ended with `assert right > 0.95`.
#
# **Find the bugs.** The update runs over *all* arguments: **predict** what happens to `data`, and to the labels. And
# what has that `assert` tested? (You mend both in the exercises.)

# %%
data, label = args["data"].numpy(), args["out_label"].numpy()
print("data are still x:", np.array_equal(data, x.astype(np.float32)))
print("labels are still y:", np.array_equal(label, y))

learned = [name for name in net.list_arguments() if name not in ("data", "out_label")]
requests = {name: "write" for name in learned}  # "null" for all the others
careful = net.simple_bind(data=(batch, 100), grad_req=requests)
print([name for name, gradient in careful.grad_dict.items() if gradient is None])
less = careful.plan().gradient_bytes < executor.plan().gradient_bytes
print("fewer bytes of gradients on their way:", less)

# %% [markdown]
# The data take a step downhill, too. Nobody notices as long as each round brings new data; on a batch that stays, the
# samples themselves would move. The label's gradient is 0 by definition. (And one right answer of 100 passes that
# `assert`: it compares a count.) The cure is `grad_req="null"` for what is not learned; it also saves a product of
# matrices. (`"add"` sums gradients over several batches, until you write 0.)
#
# ## 9 · In training and in use
#
# **Predict:** six ones pass a dropout with $p = 0.5$. What comes out with `is_train=True`, and what without? A batch
# normalisation has running means: are they arguments?

# %%
dropout = sym.Dropout(sym.Variable("data"), p=0.5).simple_bind(data=(1, 6))
kernel.manual_seed(0)
for is_train in (True, True, False):
    (y,) = dropout.forward(is_train=is_train, data=np.ones((1, 6)))
    print(f"is_train={is_train}:", *y.tolist())
normal = sym.BatchNorm(sym.Variable("data"), name="bn")
print(normal.list_arguments(), "· states:", normal.list_auxiliary_states())

# %% [markdown]
# The graph holds both ways, and `is_train` chooses one. Whoever tests with `is_train=True` tests a net that is partly
# switched off.
#
# ## 10 · Who needs the memory, and until when?
#
# Since the whole graph is known before it runs, so is the last step that reads each value. After it, its memory may
# hold something else. An activation may even write over its operand, **in place**; and a **view**, such as `Flatten`,
# is no memory at all.
#
# **Predict:** which of the values below does only *use* give away early, and who still reads them in training?

# %%
net = sym.Convolution(sym.Variable("data"), kernel=(3, 3), num_filter=8, name="conv")
net = sym.Flatten(sym.Activation(net, act_type="tanh", name="tanh"), name="flat")
for number, size in enumerate((288, 144, 96), start=1):
    net = sym.FullyConnected(net, num_hidden=size, name=f"fc{number}")
    net = sym.Activation(net, act_type="relu", name=f"relu{number}")
net = sym.FullyConnected(net, num_hidden=10, name="fc4")
net = sym.SoftmaxOutput(net, name="out")
executor = net.simple_bind(data=(32, 1, 8, 8))
plans = {"training": executor.plan(True), "use": executor.plan(False)}
print(plans["use"])

# %%
from widgets.graph_workbench import draw_plan

shared = {"sharey": True, "width_ratios": (5, 3)}
figure, (left, right) = style.subplots(1, 2, width=740, height=430, **shared)
draw_plan(left, plans["training"])
draw_plan(right, plans["use"])
left.set(title="training, forward and back", ylabel="address, kB", ylim=(0, 115))
right.set(title="use")
show(
    figure,
    alt="Two buffer plans, rectangles over steps and addresses. In training four "
    "large rectangles are piled up and last until far into the backward half. "
    "In use the rectangles are short, and two of them lie where another was "
    "before.",
    caption="A rectangle is memory that is taken: from the step that computes it to "
    "the last one that reads it. Orange, hatched: from here on in place. Green, "
    "dotted: a view. The pile on the left waits for the gradient rules.",
)

# %% [markdown]
# $W$'s gradient is $g^{\top} h$: it reads the operand $h$ of long ago. So training keeps almost every result until the
# way back has passed it, and use needs two at a time. `fc4` is short-lived even in training, since the rule of
# `SoftmaxOutput` reads $p$ alone.
#
# ## 11 · A picture, and a file
#
# A graph can be drawn without a number in it. This is LeNet, with shapes for a batch of 128. (As the last line of a
# cell a drawing shows itself, and the same in words.)
#
# **Predict:** where do most of its parameters lie?


# %%
def lenet():
    net = sym.Variable("data")
    for filters in (20, 50):
        net = sym.Convolution(net, kernel=(5, 5), num_filter=filters)
        net = sym.Activation(net, act_type="tanh")
        net = sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max")
    net = sym.FullyConnected(sym.Flatten(net), num_hidden=500)
    net = sym.FullyConnected(sym.Activation(net, act_type="tanh"), num_hidden=10)
    return sym.SoftmaxOutput(net, name="out")


with sym.NameManager():  # counts automatic names from 0
    digits = lenet()
drawing = kernel.plot_network(digits, shape={"data": (128, 1, 28, 28)})
show(
    drawing.svg,
    alt="LeNet from top to bottom: data, convolution 20, tanh, pooling, convolution "
    "50, tanh, pooling, flatten, fully connected 500, tanh, fully connected 10, "
    "and softmax output; the shapes between them stand at the arrows.",
    caption="Six of the eleven layers work on images, but 400,500 of the 431,080 "
    "numbers that are learned lie in one product, from 800 to 500.",
)

# %%
import json
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    digits.save(Path(folder, "lenet.json"))
    again = sym.load(Path(folder, "lenet.json"))
print("the same arguments:", again.list_arguments() == digits.list_arguments())
print(
    "the same shapes:",
    again.infer_shape(data=(2, 1, 28, 28)) == digits.infer_shape(data=(2, 1, 28, 28)),
)
node = json.loads(again.tojson())["nodes"][3]
print({key: node[key] for key in ("op", "name", "inputs")})

# %% [markdown]
# The file holds the graph, and needs none of your Python to open: that is how a trained net travels. The numbers go
# into a second file (`kernel.save`, lesson 04). ONNX is such a format for all frameworks.
#
# ## 12 · Watch it work
#
# Move the step slider with the arrow keys. First compare training and use of one net, and watch what becomes free.
# Then take the skip connection: how long must `h` stay, and why?

# %%
workbench = GraphWorkbench()
workbench.set(step=5)
workbench

# %% [markdown]
# ## When imperative, when symbolic?
#
# | | eager, imperative | graph, symbolic |
# |:--|:--|:--|
# | debugging | `print` and `if` on numbers, an error at its line | numbers only when it runs |
# | shapes | may change from call to call | bound once, checked before |
# | speed | pays again for each call | plans once: memory and order; compilers also fuse |
# | leaving Python | takes the code along | one file |
# | good for | research, loops, updates, odd ideas | what runs often, or elsewhere |
#
# Today's frameworks write eagerly and trace when it pays: `torch.compile`, `jax.jit`, `tf.function`. In MXNet,
# `mx.module` wrote the loop of section 8 for you; ours comes in lesson 12.
#
# | | say it | run it |
# |:--|:--|:--|
# | our kernel,<br>as MXNet | `net = sym.FullyConnected(`<br>`data, num_hidden=10)`<br>`ex = net.simple_bind(data=(5, 4))` | `ex.forward(is_train=True)`<br>`ex.backward()` |
# | MXNet 1.x | the same with `mx.sym`,<br>and `ctx=mx.cpu()` | the same |
# | our kernel,<br>as CNTK | `x = input_variable(4)`<br>`z = Dense(10)(x)` | `z.eval({x: a})`<br>`z.grad({x: a}, wrt=z.W)` |
# | CNTK | the same with `C.layers` | `z.grad({x: a}, wrt=[z.W])` |
# | PyTorch | `net = torch.compile(`<br>`nn.Linear(4, 10))` | `net(a).sum().backward()` |
# | JAX | `step = jax.jit(`<br>`jax.value_and_grad(loss))` | `step(parameters, a)` |
# | TensorFlow | `@tf.function`<br>`def step(a): …` | `step(a)` |
#
# ## Recap
#
# * A symbol says what to compute; arguments are listed depth first, and shapes follow from those of the data.
# * An executor owns its arrays: write into them with `[:]`, copy what should last.
# * Eager, function object and symbol call the same operations, and give the same bits.
# * Tracing keeps operations; your Python runs once.
# * Memory is reused after the last reader; the gradient rules are readers, too.
#
# **What usually goes wrong.** The update moves the data. A count is taken for a share. `args["data"] = x` binds
# nothing. A test runs with `is_train=True`. A traced `if` is refused, or decided once.
#
# **Where to read on.** `kernel/plan.py`; Chen and others, *MXNet*, 2015, and *Training deep nets with sublinear memory
# cost*, 2016; Seide and Agarwal, *CNTK*, KDD 2016.
#
# **Next:** the [exercises](exercises.ipynb), then 10 Feeding data.
