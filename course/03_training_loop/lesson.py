# ---
# jupyter:
#   gradschool:
#     title: Training loop and metrics
#     minutes: 60
# ---

# %% [markdown]
# # Training loop and metrics
#
# This lesson trains networks with a loop you can write from memory, and then doubts the result until it can be trusted.
#
# You will be able to
#
# * write a training step in four acts, and the loop over minibatches around it;
# * say what a larger batch buys, and what it costs;
# * tell learning from learning by heart, and stop in time;
# * report accuracy, precision, recall and both areas under curves, and compare learners fairly.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb). **Time:** 60 minutes. **Backend:** NumPy; on a
# GPU, CuPy.

# %%
import csv
import timeit
from collections import defaultdict

import numpy as np

import kernel
from kernel.layers import Linear, Sequential
from kernel.schedules import Constant, Cosine, StepDecay
from widgets import LiveTraining, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · One sample at a time
#
# A small net of plain tensors: 20 numbers come in, 32 go out, and the cost is the square of their sum.
#
# $$ y = \max(0,\, \theta_1 x + b_1), \qquad z = \theta_2\, y + b_2 $$
# $$ c = \Big(\sum_i z_i\Big)^2, \qquad \theta_1 : (32, 20),\; \theta_2 : (32, 32) $$
#
# A training step has four acts: **forward** to the cost, **backward** to the gradients, **update**, **clear**. The update
# goes downhill, by the rate $\eta$:
#
# $$ \theta \;\leftarrow\; \theta - \eta\, \frac{\partial c}{\partial \theta} $$
#
# **Find the bug.** A well-known course runs 1,000 such steps on random samples, and claims that the norm of the
# parameters goes to zero. **Predict:** does it? What does the cost ask of the net?

# %%
kernel.manual_seed(3)
shapes = {"theta1": (32, 20), "bias1": (32,), "theta2": (32, 32), "bias2": (32,)}
net = {name: 0.1 * kernel.randn(*shape) for name, shape in shapes.items()}
for parameter in net.values():
    parameter.requires_grad = True


def cost(x):
    y = kernel.relu(net["theta1"] @ x + net["bias1"])
    z = net["theta2"] @ y + net["bias2"]
    return z.sum() ** 2


def learn(steps, rate):
    for i in range(steps):
        c = cost(kernel.randn(20))  # forward
        c.backward()  # backward
        for parameter in net.values():
            parameter.data.sub_(rate[i] * parameter.grad)  # update
            parameter.grad.zero_()  # clear


def report(when):
    theta1, _, theta2, bias2 = (parameter.data.numpy() for parameter in net.values())
    norms = [np.linalg.norm(values) for values in (theta1, theta2, theta2.sum(axis=0))]
    print(f"{when:22}", *(f"{value:8.2f}" for value in (*norms, abs(bias2.sum()))))


rate = StepDecay(0.001, every=100, start=500)  # times 0.1 every 100 steps after 500
print(f"{'norms of':22}   theta1   theta2  columns  Σ bias2")
report("at the beginning")
learn(1000, rate)
report("after 1,000 steps")
learn(20_000, Constant(0.001))
report("20,000 more, at 0.001")

# %% [markdown]
# The claim is false: both norms stay. The cost asks only that the 32 outputs add up to 0. Let $s$ be their sum:
#
# $$ \frac{\partial c}{\partial \theta_2} = 2 s\, \mathbf{1}\, y^{\top}, \qquad (32, 32) = (32, 1)\,(1, 32) $$
#
# Every row of $\theta_2$ gets the same gradient, so that only the *sums of its columns* learn, and the sum of $b_2$. These
# do go to zero, and then there is no gradient any more. Nothing in the cost wants small weights. (And 1,000 steps do not
# get there: the rate falls to 1e-07 before the work is done.)
#
# ## 2 · Three zones
#
# From here on we classify: a point of the unit square lies in zone 1 above the falling diagonal, and below it in zone 0 on
# the left or in zone 2 on the right.


# %%
def zones(points):
    x, y = points.T
    return np.where(x + y > 1, 1, np.where(x > y, 2, 0))


points = np.random.default_rng(0).random((220_000, 2))
X, Y = kernel.tensor(points, kernel.float32), kernel.tensor(zones(points))
validation, test = slice(200_000, 210_000), slice(210_000, 220_000)  # never trained on

figure, axes = style.subplots(width=440, height=420)
some, their = points[:600], zones(points[:600])
for zone in range(3):
    x, y = some[their == zone].T
    look = {"color": style.COLOURS[zone], "marker": style.MARKERS[zone]}
    axes.scatter(x, y, s=22, alpha=0.85, label=f"zone {zone}", **look)
axes.set(xlabel="x", ylabel="y", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handletextpad=0.1)
show(
    figure,
    alt="600 points in a square. Blue circles, zone 0, fill the triangle on the left; "
    "vermillion squares, zone 1, everything above the falling diagonal; green "
    "triangles, zone 2, the triangle at the bottom.",
    caption="Half of all points lie in zone 1, a quarter in each of the others. Two "
    "straight lines part the zones, and a net with one hidden layer can bend that much.",
)

# %% [markdown]
# ## 3 · Minibatches, by hand
#
# Twelve hidden units, three scores, softmax, cross-entropy (lesson 00); 20 samples in each step. The rows of a batch share
# the parameters, and the cost is the mean over them.
#
# $$ (B, 2)(2, 12) \to (B, 12), \qquad (B, 12)(12, 3) \to (B, 3) $$
# $$ L = -\frac{1}{B} \sum_b \log p_{b,\,l_b} $$
#
# **Predict:** nothing learned means $L = \log 3 \approx 1.1$. Where do 5,000 steps lead, and which is higher, the accuracy
# on points trained on or on points held out?


# %%
def begin(seed):
    kernel.manual_seed(seed)
    shapes = (2, 12), (12,), (12, 3), (3,)
    draws = [0.01 * kernel.randn(*shape) for shape in shapes]
    return [draw.requires_grad_() for draw in draws]


def forward(theta, x):
    theta1, bias1, theta2, bias2 = theta
    return kernel.relu(x @ theta1 + bias1) @ theta2 + bias2


def softmax(z):
    e = kernel.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def crossentropy(p, labels):
    return -p.gather(1, labels[:, None]).log().mean()


def step(theta, x, labels, rate):
    loss = crossentropy(softmax(forward(theta, x)), labels)
    loss.backward()
    for parameter in theta:
        parameter.data.sub_(rate * parameter.grad)
        parameter.grad.zero_()
    return loss.item()


theta = begin(seed=6)
rate = StepDecay(0.5, every=1000, start=100)
losses = []
for i in range(5000):
    rows = slice(20 * i, 20 * (i + 1))
    losses.append(step(theta, X[rows], Y[rows], rate[i]))

print(f"loss {losses[0]:.1f} at first, {np.mean(losses[-1000:]):.2f} at the end")
print(f"the rate ends at {rate[4999]:.0e}")
with kernel.no_grad():
    for what, part in (("trained on", slice(10_000)), ("held out", test)):
        share = kernel.accuracy(forward(theta, X[part]), Y[part])
        print(f"{what}: above 99 % right:", share > 0.99)

# %% [markdown]
# The two hardly differ, because every point was used once. That will change in section 5.
#
# **Find the bug.** Printed elsewhere, this loop lost three minus signs: of the loss, of the update, and in the decay,
# `max(i - 100, 0)`. **Predict** what each of them does. What if two are lost at once?


# %%
def lost(loss_sign, update_sign, decay_sign):
    theta = begin(seed=6)
    for i in range(150):
        rows = slice(20 * i, 20 * (i + 1))
        rate = 0.5 * 0.1 ** (max(i + decay_sign * 100, 0) // 1000)
        p = softmax(forward(theta, X[rows]))
        chosen = p.gather(1, Y[rows][:, None])
        loss = loss_sign * chosen.log().mean()
        loss.backward()
        for parameter in theta:
            parameter.data.add_(update_sign * rate * parameter.grad)
            parameter.grad.zero_()
    return loss.item()


signs = {"none": (-1, -1, -1), "loss": (1, -1, -1), "update": (-1, 1, -1)}
signs |= {"loss and update": (1, 1, -1), "decay": (-1, -1, 1)}
with np.errstate(all="ignore"):  # the wrong ones overflow, and are meant to
    for what, (loss, update, decay) in signs.items():
        last_rate = 0.5 * 0.1 ** (max(4999 + decay * 100, 0) // 1000)
        loss = lost(loss, update, decay)
        print(f"{what:16} loss after 150 steps {loss:5.2f}, last rate {last_rate:.0e}")

# %% [markdown]
# One sign lost, and the net climbs until the hand-written softmax overflows. Two lost signs cancel: it learns, and only the
# negative loss gives it away. The lost sign in the decay shows in no loss: the rate only falls 200 steps too soon, each
# time, and nobody knows who does not print it.
#
# ## 4 · The first axis is the batch
#
# `forward` never asked how many rows `x` has. So a batch costs one call, not $B$.
#
# **Predict:** 1,000 points, one by one, or at once. The same scores? And how many times faster?


# %%
def one_by_one():
    return kernel.concatenate([forward(theta, X[i : i + 1]) for i in range(1000)])


def at_once():
    return forward(theta, X[:1000])


def seconds(scores):
    """The shortest of several runs: a computer has other things to do as well."""
    return min(timeit.repeat(scores, number=1, repeat=5))


with kernel.no_grad():
    print("the same scores:", abs(one_by_one() - at_once()).max().item() < 1e-4)
    slow, fast = seconds(one_by_one), seconds(at_once)

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: times differ from machine to machine.
print(f"at once it takes 1 ms for every {slow / fast:.0f} ms one by one")

# %% [markdown]
# Test in batches, too. (On a GPU, whose thousands of units want work, even more so: move the net and the data there once,
# `X.to(device)`, or batch by batch where they do not fit.)
#
# Then why 20 rows and not all of them? The gradient of a batch is an estimate of that of all samples, with **noise**.
# **Predict:** if four times as many samples share in it, how much noise remains?


# %%
def gradient(rows):
    """The gradient of the loss on these rows, the four tensors in one row."""
    loss = crossentropy(softmax(forward(halfway, X[rows])), Y[rows])
    return np.concatenate([g.numpy().ravel() for g in kernel.grad(loss, halfway)])


halfway = begin(seed=6)
for i in range(150):
    step(halfway, X[20 * i : 20 * (i + 1)], Y[20 * i : 20 * (i + 1)], 0.5)

everything = gradient(slice(100_000))
sizes, noises = 4 ** np.arange(7), []
for size in sizes:
    starts = size * np.arange(200 if size < 100 else 20)
    errors = [gradient(slice(start, start + size)) - everything for start in starts]
    noises.append(np.sqrt(np.mean(np.square(errors).sum(axis=1))))
noises = np.array(noises) / np.linalg.norm(everything)

figure, axes = style.subplots(width=640, height=340)
look = {"color": style.MUTED, "linewidth": 1}
axes.loglog(sizes, noises[3] * np.sqrt(sizes[3] / sizes), **look)
axes.text(330, 0.32, "the line falls as 1 / √B", color=style.MUTED)
axes.loglog(sizes, noises, **style.series(0))
axes.axhline(1, linestyle=":", **look)
axes.text(4096, 1.08, "as long as the gradient", color=style.MUTED, ha="right")
axes.set(title="How far a batch's gradient is off")
axes.set(xlabel="samples in the batch, B", ylabel="noise / gradient")
axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
axes.minorticks_off()
show(
    figure,
    alt="On logarithmic axes the noise falls along a straight line, from about four "
    "times the gradient for one sample to less than a tenth for 4,096.",
    caption="Four times the samples, half the noise. Below some size a single step goes "
    "nearly anywhere and only their sum makes sense; above it, samples are wasted.",
)

# %% [markdown]
# $$ \sqrt{\mathrm{E}\,\lVert g_B - g \rVert^2} = \sigma / \sqrt{B} $$
#
# A larger batch means surer but fewer steps for the same samples. So it can take, and needs, a larger rate, until not the
# noise but the curve of the loss sets the limit.
#
# ## 5 · Held out
#
# The course behind this lesson reports 99.46, 99.2, 96.73 and 99.62 %, *each measured on samples it had trained on*. For
# points used once that did no harm. Now let there be only 200 of them, 15 % with a wrong label, a net of 4,500 parameters,
# and 600 turns.
#
# **Predict:** which accuracy can be had on new points labelled like these? And which one on the 200?

# %%
rng = np.random.default_rng(0)


def labelled(count):
    """Points, and labels of which 15 % are wrong."""
    points = rng.random((count, 2))
    wrong = np.where(rng.random(count) < 0.15, rng.integers(1, 3, count), 0)
    labels = (zones(points) + wrong) % 3
    return kernel.tensor(points, kernel.float32), kernel.tensor(labels)


few, new = labelled(200), labelled(1000)
kernel.manual_seed(0)
hidden = [Linear(2, 64), kernel.relu, Linear(64, 64), kernel.relu]
large = Sequential([*hidden, Linear(64, 3)])
learner = kernel.Adam(large.parameters(), lr=0.01)
curves, looks = defaultdict(list), range(0, 600, 5)
for turn in range(600):
    if turn in looks:
        with kernel.no_grad():
            for what, (x, labels) in (("training", few), ("validation", new)):
                scores = large(x)
                curves[what, "loss"].append(kernel.cross_entropy(scores, labels).item())
                curves[what, "right"].append(kernel.accuracy(scores, labels))
    learner.zero_grad()
    kernel.cross_entropy(large(few[0]), few[1]).backward()
    learner.step()

best = int(np.argmin(curves["validation", "loss"]))
on_few, on_new = curves["training", "right"], curves["validation", "right"]
sinks = on_new[-1] < on_new[best] - 0.01
print("the 200 points, at the end above 95 %:", on_few[-1] > 0.95)
print("new points, at best above 80 %:", on_new[best] > 0.80, "· then less:", sinks)
loss = curves["validation", "loss"]
print("their loss more than doubles:", loss[-1] > 2 * loss[best])

figure, panels = style.subplots(1, 2, width=740, height=330)
for axes, what in zip(panels, ("loss", "right"), strict=True):
    for number, part in enumerate(("training", "validation")):
        look = style.series(number) | {"markevery": 20}
        axes.plot(looks, curves[part, what], label=part, **look)
    axes.axvline(looks[best], color=style.MUTED, linewidth=1)
panels[0].set(title="Loss", xlabel="turn", ylim=(0, 3.2))
panels[1].set(title="Accuracy", xlabel="turn")
panels[0].text(looks[best] + 12, 2.9, "stop here", color=style.MUTED)
panels[1].legend(loc="lower right")
show(
    figure,
    alt="Loss and accuracy over 600 turns. The training loss falls towards 0 and the "
    "training accuracy rises towards 1. The validation loss is lowest after about 50 "
    "turns and then rises to four times that; the validation accuracy sinks from about "
    "0.83 to about 0.8.",
    caption="To the left of the line both learn. To the right the net learns the 200 "
    "labels by heart, wrong ones included, and grows sure of its mistakes.",
)

# %% [markdown]
# Of new labels 85 % can be had, since the others are wrong at random; and the net does not even stay at what it had.
#
# This is **over-fitting**, and the training curve alone looks splendid. The remedy at hand is **early stopping**: keep the
# parameters of the best validation loss, and stop when it has not improved for some turns, the *patience*.
#
# So split in three: **training** teaches, **validation** (2 to 10 % of many samples) chooses when to stop and which rate
# to take, **test** is asked once, at the end. An accuracy $p$ measured on $n$ samples is unsure by $\sqrt{p (1 - p) / n}$:
# 0.1 % at 99 % of 10,000.
#
# ## 6 · More than accuracy
#
# **Predict:** a net has learned nothing and always answers 1. Which share is right? What are precision and recall, for
# zone 1 and for zone 0?
#
# $$ \text{precision} = \frac{\text{answered } k \text{ and is } k}{\text{answered } k} $$
# $$ \text{recall} = \frac{\text{answered } k \text{ and is } k}{\text{is } k} $$

# %%
labels, always = Y[test], kernel.ones_like(Y[test])
right = kernel.accuracy(always, labels)
print(f"right {right:.2f}, error rate {1 - right:.2f}")
for zone in range(3):
    answered, actual = always == zone, labels == zone
    p, r = kernel.precision(answered, actual), kernel.recall(answered, actual)
    print(f"zone {zone}: precision {p:.2f}, recall {r:.2f}")
p, r = (score(always, labels, "macro") for score in (kernel.precision, kernel.recall))
print(f"macro:  precision {p:.2f}, recall {r:.2f}")

scores = forward(halfway, X[test]).detach()
counts = kernel.confusion_matrix(scores, labels).numpy()
print("after 150 steps, in per cent (row: is, column: answered)")
print(np.round(100 * counts / counts.sum()).astype(int))

# %% [markdown]
# Half the points lie in zone 1, so that half are right: accuracy means little where one class is common. The answer
# 0 never came, and the precision there is $0/0$; by convention it counts as 0. **Macro** is the plain mean over the classes.
#
# ## 7 · Every threshold at once
#
# Call one class the ones and all others the zeros. The net gives a score for the ones, and a **threshold** makes an answer
# of it: lower it, and recall can only rise, while precision mostly falls. The *precision–recall curve* shows all
# thresholds, and so does the *ROC curve*: recall over the share of zeros taken for ones.
# Each has an area, and **AUC** may mean either. That course means the first; most people mean the second, which has a
# meaning of its own: the chance that a one scores higher than a zero, a tie counting half.
#
# **Predict** the second for the scores below: how many of the four pairs are in order?

# %%
ones, zeros = [0.8, 0.4], [0.4, 0.1]
small = kernel.tensor(ones + zeros), kernel.tensor([1, 1, 0, 0])
pairs = [(one > zero) + 0.5 * (one == zero) for one in ones for zero in zeros]
print("pairs:", pairs, "· mean:", np.mean(pairs), "· roc_auc:", kernel.roc_auc(*small))
print(f"pr_auc: {kernel.pr_auc(*small):.4f}")

figure, (left, right) = style.subplots(1, 2, width=740, height=360)
is_zero = (labels == 0).numpy()
sure = kernel.softmax(scores, 1).numpy()[:, 0]
for number, (what, every) in enumerate((("all kept", 1), ("one in forty kept", 40))):
    kept = ~is_zero | (np.cumsum(is_zero) % every == 0)
    given = kernel.tensor(sure[kept]), kernel.tensor(is_zero[kept])
    pr_area, roc_area = kernel.pr_auc(*given), kernel.roc_auc(*given)
    print(f"{what}: pr_auc {pr_area:.2f}, roc_auc {roc_area:.2f}")
    look = style.series(number) | {"marker": ""}
    precision, recall, _ = kernel.precision_recall_curve(*given)
    left.plot(recall.numpy(), precision.numpy(), label=f"{what}: {pr_area:.2f}", **look)
    false, true, _ = kernel.roc_curve(*given)
    right.plot(false.numpy(), true.numpy(), label=f"{what}: {roc_area:.2f}", **look)
left.set(title="Precision–recall", xlabel="recall", ylabel="precision")
right.set(title="ROC", xlabel="zeros taken for ones", ylabel="recall")
for axes, corner in ((left, "lower left"), (right, "lower right")):
    axes.set(ylim=(-0.02, 1.02))
    axes.legend(loc=corner, title="points of zone 0, and area", alignment="left")
show(
    figure,
    alt="Two panels with two curves each. Left, precision against recall: both stay at 1 "
    "up to a recall of 0.7; then, with all points of zone 0, precision falls slowly to "
    "about a half, and with one in forty kept it drops below 0.2 at once. Right, the two "
    "ROC curves lie nearly on one another.",
    caption="The same net after 150 steps, asked for zone 0. Where that zone becomes "
    "rare, the few ones drown in false alarms: precision falls, and the ROC curve does "
    "not notice.",
)

# %% [markdown]
# ## 8 · The loop in three lines
#
# What you wrote by hand is in the box: layers, a stable loss on scores, and a **learner** that updates. Batches of 500
# now, and *momentum* (lesson 07).


# %%
def fresh_net(seed):
    kernel.manual_seed(seed)
    return Sequential(Linear(2, 12), kernel.relu, Linear(12, 3))


def train(net, learner, batch=500, steps=400):
    losses = []
    for start in range(0, steps * batch, batch):
        rows = slice(start, start + batch)
        learner.zero_grad()
        loss = kernel.cross_entropy(net(X[rows]), Y[rows])
        loss.backward()
        learner.step()
        losses.append(loss.item())
    return losses


def per_cent_right(net, part):
    with kernel.no_grad():
        return 100 * kernel.accuracy(net(X[part]), Y[part])


net = fresh_net(0)
packaged = train(net, kernel.SGD(net.parameters(), lr=0.1, momentum=0.9))
print("loss at the end, between 0.07 and 0.09:", 0.07 < np.mean(packaged[-50:]) < 0.09)
print("above 98 % right:", per_cent_right(net, test) > 98)

figure, axes = style.subplots(width=640, height=320)
for number, (what, batch, dots, size) in enumerate(
    (("by hand, batches of 20", 20, losses, 2), ("batches of 500", 500, packaged, 3))
):
    seen = batch * np.arange(1, len(dots) + 1)
    look = {"color": (style.SKY_BLUE, style.VERMILLION)[number], "markersize": size}
    axes.plot(seen / 1000, dots, "os"[number], label=what, markeredgewidth=0, **look)
axes.set(title="Training curves", ylabel="loss of the batch", ylim=(0, 1.2))
axes.set(xlabel="thousands of samples seen", xlim=(0, 201))
axes.legend(markerscale=3)
show(
    figure,
    alt="Two clouds of dots that fall from 1.1. Those of batches of 20 scatter widely, "
    "from almost 0 to 0.2 at the end; those of batches of 500 form a narrow band that "
    "goes on falling to about 0.08.",
    caption="Each dot is one step. The last loss of a small batch says little: a course "
    "that reports 0.077, or 0.04, reports one dot. Average some.",
)

# %% [markdown]
# ## 9 · Which learner is best?
#
# **Find the bug.** That course trains *one* net in this way, goes on with Adam, then with Adadelta, each with its default
# rate, reads off 99.62 % and calls Adadelta the best. **Predict:** what comes out with fresh nets, five for each?

# %%
learners = {
    "SGD": lambda theta, rate=0.1: kernel.SGD(theta, lr=rate),
    "momentum": lambda theta, rate=0.1: kernel.SGD(theta, lr=rate, momentum=0.9),
    "Adam": lambda theta, rate=0.001: kernel.Adam(theta, lr=rate),
    "Adadelta": lambda theta, rate=1.0: kernel.Adadelta(theta, lr=rate),
}
print("fresh nets, per cent right on the test:")
for name, learner in learners.items():
    found = []
    for seed in range(5):
        net = fresh_net(seed)
        train(net, learner(net.parameters()))
        found.append(per_cent_right(net, test))
    print(f"  {name:9} {np.mean(found):.0f}")

with open("data/runs.csv", encoding="utf-8") as file:
    runs = list(csv.DictReader(file))


def mean_of(column, **wanted):
    """The mean over the recorded runs that have these entries."""
    kept = [run for run in runs if all(run[key] == wanted[key] for key in wanted)]
    return np.mean([float(run[column]) for run in kept])


print("one net after another, means of five:")
for order in ("momentum, Adam, Adadelta", "Adadelta, Adam, momentum"):
    print(f"  {mean_of('test', experiment='begin'):.2f}", end="")
    for name in order.split(", "):
        share = mean_of("test", experiment=order, learner=name)
        print(f" → {name} {share:.2f}", end="")
    print()

# %% [markdown]
# Fresh, Adadelta is five points behind; and even on the net that was nearly done, Adam beats it. Whoever comes last inherits
# what the others learned. (The second part, and the next figure, were recorded by `data/measure.py`, which takes a minute.)
#
# But the first part is not fair either. It compares four *rates*, and who says that they are equally good? **Predict:** each
# learner with the rate that suits it best, chosen on the validation points. Who wins? And if the rate falls to 0 on the
# way?

# %%
rates = ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30", "100"]
figure, panels = style.subplots(1, 2, width=740, height=380, sharey=True)
for axes, experiment in zip(panels, ("constant", "falling"), strict=True):
    print(f"rate {experiment}:")
    for number, name in enumerate(learners):
        which = {"experiment": experiment, "learner": name}
        tried = [{**which, "rate": rate} for rate in rates]
        errors = [100 - mean_of("test", **one) for one in tried]
        chosen = max(tried, key=lambda one: mean_of("validation", **one))
        best = mean_of("test", **chosen)
        print(f"  {name:9} best at {chosen['rate']:>4}: {best:.1f} % right on the test")
        axes.loglog(np.array(rates, float), errors, label=name, **style.series(number))
    axes.set(title=f"The rate is {experiment}", ylim=(0.15, 90))
    axes.minorticks_off()
ticks = [0.2, 0.5, 1, 2, 5, 10, 20, 50]
panels[0].set(xlabel="rate", ylabel="error on the test, per cent")
panels[0].set_yticks(ticks, map(str, ticks))
panels[1].set(xlabel="rate at first")
names = panels[0].get_legend_handles_labels()
figure.legend(*names, loc="outside upper center", ncols=4)
show(
    figure,
    alt="Two panels, error against rate on logarithmic axes, a curve with one valley "
    "for each of four learners. With a constant rate momentum has the deepest valley, at "
    "0.3, then Adam, Adadelta and SGD; with a falling rate all valleys are deeper, "
    "momentum's near 0.2 per cent.",
    caption="Means of five fresh nets. Between two rates of one learner lies more than "
    "between the best of two learners: compare learners only after tuning each.",
)

# %% [markdown]
# On this problem, and for one sweep, momentum wins. The rate matters more than the learner, and a falling one helps all.
# Defaults are no tuning: with its own, Adam came last.
#
# What else decides? Where the net **begins**. **Predict:** the loop of section 3, eight times, from numbers as small as
# there and from those that `Linear` draws, $\pm 1/\sqrt{K}$ for $K$ inputs.

# %%
for experiment in ("small", "as Linear"):
    found = [float(run["test"]) for run in runs if run["experiment"] == experiment]
    print(f"{experiment:9}", *(f"{share:.1f}" for share in sorted(found)))

net = fresh_net(0)
train(net, kernel.SGD(net.parameters(), lr=Cosine(1.0, 400), momentum=0.9))
print("the best of this lesson, above 99.5 % right:", per_cent_right(net, test) > 99.5)

# %% [markdown]
# Section 3 showed the *best* of the first row. Had you seen only that one number, you would not know. So report several
# seeds, all of them.
#
# ## 10 · Watch it learn
#
# Press Start and watch the regions grow, three learners side by side, each at a rate that suits it. Then give all three the
# same rate. Last, make the minibatch 1: whose curve trembles most, and which rate calms it?

# %% tags=["nbval-ignore-output"]
# Not compared by the tests: how far a live training is depends on the clock.
LiveTraining()

# %% [markdown]
# ## The same loop elsewhere
#
# **Predict,** before you read: who has to clear gradients, and why do the others not?
#
# | | backward, then update | clear |
# |:--|:--|:--|
# | our kernel,<br>PyTorch | `loss.backward()`<br>`learner.step()` | `zero_grad()` |
# | MXNet<br>Gluon | `with record():`<br>`L = loss(net(x), y)`<br>`L.backward()`<br>`trainer.step(500)` | written,<br>not added |
# | TensorFlow 2 | `with GradientTape() as t:`<br>`L = loss(y, net(x))`<br>`g = t.gradient(L, w)`<br>`learner.apply_gradients(`<br>`zip(g, w))` | returned |
# | JAX,<br>Optax | `g = grad(loss)(w, x, y)`<br>`u, s = learner.update(g, s)`<br>`w = apply_updates(w, u)` | returned |
# | TensorFlow 1 | `m = learner.minimize(L)`<br>a graph, built once; then<br>`session.run(m,`<br>`{x: batch, y: labels})` | inside |
# | CNTK,<br>our kernel | `t = Trainer(net,`<br>`(loss, error), [learner])`<br>`t.train_minibatch(`<br>`{x: batch, y: labels})` | inside |
# | Keras | `net.compile(learner, loss)`<br>`net.fit(x, y,`<br>`batch_size=500,`<br>`validation_split=0.05)` | inside |
#
# And the learner of section 8:
#
# | | |
# |:--|:--|
# | our kernel, PyTorch | `SGD(net.parameters(), lr=0.1, momentum=0.9)` |
# | MXNet Gluon | `Trainer(net.collect_params(), "sgd",`<br>`{"learning_rate": 0.1, "momentum": 0.9})` |
# | TensorFlow 2, Keras | `SGD(0.1, momentum=0.9)` |
# | TensorFlow 1 | `tf.train.MomentumOptimizer(0.1, 0.9)` |
# | JAX, Optax | `optax.sgd(0.1, momentum=0.9)` |
# | CNTK, our kernel | `momentum_sgd(net.parameters, 0.1, 0.9, unit_gain=False)` |
#
# ## Recap
#
# * A step is forward, backward, update, clear; the update has a minus sign.
# * The first axis is the batch: four times the samples, half the noise, a quarter of the steps.
# * Only samples that were held out tell learning from learning by heart.
# * Accuracy needs company: precision and recall for each class, a curve for all thresholds, and which AUC it is.
# * Compare learners with fresh nets, several seeds, and the rate tuned for each.
#
# **What usually goes wrong.** Gradients are not cleared. The last, smaller batch is dropped. The rate falls before the work
# is done. The test set picks the rate. One run, or its last loss, is reported as the result.
#
# **Where to read on.** `kernel/metrics.py`; Prechelt, *Early Stopping – But When?*, 1998; Davis and Goadrich, *The
# Relationship Between Precision-Recall and ROC Curves*, ICML 2006; Choi and others, *On Empirical Comparisons of
# Optimizers for Deep Learning*, 2019, arXiv:1910.05446.
#
# **Next:** the [exercises](exercises.ipynb), then [04 Modules](../04_modules/lesson.ipynb).
