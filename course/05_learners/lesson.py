# ---
# jupyter:
#   gradschool:
#     title: Learners
#     minutes: 60
# ---

# %% [markdown]
# # Learners
#
# The gradient says which way is down. A learner decides how far to go, and for each weight by itself if you let it.
#
# You will be able to
#
# * say what a rate per sample and a rate per minibatch do to one update;
# * write Adagrad, RMSProp, Adam and Adadelta, each in a few lines, and say what the next one mends in the one before;
# * tell when a rate for every weight helps, and when it misleads;
# * switch the learner, and know that the rate must be found again.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb) and
# [04 Modules](../04_modules/lesson.ipynb). **Time:** 60 minutes. **Backend:** NumPy; on a GPU, CuPy.

# %%
import math

import numpy as np

import kernel
from kernel.layers import Dense, Sequential
from kernel.schedules import effective_rate
from widgets import LearnerRace, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · What the rate is per
#
# Plain descent, **SGD**, is one line: $w \leftarrow w - \eta\, g$. But a minibatch has $n$ samples, and $g$ may be the
# **sum** of their gradients. Does the rate $\eta$ count for each sample, or for the minibatch as a whole? CNTK makes you
# say it.
#
# To see a learner bare, `inspect_update` sets all parameters to 0, says that every gradient is 1, and shows what becomes
# of the parameters.
#
# **Predict:** two samples, gradients that add up to 1, rate 0.5. What do the weights become if the rate is per sample? And
# per minibatch?

# %%
net = Sequential([Dense(4, activation=kernel.relu), Dense(2)])
net(kernel.ones(1, 3))  # the first call tells how many numbers come in

for unit in (kernel.UnitType.sample, kernel.UnitType.minibatch):
    learner = kernel.sgd(net.parameters(), kernel.learning_rate_schedule(0.5, unit))
    print(unit)
    print(*map(repr, kernel.inspect_update(learner, minibatch_size=2)), sep="\n")

# %% [markdown]
# Per sample, the sum is multiplied by 0.5. Per minibatch, the *mean* is: the rate is divided by $n$. A rate may also be
# meant for 10 samples, and the gradient may be a mean already, as `backward` of a mean loss gives it. Then $\eta$ becomes
#
# | | per minibatch | per $M$ samples |
# |:--|:--|:--|
# | gradients are sums | $\eta / n$ | $\eta / M$ |
# | gradients are means | $\eta$ | $\eta\, n / M$ |
#
# **Find the bug.** One tutorial of CNTK says: with rates per sample you can change the minibatch size without retuning. A
# second one says that of rates *per minibatch*. **Predict:** 1,024 samples, each with gradient 1. How far does SGD get
# with minibatches of 2, and of 32?

# %%
print("                  sums           means")
print("n =              2      32       2      32")
for words, M in (("per minibatch", 0), ("per sample", 1), ("per 10 samples", 10)):
    sums = [effective_rate(0.5, M, n) for n in (2, 32)]
    means = [effective_rate(0.5, M, n, means=True) for n in (2, 32)]
    print(f"{words:14}", *(f"{rate:7.4f}" for rate in sums + means))

for words, rate in {
    "per minibatch": kernel.learning_parameter_schedule(0.5),
    "per sample": kernel.learning_parameter_schedule_per_sample(0.5),
}.items():
    for n in (2, 32):
        w = kernel.Parameter([0.0])
        learner = kernel.sgd([w], rate)
        for _ in range(1024 // n):
            learner.update({w: kernel.full((1,), float(n))}, n)
        print(f"{words:14} n = {n:2}: after 1,024 samples w = {w.item():6.1f}")

# %% [markdown]
# Both are right, and neither says of what. Per sample, the way *per sample seen* stays the same. Per minibatch, the way
# *per update* does, so a step that was safe stays safe: with rates per sample it grows with $n$, until it is too long.
#
# ## 2 · Momentum, in two lines
#
# $$ v \leftarrow \beta\, v + u\, \eta\, g, \qquad w \leftarrow w - v $$
#
# A **velocity** $v$ keeps the share $\beta$ of what it was. With $u = 1 - \beta$, CNTK's default, it is an average of steps
# (**unit gain**); with $u = 1$ it is their sum. [07 Momentum](../07_momentum/lesson.ipynb) is all about this.
#
# **Predict:** five updates, 10 samples each, rate 1 per minibatch. Without momentum $w$ goes to −0.5. And with
# $\beta = 0.967$ and $u = 1$?

# %%
beta, v, w = math.exp(-10 / 300), 0.0, 0.0
for _ in range(5):
    v = beta * v + 1 / 10
    w -= v
print(f"by hand      {w:.3f}")

parameters = list(net.parameters())
per_minibatch = kernel.momentum_schedule(beta)
per_sample = kernel.momentum_schedule_per_sample(math.exp(-1 / 300))
for name, learner in {
    "momentum_sgd": kernel.momentum_sgd(parameters, 1, per_minibatch, unit_gain=False),
    "per sample": kernel.momentum_sgd(parameters, 1, per_sample, unit_gain=False),
    "unit gain": kernel.momentum_sgd(parameters, 1, per_minibatch),
    "nesterov": kernel.nesterov(parameters, 1, per_minibatch, unit_gain=False),
}.items():
    print(f"{name:12} {kernel.inspect_update(learner, 10, 5)[0][0, 0]:.3f}")

# %% [markdown]
# Nearly three times as far without unit gain. With it the average has hardly begun after five updates, since it remembers
# thirty: keep that in mind for Adam. Nesterov's form looks a step ahead.
#
# ## 3 · A rate for every weight
#
# One rate for all weights is a poor compromise if their gradients differ in size. **Adagrad** divides each gradient by
# the size of those that this weight has seen.
#
# **Predict:** two weights, with gradients 100 and 1 in every step, rate 0.1. What are the first three steps of each?

# %%
g = np.array([100.0, 1.0])
w, a = np.zeros(2), np.zeros(2)
for _ in range(3):
    a += g**2
    step = 0.1 * g / np.sqrt(a)
    w -= step
    print(f"a = {a}, step = {step}")

weights = kernel.Parameter(np.zeros(2))
learner = kernel.Adagrad([weights], lr=0.1)
for _ in range(3):
    learner.update({weights: g}, n_samples=1)
print("by hand", w, "· kernel.Adagrad", weights.value)

# %% [markdown]
# $$ a \leftarrow a + g^2, \qquad w \leftarrow w - \eta\, \frac{g}{\sqrt{a} + \varepsilon} \qquad a, g, w : (P,) $$
#
# Element by element: every weight has its own $a$. The size of $g$ cancels: both weights take the steps
# $\eta/\sqrt{t}$. But $a$ never shrinks.
#
# **RMSProp** puts an average that forgets in the place of the sum: $a \leftarrow \alpha\, a + (1 - \alpha)\, g^2$.
#
# **Predict:** the gradient is 1 for 100 steps and then 0.1 for another 100. Whose steps recover?

# %%
w = kernel.Parameter([0.0])
for name, learner in {
    "Adagrad": kernel.Adagrad([w], lr=0.1),
    "RMSprop": kernel.RMSprop([w], lr=0.1, alpha=0.9),
}.items():
    places = [w.item()]
    for number in range(200):
        learner.update({w: kernel.full((1,), 1.0 if number < 100 else 0.1)}, 1)
        places.append(w.item())
    steps = -np.diff(places)
    print(name, *(f"· step {t}: {steps[t - 1]:.4f}" for t in (1, 100, 101, 200)))

# %% [markdown]
# RMSProp comes back, Adagrad does not. But look at RMSProp's first step: three times the rate. Its average began at 0 and
# is still far too small.
#
# ## 4 · Adam: momentum, and a correction for the beginning
#
# **Adam** averages the gradients ($m$) and their squares ($a$), and divides both by the share of the average that is
# filled so far.
#
# **Predict:** $\beta_1 = 0.9$, $\beta_2 = 0.999$, rate 0.1. How long is the first step if the gradient is 4? And if it is
# 0.004?

# %%
for g in (4.0, 0.004):
    m = a = 0.0
    raw, corrected = [], []
    for t in range(1, 4):
        m = 0.9 * m + 0.1 * g
        a = 0.999 * a + 0.001 * g**2
        raw.append(0.1 * m / math.sqrt(a))
        filled, filled_squares = 1 - 0.9**t, 1 - 0.999**t
        corrected.append(0.1 * (m / filled) / math.sqrt(a / filled_squares))
    w = kernel.Parameter([0.0])
    learner = kernel.Adam([w], lr=0.1)
    learner.update({w: kernel.full((1,), g)}, 1)
    print(f"g = {g}: without correction {np.array(raw)}")
    print(f"    with it {np.array(corrected)} · kernel.Adam {-w.item():.4f}")

# %% [markdown]
# While the gradients agree, the rate *is* the length of the step, whatever their size: so Adam's rates are small. Its
# relatives:
#
# | | every weight keeps | $w \leftarrow w - \dots$ |
# |:--|:--|:--|
# | **Adam** | $m \leftarrow \beta_1 m + (1 - \beta_1) g$<br>$a \leftarrow \beta_2 a + (1 - \beta_2) g^2$ | $\eta\, \hat m / (\sqrt{\hat a} + \varepsilon)$ |
# | **Adamax** | the same $m$<br>$a \leftarrow \max(\beta_2 a, \lvert g \rvert)$ | $\eta\, \hat m / (a + \varepsilon)$ |
# | **FSAdaGrad** | the same $a$; $f = \min(\sqrt c / \sqrt a, 10)$<br>$v \leftarrow \beta v + (1 - \beta) f g$ | $\eta\, v$ |
# | **Adadelta** | $a \leftarrow \rho a + (1 - \rho) g^2$<br>$d = g \sqrt{x + \varepsilon} / \sqrt{a + \varepsilon}$<br>$x \leftarrow \rho x + (1 - \rho) d^2$ | $\eta\, d$ |
#
# $\hat m = m / (1 - \beta_1^t)$, and $\hat a$ likewise; $c$ averages how many samples there were, as $a$ does the squares.
# Adadelta knows how long its own steps were, $x$, and needs no rate, it is said. Remember that.
#
# **Predict:** somebody reports the loss in grams instead of kilograms, 1,000 times larger. Who does not notice?

# %%
gradients = np.random.default_rng(0).normal(1, 1, (20, 1))
for name, make in {
    "SGD": lambda p: kernel.SGD(p, lr=0.1),
    "Adagrad": lambda p: kernel.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: kernel.RMSprop(p, lr=0.1),
    "Adam": lambda p: kernel.Adam(p, lr=0.1),
    "Adamax": lambda p: kernel.Adamax(p, lr=0.1),
    "FSAdaGrad": lambda p: kernel.fsadagrad(p, 0.1, 0.9),
    "Adadelta": lambda p: kernel.Adadelta(p),
}.items():
    ends = []
    for scale in (1, 1000):
        w = kernel.Parameter(np.zeros(1))
        learner = make([w])
        for g in gradients:
            learner.update({w: scale * g}, 1)
        ends.append(w.item())
    print(f"{name:10} {ends[0]:8.3f} {ends[1]:10.3f}")

# %% [markdown]
# Only SGD notices: in all the others the factor stands above and below, and cancels.
#
# ## 5 · Rare words
#
# Why would weights need rates of their own? A toy: texts of six words, drawn from 400 as in real language, a few of them
# everywhere and most of them rare. Each word is secretly good (+1) or bad (−1), and a text is good if its words add up to
# more than 0. A linear model with one weight for each word is to find out, in one pass over some 1,400 texts.
#
# **Predict:** SGD and Adagrad, each with the best of nine rates. Who is better on new texts, and on which words?


# %%
def texts(rng, truth, count):
    often = 1 / np.arange(1, 401)  # the second word half as often as the first …
    words = rng.choice(400, (count, 6), p=often / often.sum())
    x = np.zeros((count, 400), np.float32)
    np.add.at(x, (np.arange(count)[:, None], words), 1)
    score = x @ truth
    return kernel.tensor(x[score != 0]), kernel.tensor(score[score != 0] > 0)


courses = []
for seed in range(5):
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1.0, 1.0], 400).astype("float32")
    courses.append((truth, *texts(rng, truth, 2000), *texts(rng, truth, 2000)))


def study(make, rate):
    """Share of new texts that are right, of rare words' signs; size of rare weights."""
    found = []
    for truth, x, good, new, is_good in courses:
        w = kernel.Parameter(np.zeros(400, np.float32))
        learner = make([w], rate)
        for rows in range(0, len(x) - 39, 40):
            scores, goal = x[rows : rows + 40] @ w, good[rows : rows + 40].float()
            learner.zero_grad()
            kernel.binary_cross_entropy_with_logits(scores, goal).backward()
            learner.step()
        right = ((new @ w > 0) == is_good).float().mean().item()
        signs, sizes = np.sign(w.value) == truth, np.abs(w.value)
        found.append((right, signs[40:].mean(), sizes[40:].mean() / sizes[:40].mean()))
    return np.mean(found, axis=0)


makers = {
    "SGD": kernel.SGD,
    "SGD, momentum": lambda p, lr: kernel.SGD(p, lr, momentum=0.9),
    "Adagrad": kernel.Adagrad,
    "Adam": kernel.Adam,
}
rates = 10.0 ** np.arange(-2, 2.1, 0.5)
studies = {}
for name, make in makers.items():
    found = studies[name] = np.array([study(make, rate) for rate in rates])
    right, signs, size = found[found[:, 0].round(2).argmax()]
    print(f"{name:14} new texts {right:.2f}", end=" · ")
    print(f"rare words: signs {signs:.2f}, size {size:.2f}")

# %% [markdown]
# Adagrad makes less than half of SGD's mistakes. And yet SGD finds the *signs* of rare words just as well. What it lacks
# is their *size*, here in parts of that of frequent ones, where 1 is the truth: a word that came twice has moved twice by
# a little, and the frequent ones outvote it. With Adagrad its first step is a full one, whenever it comes. How much does
# the rate matter?

# %%
figure, axes = style.subplots(width=700, height=340)
for number, (name, found) in enumerate(studies.items()):
    look = style.series(number)
    axes.semilogx(rates, 100 * (1 - found[:, 0]), **look)
    height = 100 * (1 - found[-1, 0]) + (0.5, -0.5, -0.5, 0.5)[number]
    style.label_line_end(axes, rates[-1], height, name, look["color"])
axes.set(xlabel="learning rate", ylabel="wrong on new texts, %", ylim=(0, 22))
axes.set_yticks([0, 5, 10, 15, 20])
show(
    figure,
    alt="Four curves of the share of new texts that are judged wrongly, against the "
    "learning rate from 0.01 to 100. SGD falls from 21 to its best, 5, only at rates "
    "of 10 and more, with momentum at rates of 3 and 10. Adagrad and Adam begin at 9, "
    "reach 2 at rates of 1 and 0.3, and rise to no more than about 4 up to 100.",
    caption="Adagrad and Adam are better at their best, and nearly as good over "
    "two decades of rates: easier to tune. But their best rates are not SGD's.",
)

# %% [markdown]
# ## 6 · And the other side
#
# The same generosity towards what is rare can mislead. Letters, 60 % of them good. Word 0 tells good from bad. Words 1 and
# 2 are in every letter. And every letter has words that never come again, like a reference number: one if it is good,
# five if it is bad.
#
# **Predict:** all learners come to a training loss of 0 on 60 letters. What do they say of 400 new ones?

# %%
rng = np.random.default_rng(0)
good = np.where(rng.random(460) < 0.6, 1.0, -1.0).astype("float32")
letters = np.zeros((460, 3 + 5 * 460), np.float32)
letters[:, 0], letters[:, 1:3] = good, 1
for number in range(460):
    own = 3 + 5 * number
    letters[number, own : own + (1 if good[number] > 0 else 5)] = 1

x, y = kernel.tensor(letters[:60]), kernel.tensor(good[:60])
for name, rate in zip(makers, (0.3, 0.1, 0.1, 0.1), strict=True):
    w = kernel.Parameter(np.zeros(letters.shape[1], np.float32))
    learner = makers[name]([w], rate)
    for _ in range(300):
        learner.zero_grad()
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        learner.step()
    right = np.mean((letters[60:] @ w.value > 0) == (good[60:] > 0))
    print(f"{name:14} loss {loss.item():.4f}, new letters {right:.2f}", end=" · ")
    print("words 0 to 2", w.value[:3])

# %% [markdown]
# Of all weights that fit, SGD finds the smallest: nearly everything on the word that tells. Adagrad and Adam give every
# word 0.25, or −0.25 where only a bad letter has it, and call *every* new letter good. (It is a construction, of Wilson
# and others, 2017: it proves that this can happen, not that it will.) So test on what was not trained on, as ever.
#
# ## 7 · Several learners, one model
#
# A `Trainer` puts criterion, learners and data together (`criterion.train` makes one and runs the loop). Each learner has
# parameters of its own.
#
# **Predict:** `SGD` gets the first layer, `Adam` the weight of the second. What becomes of the second layer's bias? And
# what if two learners want the same weight?

# %%
inputs, goals = kernel.input_variable(3), kernel.input_variable(2)
criterion = kernel.cross_entropy_with_softmax(net(inputs), goals)
first, second = net
slow = kernel.SGD(first.parameters(), lr=0.05)
fast = kernel.Adam([second.W], lr=0.01)
trainer = kernel.Trainer(net, criterion, [slow, fast])

before = {name: p.value.copy() for name, p in net.named_parameters()}
samples = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
classes = np.eye(2, dtype="float32")[[0, 1] * 4]
trainer.train_minibatch({inputs: samples, goals: classes})
for name, p in net.named_parameters():
    print(name, "moved" if (p.value != before[name]).any() else "stayed", end=" · ")
print("samples seen:", trainer.total_number_of_samples_seen)

try:
    kernel.Trainer(net, criterion, [slow, kernel.Adam(net.parameters())])
except kernel.errors.RangeError as error:
    print(str(error).replace("; ", ";\n"))

# %% [markdown]
# A parameter under no learner stays: that is how layers are frozen.
#
# ## 8 · Switch the learner, retune the rate
#
# Back to `inspect_update`: rate 1, minibatches of 32, ten updates, every gradient 1. (Settings as in CNTK's own tutorial.)
#
# **Predict:** Adadelta needs no rate. Does it get as far as the others? What would it take to catch up?

# %%
memory = kernel.momentum_as_time_constant_schedule(1000)  # samples
sizes = {"inc": 1 + 1e-9, "dec": 1 - 1e-9, "max": math.inf, "min": 1e-30}


def distances(unit_gain):
    return {
        "adadelta": kernel.adadelta(parameters, 1, 0.999, 1e-6),
        "adagrad": kernel.adagrad(parameters, 1),
        "adam": kernel.adam(parameters, 1, memory, unit_gain),
        "adamax": kernel.adam(parameters, 1, memory, unit_gain, adamax=True),
        "fsadagrad": kernel.fsadagrad(parameters, 1, memory, unit_gain),
        "rmsprop": kernel.rmsprop(parameters, 1, gamma=0.999, **sizes),
        "adadelta, rate 1004": kernel.adadelta(parameters, 1004, 0.999, 1e-6),
    }


for name, learner in distances(unit_gain=False).items():
    print(f"{name:20}", kernel.inspect_update(learner, 32, 10)[0][0, :2])

# %% [markdown]
# A thousand times too short! It takes a rate of 1004 to go as far as Adamax. One rate, six learners, and ways from 0.01
# to 10: **who switches the learner must find the rate again.**
#
# **Find the bug.** The tutorial explains the distances so: gradients all point one way, and learners with momentum built
# in get further. **Predict:** with `unit_gain=True` they still have their momentum. How far do they get?

# %%
for name, learner in distances(unit_gain=True).items():
    if name in ("adam", "adamax", "fsadagrad"):
        print(f"{name:20}", kernel.inspect_update(learner, 32, 10)[0][0, :2])
gain = 1 / (1 - math.exp(-32 / 1000))
print(f"1 / (1 - momentum) = {gain:.2f}, 9.9203 / {gain:.2f} = {9.9203 / gain:.4f}")

# %% [markdown]
# No farther than Adagrad. Adam's correction $1/(1 - \beta_1^t)$ is made for an average; without unit gain it is applied to
# a sum, and every step is longer by $1/(1 - \beta)$. It was not the momentum but a factor in the rate.
#
# ## 9 · The race
#
# Drag the start on the map, choose a learner and move its rate; the arrows are the terms of its formula. First let all
# run with one rate, then press "Retune all" and read how unequal the rates have become. Then choose "quadratic, turned"
# and retune again: why do Adagrad and Adadelta lose their lead?

# %%
LearnerRace()

# %% [markdown]
# (Their rates stretch each axis by itself. That rounds a valley along an axis, and does little for one that runs across.)
#
# ## The same learners elsewhere
#
# | | Adam with rate 0.001 | what its gradients are |
# |:--|:--|:--|
# | our kernel,<br>as PyTorch | `kernel.Adam(`<br>`model.parameters(), lr=1e-3)` | of a mean loss |
# | our kernel,<br>as CNTK | `kernel.adam(params, 1e-3, 0.9,`<br>`variance_momentum=0.999,`<br>`minibatch_size=0)` | sums, divided by $n$ |
# | PyTorch | `torch.optim.Adam(`<br>`model.parameters(), lr=1e-3)` | of the loss as given |
# | CNTK | `C.adam(z.parameters, lr, mom)` | sums over samples |
# | MXNet | `gluon.Trainer(`<br>`net.collect_params(), "adam")` | sums; `step(n)` divides |
# | Keras | `keras.optimizers.Adam(1e-3)` | of a mean loss |
# | JAX, optax | `optax.adam(1e-3)` | of the loss as given |
#
# They differ in what stands beside $\sqrt a$: PyTorch adds $\varepsilon$ to the corrected root, CNTK to the root before
# it is corrected, with a variance momentum of its own.
#
# ## Recap
#
# * A rate per sample multiplies the sum of gradients, a rate per minibatch their mean: say which.
# * Adagrad divides by all that was, RMSProp by what was of late, Adam adds momentum and a corrected beginning.
# * A rate for every weight helps where features are rare and sizes differ.
# * It is easier to tune, and may fit what it should ignore: measure on new data.
# * Switch the learner, and find the rate again, over decades and not by halves.
#
# **What usually goes wrong.** SGD's rate is kept for Adam, a hundred times too large. A sum is taken for a mean when the
# minibatch grows. Learners are compared at one and the same rate, or at the rate that was tuned for one of them.
#
# **Where to read on.** `kernel/learners/rules.py`: every rule is a formula with its source. Duchi and others 2011 (Adagrad);
# Zeiler 2012 (Adadelta); Kingma and Ba 2015 (Adam); Wilson and others 2017, *The marginal value of adaptive gradient
# methods*.
#
# **Next:** the [exercises](exercises.ipynb), then [06 Schedules](../06_schedules/lesson.ipynb).
