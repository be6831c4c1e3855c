# ---
# jupyter:
#   gradschool:
#     title: Your own learner
#     minutes: 50
# ---

# %% [markdown]
# # Your own learner
#
# A learner is a few lines of arithmetic. This lesson opens one, and then you write your own: as an expression, and as a
# class.
#
# You will be able to
#
# * read an update rule as a pure function, and say what it keeps from step to step;
# * write a rule as an expression or as a class, and train with it as with any other;
# * keep state that is saved and restored;
# * clip gradients in three ways, and say which of them turns the step.
#
# **Before:** [05 Learners](../05_learners/lesson.ipynb), [06 Schedules](../06_schedules/lesson.ipynb) and
# [07 Momentum](../07_momentum/lesson.ipynb). **Time:** 50 minutes. **Backend:** NumPy; on a GPU, CuPy.

# %%
import inspect
import tempfile
import time
from pathlib import Path
from textwrap import fill  # breaks an error's sentence into lines

import numpy as np

import kernel
from kernel.layers import Dense, Sequential
from kernel.learners import Program, rules
from widgets import FormulaPath, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · A rule is a pure function
#
# Here is Adam as this kernel has it: three lines. (The correction for the beginning is a number, and part of `rate` by
# then.)

# %%
print(inspect.getsource(rules.adam.update))

# %% [markdown]
# **Predict:** two weights, both 1. Their gradients are 4 and 0.004, and the rate is 0.1. Where are the weights after one
# step? And after a second one, in which only the first gradient has changed its sign?

# %%
hyper = {"rate": 0.1, "momentum": 0.9, "gain": 0.1, "variance": 0.999, "fresh": 0.001}
hyper |= {"epsilon": 1e-8, "epsilon_hat": 0}
start = kernel.ones(2)
w, state = start, rules.adam.begin(start)
for step, gradient in enumerate(([4.0, 0.004], [-4.0, 0.004]), start=1):
    w, state = rules.adam(w, kernel.tensor(gradient), state, hyper | {"step": step})
    print(f"after step {step}: w = {w.numpy()}")
print("state: m =", state["m"].numpy(), "a =", state["a"].numpy())
print("the start is still", start)

# %% [markdown]
# The first steps are as long as the rate, whatever the gradient. In the second the turned gradient meets an average that
# remembers, and moves its weight by 0.005 only.
#
# $$ (w, s) \;\leftarrow\; R(w, g, s, h), \qquad w, g : (P,) $$
#
# A **rule** $R$ takes the parameter, its gradient, its **state** $s$ (here $m$ and $a$, shaped as $w$) and the
# **hyperparameters** $h$ (plain numbers). It returns a new parameter and a new state, and changes nothing. So it can be
# called anywhere, tested with three numbers, and compared with the paper.
#
# But a model with a million weights should not get a million new ones at every step. The kernel calls those lines once, on
# symbols, and makes a list of calls that write over the old numbers.
#
# **Predict:** how many arrays does Adam need beside $w$, $g$, $m$ and $a$?

# %%
names = list(inspect.signature(rules.adam.update).parameters)
program = Program(rules.adam.update, "wgma", targets="wma", numbers=names[4:])
print(program.python, "\n")
print(program.c)

# %% [markdown]
# One, `s1`, and all parameters share it. On a GPU the second text becomes *one* kernel, which reads and writes every
# number once.
#
# ## 2 · As an expression
#
# Your own rule becomes such a program, too. `kernel.universal` takes a function of the lists of parameters and gradients
# that says what is to be **assigned** to what. This is RMSProp, with settings of CNTK's tutorial.
#
# **Predict:** parameters 0, gradients 1. The average of squares begins at $10^{-6}$ and takes 0.001 of each new one. Will
# the first step, at rate 0.01, be about 0.01, or much longer?


# %%
def my_rmsprop(parameters, gradients):
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return kernel.combine(steps)


net = Sequential([Dense(4, activation=kernel.relu), Dense(2)])
z = net(kernel.input_variable(3))
learner = kernel.universal(my_rmsprop, z.parameters)
print(kernel.inspect_update(learner, 10, 1)[0][0])
print(kernel.inspect_update(learner, 10, 2)[0][0])

w, a = 0.0, 1e-6
for _ in range(2):
    a = 0.999 * a + 0.001 * 1
    w = w - 0.01 * 1 / a**0.5
print(f"by hand {w:.4f}")
print(learner.programs[0].python)

# %% [markdown]
# $$ a \leftarrow \rho\, a + (1 - \rho)\, g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{a}} $$
#
# `constant` is what the rule keeps, one for each parameter; `assign` says what it gets, and hands the value on to
# compute with. The function is called once; what it built is carried out at every update.
#
# ## 3 · The old value or the new one?
#
# Wherever a *tensor* stands in such an expression, its value **before** the update is meant, and all assignments are made
# together at the end. The new value is what `assign` returned.
#
# **Predict:** three people change one line each. The first divides by `a`. The second does so, too, and returns only
# what is assigned to `p`. The third makes a single `a` for all parameters. Who gets another number, and who is stopped?


# %%
def changed(how):
    def update(parameters, gradients):
        shared = kernel.constant(1e-6, (2,))
        steps = []
        for p, g in zip(parameters, gradients, strict=True):
            a = shared if how == "shared" else kernel.constant(1e-6, p.shape, p.dtype)
            new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
            divisor = new if how == "shared" else a
            steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(divisor)))
            if how == "old":
                steps.append(new)
        return steps

    return update


for how in ("old", "forgotten", "shared"):
    pair = [kernel.Parameter(np.zeros(2, "float32")) for _ in range(2)]
    try:
        learner = kernel.universal(changed(how), pair)
        print(f"{how}:", kernel.inspect_update(learner, 10, 2)[0])
    except kernel.errors.RangeError as error:
        print(fill(f"{how}: {error}", 58, subsequent_indent="    "))

# %% [markdown]
# With the old average the first step divides by $\sqrt{10^{-6}}$: it is 10 long instead of 0.3161, and the second is what
# the first should have been. Nothing looks wrong in the code. So test every rule on two steps that you have done by hand.
#
# A shared state is as bad where nobody stops you: each parameter sees an average of everybody's gradients.
#
# ## 4 · Rates that change, inputs that are sparse
#
# The rate 0.01 stands fixed in `my_rmsprop`. In CNTK that cannot be helped. Here a function with a third argument gets the
# rate of a schedule.
#
# **Predict:** rate 1 per minibatch for the first 20 samples, then 0.1. Gradients (sums) are 1, minibatches have 10
# samples. Where do four updates lead?


# %%
def descent(parameters, gradients, rate):
    pairs = zip(parameters, gradients, strict=True)
    return [kernel.assign(p, p - rate * g) for p, g in pairs]


w = kernel.Parameter([0.0])
per_minibatch = kernel.UnitType.minibatch
falling = kernel.learning_rate_schedule([1, 0.1], per_minibatch, epoch_size=20)
print(kernel.inspect_update(kernel.universal(descent, [w], lr=falling), 10, 4)[0])

words = kernel.SparseTensor.one_hot(kernel.tensor([2, 0, 2]), 4)
table = kernel.Parameter(np.zeros((4, 2), "float32"))
(words @ table).sum().backward()
print("input:", type(words).__name__, "· gradient:", type(table.grad).__name__)
kernel.universal(descent, [table], lr=0.1).step()
print(table.value)

# %% [markdown]
# $-(1 + 1 + 0.1 + 0.1)/10$. The second limit of CNTK's universal learner is missing here as well: it refuses the gradient
# of a layer whose input is sparse, because that gradient is stored sparsely. Ours is an ordinary tensor, with zeros in the
# rows of words that were not seen.
#
# ## 5 · As a class
#
# An expression has no `if`. Where you need all of Python, derive from `UserLearner` and write `update`. It gets a dict
# from parameters to gradients, which are *sums* over `n_samples`; as NumPy arrays, or with `as_numpy=False` as tensors.
#
# **Predict:** rate 1 per minibatch, 64 samples, ten updates with sums of 1. Where is $w$?


# %%
class MySgd(kernel.UserLearner):
    def update(self, gradients, n_samples, sweep_end):
        eta = self.learning_rate() / n_samples
        for p, g in gradients.items():
            p.value = p.value - eta * g
        return True


rate = kernel.learning_rate_schedule(1, kernel.UnitType.minibatch)
print(kernel.inspect_update(MySgd(z.parameters, rate), 64, 10)[0][0])
print("rate[0] is", rate[0], "· by hand", -10 / 64)

# %% [markdown]
# (`rate[0]` is the schedule's value at sample 0. It is right as long as the rate never changes; `self.learning_rate()` is
# its value now.)
#
# What `update` returns says whether anything was done. **True:** samples and minibatches are counted, and schedules go
# on. **False:** nothing was changed, and nothing counts.
#
# **Predict:** this one refuses gradients that are not finite. Three updates, the second with a `nan`: how many minibatches
# has it counted? And which of its attributes will be in its state?


# %%
class Careful(kernel.UserLearner):
    """Momentum that skips a minibatch whose gradients are not finite."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape, "float32") for p in self.parameters}
        self.skipped = 0

    def update(self, gradients, n_samples, sweep_end):
        if not all(np.isfinite(g).all() for g in gradients.values()):
            self.skipped += 1
            return False
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True


w = kernel.Parameter([0.0])
learner = Careful([w], 0.1)
print([learner.update({w: np.array([g])}, n_samples=1) for g in (1.0, np.nan, 1.0)])
print("counted:", learner.minibatches, "· w:", w.value)
print("state:", ", ".join(learner.state_dict()))

with tempfile.TemporaryDirectory() as folder:
    kernel.save(learner.state_dict(), Path(folder, "careful.safetensors"))
    again = kernel.Parameter(w.value)
    resumed = Careful([again], 0.1)
    resumed.load_state_dict(kernel.load(Path(folder, "careful.safetensors")))
for one, parameter in ((learner, w), (resumed, again)):
    one.update({parameter: np.array([-1.0])}, 1)
print("resumed as if uninterrupted:", bool((w.value == again.value).all()))

# %% [markdown]
# Attributes that are numbers or arrays, or dicts of them by parameter, are saved and come back; there is nothing to
# register. (We wrote `self.parameters`, because `model.parameters()` can be gone through once only, and the base class has
# done so.)
#
# ## 6 · In the loop, and in the trainer
#
# **Predict:** plain descent in our three ways, in a `Trainer` and in a loop of one's own with `backward()` and `step()`:
# six trainings of one net. How many different losses?

# %%
random = np.random.default_rng(0)
points = random.normal(size=(640, 3)).astype("float32")
classes = np.eye(2, dtype="float32")[(points.prod(axis=1) > 0).astype(int)]
batches = [(points[i : i + 32], classes[i : i + 32]) for i in range(0, 640, 32)] * 10
half = kernel.learning_rate_schedule(0.5, kernel.UnitType.minibatch)
ways = {
    "built in": lambda parameters: kernel.sgd(parameters, half),
    "expression": lambda parameters: kernel.universal(descent, parameters, half),
    "class": lambda parameters: MySgd(parameters, half),
}


def model():
    kernel.manual_seed(0)
    return Sequential([Dense(16, activation=kernel.tanh), Dense(2)])


for name, make in ways.items():
    x, y, net = kernel.input_variable(3), kernel.input_variable(2), model()
    z = net(x)
    loss = kernel.cross_entropy_with_softmax(z, y)
    trainer = kernel.Trainer(z, loss, make(net.parameters()))
    losses = []
    for rows, labels in batches:
        trainer.train_minibatch({x: rows, y: labels})
        losses.append(trainer.previous_minibatch_loss_average)

    net = model()
    net(kernel.tensor(points[:1]))  # now its parameters know their sizes
    learner = make(net.parameters())
    for rows, labels in batches:
        learner.zero_grad()
        loss = kernel.cross_entropy(net(kernel.tensor(rows)), kernel.tensor(labels))
        loss.backward()
        learner.step()
    first, last = losses[0], losses[-1]
    print(f"{name:10}  first {first:.3f}  last {last:.3f}  in a loop {loss.item():.3f}")

# %% [markdown]
# One. `step()` hands `grad` over as it is, the mean that `backward()` of a mean loss gives; `update` gets sums. Both mean
# the same step.
#
# ## 7 · What is done to a gradient first
#
# One bad minibatch with huge gradients can throw a model far away, so gradients are **clipped**. Two tensors have the
# gradients $(3, 4)$ and $(0, 12)$: norms 5 and 12, together 13.
#
# $$ \text{by value: } \min(\max(g, -c), c) \qquad \text{by norm: } g \cdot \min\Bigl(1, \frac{c}{\lVert g \rVert}\Bigr) $$
#
# The norm is that of each tensor, or the **global** norm of all of them together.
#
# **Predict:** which of the three keeps the direction of the whole step?

# %%
gradients = [np.array([3.0, 4.0]), np.array([0.0, 12.0])]
clips = {
    "as it is": {},
    "each value: 4": {"clip": 4},
    "each norm: 6": {"clip": 6, "clip_by": "norm"},
    "global norm: 6.5": {"clip": 6.5, "clip_by": "global norm"},
}
figure, panels = style.subplots(1, 4, width=740, height=250, sharey=True)
whole = np.concatenate(gradients)
for axes, (name, options) in zip(panels, clips.items(), strict=True):
    pair = [kernel.Parameter(np.zeros(2)) for _ in gradients]
    kernel.SGD(pair, lr=1, **options).update(dict(zip(pair, gradients, strict=True)), 1)
    step = -np.concatenate([p.value for p in pair]) + 0.0
    cosine = step @ whole / np.linalg.norm(step) / np.linalg.norm(whole)
    angle = np.degrees(np.arccos(min(cosine, 1)))
    print(f"{name:16} {step} norm {np.linalg.norm(step):5.2f}, {angle:4.1f}°")
    for tensor, colour, hatch in ((0, style.BLUE, ""), (1, style.ORANGE, "//")):
        place = np.arange(2) + 2 * tensor
        axes.bar(place, step[place], color=colour, hatch=hatch, edgecolor=style.PAPER)
    axes.set_title(f"{name}\nturned by {angle:.0f}°", fontsize=10)
    axes.set_xticks([0.5, 2.5], ["first", "second"])
panels[0].set_ylabel("gradient")
show(
    figure,
    alt="Bars of four gradients, two in each of two tensors. As they are: 3, 4, 0, 12. "
    "Each value at most 4: 3, 4, 0, 4, and the whole is turned by 29 degrees. Each "
    "tensor's norm at most 6: 3, 4, 0, 6, turned by 17 degrees. The global norm at "
    "most 6.5: all halved, not turned.",
    caption="Clipping by value or tensor by tensor shortens some gradients and not "
    "others: the step points elsewhere. The global norm shortens all alike.",
)

# %% [markdown]
# Every learner takes `clip=` and `clip_by=`; PyTorch's way is a call between `backward()` and `step()`,
# `kernel.clip_grad_norm_(net.parameters(), 6.5)`, which returns what the norm was.
#
# **Weight decay** is one line in a rule, and where it stands matters: *coupled*, $g \leftarrow g + \lambda w$ at the top,
# or *decoupled*, $w \leftarrow w - \eta \lambda w$ beside the step.
#
# **Predict:** a weight of 2 whose gradient is 0, rate 0.1, one step of Adam. Does $\lambda = 0.1$ or $\lambda = 0.001$ make
# a difference, coupled? Decoupled?

# %%
for make in (kernel.Adam, kernel.AdamW):
    for decay in (0.1, 0.001):
        w = kernel.Parameter([2.0])
        make([w], lr=0.1, weight_decay=decay).update({w: np.zeros(1)}, 1)
        print(f"{make.__name__:5}  decay {decay:<5}  w {w.item():.4f}")

# %% [markdown]
# Coupled, Adam divides $\lambda$ away, as it does with the size of any gradient. This is why there is AdamW.
#
# ## 8 · Type a rule, see its path
#
# Three lines are enough to invent a learner. First choose "find the bug", read what is said, and mend it by swapping the
# two lines. Then write a rule that beats momentum at a condition number of 200, and see whether it still does on the turned
# quadratic: who divides each weight's gradient by its own size knows the axes, not the valley. The code below the picture
# is yours to copy.

# %%
FormulaPath()

# %% [markdown]
# ## 9 · What does it cost?
#
# **Predict:** RMSProp for 20 parameters of 50 weights each, one `step()`. Which of the three ways is the slowest, and by
# how much?


# %%
def as_expression(parameters, gradients, rate):
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(0, p.shape, p.dtype)
        a = kernel.assign(a, 0.99 * a + 0.01 * g * g)
        steps.append(kernel.assign(p, p - rate * g / (kernel.sqrt(a) + 1e-8)))
    return steps


class AsClass(kernel.UserLearner):
    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.a = {p: np.zeros(p.shape, "float32") for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.a[p] = 0.99 * self.a[p] + 0.01 * g * g
            p.value = p.value - self.learning_rate() * g / (np.sqrt(self.a[p]) + 1e-8)
        return True


three = {
    "built in": lambda parameters: kernel.RMSprop(parameters, lr=0.01),
    "expression": lambda parameters: kernel.universal(as_expression, parameters, 0.01),
    "class": lambda parameters: AsClass(parameters, 0.01),
}
ends, best = {}, {}
for name, make in three.items():
    random = np.random.default_rng(0)
    values, gradients = random.normal(size=(2, 20, 50)).astype("float32")
    parameters = [kernel.Parameter(value) for value in values]
    learner = make(parameters)
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = kernel.tensor(g)
    times = []
    for _ in range(60):
        begin = time.perf_counter()
        learner.step()
        times.append(time.perf_counter() - begin)
    ends[name] = np.concatenate([p.value for p in parameters])
    best[name] = min(times)
alike = [np.allclose(end, ends["built in"], atol=1e-6) for end in ends.values()]
print("one rule:", all(alike))

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: times differ from machine to machine.
for name, seconds in best.items():
    print(f"{name:10} {1e6 * seconds:6.0f} µs  {seconds / best['built in']:5.1f} times")

# %% [markdown]
# First comes the built-in learner, then the expression, and the class is last by far. Built-in learner and expression run
# the same kind of program, and on large parameters they take the same time. A class makes new arrays in every line and
# brings them to and fro, on a GPU across the bus. So take what is there; else write an expression; and a class where you
# need an `if`.
#
# ## The same elsewhere
#
# | | state | one step |
# |:--|:--|:--|
# | our kernel, as CNTK | `a = constant(0, p.shape)` | `assign(p, p - …)` |
# | our kernel, as CNTK | attributes of a `UserLearner` | `update(self, gradients, n, sweep_end)` |
# | PyTorch | `self.state[p]` of a<br>`torch.optim.Optimizer` | `step(self)`, over<br>`self.param_groups` |
# | Keras | `build(self, variables)` | `update_step(self, gradient, variable,`<br>`learning_rate)` |
# | JAX (optax) | `init(params)` of a<br>`GradientTransformation` | `update(updates, state, params)`<br>returns both anew |
# | MXNet 1.x | `create_state(index, weight)` | `update(index, weight, grad, state)` |
#
# optax is closest to section 1: pure functions, all the way.
#
# ## Recap
#
# * A rule is a pure function: parameter, gradient, state, hyperparameters in; parameter and state out.
# * In an expression a tensor is its old value; what `assign` returns is the new one.
# * State belongs to one parameter each, and in the file that is saved.
# * `update` gets sums and divides by $n$; `step()` has means already.
# * Only the global norm clips without turning the step; decay belongs beside Adam, not into it.
#
# **What usually goes wrong.** The old average divides. One state serves all parameters, or begins anew at every step. The
# sum is not divided by $n$. `update` forgets to return True. The learner's state is not saved, and the loss jumps after
# each restart.
#
# **Where to read on.** `kernel/learners/rules.py`, a formula and a source for each rule, and `expression.py` beside it.
# [Duchi and others 2011](https://jmlr.org/papers/v12/duchi11a.html), Adagrad;
# [Zeiler 2012](https://arxiv.org/abs/1212.5701), Adadelta;
# [Sutskever and others 2013](https://proceedings.mlr.press/v28/sutskever13.html), momentum;
# [Pascanu and others 2013](https://arxiv.org/abs/1211.5063), clipping;
# [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980), Adam;
# [Wilson and others 2017](https://arxiv.org/abs/1705.08292), a warning;
# [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101), AdamW;
# [Chen and others 2023](https://arxiv.org/abs/2302.06675), Lion, in the exercises.
#
# **Next:** the [exercises](exercises.ipynb), then [09 Graphs](../09_graphs/lesson.ipynb).
