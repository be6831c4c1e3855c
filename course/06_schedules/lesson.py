# ---
# jupyter:
#   gradschool:
#     title: Schedules
#     minutes: 40
# ---

# %% [markdown]
# # Schedules
#
# A learning rate that is right at the start is too large at the end. This lesson lets it change, and settles a quarrel:
# what has to change with it when the minibatch grows?
#
# You will be able to
#
# * write a schedule as a list, and say which update gets which number;
# * tell a rate per minibatch from a rate per sample, and turn one into the other;
# * let the minibatch grow along the way, and say when that goes wrong;
# * choose between steps, a cosine, a warm-up and a rate that falls when nothing gets better.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb),
# [03 Training loop and metrics](../03_training_loop/lesson.ipynb), and [05 Learners](../05_learners/lesson.ipynb).
# **Time:** 40 minutes. **Backend:** NumPy; on a GPU, CuPy.

# %%
from textwrap import fill  # breaks a long text into lines

import numpy as np

import kernel
from kernel.layers import Dense, Sequential
from kernel.schedules import Cosine, OneCycle, Plateau, WarmUp, effective_rate
from widgets import ScheduleComposer, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · A list, and what it counts
#
# Here is a schedule as the tutorials of CNTK write it: a list of rates, and an `epoch_size`.
#
# **Find the bug.** One tutorial says of this very line: the rate is 0.05 "for the first 300 minibatches". Let a minibatch
# have 50 samples. **Predict:** for how many minibatches is it 0.05?

# %%
numbers = [0.05] * 3 + [0.025] * 2 + [0.0125]
rate = kernel.learning_rate_schedule(numbers, "minibatch", epoch_size=100)
w = kernel.Parameter(np.zeros(1))
learner = kernel.sgd([w], rate)
print(rate)
for _ in range(12):
    print(learner.learning_rate(), end=" ")
    learner.update({w: np.ones(1)}, 50)
print()

# %% [markdown]
# Six, not 300. `epoch_size` counts **samples**, and a position in the list is so many of them; "per minibatch" says what
# the *number* is meant for, not what is *counted*. With $E$ the epoch size and $s$ the samples seen **before** the update,
#
# $$ \eta(s) = v_i, \qquad i = \min(\lfloor s / E \rfloor,\; \text{last}) $$
#
# so the last value holds for ever. `schedule[s]` is the value at $s$, and `learner.learning_rate()` the value now. What
# repeats may be written in pairs, count first.
#
# **Predict:** `[0.1, 0.2, 0.4]`, an epoch size of 100, minibatches of 32, which 100 is no multiple of. Which updates get
# which rate?

# %%
numbers = [0.1, 0.2, 0.4]
rate = kernel.learning_rate_schedule(numbers, "minibatch", epoch_size=100)
print([rate[seen] for seen in range(0, 10 * 32, 32)])

pairs = [(3, 0.05), (2, 0.025), (0, 0.0125)]
pairs = kernel.learning_rate_schedule(pairs, "minibatch")
print(pairs)
print([pairs[sweep] for sweep in range(7)])

# %% [markdown]
# Four, three, then 0.4: a minibatch that lies across a border still gets the old rate. Without `epoch_size` a position is
# one **sweep**, once through all the data.
#
# ## 2 · What the number is meant for
#
# `inspect_update` sets the parameters to 0, makes every gradient 1, and shows what one update makes of that. The
# minibatch has 2 samples; 1 is the *sum* of their gradients.
#
# **Predict:** what does a rate of 0.5 give per sample, per minibatch, and per 4 samples?

# %%
for meant in (
    kernel.learning_rate_schedule(0.5, "sample"),
    kernel.learning_rate_schedule(0.5, "minibatch"),
    kernel.learning_parameter_schedule(0.5, minibatch_size=4),
):
    (moved,) = kernel.inspect_update(kernel.sgd([w], meant), minibatch_size=2)
    print(moved, "with", meant)

for n in (1, 32, 256):
    three = [effective_rate(0.5, M, n, means=True) for M in (1, 0, 4)]
    print(f"mean gradient, n = {n:3}, times", *(f"{eta:8.3f}" for eta in three))

# %% [markdown]
# A schedule with the number $\eta$ has a reference size $M$: 1 sample, $k$ samples, or 0 for "a minibatch, whatever its
# size". With $n$ samples in this minibatch the gradient is multiplied by
#
# | the gradient is | per minibatch, $M = 0$ | per $M$ samples |
# |:--|:-:|:-:|
# | the sum over the samples (`update`) | $\eta / n$ | $\eta / M$ |
# | their mean (`step`, PyTorch) | $\eta$ | $\eta\, n / M$ |
#
# The first row is what **one sample** moves, the second what **one update** moves. A rate per sample keeps the first
# when $n$ changes, a rate per minibatch the second. When many machines share a minibatch, a rate per sample is the safer
# one: it asks no machine how many the others have.
#
# ## 3 · Find the bug: 0.005
#
# Another tutorial trains on 60,000 digits with these three. Its text reads the first list aloud: 0.001 for 12 sweeps, then
# *0.005* for 6 more, and so on. **Predict:** where do text and list disagree, and which of them makes sense?

# %%
size = 60_000
per_sample = kernel.learning_parameter_schedule_per_sample
halving = [0.001] * 12 + [0.0005] * 6 + [0.00025] * 6
halving += [0.000125] * 3 + [0.0000625] * 3 + [0.00003125]
rates = per_sample(halving, epoch_size=size)
momenta = [0] * 5 + [0.9990239141819757]
momenta = kernel.momentum_schedule_per_sample(momenta, epoch_size=size)
sizes = [256] * 6 + [512] * 9 + [1024] * 7 + [2048] * 8 + [4096]
sizes = kernel.minibatch_size_schedule(sizes, epoch_size=size)
for schedule in (rates, momenta, sizes):
    print(fill(str(schedule), 74))
print("sweep  per sample  minibatch  per update")
for sweep in (0, 6, 12, 15, 18, 22, 24, 27, 30):
    eta, n = rates[sweep * size], int(sizes[sweep * size])
    print(f"{sweep:5} {eta:11g} {n:10} {eta * n:11.3f}")

# %% [markdown]
# A zero is lost: each phase halves the one before, so it is 0.0005, as in the list. (The odd momentum is the matter of
# [07 Momentum](../07_momentum/lesson.ipynb).)
#
# Look at the last column. The rate per sample falls 32-fold and the minibatch grows 16-fold, but the rate per update
# stays between 0.128 and 0.512. Keep that in mind.
#
# ## 4 · When the minibatch grows
#
# The two tutorials contradict each other. This one says: a rate **per sample** lets the minibatch grow without tuning
# again. The other says: a rate **per minibatch** rarely needs that, one per sample does. We let digits decide: a small
# net, 8 sweeps, three minibatch sizes, and for each of them eight rates.
#
# **Predict:** draw the loss against the rate *per update*, then against the rate *per sample*. In which picture do the
# three curves lie upon each other?

# %%
from sklearn.datasets import load_digits

digits = load_digits()
chosen = np.random.default_rng(0).permutation(len(digits.target))[:1437]
images = digits.images.reshape(-1, 64)[chosen].astype(np.float32) / 16
labels, N = digits.target[chosen], len(chosen)


def train(rate, size, sweeps, noise=0.0, seed=0):
    """The loss of a new net, for each sweep; it sees its pictures through noise."""

    def through_noise(random):
        return images + noise * random.standard_normal(images.shape, np.float32)

    def loss(x, y):
        return kernel.cross_entropy(net(kernel.tensor(x)), kernel.tensor(y))

    kernel.manual_seed(seed)
    random = np.random.default_rng(seed)
    measured = through_noise(np.random.default_rng(100))
    net = Sequential([Dense(32, activation=kernel.relu), Dense(10)])
    net(kernel.tensor(images))
    learner = kernel.sgd(net.parameters(), rate)
    losses = []
    for _ in range(sweeps):
        seen, order = through_noise(random), random.permutation(N)
        for start in range(0, N, size):
            rows = order[start : start + size]
            learner.zero_grad()
            loss(seen[rows], labels[rows]).backward()
            learner.step(len(rows))
            if 4 * (start + size) // N > 4 * start // N:  # four times in a sweep
                with kernel.no_grad():
                    losses.append(loss(measured, labels).item())
    return np.reshape(losses, (sweeps, 4)).mean(axis=1)


# %%
tried = 0.0125 * 2.0 ** np.arange(8)
ends = {n: [train(rate, n, 8)[-1] for rate in tried] for n in (16, 64, 256)}

figure, (left, right) = style.subplots(1, 2, width=740, height=330, sharey=True)
for number, (n, losses) in enumerate(ends.items()):
    look = style.series(number)
    left.plot(tried, losses, **look)
    right.plot(tried / n, losses, **look)
    beside = {"textcoords": "offset points", "color": look["color"]}
    left.annotate(f"n = {n}", (tried[1], losses[1]), (2, 6), **beside)
    right.annotate(f"n = {n}", (tried[-1] / n, losses[-1]), (-24, 8), **beside)
left.axvspan(1.0, 3.0, color=style.RULE, alpha=0.5)
left.text(2.3, 1.0, "too far", rotation=90, ha="center", va="center")
left.set(title="The cliffs agree", xlabel="rate per update", xscale="log")
left.set(ylabel="loss in the eighth sweep", ylim=(0, 2.7))
right.set(title="The slopes agree", xlabel="rate per sample", xscale="log")
show(
    figure,
    alt="Loss in the eighth sweep for three minibatch sizes. Against the rate per "
    "update the curves lie apart on their way down, and all three shoot up beyond "
    "0.8. Against the rate per sample they go down as one curve, and shoot up at "
    "different places.",
    caption="Small rates: what counts is the rate per sample. Large rates: every net "
    "is thrown out of its valley at the same rate per update, whatever the minibatch.",
)

# %% [markdown]
# Both tutorials are right, about different learners. While the rate is **small**, many small steps go as far as a few large
# ones: keep the rate per sample, and nothing need be tuned. Where it is near the **cliff**, keep the rate per update. So
# a growing minibatch is safe if the rate has come down before it, and that is what the last column of section 3 did.
#
# **Predict:** the same plan on our digits, from 16 to 256: does it reach the loss of minibatches that stay at 16? With how
# many updates? And what if the minibatch is 256 from the first day?

# %%
plan = per_sample([16 * rate for rate in halving], epoch_size=N)
grows = [16] * 6 + [32] * 9 + [64] * 7 + [128] * 8 + [256]
reached, updates = {}, {}
for what, sizes in (("stays 16", 16), ("grows", grows), ("always 256", 256)):
    kernel.manual_seed(0)
    net = Sequential([Dense(32, activation=kernel.relu), Dense(10)])
    net(kernel.tensor(images[:1]))
    learner = kernel.sgd(net.parameters(), plan)

    @kernel.criterion
    def measure(x, y, net=net):
        return kernel.cross_entropy_with_softmax(net(x), y)

    data = images, labels
    summary = measure.train(data, learner, minibatch_size=sizes, max_epochs=40)
    reached[what] = summary.epoch_summaries[-1].loss
    updates[what] = learner.minibatches

print("updates:", updates)
print("grown, within a tenth:", abs(reached["grows"] / reached["stays 16"] - 1) < 0.1)
print("always 256, still above 1:", reached["always 256"] > 1)

# %% [markdown]
# The same loss, about 0.02, with a third of the updates: the tutorial reports three times the speed towards the end. Begun
# with 256, the first rate per update is $0.016 \cdot 256 = 4.1$, far beyond the cliff, and the net does not recover.
#
# `measure.train` took a list of minibatch sizes where one number would do. So may a schedule stand for a rate, a momentum,
# a decay: for almost any number that a learner is given.
#
# ## 5 · Two kinks
#
# Curves in papers often fall, lie flat, drop at once, lie flat, and drop again. **Predict:** what has been done to the rate
# at the drops? And why does the loss lie flat before?
#
# Pictures through strong noise, minibatches of 8: a rate of 0.5 that falls to three tenths of itself after 10 and after 20
# sweeps, beside a cosine that goes from 0.5 to 0. Both see as many samples.

# %%
per_minibatch = {"epoch_size": N, "minibatch_size": 0}
phases = [(10, 0.5), (10, 0.15), (0, 0.045)]
phases = kernel.learning_parameter_schedule(phases, **per_minibatch)
runs = {"steps": phases, "cosine": Cosine(0.5, 30, **per_minibatch)}
curves = {}
for name, rate in runs.items():
    curves[name] = [train(rate, 8, 30, noise=0.5, seed=k) for k in (0, 1)]
means = {name: np.mean(curve, axis=0) for name, curve in curves.items()}

figure, panels = style.subplots(2, width=680, height=430, height_ratios=[1, 2.4])
above, below = panels
sweeps = np.arange(1, 31)
for number, (name, rate) in enumerate(runs.items()):
    look = style.series(number) | {"markevery": 3}
    at = np.linspace(0, 30, 601)
    along = [rate[int(sweep * N)] for sweep in at]
    above.plot(at + 0.5, along, **look | {"marker": ""})
    for curve in curves[name]:
        below.plot(sweeps, curve, "-", color=look["color"], linewidth=0.8)
    below.plot(sweeps, means[name], **look, label=name)
for drop in (10, 20):
    below.axvline(drop + 0.5, color=style.MUTED, linestyle=":", linewidth=1)
above.set(title="Rate per update", ylim=(0, 0.55), xticklabels=[])
below.set(title="Loss", xlabel="sweep")
for axes in panels:
    axes.set_xlim(0, 30.5)
below.legend()
show(
    figure,
    alt="Above: a rate that falls in two steps, and a cosine. Below: the loss. With "
    "steps it lies flat, drops sharply after 10 sweeps, flattens and drops once more "
    "after 20. With the cosine it goes down evenly and ends about as low.",
    caption="Thick: mean of two runs, drawn thin. At each drop of the rate the loss "
    "drops within a sweep or two; the cosine has no kinks and ends near by.",
)

# %%
loss = means["steps"]
print("after the first drop, lower by 15 %:", loss[11] < 0.85 * loss[9])
print("after the second, lower by 3 %:     ", loss[21] < 0.97 * loss[19])
gap = means["cosine"][-1] / loss[-1] - 1
print("steps and cosine end within 10 %: ", abs(gap) < 0.1)

# %% [markdown]
# Minibatches disagree, and a large rate follows each of them: the net is shaken about its valley at a height that the rate
# sets. That is the flat part. A smaller rate shakes less, so the loss drops; and it moves less, which is why one does not
# begin with it.
#
# **Few phases, constant factors** is the old advice, the cosine the new one. At equal budget, over three nets and highest
# rates from 0.1 to 0.5, the cosine ended 1 to 3 % lower; two nets differ by as much. The best constant rate, about 0.07,
# ended 7 to 8 % above the best of either. So *that* the rate falls counts more than how. A cosine has no dates to choose;
# with steps you see what the rate does.
#
# ## 6 · Warm-up, one cycle, and others
#
# A fresh net stands where the loss is steepest: a **warm-up** begins small and rises. **One cycle** rises, then falls to
# almost nothing. They count updates, unless `unit` or `epoch_size` says otherwise.
#
# **Predict:** the warm-up takes 100 updates of 1,000. What is the rate after 50, after 100, and after 550?

# %%
warm = WarmUp(Cosine(0.1, 900), 100)
cycle = OneCycle(0.1, 1000)
print(warm)
print([round(warm[update], 4) for update in (0, 50, 100, 550, 1000)])
print(cycle)
print([round(cycle[update], 4) for update in (0, 150, 299, 650, 999)])

# %% [markdown]
# ## 7 · Ask the validation set
#
# `Plateau` knows no plan. It is told a score after each evaluation, and cuts the rate when the score has stopped getting
# better: more than `patience` reports in a row without a new best one. Better means better by a share, `threshold`.
#
# **Predict:** threshold 5 %, patience 1, factor one half. Which of these eight losses cut?

# %%
rate = Plateau(0.4, factor=0.5, patience=1, threshold=0.05)
for loss in (1.0, 0.8, 0.79, 0.78, 0.5, 0.49, 0.6, 0.48):
    cut = rate.report(loss)
    print(f"loss {loss:.2f}, rate {rate[0]}", "← cut" if cut else "")

# %% [markdown]
# 0.79 and 0.78 are lower than 0.8, but by less than 5 %: two reports in a row, so the second cuts. 0.5 is a new best.
# Then 0.49 is not better by enough, 0.6 is worse, and that cuts. The scores must come from the *validation* set: the
# training loss goes on falling when learning has turned into learning by heart.
#
# ## 8 · Compose one
#
# First let the minibatch grow, `[32] * 3 + [128]`, and compare the solid line with the dashed one: what does each of the
# two meanings keep? Then write `WarmUp(Cosine(0.4, 260), 28)` into "line", or one of your own with its numbers written out.
# (An `epoch_size` of 0 makes a unit a sweep.)

# %%
ScheduleComposer()

# %% [markdown]
# ## The same lines elsewhere
#
# | | halved every<br>30 sweeps | cosine | on a plateau |
# |:--|:--|:--|:--|
# | our kernel | `StepDecay(0.1, 30, 0.5,`<br>`unit="sweep")` | `Cosine(0.1, 1000)` | `Plateau(0.1)` |
# | CNTK | `learning_parameter_`<br>`schedule([0.1]*30`<br>`+ [0.05]*30 + …)` | a list | a callback that<br>resets the rate |
# | PyTorch,<br>`lr_scheduler` | `StepLR(opt, 30, 0.5)` | `CosineAnnealingLR(`<br>`opt, 1000)` | `ReduceLROnPlateau(`<br>`opt)` |
# | Keras | `ExponentialDecay(0.1,`<br>`30*steps, 0.5,`<br>`staircase=True)` | `CosineDecay(`<br>`0.1, 1000)` | `ReduceLROnPlateau()` |
# | MXNet | `FactorScheduler(`<br>`30*steps, 0.5,`<br>`base_lr=0.1)` | `CosineScheduler(`<br>`1000, 0.1)` | – |
# | JAX, optax | `exponential_decay(0.1,`<br>`30*steps, 0.5,`<br>`staircase=True)` | `cosine_decay_schedule(`<br>`0.1, 1000)` | `contrib.`<br>`reduce_on_plateau()` |
#
# CNTK asks what a rate is meant for; the others mean one per minibatch, with mean gradients. Keras, MXNet and optax count
# updates (`steps` is how many a sweep has); PyTorch counts the calls of `scheduler.step()`, so you decide.
#
# ## Recap
#
# * A schedule counts samples, sweeps or updates; with `epoch_size`, always samples.
# * What the number is meant for is another matter: a minibatch, a sample, or $k$ samples.
# * Small rates: the rate per sample decides. Near the cliff: the rate per update.
# * A large rate learns fast and shakes; when it drops, so does the loss. How it falls matters less.
# * A minibatch may grow when the rate has come down.
#
# **What usually goes wrong.** Samples taken for minibatches. A rate per minibatch given as one per sample: too large by as
# many times as the minibatch has samples. The minibatch doubled and a small rate per minibatch left, so that a sweep does
# half as much. A plateau that watches the training loss.
#
# **Where to read on.** `kernel/schedules.py`; Goyal and others, *Accurate, large minibatch SGD*, arXiv:1706.02677; Smith and
# others, *Don't decay the learning rate, increase the batch size*, arXiv:1711.00489; Loshchilov and Hutter, *SGDR*,
# arXiv:1608.03983.
#
# **Next:** the [exercises](exercises.ipynb), then [07 Momentum](../07_momentum/lesson.ipynb).
