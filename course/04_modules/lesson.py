# ---
# jupyter:
#   gradschool:
#     title: Modules
#     minutes: 40
# ---

# %% [markdown]
# # Modules
#
# This lesson turns loose tensors into a model: one object that holds what it learns, names it, copies it, writes it to a
# file, and in the end reads handwritten digits.
#
# You will be able to
#
# * write a layer that holds its parameters, and a model made of layers;
# * say which parameters a model has, what each is called, and which of them are shared;
# * choose how they begin, and say why all equal is no beginning;
# * train a small convolutional net, look into it, save it and open it again.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb), and the training loop, which is the matter of
# [03 Training loop and metrics](../03_training_loop/lesson.ipynb). **Time:** 40 minutes. **Backend:** NumPy; on a
# GPU, CuPy.

# %%
from textwrap import fill  # breaks an error's sentence into lines

import numpy as np

import kernel
from kernel.layers import Dense, Linear, Sequential
from widgets import ModelTree, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · A function that remembers
#
# A **layer** is a function with numbers of its own. Here is one in plain NumPy: it computes
# $\tanh(x W + b)$, and keeps $W$ and $b$ as attributes.
#
# **Predict:** nobody says how many numbers go in. When, and from what, can $W$ get its shape?


# %%
def dense(outputs, activation, rng):
    def layer(x):
        if layer.W is None:  # the first call tells how many numbers come in
            layer.W = rng.normal(0, 0.05, (x.shape[-1], outputs))
        return activation(x @ layer.W + layer.b)

    layer.W, layer.b = None, np.zeros(outputs)
    return layer


layer = dense(5, np.tanh, np.random.default_rng(0))
print("before the first call, W is", layer.W)
y = layer(np.array([[1.0, 2.0]]))
print("after it, W has shape", layer.W.shape)
print("W =", layer.W)
print("y =", y)

# %% [markdown]
# $$ y = \phi(x W + b), \qquad x : (B, K),\; W : (K, M),\; b : (M),\; y : (B, M) $$
#
# The same $W$ serves every row of $x$: one call may bring a batch of any size. What a layer holds and learns are its
# **parameters**.
#
# ## 2 · A module finds what it holds
#
# A **module** is an object with parameters, or with other modules, and a `forward`. The kernel looks for them among the
# attributes; there is nothing to register.
#
# **Predict:** two layers, from 2 numbers to 12 and from 12 to 3. What are the shapes of the four parameters?


# %%
class SimpleNet(kernel.Module):
    def __init__(self):
        self.lin1 = Linear(2, 12)
        self.lin2 = Linear(12, 3)

    def forward(self, x):
        return self.lin2(kernel.relu(self.lin1(x)))


kernel.manual_seed(0)
net = SimpleNet()
print(net)
for name, parameter in net.named_parameters():
    print(f"{name:12}", parameter.shape)

# %% [markdown]
# `Linear` keeps its weight as $(M, K)$ and computes $x W^{\top} + b$, as PyTorch does; `Dense`, further down, keeps
# $(K, M)$, as CNTK does and as above. It is one product, stored in two ways: know which, before you copy a weight.
#
# **Find the bug.** One of these four is never learned. **Predict** which: whose name is missing?


# %%
class Odd(kernel.Module):
    def __init__(self):
        self.a = kernel.ones(3, requires_grad=True)
        self.b = kernel.Parameter(kernel.ones(3))
        self.pair = [Linear(3, 1, bias=False), Linear(3, 1, bias=False)]


print([name for name, parameter in Odd().named_parameters()])

# %% [markdown]
# `a` is a tensor like any other: only a `Parameter` says "learn me". (PyTorch would miss the list, too, until you write
# `nn.ModuleList`.)
#
# ## 3 · One loop for every model
#
# Three zones of the plane, and the net has to say which one a point lies in. The loop asks `net.parameters()` and
# would train any other module as well.

# %%
kernel.manual_seed(0)


def zones(points):
    """0 below y = -0.6, 2 above the bent line y = |x| - 0.2, 1 between the two."""
    x, y = points[:, 0], points[:, 1]
    return kernel.where(y > abs(x) - 0.2, 2, kernel.where(y < -0.6, 0, 1))


def step(net, x, labels, rate):
    net.zero_grad()
    kernel.cross_entropy(net(x), labels).backward()
    for parameter in net.parameters():
        parameter.data.sub_(rate * parameter.grad)


def accuracy(net, x, labels):
    with kernel.no_grad():
        return (net(x).argmax(axis=1) == labels).float().mean().item()


for number in range(3000):
    x = 2 * kernel.rand(50, 2) - 1
    step(net, x, zones(x), rate=0.5 if number < 2000 else 0.05)

fresh = 2 * kernel.rand(5000, 2) - 1
print("on fresh points, above 99 %:", accuracy(net, fresh, zones(fresh)) > 0.99)

# %% [markdown]
# ## 4 · The same object twice is shared
#
# **Predict:** $w = 3$, and $y = w \cdot (w \cdot x)$ at $x = 2$. What is the gradient if both places hold *one* layer? And
# if they hold two layers that happen to be equal?

# %%
w = Linear(1, 1, bias=False).initialise(3)
two = kernel.tensor([[2.0]])
for what, model in (
    ("shared", Sequential(w, w)),
    ("apart", Sequential(w.clone(), w.clone())),
):
    model(two).backward()
    gradients = {name: p.grad.item() for name, p in model.named_parameters()}
    print(f"{what:7}", gradients, "· state:", list(model.state_dict()))

# %% [markdown]
# $\partial (w^2 x)/\partial w = 2 w x = 12$: each use brings 6, and they add up, as in lesson 02. A shared parameter is
# listed once, or the loop would move it twice; in the saved state it stands under both names.
#
# ## 5 · Models from a list
#
# CNTK writes a model as a list of layers. `For` makes layers in a loop, and `default_options` says once what every layer
# inside should do, unless that layer says otherwise. An activation is a function, not a name in quotes, so you may write
# your own.
#
# **Predict:** what does the model know of its input before the first call, and after it? Does a relu written as a lambda
# give the same numbers? And can a finished model be changed?

# %%
from kernel.layers import For, default_options

kernel.manual_seed(0)
with default_options(activation=kernel.relu):
    tower = Sequential([For(2, lambda i: Dense(8 * 2**i)), Dense(3, activation=None)])
print(tower)
print("before:", tower.types)
tower(kernel.ones(1, 2))
print("after: ", tower.types)

x = kernel.randn(4, 2)
kernel.manual_seed(1)
ours = Dense(6, activation=kernel.relu)(x)
kernel.manual_seed(1)
own = Dense(6, activation=lambda x: kernel.element_max(x, 0))(x)
print("the same numbers:", bool((ours == own).all()))

try:
    tower.layers = (*tower, Dense(5))
except kernel.DtypeError as error:
    print(fill(str(error), 58))
other = tower.clone("share", replace={"1": Dense(5)})
print("edited:", other(x).shape, "· as it was:", tower(x).shape)
print("what both hold is shared:", other[0][0].W is tower[0][0].W)

# %% [markdown]
# Types leave out the first axis, the batch, whose size is free. A model has no `append`: to edit is to make another, and
# `clone` copies the parameters, shares them, or freezes them. So nobody who holds the first one is surprised.
#
# ## 6 · Words are rows
#
# A word is a class: row 2 of 4, say. As a vector it is **one-hot**, all zeros but for one 1, and better stored sparse, as
# the place of that 1.
#
# **Predict:** what does such a row pick from a matrix $E$ of shape $(4, 2)$? And which rows of $E$ get a gradient?

# %%
from kernel.layers import Embedding

words = kernel.tensor([2, 0, 2])
one_hot = kernel.SparseTensor.one_hot(words, 4)
embedding = Embedding(4, 2, init=np.arange(8).reshape(4, 2) / 10)
print(one_hot)
product = one_hot @ embedding.E
print(product)
print("looked up, the same:", bool((embedding(words) == product).all()))
product.sum().backward()
print("gradient of E:", embedding.E.grad.tolist())

scores = kernel.randn(3, 4)
dense_loss = kernel.cross_entropy(scores, words)
sparse_loss = kernel.cross_entropy(scores, one_hot)
print("loss from one-hot labels, the same:", abs(dense_loss - sparse_loss).item() < 1e-6)

# %% [markdown]
# An **embedding** is a linear layer for classes: $Y = X E$, and since $X$ is one-hot nothing needs to be multiplied.
#
# ## 7 · How parameters begin
#
# **Predict:** the net of section 3, begun with every number 0, with every number 0.5, and with small random weights. After
# 400 steps, how do the 12 rows of `lin1.weight` differ from one another?

# %%
from kernel.initialisers import glorot_uniform, uniform

for begin in (0, 0.5, {"*weight": uniform(-0.1, 0.1), "*bias": 0}):
    kernel.manual_seed(0)
    net2 = SimpleNet().initialise(begin)
    for _ in range(400):
        x = 2 * kernel.rand(50, 2) - 1
        step(net2, x, zones(x), rate=0.5)
    rows = net2.lin1.weight.data
    print(f"begun with {begin}:")
    print("  rows 0 and 1:", *np.round(rows[:2].numpy(), 2))
    print("  all 12 alike:", bool(abs(rows - rows[0]).max() < 1e-5))

# %% [markdown]
# With zeros only the last bias moves: $h = 0$, so the second weight gets no gradient, and being 0 it passes none back.
# With 0.5 the rows do move, all together: equal rows give equal numbers and get equal gradients, for ever. Twelve of them know no more
# than one. Random numbers break this **symmetry**; biases may begin at 0, because the weights have broken it already.
#
# (The dict gives an initialiser to each *name*: the first pattern that fits counts.)
#
# Random, but how large? Eight layers of 100 with tanh, begun three times. **Predict** what comes out of the eighth.


# %%
def spreads(gain):
    kernel.manual_seed(0)
    init = glorot_uniform(gain)
    deep = For(8, lambda: Dense(100, activation=kernel.tanh, init=init))
    seen = []
    for layer in deep:
        layer.register_forward_hook(lambda layer, inputs, y: seen.append(y.numpy()))
    with kernel.no_grad():
        deep(0.7 * kernel.randn(500, 100))
    return seen


gains = {"too small": 0.4, "right": 5 / 3, "too large": 8}
figure, panels = style.subplots(3, 4, width=700, height=440, sharex=True)
for row, (what, gain) in enumerate(gains.items()):
    seen = spreads(gain)
    print(f"{what:9}", [round(float(y.std()), 2) for y in seen])
    for column, number in enumerate((1, 3, 5, 8)):
        axes = panels[row, column]
        axes.hist(seen[number - 1].ravel(), 41, range=(-1, 1), color=style.COLOURS[row])
        axes.set(yticks=[], xticks=[-1, 0, 1])
        axes.spines["left"].set_visible(False)
        if row == 0:
            axes.set_title(f"layer {number}", fontsize=10)
    panels[row, 0].set_ylabel(f"{what}\ngain {gain:.2g}")
figure.supxlabel("activation", fontsize=10)
show(
    figure,
    alt="Twelve histograms of activations between -1 and 1, for three initialisations "
    "and the layers 1, 3, 5 and 8. Too small: the numbers shrink to a needle at 0. "
    "Right: all layers look alike. Too large: everything piles up at -1 and 1.",
    caption="Too small, and each layer shrinks what it gets until nothing is left. Too "
    "large, and tanh is driven to its ends, where its slope is 0. In between every "
    "layer passes on what it got, forward and backward.",
)

# %% [markdown]
# The hook is called after each `forward` with what came out. Layers know how large is right, from the numbers that go in
# and out: $\pm\sqrt{6 / (K + M)}$, times a gain for the activation.
#
# ## 8 · In training and in use
#
# `Dropout` sets random numbers to zero, so that no unit relies on another, and scales the others up. In use it must not.
#
# **Predict:** after `eval()`, what do two calls give?

# %%
from kernel.layers import Dropout

dropping = Sequential([Dropout(0.5, seed=0)])
ones = kernel.ones(1, 6)
print("training:", dropping(ones).tolist(), dropping(ones).tolist())
dropping.eval()
print("in use:  ", dropping(ones).tolist(), "· inside:", dropping[0].training)

# %% [markdown]
# `train()` and `eval()` reach every module inside. Who forgets `eval()` tests a net that is partly switched off.
#
# ## 9 · Into a file and back
#
# A file holds names and numbers, no code: to open it you need the class. **Predict:** what happens to the net if the
# file is cut off?

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "zones.safetensors")
    kernel.save(net, path)
    print("the file says:", kernel.serialize.header(path).types)
    again = SimpleNet()
    kernel.load(path, into=again)
    print("the same scores:", bool((again(fresh) == net(fresh)).all()))

    path.write_bytes(path.read_bytes()[:-50])
    try:
        kernel.load(path, into=again)
    except kernel.FileError as error:
        print(fill(str(error).replace(str(path), path.name), 58))
    print("still the same:", bool((again(fresh) == net(fresh)).all()))

# %% [markdown]
# All of it is loaded, or nothing.
#
# ## 10 · Handwritten digits
#
# Scikit-learn brings 1,797 of them, 8 × 8 pixels each: 1,437 to learn from, and 360 to be tested on, never trained on.
#
# A **convolution** is a small weight, here 3 × 3, that slides over the image: at every place it computes the same weighted
# sum. It is sharing, 64 times.
#
# $$ (N, 1, 8, 8) \;\to\; (N, 8, 8, 8) \;\to\; (N, 8, 4, 4) \;\to\; (N, 16, 2, 2) \;\to\; (N, 10) $$
#
# **Predict:** how many parameters has the first layer, 8 kernels of 3 × 3? And the pooling, which keeps the largest of
# each 2 × 2?

# %%
from sklearn.datasets import load_digits

from kernel.layers import Convolution2D, MaxPooling

digits = load_digits()
images = kernel.tensor(digits.images / 16, kernel.float32)[:, None]
labels = kernel.tensor(digits.target)
order = kernel.tensor(np.random.default_rng(0).permutation(len(labels)))
train, test = order[:1437], order[1437:]

kernel.manual_seed(0)
with default_options(activation=kernel.relu, pad=False):
    layers = [
        Convolution2D((3, 3), num_filters=8, pad=True),
        MaxPooling((2, 2), strides=2),
        Convolution2D((3, 3), num_filters=16),
        Dropout(0.25),
        Dense(10, activation=None),
    ]
reader = Sequential(layers)
reader(images[:1])
print(reader.types)
print([sum(p.size for p in layer.parameters()) for layer in reader])

channels_last = Convolution2D((3, 3), 8, kernel.relu, pad=True, layout="NHWC")
channels_last.load_state_dict(reader[0].state_dict())
first, last = reader[0](images), channels_last(images.permute(0, 2, 3, 1))
difference = abs(first.permute(0, 2, 3, 1) - last).max().item()
print("channels last, the same numbers:", difference < 1e-5)

# %% [markdown]
# $8 \cdot (3 \cdot 3 \cdot 1 + 1) = 80$, and none. (Some frameworks keep the channels last, $(N, H, W, C)$: `layout` says so.)
#
# Now the loop of section 3, over shuffled minibatches of 16.

# %%
shuffle = np.random.default_rng(0)
for epoch in range(15):
    turn = train[kernel.tensor(shuffle.permutation(len(train)))]
    for start in range(0, len(turn), 16):
        rows = turn[start : start + 16]
        step(reader, images[rows], labels[rows], rate=0.2 if epoch < 10 else 0.04)

reader.eval()
score = accuracy(reader, images[test], labels[test])
print("on digits never seen, above 97 %:", score > 0.97)

# %% [markdown]
# What has it learned? On the left a digit, on the right the eight kernels, and below each what it makes of the digit.

# %%
from matplotlib.colors import LinearSegmentedColormap

signs = LinearSegmentedColormap.from_list("", [style.VERMILLION, "white", style.BLUE])
digit = images[test[3:4]]
kernels, maps = reader[0].W.data.numpy(), reader[0](digit).detach().numpy()
place = {"left": 0.01, "right": 0.99, "bottom": 0.02, "wspace": 0.15, "hspace": 0.3}
place["width_ratios"] = [2.4, *[1] * 8]
figure, panels = style.subplots(2, 9, width=740, height=240, gridspec_kw=place)
figure.set_layout_engine("none")
for number, (above, below) in enumerate(panels.T[1:]):
    weight = kernels[number, 0]
    above.imshow(weight, cmap=signs, vmin=-1, vmax=1)
    for (i, j), value in np.ndenumerate(weight):
        above.text(j, i, "−" if value < 0 else "+", ha="center", va="center", size=9)
    below.imshow(maps[0, number], cmap="gray_r", vmin=0, vmax=maps.max())
whole = figure.add_subplot(panels[0, 0].get_gridspec()[:, 0])
whole.imshow(digit.numpy()[0, 0], cmap="gray_r")
whole.set_xlabel(f"tests: {100 * score:.1f} % right")
panels[0, 1].set_title("eight kernels", fontsize=10)
panels[1, 1].set_title("what each makes of it", fontsize=10)
for axes in (whole, *panels[:, 1:].flat):
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=style.RULE)
for axes in panels[:, 0]:
    axes.remove()
show(
    figure,
    alt="A handwritten digit; eight kernels of 3 by 3 numbers, blue with a plus sign "
    "where positive and vermillion with a minus sign where negative; below each the 8 "
    "by 8 map that it makes of the digit, dark where the kernel fits.",
    caption="A map is dark where the plus signs lie on ink and the minus signs do not. "
    "Pluses on one side and minuses on the other find edges of that direction. "
    "Nobody drew these kernels: they began as random numbers.",
)

# %% [markdown]
# ## 11 · The whole tree
#
# Choose a layer with the arrow keys, or click on a row. First look where most parameters lie. Then walk from layer to
# layer and watch the share of zeros among the activations: what did relu do, and what did pooling?

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: trained numbers differ in the last digits between machines.
ModelTree(reader, images[test])

# %% [markdown]
# ## The same net elsewhere
#
# | | 2 numbers → 12 → 3 | its parameters |
# |:--|:--|:--|
# | our kernel,<br>as PyTorch | `Sequential(`<br>`Linear(2, 12), kernel.relu,`<br>`Linear(12, 3))` | `net.parameters()` |
# | our kernel,<br>as CNTK | `Sequential([`<br>`Dense(12, activation=relu),`<br>`Dense(3)])` | `net.parameters()`,<br>in CNTK `net.parameters` |
# | PyTorch | `nn.Sequential(`<br>`nn.Linear(2, 12), nn.ReLU(),`<br>`nn.Linear(12, 3))` | `net.parameters()` |
# | Keras | `Sequential([`<br>`Dense(12, activation="relu"),`<br>`Dense(3)])` | `net.trainable_weights` |
# | JAX, Flax | `nn.Sequential([`<br>`nn.Dense(12), nn.relu,`<br>`nn.Dense(3)])` | `net.init(key, x)`<br>returns them |
# | MXNet Gluon | `net.add(`<br>`nn.Dense(12, activation="relu"),`<br>`nn.Dense(3))` | `net.collect_params()` |
#
# Where only the output size is given, the rest is found on the first call. In Flax a layer holds nothing: parameters
# come in as an argument.
#
# ## Recap
#
# * A module is a function that holds its parameters; it finds them, and those of the modules inside, by name.
# * One object used twice is shared: listed once, and its gradients add up.
# * Equal beginnings stay equal; random ones must be neither too small nor too large.
# * `train()` and `eval()` switch what differs between training and use.
# * A file holds names and numbers; it is loaded whole, or not at all.
#
# **What usually goes wrong.** A plain tensor stands where a `Parameter` should. A net is tested without `eval()`. A list
# `[layer] * 3` is one layer, three times. A weight is copied without its transpose.
#
# **Where to read on.** `kernel/module.py`; Glorot and Bengio, *Understanding the difficulty of training deep feedforward
# neural networks*, AISTATS 2010; LeCun and others, *Gradient-based learning applied to document recognition*, 1998.
#
# **Next:** the [exercises](exercises.ipynb), then [05 Learners](../05_learners/lesson.ipynb).
