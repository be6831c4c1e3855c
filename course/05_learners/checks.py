"""The exercises on learners: right answers, wrong ones that students give, and hints."""

import kernel
from classroom.spec import Case, Exercise

# --- sgd_update -----------------------------------------------------------------------------------------------------


def sgd_update(w, gradient, rate, samples, per):
    if per == "minibatch":
        rate = rate / samples
    return w - rate * gradient


def never_divided(w, gradient, rate, samples, per):
    """A rate per minibatch is meant for the mean gradient, and this gradient is a sum: divide by the samples there."""
    return w - rate * gradient


def always_divided(w, gradient, rate, samples, per):
    """A rate per sample multiplies the sum as it is, so that every sample counts with it: divide per minibatch only."""
    return w - rate * gradient / samples


def the_other_way_round(w, gradient, rate, samples, per):
    """It is the wrong way round: a rate per sample multiplies the sum, a rate per minibatch the mean."""
    return w - (rate / samples if per == "sample" else rate) * gradient


def multiplied_per_sample(w, gradient, rate, samples, per):
    """The samples are counted twice, since the gradient is their sum already: per sample it is just rate · gradient."""
    return w - (rate * samples if per == "sample" else rate) * gradient


def uphill(w, gradient, rate, samples, per):
    """This goes uphill: the gradient points to where the loss grows, so the step is subtracted."""
    return w + (rate if per == "sample" else rate / samples) * gradient


def the_step_alone(w, gradient, rate, samples, per):
    """This is the step, not where it leads: return the weights less the step."""
    return (rate if per == "sample" else rate / samples) * gradient


def divided_by_the_weights(w, gradient, rate, samples, per):
    """A minibatch is divided by the number of its samples, which the argument tells, and not by that of the weights."""
    return w - (rate if per == "sample" else rate / len(w)) * gradient


def multiplied_per_minibatch(w, gradient, rate, samples, per):
    """The sum is multiplied by the samples once more: per minibatch it is divided by them, which makes it a mean."""
    return w - (rate if per == "sample" else rate * samples) * gradient


def always_multiplied(w, gradient, rate, samples, per):
    """The samples are counted twice, in both cases: per sample it is rate · gradient, per minibatch it is divided."""
    return w - rate * samples * gradient


def rate_forgotten(w, gradient, rate, samples, per):
    """The rate is missing: the step is the rate times the sum, or the rate times the mean."""
    return w - (gradient if per == "sample" else gradient / samples)


def mean_over_the_weights(w, gradient, rate, samples, per):
    """gradient.mean() is the mean over the weights, and all would go the same way: the mean is over the samples."""
    return w - rate * (gradient if per == "sample" else gradient.mean())


def step_upside_down(w, gradient, rate, samples, per):
    """This is the step with its minus sign, not where it leads: add it to the weights."""
    return -(rate if per == "sample" else rate / samples) * gradient


def per_sample_only(w, gradient, rate, samples, per):
    """Per minibatch nothing comes back: the return stands inside the if, so give both cases one."""
    return w - rate * gradient if per == "sample" else None


def sgd_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([0.0, 0.0, 0.0]), tensor([1.0, 1.0, 2.0]), 0.5, 2, "sample", note="a rate per sample")
    yield Case(tensor([0.0, 0.0, 0.0]), tensor([1.0, 1.0, 2.0]), 0.5, 2, "minibatch", note="a rate per minibatch")
    for per in ("sample", "minibatch"):
        w, gradient = random.normal(size=(2, 5))
        yield Case(tensor(w), tensor(gradient), float(random.uniform(0.01, 1)), 32, per, note=f"a rate per {per}")


# --- adagrad_path ---------------------------------------------------------------------------------------------------


def adagrad_path(w, gradients, rate, epsilon):
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w


def epsilon_outside(w, gradients, rate, epsilon):
    """ε stands outside of the root, as PyTorch has it: in this exercise it is added to a first, √(a + ε)."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / (kernel.sqrt(a) + epsilon)
    return w


def nothing_accumulated(w, gradients, rate, epsilon):
    """Nothing is accumulated: a is the sum of the squares of all gradients so far, not the square of the last."""
    for g in gradients:
        w = w - rate * g / kernel.sqrt(g * g + epsilon)
    return w


def accumulated_after(w, gradients, rate, epsilon):
    """The step is taken with the old a: first add this gradient's square, then divide."""
    a = 0 * w
    for g in gradients:
        w = w - rate * g / kernel.sqrt(a + epsilon)
        a = a + g * g
    return w


def without_the_root(w, gradients, rate, epsilon):
    """The root is missing, so that a large gradient makes a small step: divide by √(a + ε)."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / (a + epsilon)
    return w


def not_squared(w, gradients, rate, epsilon):
    """a sums up the sizes of the gradients: it should be their squares, g · g."""
    a = 0 * w
    for g in gradients:
        a = a + abs(g)
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w


def one_for_all(w, gradients, rate, epsilon):
    """All weights share one a here, and with it one rate: keep the squares apart, without sum or mean over them."""
    a = 0
    for g in gradients:
        a = a + (g * g).sum()
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w


def an_average(w, gradients, rate, epsilon):
    """a is the average of the squares here, but Adagrad keeps their sum, so that its steps grow shorter."""
    total = 0 * w
    for t, g in enumerate(gradients, start=1):
        total = total + g * g
        w = w - rate * g / kernel.sqrt(total / t + epsilon)
    return w


def the_last_step_only(w, gradients, rate, epsilon):
    """Only the last step is taken: w should change in every round of the loop."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
    return w - rate * g / kernel.sqrt(a + epsilon)


def adagrad_uphill(w, gradients, rate, epsilon):
    """This goes uphill: the step is subtracted from the weights."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w + rate * g / kernel.sqrt(a + epsilon)
    return w


def epsilon_forgotten(w, gradients, rate, epsilon):
    """ε is missing: it is added to a under the root, √(a + ε), and keeps the first steps from a division by 0."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / kernel.sqrt(a)
    return w


def epsilon_every_time(w, gradients, rate, epsilon):
    """ε is added to a in every step, and a keeps it: add it under the root only, √(a + ε), and leave it out of a."""
    a = 0 * w
    for g in gradients:
        a = a + g * g + epsilon
        w = w - rate * g / kernel.sqrt(a)
    return w


def adagrad_without_rate(w, gradients, rate, epsilon):
    """The rate is missing: every step is multiplied by it."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - g / kernel.sqrt(a + epsilon)
    return w


def summed_then_squared(w, gradients, rate, epsilon):
    """The gradients are summed and then squared, so that they cancel if their signs differ: square each one first."""
    a = 0 * w
    for g in gradients:
        a = a + g
        w = w - rate * g / kernel.sqrt(a * a + epsilon)
    return w


def multiplied_by_the_root(w, gradients, rate, epsilon):
    """The step is multiplied by the root: divide by it, so that large gradients make no large steps."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
        w = w - rate * g * kernel.sqrt(a + epsilon)
    return w


def all_known_at_once(w, gradients, rate, epsilon):
    """Every step is divided by the sum of all gradients, those to come included: add them one by one in the loop."""
    a = (gradients * gradients).sum(axis=0)
    for g in gradients:
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w


def first_step_only(w, gradients, rate, epsilon):
    """Only the first step is taken: the return stands inside the loop, put it one level further out."""
    g = gradients[0]
    return w - rate * g / kernel.sqrt(g * g + epsilon)


def squares_returned(w, gradients, rate, epsilon):
    """This is a, the sum of the squares: return the weights."""
    a = 0 * w
    for g in gradients:
        a = a + g * g
    return a


def a_begins_at_w(w, gradients, rate, epsilon):
    """a begins at the weights: it begins at 0, and 0 * w has the right shape."""
    a = w
    for g in gradients:
        a = a + g * g
        w = w - rate * g / kernel.sqrt(a + epsilon)
    return w


def plain_descent(w, gradients, rate, epsilon):
    """This is SGD, without a: divide each step by √(a + ε), where a sums up the squares."""
    for g in gradients:
        w = w - rate * g
    return w


def adagrad_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([0.0, 0.0]), tensor([[3.0, 1.0], [4.0, 2.0]]), 1.0, 0.25)
    for steps, weights in ((4, 3), (7, 2)):
        w, gradients = random.normal(size=weights), random.normal(size=(steps, weights))
        yield Case(tensor(w), tensor(gradients), float(random.uniform(0.1, 1)), 0.5)
    scales = tensor([[100.0, 0.1]] * 5)
    noise = tensor(random.uniform(0.5, 1, size=(5, 2)))
    yield Case(tensor([1.0, 1.0]), scales * noise, 0.1, 0.01, note="gradients of very different sizes")


# --- adam_path ------------------------------------------------------------------------------------------------------


def adam_path(w, gradients, rate, beta1, beta2, epsilon):
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def no_correction(w, gradients, rate, beta1, beta2, epsilon):
    """The averages begin at 0 and are too small at first: divide them by 1 − β₁ᵗ and 1 − β₂ᵗ."""
    m, a = 0 * w, 0 * w
    for g in gradients:
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * m / (kernel.sqrt(a) + epsilon)
    return w


def counted_from_zero(w, gradients, rate, beta1, beta2, epsilon):
    """t is 0 in the first step, so that 1 − βᵗ is 0 and the division gives nan: count from 1, with start=1."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def betas_swapped(w, gradients, rate, beta1, beta2, epsilon):
    """The two momenta are exchanged: β₁ belongs to the average of the gradients, β₂ to that of their squares."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta2 * m + (1 - beta2) * g
        a = beta1 * a + (1 - beta1) * g * g
        m_hat, a_hat = m / (1 - beta2**t), a / (1 - beta1**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def averages_swapped(w, gradients, rate, beta1, beta2, epsilon):
    """m and a have changed places in the step: the average of the gradients goes above, the root of the other below."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * a_hat / (kernel.sqrt(m_hat) + epsilon)
    return w


def only_the_first_corrected(w, gradients, rate, beta1, beta2, epsilon):
    """Only m is corrected: a begins at 0 as well, and with β₂ near 1 it is too small for longer still."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * m / (1 - beta1**t) / (kernel.sqrt(a) + epsilon)
    return w


def only_the_second_corrected(w, gradients, rate, beta1, beta2, epsilon):
    """Only a is corrected: m begins at 0 as well, so divide it by 1 − β₁ᵗ."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * m / (kernel.sqrt(a / (1 - beta2**t)) + epsilon)
    return w


def corrected_for_good(w, gradients, rate, beta1, beta2, epsilon):
    """The corrected averages are kept as m and a, and corrected again in the next step: give them other names."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m, a = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m / (kernel.sqrt(a) + epsilon)
    return w


def corrected_once(w, gradients, rate, beta1, beta2, epsilon):
    """The correction is the same in every step, 1 − β: it is 1 − βᵗ, where t counts the steps, and comes to 1."""
    m, a = 0 * w, 0 * w
    for g in gradients:
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * m / (1 - beta1) / (kernel.sqrt(a / (1 - beta2)) + epsilon)
    return w


def epsilon_inside(w, gradients, rate, beta1, beta2, epsilon):
    """ε is added under the root: in this exercise it stands beside it, √â + ε."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / kernel.sqrt(a_hat + epsilon)
    return w


def a_sum_for_an_average(w, gradients, rate, beta1, beta2, epsilon):
    """m is a sum here, too large by 1 / (1 − β₁): the new gradient counts with 1 − β₁, and then m is an average."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def squares_forgotten(w, gradients, rate, beta1, beta2, epsilon):
    """The root is missing: divide by √â, or the size of the gradient does not cancel."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * m / (1 - beta1**t) / (a / (1 - beta2**t) + epsilon)
    return w


def square_of_the_average(w, gradients, rate, beta1, beta2, epsilon):
    """a is made of the squares of m: it should be made of those of the gradients, g · g, whose signs do not cancel."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * m * m
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def counted_from_zero_in_numbers(w, gradients, rate, beta1, beta2, epsilon):
    """t is 0 in the first step, so that 1 − βᵗ is 0 and Python stops at the division: count from 1, with start=1."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        factor = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        w = w - rate * factor * m / (kernel.sqrt(a) + epsilon)
    return w


def epsilon_before_the_correction(w, gradients, rate, beta1, beta2, epsilon):
    """ε is added to the root before it is corrected, as CNTK has it: correct a first, then add ε to √â."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        factor = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        w = w - rate * factor * m / (kernel.sqrt(a) + epsilon)
    return w


def corrections_swapped(w, gradients, rate, beta1, beta2, epsilon):
    """The corrections are exchanged: m is divided by 1 − β₁ᵗ, and a by 1 − β₂ᵗ."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta2**t), a / (1 - beta1**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def one_beta_for_both(w, gradients, rate, beta1, beta2, epsilon):
    """Both averages use β₁: that of the squares has a β of its own, β₂."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta1 * a + (1 - beta1) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta1**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def corrected_by_the_last_t(w, gradients, rate, beta1, beta2, epsilon):
    """Every step is corrected as if it were the last: t counts the steps, and grows in the loop."""
    m, a, t = 0 * w, 0 * w, len(gradients)
    for g in gradients:
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def multiplied_by_the_correction(w, gradients, rate, beta1, beta2, epsilon):
    """The averages are multiplied by 1 − βᵗ, which makes them smaller still: divide them by it."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m * (1 - beta1**t), a * (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def adam_uphill(w, gradients, rate, beta1, beta2, epsilon):
    """This goes uphill: the step is subtracted from the weights."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w + rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def weights_of_the_averages(w, gradients, rate, beta1, beta2, epsilon):
    """β and 1 − β have changed places: β says how much of the old average is kept."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = (1 - beta1) * m + beta1 * g
        a = (1 - beta2) * a + beta2 * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def not_squared_in_a(w, gradients, rate, beta1, beta2, epsilon):
    """a averages the gradients themselves, and the root of a negative one is nan: average their squares, g · g."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def share_squared(w, gradients, rate, beta1, beta2, epsilon):
    """The share 1 − β₂ is squared too: only the gradient is, (1 − β₂) · g · g."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + ((1 - beta2) * g) ** 2
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def without_momentum(w, gradients, rate, beta1, beta2, epsilon):
    """The new gradient stands above the root: it should be m̂, the average of the gradients."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g * g
        w = w - rate * g / (kernel.sqrt(a / (1 - beta2**t)) + epsilon)
    return w


def two_sums(w, gradients, rate, beta1, beta2, epsilon):
    """m and a are sums here, not averages: the new gradient counts with 1 − β₁, and its square with 1 − β₂."""
    m, a = 0 * w, 0 * w
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + g
        a = beta2 * a + g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def adam_first_step_only(w, gradients, rate, beta1, beta2, epsilon):
    """Only the first step is taken: the return stands inside the loop, put it one level further out."""
    g = gradients[0]
    return w - rate * g / (kernel.sqrt(g * g) + epsilon)


def averages_forgotten(w, gradients, rate, beta1, beta2, epsilon):
    """The averages begin anew in every step: set m and a to 0 once, before the loop."""
    for t, g in enumerate(gradients, start=1):
        m, a = (1 - beta1) * g, (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def one_tensor_for_both(w, gradients, rate, beta1, beta2, epsilon):
    """m and a are one and the same tensor, since m = a = 0 * w names it twice: give each its own."""
    m = a = 0 * w
    for t, g in enumerate(gradients, start=1):
        m *= beta1
        m += (1 - beta1) * g
        a *= beta2
        a += (1 - beta2) * g * g
        m_hat, a_hat = m / (1 - beta1**t), a / (1 - beta2**t)
        w = w - rate * m_hat / (kernel.sqrt(a_hat) + epsilon)
    return w


def adam_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([0.0, 0.0]), tensor([[4.0, 0.5], [2.0, -0.5]]), 0.1, 0.9, 0.99, 0.125)
    for steps, weights in ((4, 3), (6, 2)):
        w, gradients = random.normal(size=weights), random.normal(size=(steps, weights))
        yield Case(tensor(w), tensor(gradients), float(random.uniform(0.1, 1)), 0.8, 0.95, 0.25)
    yield Case(tensor([1.0]), tensor(random.uniform(0.5, 1, size=(1, 1))), 0.1, 0.9, 0.99, 0.0, note="one step only")


# --- adadelta_path --------------------------------------------------------------------------------------------------


def adadelta_path(w, gradients, rho, epsilon):
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def the_old_a(w, gradients, rho, epsilon):
    """Every step is the whole gradient, as a and x are equal: a takes g · g before the step, x takes d · d after."""
    a = x = 0 * w
    for g in gradients:
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        a = rho * a + (1 - rho) * g * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def the_new_x(w, gradients, rho, epsilon):
    """x is brought up to date, and then the step is computed again with it: the step is made with the old x."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
    return w


def x_of_gradients(w, gradients, rho, epsilon):
    """x averages the squares of the gradients here, as a does: it should be the squares of the steps, d · d."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * g * g
        w = w - d
    return w


def x_stays(w, gradients, rho, epsilon):
    """x stays 0, so that this is RMSProp with the rate √ε: average the squares of the steps in it."""
    a = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        w = w - kernel.sqrt(0 * w + epsilon) / kernel.sqrt(a + epsilon) * g
    return w


def never_begins(w, gradients, rho, epsilon):
    """Without ε above, the first step is 0, and all that follow too, as x stays 0: √(x + ε)."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def epsilons_outside(w, gradients, rho, epsilon):
    """Both ε stand outside of the roots: they are added under them, √(x + ε) and √(a + ε)."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = (kernel.sqrt(x) + epsilon) / (kernel.sqrt(a) + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def no_roots(w, gradients, rho, epsilon):
    """The roots are missing: a and x average squares, and only their roots have the size of a gradient and a step."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = (x + epsilon) / (a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def upside_down(w, gradients, rho, epsilon):
    """The fraction stands on its head: the size of the steps goes above, that of the gradients below."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(a + epsilon) / kernel.sqrt(x + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def steps_not_squared(w, gradients, rho, epsilon):
    """x averages the sizes of the steps, and then its root is taken: average their squares, d · d."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * abs(d)
        w = w - d
    return w


def rho_the_other_way(w, gradients, rho, epsilon):
    """ρ and 1 − ρ have changed places: ρ says how much of the old average is kept."""
    a = x = 0 * w
    for g in gradients:
        a = (1 - rho) * a + rho * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = (1 - rho) * x + rho * d * d
        w = w - d
    return w


def adadelta_uphill(w, gradients, rho, epsilon):
    """This goes uphill: d has the gradient's sign, so it is subtracted from the weights."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w + d
    return w


def sums_for_averages(w, gradients, rho, epsilon):
    """a and x are sums, as Adagrad has them: here they are averages, the old with ρ and the new with 1 − ρ."""
    a = x = 0 * w
    for g in gradients:
        a = a + g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = x + d * d
        w = w - d
    return w


def only_a_is_a_sum(w, gradients, rho, epsilon):
    """a is a sum, as in Adagrad: here it is an average, ρ of the old and 1 − ρ of the new square."""
    a = x = 0 * w
    for g in gradients:
        a = a + g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def new_ones_in_full(w, gradients, rho, epsilon):
    """The new squares count in full: with ρ for the old, they count with 1 − ρ."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + d * d
        w = w - d
    return w


def gradient_missing(w, gradients, rho, epsilon):
    """d is only the fraction of the two roots: it is that times the gradient."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon)
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def gradient_twice(w, gradients, rho, epsilon):
    """The gradient is multiplied in twice: d has it already, so that w goes by d."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d * g
    return w


def no_epsilon_below(w, gradients, rho, epsilon):
    """ε is missing below: both roots have one, √(x + ε) and √(a + ε)."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a) * g
        x = rho * x + (1 - rho) * d * d
        w = w - d
    return w


def adadelta_first_step_only(w, gradients, rho, epsilon):
    """Only the first step is taken: the return stands inside the loop, put it one level further out."""
    g = gradients[0]
    return w - (epsilon / ((1 - rho) * g * g + epsilon)) ** 0.5 * g


def adadelta_last_step_only(w, gradients, rho, epsilon):
    """Only the last step is taken: w should change in every round of the loop."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
    return w - d


def step_returned(w, gradients, rho, epsilon):
    """This is the last step, not where it leads: return the weights."""
    a = x = 0 * w
    for g in gradients:
        a = rho * a + (1 - rho) * g * g
        d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g
        x = rho * x + (1 - rho) * d * d
    return d


def adadelta_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([0.0, 1.0]), tensor([[3.0, -1.0], [1.0, -2.0]]), 0.75, 0.25)
    for steps, weights in ((4, 3), (6, 2)):
        w, gradients = random.normal(size=weights), random.normal(size=(steps, weights))
        yield Case(tensor(w), tensor(gradients), 0.9, 0.1)


# --- retuned --------------------------------------------------------------------------------------------------------


def retuned():
    return {"A": 1004, "B": 32, "C": 2, "D": 0.01, "E": 0.1, "F": 1.0, "G": 0.25}


def from_rounded_digits():
    """A: −0.0099 has two digits only, and so has the quotient: −9.9228 / −0.009883 is the rate."""
    return {"A": 1002}


def a_is_not_rounded():
    """A: so much is right, and the nearest whole number was asked for."""
    there = kernel.inspect_update(kernel.adadelta([kernel.Parameter([0.0])], 1, 0.999, 1e-6), 32, 10)[0].item()
    return {"A": -9.9228 / there}


def a_of_four_decimals():
    """A: −0.0099 has two digits only, and so has the quotient: print more of them, then give a whole number."""
    return {"A": 9.9228 / 0.0099}


def the_other_way():
    """A: Adadelta goes too short a way at rate 1, so that the rate must grow: −9.9228 / −0.009883."""
    return {"A": 0.001}


def b_as_it_was_printed():
    """B: 31.75 is right, and the nearest whole number was asked for."""
    return {"B": 31.75}


def b_is_not_rounded():
    """B: so much is right, and the nearest whole number was asked for."""
    return {"B": 9.9203 / 0.3124}


def c_is_not_rounded():
    """C: so much is right, and the nearest whole number was asked for."""
    return {"C": 0.3125 / 0.1569}


def the_difference():
    """A: the way is the rate times what it is at rate 1, so divide −9.9228 by −0.009883, and do not subtract."""
    return {"A": 10}


def needs_no_rate():
    """A: at rate 1 it goes a thousandth of the way: it has a rate like all the others, only with a default."""
    return {"A": 1}


def momentum_brings_it():
    """B: with unit gain momentum is an average, and gets no farther than one gradient: it takes 9.9203 / 0.3124."""
    return {"B": 1}


def rounded_down():
    """B: 9.9203 / 0.3124 is 31.75, which is 1 / (1 − momentum), and nearer to 32."""
    return {"B": 31}


def plain_adagrad_is_as_fast():
    """C: without the multiplier its steps grow shorter, 1 / √t, so that ten of them go half as far: 0.3125 / 0.1569."""
    return {"C": 1}


def upside_down_c():
    """C: it goes too short a way at rate 1, so that the rate must grow: 0.3125 / 0.1569."""
    return {"C": 0.5}


def sgd_does_not_notice():
    """D: a loss that is 10 times larger has gradients that are, and SGD multiplies them by its rate as they are."""
    return {"D": 0.1}


def larger_for_larger():
    """D: the gradients are 10 times larger already, so that the rate has to be 10 times smaller."""
    return {"D": 1.0}


def adam_notices():
    """E: the factor 10 stands above and below in Adam's fraction and cancels: the rate may stay."""
    return {"E": 0.01}


def adam_notices_upward():
    """E: a larger loss calls for no larger rate, and in Adam's fraction the factor cancels altogether."""
    return {"E": 1.0}


def per_minibatch_keeps_the_samples():
    """F: a rate per minibatch keeps the way per update, and there are half as many: each must go twice as far."""
    return {"F": 0.5}


def halved_per_minibatch():
    """F: fewer updates for the same samples call for longer steps, not shorter ones."""
    return {"F": 0.25}


def per_sample_keeps_the_step():
    """G: the sum has twice as many terms now, and with it the step may be twice as long: halve the rate."""
    return {"G": 0.5}


def doubled_per_sample():
    """G: the sum has grown with the minibatch already, so that the rate has to shrink, not to grow."""
    return {"G": 1.0}


exercises = [
    Exercise(
        sgd_update,
        title="What the rate is per",
        points=2,
        cases=sgd_cases,
        public=2,
        without=("SGD", "sgd"),
        misconceptions=(
            never_divided,
            always_divided,
            the_other_way_round,
            multiplied_per_sample,
            uphill,
            the_step_alone,
            divided_by_the_weights,
            multiplied_per_minibatch,
            always_multiplied,
            rate_forgotten,
            mean_over_the_weights,
            step_upside_down,
            per_sample_only,
        ),
        hints=(
            "One of the two words lets the rate multiply the sum of the gradients, the other their mean.",
            "The mean is the sum divided by the number of samples; a rate per minibatch is meant for it.",
            'if per == "minibatch", divide the rate by samples; then return w - rate * gradient.',
        ),
    ),
    Exercise(
        adagrad_path,
        title="Adagrad",
        points=2,
        cases=adagrad_cases,
        without=("Adagrad", "adagrad"),
        misconceptions=(
            epsilon_outside,
            nothing_accumulated,
            accumulated_after,
            without_the_root,
            not_squared,
            one_for_all,
            an_average,
            the_last_step_only,
            adagrad_uphill,
            epsilon_forgotten,
            epsilon_every_time,
            adagrad_without_rate,
            summed_then_squared,
            multiplied_by_the_root,
            all_known_at_once,
            first_step_only,
            squares_returned,
            a_begins_at_w,
            plain_descent,
        ),
        hints=(
            "Begin with a = 0 * w, and go through the rows: for g in gradients.",
            "In every round a grows by g * g first; then w goes by the gradient divided by a root.",
            "a = a + g * g; w = w - rate * g / kernel.sqrt(a + epsilon).",
        ),
    ),
    Exercise(
        adam_path,
        title="Adam",
        points=3,
        cases=adam_cases,
        without=("Adam", "adam"),
        misconceptions=(
            no_correction,
            counted_from_zero,
            betas_swapped,
            averages_swapped,
            only_the_first_corrected,
            only_the_second_corrected,
            corrected_for_good,
            corrected_once,
            epsilon_inside,
            a_sum_for_an_average,
            squares_forgotten,
            square_of_the_average,
            counted_from_zero_in_numbers,
            epsilon_before_the_correction,
            corrections_swapped,
            one_beta_for_both,
            corrected_by_the_last_t,
            multiplied_by_the_correction,
            adam_uphill,
            weights_of_the_averages,
            not_squared_in_a,
            share_squared,
            without_momentum,
            two_sums,
            adam_first_step_only,
            averages_forgotten,
            one_tensor_for_both,
        ),
        hints=(
            "Two averages, m of the gradients and a of their squares, both 0 at first; and a count t that begins at 1.",
            "In every round: the averages, then both divided by 1 minus their β to the t, under names of their own.",
            "for t, g in enumerate(gradients, start=1), and at its end w = w - rate * m_hat / (kernel.sqrt(a_hat) + "
            "epsilon).",
        ),
    ),
    Exercise(
        adadelta_path,
        title="Adadelta",
        points=3,
        cases=adadelta_cases,
        without=("Adadelta", "adadelta"),
        misconceptions=(
            the_old_a,
            the_new_x,
            x_of_gradients,
            x_stays,
            never_begins,
            epsilons_outside,
            no_roots,
            upside_down,
            steps_not_squared,
            rho_the_other_way,
            adadelta_uphill,
            sums_for_averages,
            only_a_is_a_sum,
            new_ones_in_full,
            gradient_missing,
            gradient_twice,
            no_epsilon_below,
            adadelta_first_step_only,
            adadelta_last_step_only,
            step_returned,
        ),
        hints=(
            "Two averages again: a of the squares of the gradients, x of the squares of the steps.",
            "The order in a round: a with the new gradient, the step d with the old x, x with the new step, then w.",
            "d = kernel.sqrt(x + epsilon) / kernel.sqrt(a + epsilon) * g, and then x = rho * x + (1 - rho) * d * d.",
        ),
    ),
    Exercise(
        retuned,
        title="Switch, and retune",
        points=2,
        misconceptions=(
            from_rounded_digits,
            a_is_not_rounded,
            a_of_four_decimals,
            the_other_way,
            b_as_it_was_printed,
            b_is_not_rounded,
            c_is_not_rounded,
            the_difference,
            needs_no_rate,
            momentum_brings_it,
            rounded_down,
            plain_adagrad_is_as_fast,
            upside_down_c,
            sgd_does_not_notice,
            larger_for_larger,
            adam_notices,
            adam_notices_upward,
            per_minibatch_keeps_the_samples,
            halved_per_minibatch,
            per_sample_keeps_the_step,
            doubled_per_sample,
        ),
        hints=(
            "Where a step is the rate times something that the rate does not change, so is the whole way: divide.",
            "For A let inspect_update tell you more digits of the way at rate 1; for D and E write the step and put a "
            "factor 10 before every g.",
            "F and G: write the step as rate · sum / n or rate · sum, and count how many updates 64 samples take.",
        ),
    ),
]
