# ---
# jupyter:
#   gradschool:
#     title: Cross-entropy
#     minutes: 45
# ---

# %% [markdown]
# # Cross-entropy
#
# This lesson turns the scores of a classifier into one number that says how wrong they are, and into an arrow for each
# score that says which way it should move: all that a network learns starts from these arrows.
#
# You will be able to
#
# * turn scores into probabilities, however large the scores are;
# * compute the cross-entropy of a batch without overflow and without underflow;
# * read its gradient, $p - y$, as a push on every score;
# * use targets that are not all or nothing, and say what the Kullback–Leibler divergence adds.
#
# **Before:** some Python and arrays; no neural network yet. **Time:** 45 minutes, exercises included.
# **Backend:** NumPy, nothing else.
#
# Run a cell with Shift + Enter. Where it says **Predict**, stop and decide before you run the next cell: a wrong guess
# teaches more than a right answer that you only read.

# %%
import numpy as np

import kernel
from widgets import Logits, show, style

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · Scores
#
# Two pictures, three classes. The network gives each picture three scores, which are called **logits**. They may be any
# numbers, and larger means "rather this one". The labels say what the pictures really show.

# %%
classes = ("cat", "dog", "owl")
logits = kernel.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
labels = kernel.tensor([0, 2])

print("the network says:", [classes[c] for c in logits.argmax(axis=1).tolist()])
print("the truth is:    ", [classes[c] for c in labels.tolist()])
print("shape (B, C) =", logits.shape)

# %% [markdown]
# One right, one wrong: an accuracy of 0.5. To *learn* we need more than that. If the owl's score rose from 1 to 1.1, the
# network would be a little better and the accuracy still 0.5. We want a number that notices.
#
# ## 2 · Probabilities
#
# The exponential makes every score positive, and dividing each row by its sum makes the row add up to 1.
#
# **Predict:** in picture 0 the cat is one point ahead of the dog. How many times likelier will it be?

# %%
exponentials = kernel.exp(logits)
probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
print(probabilities)
print("each row adds up to", probabilities.sum(axis=1))
print("cat against dog:", probabilities[0, 0] / probabilities[0, 1])

# %% [markdown]
# Each point of difference is a factor $e = 2.7183$. This is the **softmax** of row $b$:
#
# $$ p_{bc} = \frac{e^{z_{bc}}}{\sum_{k=1}^{C} e^{z_{bk}}} \qquad z, p : (B, C) $$
#
# The sum runs along axis 1, the classes. `keepdims=True` keeps that axis with size 1, so that $(B, C)$ is divided by
# $(B, 1)$: every row by its own sum.
#
# **Predict:** only differences count, so adding 1000 to every score should change nothing. Will it?

# %%
large = logits + 1000
with np.errstate(all="ignore"):  # NumPy would warn; here we want to see what happens.
    exponentials = kernel.exp(large)
    print("e^1002 is", exponentials[0, 0])
    print(exponentials / exponentials.sum(axis=1, keepdims=True))

exponentials = kernel.exp(large - large.max(axis=1, keepdims=True))
print(exponentials / exponentials.sum(axis=1, keepdims=True))

# %% [markdown]
# The largest float32 number is about $e^{88.7}$. Beyond it lies `inf`, and inf / inf is `nan`, "not a number". The cure
# costs one subtraction: take each row's largest score away first. The largest exponential is then $e^0 = 1$, nothing
# can overflow, and the differences are what they were.
#
# ## 3 · One number
#
# A good network gives the **true** class a high probability. So look at that one alone, and take minus its logarithm: 0
# for a certainty, and larger the less likely the truth was held to be.
#
# **Predict:** the truths got 0.6652 and 0.1142. Which picture makes up most of the loss?

# %%
# From row b the entry in column labels[b]; expand_dims makes labels a column, (B, 1).
of_the_truth = kernel.gather(probabilities, 1, kernel.expand_dims(labels, 1))
print("p of the truth:", of_the_truth.reshape(-1))
print("-log p:        ", -kernel.log(of_the_truth).reshape(-1))
print("mean:          ", -kernel.log(of_the_truth).mean())

# %% [markdown]
# This mean is the **cross-entropy**, also called the negative log-likelihood: multiplying the probabilities of all labels
# gives their likelihood, and the logarithm turns the product into a sum. With $y_b$ the label of row $b$,
#
# $$ L = -\frac{1}{B} \sum_{b=1}^{B} \log p_{b, y_b} \qquad z : (B, C),\; y : (B),\; L : () $$
#
# A number to remember: who knows nothing gives each class $1/C$, and pays $\log C$. That is 1.0986 for three classes.
# Our 1.2887 is worse than knowing nothing, because being sure and wrong is costly. How costly?

# %%
p = np.linspace(0.004, 1, 400)
figure, axes = style.subplots(width=680, height=350)
axes.plot(p, -np.log(p), **style.series(0), markevery=[])
axes.plot(p, 1 - p, **style.series(1), markevery=[])
axes.text(0.05, 3.9, "−log p", color=style.BLUE, weight="bold")
axes.text(0.05, 1.05, "1 − p", color=style.DARK_VERMILLION, weight="bold")
for number, share in enumerate(of_the_truth.reshape(-1).tolist()):
    cost = -np.log(share)
    axes.plot(share, cost, "o", color=style.BLACK)
    text = f"picture {number}: −log {share:.4f} = {cost:.4f}"
    axes.text(share + 0.03, cost + 0.1, text)
axes.set(title="What a sample costs", xlim=(0, 1.02), ylim=(0, 5.6))
axes.set(xlabel="p, the probability of the truth", ylabel="cost")
show(
    figure,
    alt="Two curves of the cost against p, the probability of the truth. Minus log p "
    "rises without limit as p falls to 0; the straight line 1 minus p never exceeds 1. "
    "The two pictures are points on the upper curve, at 0.4076 and 2.1698.",
    caption="With 1 − p the worst mistake costs 1. With −log p each tenfold drop in p "
    "adds another 2.3, without end: a network cannot afford to be sure and wrong.",
)

# %% [markdown]
# ## 4 · Loss straight from the logits
#
# **Predict:** the scores are 200, 0, 0 and the truth is class 1. Then $p_1 = e^{-200}$, and the loss should be 200. What
# does minus the logarithm of the softmax print? And does it help to add a tiny number inside the logarithm, as is often done?

# %%
z, truth = kernel.tensor([[200.0, 0.0, 0.0]]), kernel.tensor([1])
p_truth = kernel.softmax(z, axis=1)[0, 1]
with np.errstate(divide="ignore"):
    print("-log p:         ", -kernel.log(p_truth))
print("-log(p + 1e-8): ", -kernel.log(p_truth + 1e-8))
print("logsumexp - z_y:", kernel.logsumexp(z, axis=1)[0] - z[0, 1])
print("cross_entropy:  ", kernel.cross_entropy(z, truth))

# %% [markdown]
# The probability underflowed to 0 and was lost; adding 1e-8 only hides it behind a wrong number. The way out is never
# to compute the probability. Take the logarithm of the softmax on paper:
#
# $$ \begin{aligned}
# -\log p_{b, y_b} &= \text{logsumexp}(z_b) - z_{b, y_b} \qquad (B) \\[4pt]
# \text{logsumexp}(z_b) &= \log \sum_k e^{z_{bk}} \\
# &= m_b + \log \sum_k e^{z_{bk} - m_b}, \quad m_b = \max_k z_{bk}
# \end{aligned} $$
#
# The maximum that we take out of the exponential comes back after the logarithm. `kernel.cross_entropy` does all this in
# one step. That is why it wants logits, and so does its namesake in PyTorch.
#
# **Predict:** what if you hand it probabilities all the same?

# %%
print("logits:       ", kernel.cross_entropy(logits, labels))
print("probabilities:", kernel.cross_entropy(probabilities, labels))

sure, cat = kernel.tensor([[20.0, 0.0, 0.0]]), kernel.tensor([0])
print("sure and right, logits:       ", kernel.cross_entropy(sure, cat))
certain = kernel.softmax(sure, axis=1)
print("sure and right, probabilities:", kernel.cross_entropy(certain, cat))

# %% [markdown]
# No error, only a wrong number: softmax was applied twice. A loss that gets stuck at 0.5514, for three classes, tells you
# so.
#
# ## 5 · Which way should each score move?
#
# Nudge one score up a little: by how much does the loss change? That slope, for all scores together, is the **gradient**.
#
# **Predict:** in picture 0, where the truth is the cat, which of the three slopes is negative? And what do the three add
# up to?


# %%
def loss_at(scores):
    return kernel.cross_entropy(kernel.tensor(scores), labels).item()


scores, h = logits.numpy(), 1e-5
slopes = np.zeros((2, 3))
for b, c in np.ndindex(2, 3):
    nudge = np.zeros((2, 3))
    nudge[b, c] = h
    slopes[b, c] = (loss_at(scores + nudge) - loss_at(scores - nudge)) / (2 * h)
print(slopes)
print("each row adds up to 0:", np.allclose(slopes.sum(axis=1), 0))

# %% [markdown]
# There is a formula for these six numbers, and it is as short as one could wish. With the label written as a row $y$ of
# zeros and a one, a **one-hot** row,
#
# $$ \frac{\partial L}{\partial z_{bc}} = \frac{p_{bc} - y_{bc}}{B} \qquad (B, C) $$
#
# because the slope of logsumexp is the softmax, and the slope of the true logit is 1.
#
# **Predict:** the kernel finds gradients by itself: `backward()` leaves them in `grad`. Will all three ways agree?

# %%
y = kernel.one_hot(labels, 3)
print((probabilities - y) / 2)

scores = kernel.tensor(logits.tolist(), requires_grad=True)
kernel.cross_entropy(scores, labels).backward()
print(scores.grad)

# %% [markdown]
# How `backward()` does it is the story of lesson 02. What the formula says:
#
# * the true score is pulled up and the others are pushed down, each by its share; a row adds up to 0;
# * sure and right: no push. Sure and wrong: a push of nearly $1/B$, and never more;
# * $1/B$ is there because the loss is a mean.
#
# ## 6 · Move it yourself
#
# Make the owl the truth, then raise the owl's logit step by step: see the three arrows shrink together and the loss slide
# down its curve. Then press *Sure and right* and set *smoothing* to 0.1: all arrows turn round, and section 8 says why.

# %%
Logits(classes=classes)

# %% [markdown]
# ## 7 · Find the bug
#
# A blog post on PyTorch ends its hand-written loss with the mean of the log-probabilities; on the way to the web page the
# minus sign got lost. Here both versions train: ten steps against the gradient, $z \leftarrow z - \frac{\partial L}{\partial z}$,
# on the scores themselves.
#
# **Predict:** both losses will fall. How will you see which one is broken?


# %%
def mean_log_probability(scores, labels):
    p = kernel.softmax(scores, axis=1)
    return kernel.log(kernel.gather(p, 1, kernel.expand_dims(labels, 1))).mean()


losses = {"with the minus": kernel.cross_entropy, "without": mean_log_probability}
for name, loss_function in losses.items():
    print(f"{name:14}   loss  accuracy")
    scores = kernel.tensor(logits.tolist(), requires_grad=True)
    for step in range(11):
        loss = loss_function(scores, labels)
        loss.backward()
        if step % 5 == 0:
            accuracy = (scores.argmax(axis=1) == labels).float().mean().item()
            print(f"after {step:2} steps: {loss.item():7.4f}  {accuracy:.1f}")
        # detach, so that the next step starts with a clean sheet; lesson 02 explains.
        scores = (scores - scores.grad).detach().requires_grad_()

# %% [markdown]
# The broken loss starts **below zero**, where no cross-entropy can be, and falls without end, while the accuracy drops from
# 0.5 to 0. The optimiser does what it is told: it makes the truth unlikely. So: never watch the loss alone. If it is negative,
# look for the minus; if it falls while the accuracy falls too, some sign is wrong.
#
# ## 8 · Targets that are not all or nothing
#
# Of four people who saw picture 1, three said owl and one said dog. Then the target is a row of shares, $y = (0,\, 0.25,\,
# 0.75)$, and every class counts with its share:
#
# $$ L = -\frac{1}{B} \sum_{b} \sum_{c} y_{bc} \log p_{bc} \qquad y, p : (B, C) $$
#
# With a one-hot $y$ this is the old formula, and the gradient is still $(p - y)/B$. **Label smoothing** makes such targets
# from labels: take a share $s$ of the one and spread it over all classes.
#
# **Predict:** the true class's score rises from 0 to 10, the others stay at 0. The plain loss falls all the way. And the
# smoothed one?

# %%
s = 0.1
truth = kernel.tensor([0])
smoothed = (1 - s) * kernel.one_hot(truth, 3) + s / 3
print("target:", smoothed)
print("score   plain  smoothed")
for score in (0.0, 2.0, 4.0, 6.0, 8.0, 10.0):
    z = kernel.tensor([[score, 0.0, 0.0]])
    plain, soft = kernel.cross_entropy(z, truth), kernel.cross_entropy(z, smoothed)
    print(f"{score:5.1f}  {plain:.4f}  {soft:.4f}")

# %% [markdown]
# The smoothed loss has its lowest point where $p = y$, and climbs again for a network that gets too sure of itself. It never
# reaches 0: what remains is the **entropy** of the target, $H(y) = -\sum_c y_c \log y_c$. The rest is the
# **Kullback–Leibler divergence**, the price for a $p$ other than $y$, which is never below 0:
#
# $$ \underbrace{-\sum_c y_c \log p_c}_{\text{cross-entropy}} = H(y) +
# \underbrace{\sum_c y_c \log \frac{y_c}{p_c}}_{\mathrm{KL}(y \,\|\, p)} $$
#
# **Predict:** is $\mathrm{KL}(y \,\|\, p)$ the same as $\mathrm{KL}(p \,\|\, y)$?

# %%
y = kernel.tensor([0.7, 0.2, 0.1])
p = kernel.tensor([0.2, 0.3, 0.5])
print("cross-entropy:", -(y * kernel.log(p)).sum())
print("entropy of y: ", -(y * kernel.log(y)).sum())
print("KL(y ‖ p):    ", (y * kernel.log(y / p)).sum())
print("KL(p ‖ y):    ", (p * kernel.log(p / y)).sum())
print("KL(y ‖ y):    ", (y * kernel.log(y / y)).sum())

# %% [markdown]
# It is no distance: the two directions differ, because each is weighted by its first argument. It is 0 only where the two
# agree. The network cannot change $H(y)$, so making the cross-entropy small and making the divergence small are the same
# task. (A share of 0 adds 0, but `0 * log(0)` is `nan`: the last exercise.)
#
# ## The same lines elsewhere
#
# | | softmax, and the mean loss from logits |
# |:--|:--|
# | our kernel | `kernel.softmax(z, 1)`<br>`kernel.cross_entropy(z, labels)` |
# | PyTorch | `F.softmax(z, 1)`<br>`F.cross_entropy(z, labels)` |
# | JAX, Optax | `jax.nn.softmax(z)`<br><code>optax.softmax_cross_entropy<wbr>_with_integer_labels(z, labels).mean()</code> |
# | Keras 3 | `ops.softmax(z)`<br><code>losses.SparseCategoricalCrossentropy<wbr>(from_logits=True)(labels, z)</code> |
# | TensorFlow | `tf.nn.softmax(z)`<br><code>tf.reduce_mean(tf.nn.sparse_softmax<wbr>_cross_entropy_with_logits(labels, z))</code> |
# | MXNet | `nd.softmax(z)`<br>`gluon.loss.SoftmaxCrossEntropyLoss()(z, labels).mean()` |
# | CNTK | `C.softmax(z)`<br><code>C.reduce_mean(C.cross_entropy_with_softmax<wbr>(z, one_hot), C.Axis.all_axes())</code> |
# | NumPy, SciPy | `special.softmax(z, 1)`<br>`(special.logsumexp(z, axis=1) - z[np.arange(B), labels]).mean()` |
#
# Where no axis is given, the last one is meant; in SciPy it would be the whole array. Watch three things more: whether a loss
# takes logits or probabilities (Keras takes probabilities unless told otherwise), whether it takes class numbers or one-hot
# rows (CNTK), and whether it returns the mean or one loss per sample.
#
# ## Recap
#
# * Softmax turns differences of scores into ratios of probabilities; subtract each row's maximum first.
# * Cross-entropy is the mean of $-\log p$ of the truth; who knows nothing pays $\log C$.
# * From logits it is logsumexp minus the true logit: no overflow, no underflow, no tiny number added.
# * Its gradient is $(p - y)/B$; every row adds up to 0.
# * Soft targets weight every class; cross-entropy = entropy of the target + KL divergence.
#
# **What usually goes wrong.** Softmax along axis 0. Probabilities handed to a loss that wants logits. A sum instead of a
# mean, so that the step grows with the batch. The minus. And `nan`, which is mostly an `exp` or a `log` that should not have
# been there.
#
# **Where to read on.** Goodfellow, Bengio and Courville, [Deep Learning](https://www.deeplearningbook.org), chapters 3 and 6;
# Blanchard, Higham and Higham, *Accurately computing the log-sum-exp and softmax functions* (2021); Szegedy and others,
# [Rethinking the Inception Architecture](https://arxiv.org/abs/1512.00567), section 7, for label smoothing.
#
# **Next:** the [exercises](exercises.ipynb), five functions of two to five lines. Then lesson
# [01 Tensors](../01_tensors/lesson.ipynb).
