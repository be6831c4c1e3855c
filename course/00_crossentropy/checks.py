"""Exercises of lesson 00: softmax, the cross-entropy loss, its gradient, soft targets, Kullback–Leibler divergence."""

import math

import numpy as np

import kernel
from classroom.spec import Case, Exercise

FAR_APART = "one row of large logits, one of very negative ones"


def rows_far_apart(random):
    """Logits (2, 4) that have no shift in common: exp overflows in the first row or is 0 in all of the second."""
    return np.array([[2000.0], [-2000.0]]) + random.normal(size=(2, 4))


# --- softmax ------------------------------------------------------------------------------------------------------


def softmax(logits):
    """Probabilities of each row, (B, C) -> (B, C)."""
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def without_shift(logits):
    """exp overflows for large logits, and inf/inf is nan: subtract each row's largest logit before the exponential."""
    exponentials = kernel.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def down_the_batch(logits):
    """Each column adds up to 1 instead of each row: axis 0 runs over the samples, the classes are axis 1."""
    exponentials = kernel.exp(logits - logits.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=0, keepdims=True)


def down_the_batch_without_shift(logits):
    """Two things at once: the sum runs over the samples (axis 0; the classes are axis 1), and no largest logit is
    subtracted, so that exp overflows."""
    exponentials = kernel.exp(logits)
    return exponentials / exponentials.sum(axis=0, keepdims=True)


def largest_without_keepdims(logits):
    """The maximum of each row has shape (B,), and (B, C) minus (B,) lines it up with the classes: write
    `keepdims=True`, so that it has shape (B, 1)."""
    exponentials = kernel.exp(logits - logits.max(axis=1))
    return exponentials / exponentials.sum(axis=1)


def sum_without_keepdims(logits):
    """The sum of each row has shape (B,), and (B, C) divided by (B,) lines it up with the classes: write
    `keepdims=True`, so that it has shape (B, 1)."""
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1)


def over_the_whole_batch(logits):
    """All B·C numbers add up to 1 together, where each row should: give the sum `axis=1` and `keepdims=True`."""
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum()


def over_the_whole_batch_without_shift(logits):
    """All B·C numbers add up to 1 together, and large logits overflow: sum along `axis=1` with `keepdims=True`, and
    subtract each row's largest logit first."""
    exponentials = kernel.exp(logits)
    return exponentials / exponentials.sum()


def one_shift_for_all(logits):
    """One maximum for the whole batch is too much for a row of small logits, whose exponentials are all 0, and 0/0 is
    nan: subtract each row's own maximum."""
    exponentials = kernel.exp(logits - logits.max())
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def below_the_largest(logits):
    """The minimum or the mean of a row may lie far below its largest logit, and exp of the difference still overflows:
    subtract the maximum."""
    exponentials = kernel.exp(logits - logits.min(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def first_for_largest(logits):
    """The first logit of a row need not be its largest, and where another one is far above it exp overflows: subtract
    the maximum."""
    exponentials = kernel.exp(logits - logits[:, :1])
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def last_for_largest(logits):
    """The last logit of a row need not be its largest, and where another one is far above it exp overflows: subtract
    the maximum."""
    exponentials = kernel.exp(logits - logits[:, -1:])
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def pair_of_max(logits):
    """`max` with a bare axis or with `dim=` gives a pair, (values, indices), as in PyTorch: write
    `max(axis=1, keepdims=True)`, which gives the values alone."""
    exponentials = kernel.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def without_exponential(logits):
    """The logits themselves are divided by their sum, which leaves negative shares: take the exponential first."""
    return logits / logits.sum(axis=1, keepdims=True)


def the_logarithm(logits):
    """These are the logarithms of the probabilities, all at most 0: softmax is their exponential."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - kernel.log(kernel.exp(shifted).sum(axis=1, keepdims=True))


def softmax_cases(random, dtype):
    yield Case(kernel.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], dtype=dtype))
    yield Case(kernel.tensor(random.normal(size=(4, 5)), dtype=dtype))
    yield Case(kernel.tensor(1000 + random.normal(size=(3, 2)), dtype=dtype), note="large logits")
    yield Case(kernel.tensor(rows_far_apart(random), dtype=dtype), note=FAR_APART)
    # The first row has its large logit last and the last row has it first, so that neither end will do for the maximum.
    within = random.normal(size=(3, 4))
    within[[0, 1, 2], [3, random.integers(4), 0]] += 1000
    yield Case(kernel.tensor(within, dtype=dtype), note="one logit of each row far above the others")


# --- crossentropy -------------------------------------------------------------------------------------------------


def crossentropy(logits, labels):
    """Mean negative log-likelihood of the labels (B,) under the logits (B, C)."""
    largest = logits.max(axis=1, keepdims=True)
    logsumexp = largest + kernel.log(kernel.exp(logits - largest).sum(axis=1, keepdims=True))
    of_the_truth = kernel.gather(logits, 1, kernel.expand_dims(labels, 1))
    return (logsumexp - of_the_truth).mean()


def without_minus(logits, labels):
    """The minus is missing: the logarithm of a probability is at most 0, so this loss is negative and gets lower as
    the predictions get worse."""
    log_probabilities = kernel.log_softmax(logits, axis=1)
    return kernel.gather(log_probabilities, 1, kernel.expand_dims(labels, 1)).mean()


def sum_for_mean(logits, labels):
    """This is the sum over the batch, which grows with the number of samples: take the mean of the B losses."""
    log_probabilities = kernel.log_softmax(logits, axis=1)
    return -kernel.gather(log_probabilities, 1, kernel.expand_dims(labels, 1)).sum()


def mean_over_all(logits, labels):
    """The result is C times too small: a mean over all B·C numbers counts the zeros of the other classes, so divide
    by B alone."""
    log_probabilities = kernel.log_softmax(logits, axis=1)
    return -(kernel.one_hot(labels, logits.shape[1], logits.dtype) * log_probabilities).mean()


def log_of_softmax(logits, labels):
    """Where the truth is very unlikely its probability underflows to 0, and -log 0 is inf: compute logsumexp minus
    the true logit, without the probability in between."""
    probabilities = kernel.softmax(logits, axis=1)
    return -kernel.log(kernel.gather(probabilities, 1, kernel.expand_dims(labels, 1))).mean()


def neither_step_is_safe(logits, labels):
    """exp overflows for large logits, and the logarithm of a probability that underflows to 0 is -inf: compute the
    loss as logsumexp minus the true logit, with the largest logit taken out of the exponential."""
    exponentials = kernel.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return -kernel.log(kernel.gather(probabilities, 1, kernel.expand_dims(labels, 1))).mean()


def tiny_added(logits, labels, *, tiny=1e-8):
    """A small number inside the logarithm hides the inf and puts a ceiling on the loss, with 1e-8 that of
    -log 1e-8 = 18.4: use logsumexp, which needs no such number."""
    probabilities = kernel.softmax(logits, axis=1)
    return -kernel.log(kernel.gather(probabilities, 1, kernel.expand_dims(labels, 1)) + tiny).mean()


def tiny_at_least(logits, labels, *, tiny=1e-8):
    """A probability that may not fall below a small number hides the inf and puts a ceiling on the loss, with 1e-8 that
    of -log 1e-8 = 18.4: use logsumexp, which needs no such number."""
    probabilities = kernel.maximum(kernel.softmax(logits, axis=1), tiny)
    return -kernel.log(kernel.gather(probabilities, 1, kernel.expand_dims(labels, 1))).mean()


def exponential_overflows(logits, labels):
    """The formula is right, and exp overflows for large logits: take the largest logit out of the exponential and add
    it again after the logarithm."""
    logsumexp = kernel.log(kernel.exp(logits).sum(axis=1, keepdims=True))
    return (logsumexp - kernel.gather(logits, 1, kernel.expand_dims(labels, 1))).mean()


def one_shift_for_the_batch(logits, labels):
    """One maximum for the whole batch is too much for a row of small logits, whose exponentials add up to 0, and log 0
    is -inf: take out each row's own maximum."""
    largest = logits.max()
    logsumexp = largest + kernel.log(kernel.exp(logits - largest).sum(axis=1, keepdims=True))
    return (logsumexp - kernel.gather(logits, 1, kernel.expand_dims(labels, 1))).mean()


def shift_below_the_largest(logits, labels):
    """The minimum or the mean of a row may lie far below its largest logit, and exp of the difference still overflows:
    take out the maximum."""
    smallest = logits.min(axis=1, keepdims=True)
    logsumexp = smallest + kernel.log(kernel.exp(logits - smallest).sum(axis=1, keepdims=True))
    return (logsumexp - kernel.gather(logits, 1, kernel.expand_dims(labels, 1))).mean()


def shift_forgotten(logits, labels):
    """The largest logit is subtracted inside the exponential and not added again after the logarithm: logsumexp is
    m + log of the sum of exp(z - m)."""
    logsumexp = kernel.log(kernel.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    return (logsumexp - kernel.gather(logits, 1, kernel.expand_dims(labels, 1))).mean()


def softmax_twice(logits, labels):
    """Softmax is applied twice, which squeezes every prediction towards 1/C: hand the logits, not the probabilities,
    to whatever takes the softmax itself."""
    return kernel.cross_entropy(kernel.softmax(logits, axis=1), labels)


def base_two(logits, labels):
    """This loss is in bits, 1/log 2 = 1.44 times too large: use the natural logarithm."""
    return kernel.cross_entropy(logits, labels) / math.log(2)


def of_the_winner(logits, labels):
    """The labels are not used: this is the loss of the class with the largest logit, where the loss of the true class
    is asked for."""
    return kernel.cross_entropy(logits, logits.argmax(axis=1))


def every_label_in_every_row(logits, labels):
    """`[:, labels]` takes every label in every row, a (B, B) table: row b needs its own label alone, as
    `kernel.gather` takes it."""
    return -kernel.log_softmax(logits, axis=1)[:, labels].mean()


def log_of_the_mean(logits, labels):
    """This is the logarithm of the mean probability: take the logarithm of each row's probability first, the mean
    last."""
    probabilities = kernel.gather(kernel.softmax(logits, axis=1), 1, kernel.expand_dims(labels, 1))
    return -kernel.log(probabilities.mean())


def not_averaged(logits, labels):
    """These are the losses of the B samples one by one: their mean is wanted, a single number."""
    return kernel.cross_entropy(logits, labels, reduction="none")


def crossentropy_cases(random, dtype):
    yield Case(kernel.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], dtype=dtype), kernel.tensor([0, 2]))
    yield Case(kernel.tensor(random.normal(size=(4, 5)), dtype=dtype), kernel.tensor(random.integers(5, size=4)))
    labels = kernel.tensor(random.integers(4, size=3))
    yield Case(kernel.tensor(1000 + random.normal(size=(3, 4)), dtype=dtype), labels, note="large logits")
    # So far down that even the mean of the row lies too far below its largest logit.
    sure = -4000 * np.eye(3, 4) + random.normal(size=(3, 4))
    yield Case(kernel.tensor(sure, dtype=dtype), kernel.tensor([0, 2, 2]), note="a sure and wrong prediction")
    right = random.integers(4, size=3)
    sure = 1000 * np.eye(4)[right] + random.normal(size=(3, 4))
    yield Case(kernel.tensor(sure, dtype=dtype), kernel.tensor(right), note="sure and right predictions")
    labels = kernel.tensor(random.integers(4, size=2))
    yield Case(kernel.tensor(rows_far_apart(random), dtype=dtype), labels, note=FAR_APART)


# --- crossentropy_gradient ----------------------------------------------------------------------------------------


def crossentropy_gradient(logits, labels):
    """Gradient of the mean loss with respect to the logits, (B, C)."""
    truth = kernel.one_hot(labels, logits.shape[1], logits.dtype)
    return (softmax(logits) - truth) / len(logits)


def not_divided(logits, labels):
    """This is B times too large: the loss is a mean over the batch, so each sample has only 1/B of the say."""
    return softmax(logits) - kernel.one_hot(labels, logits.shape[1], logits.dtype)


def truth_minus_probability(logits, labels):
    """Every sign is turned round: p - y is asked for, not y - p, since adding to the true logit lowers the loss."""
    return (kernel.one_hot(labels, logits.shape[1], logits.dtype) - softmax(logits)) / len(logits)


def truth_minus_probability_not_divided(logits, labels):
    """Every sign is turned round, and the 1/B of the mean is missing: the gradient is (p - y)/B."""
    return kernel.one_hot(labels, logits.shape[1], logits.dtype) - softmax(logits)


def truth_forgotten(logits, labels):
    """These are the probabilities, divided by B: the one-hot truth is not subtracted, and so a row does not add up
    to 0."""
    return softmax(logits) / len(logits)


def divided_by_all(logits, labels):
    """This is C times too small: the loss is a mean over the B samples, so divide by B, not by B·C."""
    return (softmax(logits) - kernel.one_hot(labels, logits.shape[1], logits.dtype)) / logits.numel()


def divided_by_the_classes(logits, labels):
    """This divides by C, the number of classes: the loss is a mean over the B samples, and B is the length of
    axis 0."""
    return (softmax(logits) - kernel.one_hot(labels, logits.shape[1], logits.dtype)) / logits.shape[1]


def logits_for_probabilities(logits, labels):
    """The truth is subtracted from the logits: turn them into probabilities first."""
    return (logits - kernel.one_hot(labels, logits.shape[1], logits.dtype)) / len(logits)


def with_respect_to_probabilities(logits, labels):
    """This is -y/p, the gradient with respect to the probabilities: one step of the chain rule, through the softmax,
    is missing, and it leads to p - y."""
    return -kernel.one_hot(labels, logits.shape[1], logits.dtype) / softmax(logits) / len(logits)


def softmax_overflows(logits, labels):
    """The gradient is right, and the softmax in it overflows for large logits: subtract each row's largest logit
    first, or call `softmax`."""
    exponentials = kernel.exp(logits)
    truth = kernel.one_hot(labels, logits.shape[1], logits.dtype)
    return (exponentials / exponentials.sum(axis=1, keepdims=True) - truth) / len(logits)


def softmax_of_columns(logits, labels):
    """The softmax here runs over the samples: the classes are axis 1, and each row of p adds up to 1."""
    truth = kernel.one_hot(labels, logits.shape[1], logits.dtype)
    return (kernel.softmax(logits, axis=0) - truth) / len(logits)


def crossentropy_gradient_cases(random, dtype):
    yield Case(kernel.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], dtype=dtype), kernel.tensor([0, 2]))
    yield Case(kernel.tensor(random.normal(size=(5, 4)), dtype=dtype), kernel.tensor(random.integers(4, size=5)))
    yield Case(
        kernel.tensor(1000 + random.normal(size=(3, 2)), dtype=dtype),
        kernel.tensor(random.integers(2, size=3)),
        note="large logits",
    )
    # Large ones first and last, so that neither end of a row, its minimum or its mean will do for the maximum.
    sure = 1000 * np.eye(4)[[0, 3, random.integers(4)]] + random.normal(size=(3, 4))
    labels = kernel.tensor(random.integers(4, size=3))
    yield Case(kernel.tensor(sure, dtype=dtype), labels, note="one logit of each row far above the others")


# --- soft_crossentropy --------------------------------------------------------------------------------------------


def soft_crossentropy(logits, targets):
    """Mean over the batch of -sum(y log p), for targets (B, C) that are distributions."""
    log_probabilities = logits - kernel.logsumexp(logits, axis=1, keepdims=True)
    return -(targets * log_probabilities).sum(axis=1).mean()


def only_the_likeliest(logits, targets):
    """Only the class with the largest share of each target is used: every class counts, with its share y as
    weight."""
    return kernel.cross_entropy(logits, targets.argmax(axis=1))


def soft_without_minus(logits, targets):
    """The minus is missing: the logarithms are at most 0, and this loss gets lower as the predictions get worse."""
    return (targets * kernel.log_softmax(logits, axis=1)).sum(axis=1).mean()


def soft_mean_over_all(logits, targets):
    """The result is C times too small: sum over the classes, and take the mean over the B samples alone."""
    return -(targets * kernel.log_softmax(logits, axis=1)).mean()


def soft_sum_for_mean(logits, targets):
    """This is the sum over the batch: sum over the classes, then take the mean over the B samples."""
    return -(targets * kernel.log_softmax(logits, axis=1)).sum()


def soft_not_averaged(logits, targets):
    """These are the losses of the B samples one by one: their mean is wanted, a single number."""
    return kernel.cross_entropy(logits, targets, reduction="none")


def roles_exchanged(logits, targets):
    """The roles are exchanged: the target y, which may hold zeros, is the weight, and the prediction p stands in the
    logarithm, -sum(y log p)."""
    return -(kernel.softmax(logits, axis=1) * kernel.log(targets)).sum(axis=1).mean()


def targets_through_softmax(logits, targets):
    """The targets went through a softmax as well: they are probabilities already, use them as they come."""
    return kernel.cross_entropy(logits, kernel.softmax(targets, axis=1))


def logits_in_the_logarithm(logits, targets):
    """The logarithm is taken of the logits, which may be negative: it belongs to the probabilities."""
    return -(targets * kernel.log(logits)).sum(axis=1).mean()


def soft_log_of_softmax(logits, targets):
    """A probability that underflows to 0 has the logarithm -inf: use the logits minus their logsumexp, without the
    probability in between."""
    return -(targets * kernel.log(kernel.softmax(logits, axis=1))).sum(axis=1).mean()


def soft_exponential_overflows(logits, targets):
    """The formula is right, and exp overflows for large logits: `kernel.logsumexp` takes the largest logit out of the
    exponential first."""
    logsumexp = kernel.log(kernel.exp(logits).sum(axis=1, keepdims=True))
    return -(targets * (logits - logsumexp)).sum(axis=1).mean()


def soft_tiny_added(logits, targets, *, tiny=1e-8):
    """A small number inside the logarithm hides the inf and puts a ceiling on the loss, with 1e-8 that of
    -log 1e-8 = 18.4: use the logits minus their logsumexp, which needs no such number."""
    return -(targets * kernel.log(kernel.softmax(logits, axis=1) + tiny)).sum(axis=1).mean()


def soft_tiny_at_least(logits, targets, *, tiny=1e-8):
    """A probability that may not fall below a small number hides the inf and puts a ceiling on the loss, with 1e-8 that
    of -log 1e-8 = 18.4: use the logits minus their logsumexp, which needs no such number."""
    return -(targets * kernel.log(kernel.maximum(kernel.softmax(logits, axis=1), tiny))).sum(axis=1).mean()


def soft_one_shift_for_the_batch(logits, targets):
    """One maximum for the whole batch is too much for a row of small logits, whose exponentials add up to 0, and log 0
    is -inf: take out each row's own maximum."""
    largest = logits.max()
    logsumexp = largest + kernel.log(kernel.exp(logits - largest).sum(axis=1, keepdims=True))
    return -(targets * (logits - logsumexp)).sum(axis=1).mean()


def soft_shift_below_the_largest(logits, targets):
    """The minimum or the mean of a row may lie far below its largest logit, and exp of the difference still overflows:
    take out the maximum."""
    smallest = logits.min(axis=1, keepdims=True)
    logsumexp = smallest + kernel.log(kernel.exp(logits - smallest).sum(axis=1, keepdims=True))
    return -(targets * (logits - logsumexp)).sum(axis=1).mean()


def divergence_for_crossentropy(logits, targets):
    """The entropy of the targets is subtracted, which gives the Kullback-Leibler divergence: the cross-entropy is
    -sum(y log p) alone."""
    entropy = -(targets * kernel.log(kernel.where(targets > 0, targets, kernel.ones_like(targets)))).sum(axis=1)
    return kernel.cross_entropy(logits, targets) - entropy.mean()


# How far one logit may lie above the others where its exponential overflows and their probabilities are not 0 yet.
JUST_TOO_FAR = {"float64": 738.0, "float32": 98.0}


def soft_crossentropy_cases(random, dtype):
    yield Case(
        kernel.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]], dtype=dtype),
        kernel.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], dtype=dtype),
    )
    shares = random.uniform(0.1, 1.0, size=(4, 5))
    yield Case(
        kernel.tensor(random.normal(size=(4, 5)), dtype=dtype),
        kernel.tensor(shares / shares.sum(axis=1, keepdims=True), dtype=dtype),
    )
    targets = kernel.tensor([[0.9, 0.05, 0.05], [0.2, 0.3, 0.5]], dtype=dtype)
    yield Case(kernel.tensor(1000 + random.normal(size=(2, 3)), dtype=dtype), targets, note="large logits")
    sure = -4000 * np.eye(2, 3) + random.normal(size=(2, 3))
    yield Case(kernel.tensor(sure, dtype=dtype), targets, note="sure and wrong predictions")
    shares = random.uniform(0.1, 1.0, size=(2, 4))
    targets = kernel.tensor(shares / shares.sum(axis=1, keepdims=True), dtype=dtype)
    yield Case(kernel.tensor(rows_far_apart(random), dtype=dtype), targets, note=FAR_APART)
    # Among so many classes the mean lies almost as far below the largest logit as the smallest one does.
    logits = random.uniform(size=(1, 30))
    logits[0, random.integers(30)] = JUST_TOO_FAR[dtype]
    targets = kernel.tensor(np.full((1, 30), 1 / 30), dtype=dtype)
    yield Case(kernel.tensor(logits, dtype=dtype), targets, note="one logit far above 29 others")


# --- kl_divergence ------------------------------------------------------------------------------------------------


def kl_divergence(y, p):
    """sum(y log(y/p)) of each row, (B, C) and (B, C) -> (B,), with 0 log 0 = 0."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(safe) - kernel.log(p))).sum(axis=1)


def zero_times_infinity(y, p):
    """Where y is 0 this computes 0 · log 0, which is nan: such a class should add 0, so let the logarithm see a 1 there
    (`kernel.where`)."""
    return (y * kernel.log(y / p)).sum(axis=1)


def exchanged(y, p):
    """This is KL(p‖y), which differs from KL(y‖p): the first argument is the weight and stands on top in log(y/p)."""
    safe = kernel.where(y > 0, y, kernel.zeros_like(y))
    return (p * (kernel.log(p) - kernel.log(safe))).sum(axis=1)


def crossentropy_for_divergence(y, p):
    """This is the cross-entropy -sum(y log p), which is not 0 for p = y: subtract the entropy of y."""
    return -(y * kernel.log(p)).sum(axis=1)


def sign_turned(y, p):
    """Every sign is turned round: the divergence is never negative, y stands on top in log(y/p)."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(p) - kernel.log(safe))).sum(axis=1)


def without_weights(y, p):
    """The logarithms of the ratios are added without their weights: multiply each by y before the sum."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return kernel.where(y > 0, kernel.log(safe) - kernel.log(p), kernel.zeros_like(y)).sum(axis=1)


def over_classes_as_mean(y, p):
    """The mean over the classes is C times too small: sum over the classes."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(safe) - kernel.log(p))).mean(axis=1)


def one_number(y, p):
    """The whole batch is added up to a single number: sum along axis 1 alone, one divergence per row."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(safe) - kernel.log(p))).sum()


def divergence_in_bits(y, p):
    """This is in bits, 1/log 2 = 1.44 times too large: use the natural logarithm."""
    safe = kernel.where(y > 0, y, kernel.ones_like(y))
    return (y * (kernel.log(safe) - kernel.log(p))).sum(axis=1) / math.log(2)


def kl_divergence_cases(random, dtype):
    yield Case(
        kernel.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], dtype=dtype),
        kernel.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], dtype=dtype),
    )
    shares = random.uniform(0.1, 1.0, size=(2, 4, 5))
    y, p = shares / shares.sum(axis=2, keepdims=True)
    yield Case(kernel.tensor(y, dtype=dtype), kernel.tensor(p, dtype=dtype))
    yield Case(kernel.tensor(y, dtype=dtype), kernel.tensor(y, dtype=dtype), note="the same distribution twice")


# Near 1000 two neighbouring float32 numbers lie 6e-5 apart, and logsumexp(z) - z[label] has that rounding in it.
ROUNDING_OF_LARGE_LOGITS = {"float64": 1e-9, "float32": 1e-4}

exercises = [
    Exercise(
        softmax,
        title="Probabilities from logits",
        without=("softmax", "log_softmax"),
        points=3,
        cases=softmax_cases,
        misconceptions=(
            without_shift,
            down_the_batch,
            down_the_batch_without_shift,
            largest_without_keepdims,
            sum_without_keepdims,
            over_the_whole_batch,
            over_the_whole_batch_without_shift,
            one_shift_for_all,
            below_the_largest,
            first_for_largest,
            last_for_largest,
            pair_of_max,
            without_exponential,
            the_logarithm,
        ),
        hints=(
            "Every row is a sample of its own: which axis do the classes lie along, and which shape must the sum keep?",
            "Subtract `logits.max(axis=1, keepdims=True)` before the exponential; it changes no probability.",
            "With `e = kernel.exp(logits - logits.max(axis=1, keepdims=True))`, divide `e` by its sum along axis 1.",
        ),
    ),
    Exercise(
        crossentropy,
        title="The loss of a batch",
        without=("cross_entropy",),
        points=3,
        cases=crossentropy_cases,
        tolerance=ROUNDING_OF_LARGE_LOGITS,
        uses=("softmax",),
        misconceptions=(
            without_minus,
            sum_for_mean,
            mean_over_all,
            log_of_softmax,
            neither_step_is_safe,
            tiny_added,
            tiny_at_least,
            exponential_overflows,
            one_shift_for_the_batch,
            shift_below_the_largest,
            shift_forgotten,
            softmax_twice,
            base_two,
            of_the_winner,
            every_label_in_every_row,
            log_of_the_mean,
            not_averaged,
        ),
        hints=(
            "The loss of one sample is logsumexp(z) minus the logit of its true class; it never needs a probability.",
            "`kernel.gather(logits, 1, kernel.expand_dims(labels, 1))` is the true logit of each row, shape (B, 1).",
            "`kernel.logsumexp(logits, axis=1, keepdims=True)` has shape (B, 1) too: subtract, then take the mean.",
        ),
    ),
    Exercise(
        crossentropy_gradient,
        title="The push on each logit",
        without=("cross_entropy", "backward", "grad"),
        points=2,
        cases=crossentropy_gradient_cases,
        uses=("softmax",),
        misconceptions=(
            not_divided,
            truth_minus_probability,
            truth_minus_probability_not_divided,
            truth_forgotten,
            divided_by_all,
            divided_by_the_classes,
            logits_for_probabilities,
            with_respect_to_probabilities,
            softmax_overflows,
            softmax_of_columns,
        ),
        hints=(
            "For one sample the gradient is p - y. What does the mean over the batch do to it?",
            "`kernel.one_hot(labels, logits.shape[1], logits.dtype)` is y, shape (B, C) like the logits.",
            "Subtract y from `softmax(logits)`, and divide by `len(logits)`, which is B.",
        ),
    ),
    Exercise(
        soft_crossentropy,
        title="Targets that are distributions",
        without=("cross_entropy",),
        points=2,
        cases=soft_crossentropy_cases,
        tolerance=ROUNDING_OF_LARGE_LOGITS,
        misconceptions=(
            only_the_likeliest,
            soft_without_minus,
            soft_mean_over_all,
            soft_sum_for_mean,
            soft_not_averaged,
            roles_exchanged,
            targets_through_softmax,
            logits_in_the_logarithm,
            soft_log_of_softmax,
            soft_tiny_added,
            soft_tiny_at_least,
            soft_exponential_overflows,
            soft_one_shift_for_the_batch,
            soft_shift_below_the_largest,
            divergence_for_crossentropy,
        ),
        hints=(
            "Nothing is picked here: every class of a row counts, with its share in the target as weight.",
            "log p is `logits - kernel.logsumexp(logits, axis=1, keepdims=True)`, shape (B, C), at any size of logit.",
            "Multiply the targets by log p, sum along axis 1, take the mean over the batch, and turn the sign.",
        ),
    ),
    Exercise(
        kl_divergence,
        title="How far one distribution is from another",
        points=2,
        cases=kl_divergence_cases,
        misconceptions=(
            zero_times_infinity,
            exchanged,
            crossentropy_for_divergence,
            sign_turned,
            without_weights,
            over_classes_as_mean,
            one_number,
            divergence_in_bits,
        ),
        hints=(
            "It is the cross-entropy of y and p minus the entropy of y: y (log y - log p), summed over the classes.",
            "A class with y = 0 adds nothing, but log 0 is -inf and 0 · -inf is nan: give the logarithm a 1 there.",
            "With `safe = kernel.where(y > 0, y, kernel.ones_like(y))` in the logarithm, log y is 0 wherever y is 0.",
        ),
    ),
]
