# ---
# jupyter:
#   gradschool:
#     title: Momentum
#     minutes: 60
# ---

# %% [markdown]
# # Momentum
#
# A step that remembers the steps before it: for how long, in which forms, and where that stops being a help.
#
# You will be able to
#
# * turn a momentum into a half-life or a time constant, for any minibatch size, and back;
# * write the heavy ball and Nesterov's form, with unit gain and without, and say which rates make them equal;
# * tell from rate and momentum whether a run glides, ripples or diverges;
# * choose the momentum for a condition number.
#
# **Before:** [02 Automatic differentiation](../02_autodiff/lesson.ipynb), [05 Learners](../05_learners/lesson.ipynb)
# and [06 Schedules](../06_schedules/lesson.ipynb).
# **Time:** 60 minutes. **Backend:** NumPy; on a GPU, CuPy.

# %%
import math

import numpy as np

import kernel
from widgets import MomentumForms, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · An average that forgets
#
# Keep nine tenths of what you have, and add one tenth of what comes in: an **exponential moving average**.
#
# **Predict:** every gradient is 1. What is the average after one step, after two, and where does it end?

# %%
v, averages = 0.0, []
for _ in range(5):
    v = 0.9 * v + 0.1 * 1.0
    averages.append(v)
print("averages:", np.array(averages))

weights = 0.1 * 0.9 ** np.arange(200)  # the newest gradient's, the one before's, …
print("weights: ", weights[:5], "…")
print(f"together {weights.sum():.4f}; the newest ten {weights[:10].sum():.4f}")

# %% [markdown]
# $$ v_t = m\, v_{t-1} + (1 - m)\, g_t = (1 - m) \sum_{k \ge 0} m^k\, g_{t-k} $$
#
# The number $m$ is the **momentum**. The weights $(1 - m)\,m^k$ add up to 1, so $v$ is an average. It begins at 0, so at
# first it is too small. ([Adam](../05_learners/lesson.ipynb) corrects for that.)
#
# **Predict:** the gradients below are noisy, and at step 60 they change their sign. Which of the three averages is the
# calmest, and which is the first to notice?

# %%
rng = np.random.default_rng(7)
truth = np.where(np.arange(120) < 60, 1.0, -1.0)
noisy = truth + rng.normal(size=120)

figure, axes = style.subplots(width=740, height=320)
axes.plot(noisy, ".", color=style.MUTED, markersize=4)
axes.plot(truth, color=style.MUTED, linestyle=":", linewidth=1.5)
for number, (m, height) in enumerate(((0.5, -0.8), (0.9, -1.3), (0.98, -0.3))):
    v, averages = 0.0, []
    for g in noisy:
        v = m * v + (1 - m) * g
        averages.append(v)
    look = style.series(number)
    axes.plot(averages, **look, markevery=15)
    style.label_line_end(axes, 119, height, f"m = {m}", look["color"])
axes.set(xlabel="step", ylabel="gradient", ylim=(-3.3, 3.3), xlim=(0, 135))
show(
    figure,
    alt="Noisy gradients around 1, from step 60 around -1, and three averages of "
    "them. That with momentum 0.5 jumps about, 0.9 is calmer and turns within "
    "ten steps, 0.98 is smooth and still above its goal at the end.",
    caption="The longer the memory, the calmer the average, and the later it "
    "notices. Grey: the gradients, and dotted what they would be without noise.",
)

# %% [markdown]
# ## 2 · How long is the memory?
#
# 0.9 and 0.99 look alike. How many steps does it take until only half of a gradient's weight is left? That is the
# **half-life**. And until $1/e \approx 0.368$ is left? That is the **time constant** $\tau$.
#
# **Predict:** from 0.9 to 0.99, by what factor does the memory grow?

# %%
print("momentum  half-life  time constant  1/(1-m)")
for m in (0.5, 0.9, 0.99, 0.999):
    half_life = math.log(1 / 2) / math.log(m)
    tau = math.log(1 / math.e) / math.log(m)
    print(f"{m:8} {half_life:10.1f} {tau:14.1f} {1 / (1 - m):8.1f}")

# %% [markdown]
# Each further nine makes it about ten times as long; near 1, $\tau$ is nearly $1/(1 - m)$. But steps are an awkward unit:
# with minibatches twice as large, they are twice as many samples. Counted in samples, with $n$ in a minibatch,
#
# $$ m = e^{-n / \tau}, \qquad \tau = \frac{n}{\log(1 / m)}, \qquad \text{half-life} = \tau \log 2 . $$
#
# **Predict:** a time constant of 300 samples, minibatches of 10. What is the momentum, and what will it be with
# minibatches of 20: nearer to 1, or farther?

# %%
n, tau = 10, 300
m = math.exp(-n / tau)
print("momentum for a time constant of 300:", m)
print(f"and its time constant again: {n / math.log(1 / m):.1f}")

from kernel.schedules import half_life_of_momentum, momentum_of_time_constant

print(f"its half-life: {half_life_of_momentum(m, n):.2f} samples")
for n in (1, 10, 20, 128):
    print(f"minibatches of {n:3}: momentum {momentum_of_time_constant(300, n):.4f}")

# %% [markdown]
# One time constant, four momenta, the same memory: two minibatches of 10 leave $m^2$ of a gradient, as one of 20 does.
# That is why CNTK lets you state it so. In the exercises you decode such a number from other people's code.
#
# ## 3 · The heavy ball
#
# Plain descent forgets each gradient at once. The **heavy ball** has a velocity $v$ with a memory:
#
# $$ v \leftarrow m\, v + u\, \eta\, g, \qquad w \leftarrow w - v, \qquad v, g, w : (P,) $$
#
# with the rate $\eta$. Here $u = 1 - m$ is called **unit gain**, as in section 1; $u = 1$ is the form of most textbooks.
# `inspect_update` shows what a learner makes of parameters that are 0, by gradients that are 1.
#
# **Predict:** minibatches of 10, rate 1 per minibatch, so each sum of gradients counts 1/10. Without momentum five
# updates lead to −0.5. With $m = 0.9672$ and $u = 1$: is it nearer to −0.6, to −1.4 or to −15?

# %%
from kernel.layers import Dense, Sequential

kernel.manual_seed(0)
net = Sequential([Dense(4, activation=kernel.relu), Dense(2)])
z = net(kernel.input_variable(3))

n, tau = 10, 300
m = math.exp(-n / tau)
per_minibatch = kernel.UnitType.minibatch
rate = kernel.learning_rate_schedule(1, per_minibatch)
larger = kernel.learning_rate_schedule(1 / (1 - m), per_minibatch)
momentum = kernel.momentum_schedule(m)
constant = kernel.momentum_as_time_constant_schedule(tau)

as_momentum = kernel.momentum_sgd(z.parameters, rate, momentum, unit_gain=False)
as_time = kernel.momentum_sgd(z.parameters, rate, constant, unit_gain=False)
as_unit_gain = kernel.momentum_sgd(z.parameters, larger, momentum, unit_gain=True)
for learner in (as_momentum, as_time, as_unit_gain):
    print(kernel.inspect_update(learner, n, 5)[0][0])

v = w = 0.0
for _ in range(5):
    v = m * v + 1 / n
    w = w - v
print(f"by hand: {w:.4f}")

# %% [markdown]
# Three ways to say it, one number: the momentum, its time constant, and unit gain with the rate divided by $1 - m$, which
# takes back the factor that unit gain brings in.
#
# ## 4 · Unit gain, or not
#
# **Predict:** the gradient stays 1 for ever, the rate is 1. How long are the steps in the end, in either form, for
# $m = 0.9$ and for $m = 0.99$?

# %%
for m in (0.5, 0.9, 0.99):
    ends = []
    for u in (1, 1 - m):
        v = 0.0
        for _ in range(3000):
            v = m * v + u * 1.0
        ends.append(v)
    print(f"momentum {m:<4}  no unit gain {ends[0]:6.2f}  unit gain {ends[1]:.2f}")

# %% [markdown]
# Without unit gain the steps grow to $\eta\, g / (1 - m)$: momentum is a rate in disguise. With it they stay $\eta\, g$: the
# rate says how long, the momentum how calm.
#
# **Predict:** 30 steps with momentum 0.5, 30 with 0.9, 30 with 0.5 again. The two learners begin with the same steps,
# thanks to $\eta / (1 - m)$. Which one jumps?

# %%
schedule = kernel.momentum_schedule([0.5, 0.9, 0.5], epoch_size=30)
steps = {}
for unit_gain, rate in ((False, 0.5), (True, 0.5 / (1 - 0.5))):
    w = kernel.Parameter([0.0])
    learner = kernel.momentum_sgd([w], rate, schedule, unit_gain=unit_gain)
    places = [0.0]
    for _ in range(90):
        learner.update({w: np.ones(1, np.float32)}, 1)
        places.append(w.item())
    steps["unit gain" if unit_gain else "no unit gain"] = -np.diff(places)
print("steps           30     31     60     61")
for name, lengths in steps.items():
    print(f"{name:12}", "".join(f"{lengths[at - 1]:7.2f}" for at in (30, 31, 60, 61)))

figure, axes = style.subplots(width=740, height=280)
for number, (name, lengths) in enumerate(steps.items()):
    look = style.series(1 - number)
    axes.plot(np.arange(1, 91), lengths, **look, markevery=10)
    axes.text(47, 3.3 - 2 * number, name, color=look["color"], weight="bold")
for border in (30, 60):
    axes.axvline(border, color=style.RULE, linewidth=1)
for middle, m in ((15, 0.5), (45, 0.9), (75, 0.5)):
    axes.text(middle, 5.6, f"momentum {m}", ha="center", color=style.MUTED)
axes.set(xlabel="step", ylabel="length of the step", ylim=(0, 6), xlim=(0, 90))
show(
    figure,
    alt="Lengths of 90 steps. With unit gain they stay at 1. Without, they climb "
    "from 1 to nearly 5 when the momentum becomes 0.9, and drop when it is 0.5 "
    "again.",
    caption="The momentum alone is changed, the rate is not. Without unit gain the "
    "steps become five times as long, as if the rate were five times as large.",
)

# %% [markdown]
# This is what unit gain is for. (The *rate* is another matter: in CNTK's form $v$ holds steps, so a lower rate acts on new
# gradients only; in PyTorch's form $v$ holds gradients, and the rate outside acts at once on all of them.)
#
# ## 5 · Glide, ripple, diverge
#
# What does momentum do near a minimum? Take the plainest one, the loss $\frac{1}{2} \lambda w^2$ with **curvature**
# $\lambda$ and gradient $\lambda w$. Start at 1, with momentum 0.5.
#
# **Predict:** which of the rates 0.05, 1 and 3.2 goes straight down, which one swings, and which one never arrives?

# %%
curvature, m = 1.0, 0.5
for rate in (0.05, 1.0, 3.2):
    w, v, places = 1.0, 0.0, []
    for _ in range(5):
        v = m * v + rate * curvature * w
        w = w - v
        places.append(w)
    print(f"rate {rate:4}:", np.array(places))

# %% [markdown]
# A step is linear in $(w, v)$, so it is a matrix. After many steps only its **eigenvalues** $z$ count:
#
# $$ \begin{pmatrix} w \\ v \end{pmatrix} \leftarrow
# \begin{pmatrix} 1 - \eta\lambda & -m \\ \eta\lambda & m \end{pmatrix} \begin{pmatrix} w \\ v \end{pmatrix},
# \qquad z^2 - (1 + m - \eta\lambda)\, z + m = 0 . $$
#
# **Predict:** the product of both eigenvalues is $m$. If they are a complex pair, how large is each, and does the rate
# matter?

# %%
print("rate           size  eigenvalues")
for rate in (0.05, 0.5, 1.0, 2.5, 3.2):
    a = rate * curvature
    z = np.linalg.eigvals([[1 - a, -m], [a, m]])
    size, positive = abs(z).max(), (z.imag == 0) & (z.real > 0)
    kind = "diverges" if size >= 1 else "glides" if positive.all() else "ripples"
    print(f"{rate:4} {kind:8} {size:.4f}  {z}")
root = math.sqrt(m)
print(f"borders {(1 - root) ** 2:.4f} and {2 * (1 + m):.4f}; root of m {root:.4f}")

# %% [markdown]
# Two borders, then:
#
# * up to $\eta\lambda = (1 - \sqrt m)^2$ both eigenvalues are positive: the run **glides**;
# * above it, it **ripples**: a complex pair turns, and each has the size $\sqrt m$, *whatever the rate*; from
#   $(1 + \sqrt m)^2$ on there are two negative ones, and the run jumps from side to side;
# * from $\eta\lambda = 2(1 + m)$ on, it **diverges**. Without momentum that is 2: the heavy ball bears up to twice the rate.
#
# ## 6 · The best momentum for a valley
#
# A net's loss has many curvatures. The largest over the smallest is the **condition number** $\kappa$: the steepest
# direction limits the rate, and the flattest has to live with it. What ripples shrinks by $\sqrt m$ per step; so take the
# smallest $m$ with which *all* directions ripple:
#
# $$ (1 - \sqrt m)^2 = \eta \lambda_{\min}, \quad (1 + \sqrt m)^2 = \eta \lambda_{\max}
# \quad\Rightarrow\quad \sqrt m = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1} . $$
#
# Without momentum the best factor is $(\kappa - 1) / (\kappa + 1)$: the same, without the roots.
#
# **Predict:** $\kappa = 10{,}000$. In the long run, about how many steps leave a hundredth of the distance, without momentum
# and with it?

# %%
from widgets.momentum_forms import best, factor, path


def factor_at_its_best(name, kappa):
    if name == "no momentum":
        return (kappa - 1) / (kappa + 1)
    return factor(name, *best(name, kappa), kappa)


conditions, table = np.array([10, 100, 1000, 10_000]), {}
for name in ("no momentum", "Nesterov", "heavy ball"):
    shrinks = np.array([factor_at_its_best(name, kappa) for kappa in conditions])
    table[name] = np.ceil(math.log(0.01) / np.log(shrinks)).astype(int)
print("condition number", conditions)
for name, steps in table.items():
    print(f"{name:16}", steps)
print(f"best momentum for 10,000: {best('heavy ball', 10_000)[1]:.4f}")
for name in ("Nesterov", "heavy ball"):
    run = path(name, *best(name, 10_000), 10_000, steps=1000)
    away = abs(run).max(axis=1)
    first, most = np.flatnonzero(away > 0.01)[-1] + 1, away.max()
    print(f"{name:10} from (1, 1): {first} steps to 0.01, up to {most:4.1f}")

figure, axes = style.subplots(width=740, height=320)
for number, (name, steps) in enumerate(table.items()):
    look = style.series(number)
    axes.loglog(conditions, steps, **look)
    style.label_line_end(axes, conditions[-1], steps[-1], name, look["color"])
axes.set(xlabel="condition number", ylabel="steps per hundredth", xlim=(8, 40_000))
axes.grid()
show(
    figure,
    alt="Steps against condition number on two logarithmic axes. Without momentum "
    "the line has slope 1 and ends above 20,000 steps; Nesterov and the heavy "
    "ball have slope one half and end near 400 and 200.",
    caption="In the long run, each at its own best rate and momentum. Without "
    "momentum the steps grow like the condition number, with it like its root.",
)

# %% [markdown]
# The long run takes its time. At its best the heavy ball has a double eigenvalue, and so $k\, m^{k/2}$ in its path after $k$
# steps: from rest it first swings out, 37 times as far as it began. To the *first* hundredth it takes no fewer steps than
# Nesterov's form, which is next.
#
# ## 7 · Nesterov: look before you step
#
# The heavy ball takes its gradient where it stands, though $m v$ will carry it on anyway. **Nesterov** takes it there, at
# the look-ahead point:
#
# $$ v \leftarrow m\, v + \eta\, \nabla f(w - m\, v), \qquad w \leftarrow w - v $$
#
# A learner is given gradients at its parameters only. So it keeps the look-ahead point $x = w - m v$ as its parameter. With
# $d = \eta\, \nabla f(x)$ the same becomes
#
# $$ v \leftarrow m\, v + d, \qquad x \leftarrow x - (m\, v + d) . $$
#
# Why: $x_\text{new} = w - v - m v$ with the new $v = m\,v_\text{old} + d$ and $w = x + m\,v_\text{old}$, and so
# $x_\text{new} = x - d - m v$.
#
# **Predict:** when do the learner's $x$ and Nesterov's $w$ come to the same place?

# %%
curvatures, rate, m = np.array([0.1, 1.0]), 0.8, 0.9
w, v = np.ones(2), np.zeros(2)
x = kernel.Parameter(np.ones(2))
learner = kernel.nesterov([x], rate, m, unit_gain=False)
for step in range(1, 4):
    v = m * v + rate * curvatures * (w - m * v)
    w = w - v
    learner.update({x: curvatures * x.value}, 1)
    print(f"{step}: w - m v {w - m * v}  x {x.value}")
for _ in range(400):
    v = m * v + rate * curvatures * (w - m * v)
    w = w - v
    learner.update({x: curvatures * x.value}, 1)
print("in the end both at the minimum:", np.allclose([w, x.value], 0, atol=1e-6))

# %% [markdown]
# They meet at the minimum, where $v = 0$. What does the look gain?
#
# **Predict:** rate 1, momentum 0.9. By what factor per step does each form shrink a steep direction, $\lambda = 1$? A flat
# one, $\lambda = 0.01$? And which bears the larger rate?

# %%
from widgets.momentum_forms import critical_rates, eigenvalues

print("λ =            1     0.1     0.01    limit")
for form in ("heavy ball", "Nesterov"):
    sizes = [abs(eigenvalues(form, 1.0, 0.9, c)).max() for c in (1.0, 0.1, 0.01)]
    _, diverges = critical_rates(form, 0.9)
    print(f"{form:10} {np.array(sizes)}  {diverges:.4f}")

# %% [markdown]
# The heavy ball shrinks every rippling direction by the same $\sqrt m$. Nesterov's pair has the size
# $\sqrt{m(1 - \eta\lambda)}$: the look ahead brakes where it is steep, and swings less. The price is the rate, which may be
# at most $2(1 + m) / (1 + 2m)$ over the largest curvature. On a quadratic the heavy ball at its best is the faster one in
# the long run; but there are losses on which it then swings for ever (Lessard and others, 2016).
#
# ## 8 · Try it
#
# Click on the map to choose rate and momentum, or use the fields. First press "Fastest", then let the condition number
# grow: where does the star go? Then tick *unit gain* at the same rate: why does the whole map lean over to the right?

# %%
MomentumForms()

# %% [markdown]
# ## 9 · The same thing, said in four ways
#
# **Predict:** random gradients, forty minibatches of 10. Five learners have the same momentum: given as a momentum, as a
# time constant, with unit gain, and twice as PyTorch's `SGD`, whose rate stands outside of $v$, without `dampening` and
# with it. Which agree? Which still do if minibatches of 10 and 20 alternate, or if the rate falls to a tenth half-way?

# %%
tau, m = 300, math.exp(-10 / 300)


def endings(sizes, rates):
    """Where five learners end, on the same gradients, one for each minibatch."""

    def rate(factor=1.0):
        values = [factor * value for value in rates]
        return kernel.learning_rate_schedule(values, per_minibatch, epoch_size=10)

    unit, time = 1 / (1 - m), kernel.momentum_as_time_constant_schedule(tau)
    w = [kernel.Parameter(np.zeros(1)) for _ in range(5)]
    learners = {
        "momentum": kernel.momentum_sgd(w[:1], rate(), m, unit_gain=False),
        "time constant": kernel.momentum_sgd(w[1:2], rate(), time, unit_gain=False),
        "unit gain": kernel.momentum_sgd(w[2:3], rate(unit), m, unit_gain=True),
        "PyTorch's": kernel.SGD(w[3:4], rate(), momentum=m),
        "with dampening": kernel.SGD(w[4:], rate(unit), momentum=m, dampening=m),
    }
    rng = np.random.default_rng(1)
    for n in sizes:
        g = rng.normal(size=1)  # the mean over a minibatch; update takes the sum
        for learner in learners.values():
            learner.update({learner.parameters[0]: n * g}, n)
    return {name: each.parameters[0].item() for name, each in learners.items()}


tens, falling = [10] * 40, [0.1] * 20 + [0.01]
same, mixed = endings(tens, [0.1]), endings([10, 20] * 20, [0.1])
falls = endings(tens, falling)
print("                always 10  10 and 20  the rate falls")
for name in same:
    print(f"{name:14} {same[name]:10.4f} {mixed[name]:10.4f} {falls[name]:10.4f}")

# %% [markdown]
# As long as nothing changes, the first four are one learner, each at the rate of this table. The columns after it say what
# becomes of the memory, counted in samples, with other minibatches; of the steps with another momentum; and what a new
# rate acts on.
#
# | form, $g$ a mean | rate | memory,<br>other $n$ | steps,<br>other $m$ | new rate<br>acts on |
# |:--|:-:|:--|:--|:--|
# | **momentum** $m$<br>$v \leftarrow m v + \eta g$<br>$w \leftarrow w - v$ | $\eta$ | changes | change | new<br>gradients |
# | **time constant** $\tau$<br>the same, $m = e^{-n/\tau}$ | $\eta$ | stays | change | new<br>gradients |
# | **unit gain**, by $m$ or $\tau$<br>$v \leftarrow m v + (1 - m) \eta g$<br>$w \leftarrow w - v$ | $\eta / (1 - m)$ | by $m$ changes,<br>by $\tau$ stays | stay | new<br>gradients |
# | **PyTorch's SGD**<br>$v \leftarrow m v + g$<br>$w \leftarrow w - \eta v$ | $\eta$ | changes | change | all<br>gradients |
#
# PyTorch's `dampening=m` is nearly unit gain, but takes the first gradient whole, and remembers it for long. Elsewhere:
#
# | | heavy ball | Nesterov | rate |
# |:--|:--|:--|:--|
# | our kernel | `SGD(p, lr,`<br>`momentum=0.9)` | `…, nesterov=True` | outside |
# | our kernel,<br>as CNTK | `momentum_sgd(p, lr,`<br>`m, unit_gain=…)` | `nesterov(p, lr,`<br>`m, …)` | inside |
# | PyTorch | `optim.SGD(p, lr,`<br>`momentum=0.9)` | `…, nesterov=True` | outside |
# | JAX (optax) | `optax.sgd(lr,`<br>`momentum=0.9)` | `…, nesterov=True` | outside |
# | Keras | `optimizers.SGD(lr,`<br>`momentum=0.9)` | `…, nesterov=True` | inside |
# | MXNet 1.x | `optimizer.SGD(`<br>`momentum=0.9, …)` | `optimizer.NAG(…)` | inside |
#
# ## Recap
#
# * A momentum is an average that forgets; its memory is a half-life or a time constant, best counted in samples.
# * $m = e^{-n/\tau}$: keep $\tau$ when the minibatch changes.
# * Unit gain is a factor $1 - m$ on the gradient; a rate divided by $1 - m$ takes it back.
# * A run glides, ripples or diverges: two borders in rate and momentum say which.
# * With the best momentum the steps grow like $\sqrt\kappa$, not like $\kappa$; Nesterov brakes where it is steep.
#
# **What usually goes wrong.** The momentum is raised and the rate is not lowered. A recipe's rate is used with the other
# gain, or its momentum per sample with minibatches. The loss ripples because the momentum is too large, and everybody
# lowers the rate.
#
# **Where to read on.** `widgets/momentum_forms.py`; Polyak 1964; Nesterov 1983; Sutskever and others, *On the importance
# of initialization and momentum*, 2013; Goh, *Why momentum really works*, Distill, 2017; Lessard, Recht and Packard 2016.
#
# **Next:** the [exercises](exercises.ipynb), then [08 Your own learner](../08_own_learner/lesson.ipynb).
