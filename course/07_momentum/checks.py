"""The exercises on momentum: right answers, wrong ones that students give, and hints."""

import math

import kernel
from classroom.spec import Case, Exercise

# --- memory ---------------------------------------------------------------------------------------------------------


def memory(momentum, samples):
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant * math.log(2)


def decimal_logarithm(momentum, samples):
    """The time constant is the time to 1/e, so the logarithm is the natural one, math.log, and not that to base 10."""
    time_constant = samples / math.log10(1 / momentum)
    return time_constant, time_constant * math.log10(2)


def tenth_for_e(momentum, samples):
    """math.log10 gives the time until a tenth is left: the time constant is the time to 1/e, from math.log."""
    time_constant = samples / math.log10(1 / momentum)
    return time_constant, time_constant * math.log(2)


def half_by_ten(momentum, samples):
    """The half-life mixes two logarithms, log10(2) and log(1 / momentum): take math.log for both."""
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant * math.log10(2)


def half_life_twice(momentum, samples):
    """Both are the half-life here: the logarithm to base 2 belongs to it alone, and math.log to the time constant."""
    half_life = samples / math.log2(1 / momentum)
    return half_life, half_life


def binary_logarithm(momentum, samples):
    """The logarithm to base 2 gives the half-life where the time constant belongs: take math.log, to base e."""
    time_constant = samples / math.log2(1 / momentum)
    return time_constant, time_constant * math.log(2)


def minibatches(momentum, samples):
    """This counts minibatches: each of them fades by the momentum and holds `samples` samples, so multiply by that."""
    time_constant = 1 / math.log(1 / momentum)
    return time_constant, time_constant * math.log(2)


def half_life_in_minibatches(momentum, samples):
    """The half-life is in minibatches here, the time constant in samples: multiply both by the samples of one."""
    return samples / math.log(1 / momentum), math.log(2) / math.log(1 / momentum)


def divided_by_samples(momentum, samples):
    """A minibatch holds `samples` samples, so in samples the memory is that many times longer: multiply, not divide."""
    time_constant = 1 / math.log(1 / momentum) / samples
    return time_constant, time_constant * math.log(2)


def upside_down(momentum, samples):
    """This is how much fades per sample: the memory is its inverse, samples / log(1 / momentum)."""
    fades = math.log(1 / momentum) / samples
    return fades, fades * math.log(2)


def whole_minibatches(momentum, samples):
    """Whole minibatches are counted until so little is left: solve momentum^k = 1/e for k, which need not be whole."""
    counts = [0, 0]
    for number, goal in enumerate((1 / math.e, 1 / 2)):
        left = 1.0
        while left > goal:
            left, counts[number] = left * momentum, counts[number] + 1
    return counts[0] * samples, counts[1] * samples


def negative_half_life(momentum, samples):
    """The half-life is below 0, for log(1/2) is: take log 2, or divide log(1/2) by log(momentum)."""
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant * math.log(1 / 2)


def negative_time_constant(momentum, samples):
    """Only the time constant is below 0: log(1/e) is −1, so divide −samples by log(momentum)."""
    time_constant = samples / math.log(momentum)
    return time_constant, time_constant * math.log(1 / 2)


def negative(momentum, samples):
    """The logarithm of a number below 1 is negative and a memory is not: divide by log(1 / momentum)."""
    time_constant = samples / math.log(momentum)
    return time_constant, time_constant * math.log(2)


def effective_number(momentum, samples):
    """1 / (1 − momentum) is near to the time constant when the momentum is near to 1, but it is not equal to it."""
    time_constant = samples / (1 - momentum)
    return time_constant, time_constant * math.log(2)


def swapped(momentum, samples):
    """The two stand the wrong way round: the time constant comes first, and is the longer one."""
    time_constant = samples / math.log(1 / momentum)
    return time_constant * math.log(2), time_constant


def longer_half_life(momentum, samples):
    """To fade to a half takes less time than to fade to 1/e = 0.37: the half-life is log 2 times the time constant."""
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant / math.log(2)


def half_of_it(momentum, samples):
    """The half-life is not half of the time constant: solve momentum^(h / samples) = 1/2 for h."""
    time_constant = samples / math.log(1 / momentum)
    return time_constant, time_constant / 2


def memory_cases(random, dtype):
    yield Case(0.9672161004820059, 10)
    yield Case(0.5, 1)
    for _ in range(3):
        yield Case(float(random.uniform(0.2, 0.97)), int(random.integers(2, 500)))


# --- hidden ---------------------------------------------------------------------------------------------------------


def hidden():
    return {
        "time constant": -1 / math.log(0.9990239141819757),
        "half-life": 1024 * math.log(2),
        "momentum for minibatches of 256": math.exp(-256 / 1024),
    }


def one_over_the_rest():
    """1 / (1 − momentum) comes near, but it is no round number: solve exp(−1 / T) = 0.9990… for T instead."""
    return {"time constant": 1 / (1 - 0.9990239141819757)}


def half_life_for_time_constant():
    """That is the half-life, the time to 1/2: the time constant is the time to 1/e, from the natural logarithm."""
    return {"time constant": -math.log(2) / math.log(0.9990239141819757)}


def decimal():
    """math.log10 asks for the time to 1/10: the time constant is the time to 1/e, from math.log."""
    return {"time constant": -1 / math.log10(0.9990239141819757)}


def counted_in_minibatches():
    """The number is meant per sample, so its time constant is in samples: no minibatch size comes in."""
    return {"time constant": -256 / math.log(0.9990239141819757)}


def time_constant_for_half_life():
    """After that many samples 1/e is left, not a half: the half-life is log 2 times as long as the time constant."""
    return {"half-life": -1 / math.log(0.9990239141819757)}


def half_of_the_time_constant():
    """The half-life is not half of the time constant: exp(−h / T) = 1/2 gives h = T log 2."""
    return {"half-life": 512}


def longer_than_the_time_constant():
    """To fade to a half takes less time than to 1/e: multiply the time constant by log 2, do not divide."""
    return {"half-life": 1024 / math.log(2)}


def negative_memory():
    """The logarithm of a number below 1 is negative, and a memory is not: turn the sign."""
    return {"time constant": -1024}


def minibatches_for_samples():
    """That is the time constant in minibatches of 256: asked for is one in samples, and the number is per sample."""
    return {"time constant": 4}


def two_for_e():
    """2^(−256 / T) takes T for a half-life: the time constant belongs to e, so it is exp(−256 / T)."""
    return {"momentum for minibatches of 256": 2 ** (-256 / 1024)}


def what_has_faded():
    """This is what has faded: asked for is what is left of a gradient."""
    return {"momentum for minibatches of 256": 1 - math.exp(-256 / 1024)}


def ratio_turned():
    """The exponent is upside down: 256 samples are a quarter of the time constant, so it is −256 / 1024."""
    return {"momentum for minibatches of 256": math.exp(-1024 / 256)}


def the_same_momentum():
    """In a minibatch of 256 the number is applied for each of the samples: raise it to the power 256."""
    return {"momentum for minibatches of 256": 0.9990239141819757}


def multiplied():
    """Fading multiplies: 256 samples leave momentum · momentum · …, a power, and not 1 − 256 · (1 − momentum)."""
    return {"momentum for minibatches of 256": 1 - 256 * (1 - 0.9990239141819757)}


def root():
    """The root would be for a part of a sample: 256 samples fade more than one, so it is the 256th power."""
    return {"momentum for minibatches of 256": 0.9990239141819757 ** (1 / 256)}


# --- momentum_step --------------------------------------------------------------------------------------------------


def momentum_step(w, v, gradient, rate, momentum, unit_gain):
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - v, v


def gain_forgotten(w, v, gradient, rate, momentum, unit_gain):
    """With unit gain the new gradient counts 1 − momentum: here it counts 1, as without."""
    v = momentum * v + rate * gradient
    return w - v, v


def gain_always(w, v, gradient, rate, momentum, unit_gain):
    """The factor 1 − momentum belongs to unit gain alone: without it the gradient counts 1."""
    v = momentum * v + (1 - momentum) * rate * gradient
    return w - v, v


def gain_twice(w, v, gradient, rate, momentum, unit_gain):
    """The factor 1 − momentum comes in twice, at the gradient and again at the step: once is enough."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - gain * v, v


def gain_turned_round(w, v, gradient, rate, momentum, unit_gain):
    """The two gains are exchanged: 1 − momentum belongs to unit gain, and 1 to the form without."""
    gain = 1 if unit_gain else 1 - momentum
    v = momentum * v + gain * rate * gradient
    return w - v, v


def momentum_for_gain(w, v, gradient, rate, momentum, unit_gain):
    """The new gradient is multiplied by the momentum here: with unit gain it counts 1 − momentum."""
    gain = momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - v, v


def gain_divided(w, v, gradient, rate, momentum, unit_gain):
    """Divided by 1 − momentum is the rate that makes up for unit gain: the gain itself multiplies the gradient."""
    gain = 1 / (1 - momentum) if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - v, v


def never_forgets(w, v, gradient, rate, momentum, unit_gain):
    """The old velocity is kept whole: momentum · v is left of it."""
    gain = 1 - momentum if unit_gain else 1
    v = v + gain * rate * gradient
    return w - v, v


def forgets_all(w, v, gradient, rate, momentum, unit_gain):
    """The old velocity is gone: momentum · v is left of it, and the gradient comes in."""
    gain = 1 - momentum if unit_gain else 1
    v = gain * rate * gradient
    return w - v, v


def rate_left_out(w, v, gradient, rate, momentum, unit_gain):
    """The rate does not come in: the new gradient is multiplied by it on its way into the velocity."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * gradient
    return w - v, v


def rate_on_everything(w, v, gradient, rate, momentum, unit_gain):
    """The old velocity holds its rate already: multiply the gradient alone by it."""
    gain = 1 - momentum if unit_gain else 1
    v = rate * (momentum * v + gain * gradient)
    return w - v, v


def rate_twice(w, v, gradient, rate, momentum, unit_gain):
    """The rate comes in twice, at the gradient and at the step: the velocity holds it already, so w −= v."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w - rate * v, v


def gathers_downhill(w, v, gradient, rate, momentum, unit_gain):
    """Two conventions are mixed: in ours v gathers + rate · gradient, and w goes against it, w −= v."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v - gain * rate * gradient
    return w + v, v


def velocity_first(w, v, gradient, rate, momentum, unit_gain):
    """The two stand the wrong way round: first the new w, then the new v."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return v, w - v


def nesterovs_step(w, v, gradient, rate, momentum, unit_gain):
    """This is a step of Nesterov's form, which adds momentum · v once more: the heavy ball moves by v."""
    d = (1 - momentum if unit_gain else 1) * rate * gradient
    v = momentum * v + d
    return w - (momentum * v + d), v


def gain_of_everything(w, v, gradient, rate, momentum, unit_gain):
    """The factor 1 − momentum stands before the gradient alone: here the old velocity is multiplied by it, too."""
    gain = 1 - momentum if unit_gain else 1
    v = gain * (momentum * v + rate * gradient)
    return w - v, v


def weights_swapped(w, v, gradient, rate, momentum, unit_gain):
    """The momentum is what is kept of the old velocity, and 1 − momentum what comes in: here it is the other way."""
    v = (1 - momentum) * v + (momentum if unit_gain else 1) * rate * gradient
    return w - v, v


def old_velocity(w, v, gradient, rate, momentum, unit_gain):
    """w moves by the velocity of before: first make the new velocity, then go by it."""
    gain = 1 - momentum if unit_gain else 1
    return w - v, momentum * v + gain * rate * gradient


def rate_outside(w, v, gradient, rate, momentum, unit_gain):
    """This is PyTorch's form, with the rate outside: in ours the velocity holds the rate already, and w −= v."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * gradient
    return w - rate * v, v


def uphill(w, v, gradient, rate, momentum, unit_gain):
    """This goes uphill: v gathers gradients, and w goes against them."""
    gain = 1 - momentum if unit_gain else 1
    v = momentum * v + gain * rate * gradient
    return w + v, v


def step_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([1.0, 2.0]), tensor([0.5, -0.5]), tensor([1.0, 1.0]), 0.1, 0.9, True)
    yield Case(tensor([1.0, 2.0]), tensor([0.5, -0.5]), tensor([1.0, 1.0]), 0.1, 0.9, False, note="without unit gain")
    for unit_gain in (True, False):
        w, v, gradient = random.normal(size=(3, 4, 3))
        yield Case(
            tensor(w), tensor(v), tensor(gradient), float(random.uniform(0.2, 2)), random.uniform(0.2, 0.8), unit_gain
        )


# --- unit_gain_rate -------------------------------------------------------------------------------------------------


def unit_gain_rate(rate, time_constant, samples):
    return rate / (1 - math.exp(-samples / time_constant))


def same_rate(rate, time_constant, samples):
    """Unit gain multiplies every gradient by 1 − momentum: at the same rate it goes slower, so the rate must grow."""
    return rate


def made_smaller(rate, time_constant, samples):
    """Unit gain makes the steps smaller by 1 − momentum: to make up for it, divide by that, do not multiply."""
    return rate * (1 - math.exp(-samples / time_constant))


def divided_by_momentum(rate, time_constant, samples):
    """The gradient is multiplied by 1 − momentum, not by momentum: divide the rate by 1 − momentum."""
    return rate / math.exp(-samples / time_constant)


def sign_lost(rate, time_constant, samples):
    """The momentum comes out above 1: the exponent is negative, exp(−samples / time_constant)."""
    return rate / (1 - math.exp(samples / time_constant))


def exponent_upside_down(rate, time_constant, samples):
    """The exponent is upside down: after time_constant samples 1/e is left, so it is −samples / time_constant."""
    return rate / (1 - math.exp(-time_constant / samples))


def one_plus_momentum(rate, time_constant, samples):
    """The gradient is multiplied by 1 − momentum: here it is a plus."""
    return rate / (1 + math.exp(-samples / time_constant))


def time_constant_for_momentum(rate, time_constant, samples):
    """A time constant is not a momentum: first compute the momentum, exp(−samples / time_constant)."""
    return rate / (1 - time_constant)


def times_samples(rate, time_constant, samples):
    """The samples of a minibatch have their say in the momentum already: leave them out of the rate."""
    return rate * samples / (1 - math.exp(-samples / time_constant))


def shared_by_samples(rate, time_constant, samples):
    """The rate is divided by the samples as well: each learner does that itself, so divide by 1 − momentum alone."""
    return rate / (1 - math.exp(-samples / time_constant)) / samples


def rate_forgotten(rate, time_constant, samples):
    """This is the factor alone: multiply the rate by it."""
    return 1 / (1 - math.exp(-samples / time_constant))


def samples_ignored(rate, time_constant, samples):
    """The time constant is in samples, and a velocity fades per minibatch: by exp(−samples / time_constant)."""
    return rate / (1 - math.exp(-1 / time_constant))


def as_long_as_the_memory(rate, time_constant, samples):
    """The memory of time_constant / samples minibatches is only near to 1 / (1 − momentum): compute the momentum."""
    return rate * time_constant / samples


def half_life_taken(rate, time_constant, samples):
    """2^(−samples / T) takes T for a half-life: with a time constant the momentum is exp(−samples / T)."""
    return rate / (1 - 2 ** (-samples / time_constant))


def gain_at_both(rate, time_constant, samples):
    """The factor 1 − momentum stands in unit gain once: divide by it once, not twice."""
    return rate / (1 - math.exp(-samples / time_constant)) ** 2


def rate_cases(random, dtype):
    yield Case(1.0, 300, 10)
    yield Case(0.05, 1024, 256)
    for _ in range(3):
        yield Case(float(random.uniform(0.3, 2)), float(random.uniform(50, 900)), int(random.integers(20, 300)))


# --- nesterov_step --------------------------------------------------------------------------------------------------


def nesterov_step(w, v, gradient, rate, momentum):
    v = momentum * v + rate * gradient(w - momentum * v)
    return w - v, v


def three_steps(answer, w, curvature, rate, momentum):
    """Where three steps lead, and where they ask for gradients."""
    asked = []

    def gradient(place):
        asked.append(place)
        return curvature * place

    v = 0 * w
    for _ in range(3):
        result = answer(w, v, gradient, rate, momentum)
        if not isinstance(result, tuple | list) or len(result) != 2:
            return result
        w, v = result
    return w, v, asked


def at_the_old_point(w, v, gradient, rate, momentum):
    """The gradient is taken where you stand: Nesterov takes it where the velocity carries you, w − momentum · v."""
    v = momentum * v + rate * gradient(w)
    return w - v, v


def looks_back(w, v, gradient, rate, momentum):
    """w moves by −v, so the look-ahead point is w − momentum · v: with a plus you look back to where you came from."""
    v = momentum * v + rate * gradient(w + momentum * v)
    return w - v, v


def looks_too_far(w, v, gradient, rate, momentum):
    """Of the old velocity only momentum · v is left in this step, so look ahead by that, not by the whole v."""
    v = momentum * v + rate * gradient(w - v)
    return w - v, v


def asks_twice(w, v, gradient, rate, momentum):
    """The gradient is asked for twice in a step, and it is what costs time: ask once, and keep the new velocity."""
    d = rate * gradient(w - momentum * v)
    return w - (momentum * v + rate * gradient(w - momentum * v)), momentum * v + d


def fades_twice(w, v, gradient, rate, momentum):
    """The velocity fades twice before you look, so you look at w − momentum² · v: look ahead by momentum · v."""
    v = momentum * v
    v = v + rate * gradient(w - momentum * v)
    return w - v, v


def never_fades(w, v, gradient, rate, momentum):
    """The old velocity is kept whole: momentum · v is left of it."""
    v = v + rate * gradient(w - momentum * v)
    return w - v, v


def no_rate(w, v, gradient, rate, momentum):
    """The rate does not come in: the gradient is multiplied by it."""
    v = momentum * v + gradient(w - momentum * v)
    return w - v, v


def rate_at_the_step(w, v, gradient, rate, momentum):
    """The rate stands outside, as in PyTorch: here the velocity holds it, v = momentum · v + rate · gradient."""
    v = momentum * v + gradient(w - momentum * v)
    return w - rate * v, v


def conventions_mixed(w, v, gradient, rate, momentum):
    """Two conventions are mixed: in ours v gathers + rate · gradient, and w goes against it, w −= v."""
    v = momentum * v - rate * gradient(w + momentum * v)
    return w + v, v


def climbs(w, v, gradient, rate, momentum):
    """This goes uphill: v gathers gradients, and w goes against them."""
    v = momentum * v + rate * gradient(w - momentum * v)
    return w + v, v


def place_last(w, v, gradient, rate, momentum):
    """The two stand the wrong way round: first the new w, then the new v."""
    v = momentum * v + rate * gradient(w - momentum * v)
    return v, w - v


def part_of_the_step(w, v, gradient, rate, momentum):
    """w moves by momentum · v here: it moves by the whole new velocity."""
    v = momentum * v + rate * gradient(w - momentum * v)
    return w - momentum * v, v


def stays_ahead(w, v, gradient, rate, momentum):
    """You look ahead and then step from there: the velocity holds momentum · v already, so step from w itself."""
    ahead = w - momentum * v
    v = momentum * v + rate * gradient(ahead)
    return ahead - v, v


def ahead_in_the_learners_way(w, v, gradient, rate, momentum):
    """w −= momentum · v + d is the form that keeps the look-ahead point as its w; here w is where you really stand."""
    d = rate * gradient(w)
    v = momentum * v + d
    return w - (momentum * v + d), v


def ahead_twice(w, v, gradient, rate, momentum):
    """The two forms are mixed: either ask for the gradient ahead and step by v, or ask at w and step by m v + d."""
    d = rate * gradient(w - momentum * v)
    v = momentum * v + d
    return w - (momentum * v + d), v


def only_gradient_steps(w, v, gradient, rate, momentum):
    """The velocity forgets everything: it should keep momentum · v and add the new gradient."""
    v = rate * gradient(w - momentum * v)
    return w - v, v


def unit_gain_came_in(w, v, gradient, rate, momentum):
    """This is the form with unit gain: here the gradient counts 1, not 1 − momentum."""
    v = momentum * v + (1 - momentum) * rate * gradient(w - momentum * v)
    return w - v, v


def nesterov_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([1.0, 1.0]), tensor([1.0, 0.1]), 0.5, 0.9)
    for _ in range(3):
        curvature = random.uniform(0.1, 1.0, size=4)
        yield Case(
            tensor(random.normal(size=4)),
            tensor(curvature),
            float(random.uniform(0.3, 1)),
            float(random.uniform(0.3, 0.9)),
        )


# --- fastest --------------------------------------------------------------------------------------------------------


def fastest(smallest, largest):
    root = math.sqrt(largest / smallest)
    momentum = ((root - 1) / (root + 1)) ** 2
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, momentum


def condition_for_root(smallest, largest):
    """Under the square stands √κ, the root of the condition number: with κ itself the momentum is too large."""
    condition = largest / smallest
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, ((condition - 1) / (condition + 1)) ** 2


def square_forgotten(smallest, largest):
    """(√κ − 1) / (√κ + 1) is the factor per step, the root of the momentum: square it."""
    root = math.sqrt(largest / smallest)
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, (root - 1) / (root + 1)


def condition_for_root_unsquared(smallest, largest):
    """(κ − 1) / (κ + 1) is the factor per step without momentum: take √κ in it, and square the whole."""
    condition = largest / smallest
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, (condition - 1) / (condition + 1)


def no_momentum(smallest, largest):
    """These are the best numbers without momentum: solve (1 − √m)² = rate · smallest, (1 + √m)² = rate · largest."""
    return 2 / (largest + smallest), 0.0


def safe_and_known(smallest, largest):
    """1 / largest with (√κ − 1) / (√κ + 1) is a safe choice for Nesterov's form: the fastest heavy ball is bolder."""
    root = math.sqrt(largest / smallest)
    return 1 / largest, (root - 1) / (root + 1)


def four_over_largest(smallest, largest):
    """4 / largest is the rate for a valley without end: the smallest curvature has its say, too."""
    root = math.sqrt(largest / smallest)
    return 4 / largest, ((root - 1) / (root + 1)) ** 2


def at_the_border(smallest, largest):
    """From 2 (1 + momentum) / largest on it diverges: the fastest stops before, at (1 + √m)² / largest."""
    root = math.sqrt(largest / smallest)
    momentum = ((root - 1) / (root + 1)) ** 2
    return 2 * (1 + momentum) / largest, momentum


def none_squared(smallest, largest):
    """Both fractions are right, and both want a square: these are √rate and √m."""
    root = math.sqrt(largest / smallest)
    return 2 / (math.sqrt(largest) + math.sqrt(smallest)), (root - 1) / (root + 1)


def rates_half_squared(smallest, largest):
    """The 2 belongs to the square, too: √rate = 2 / (√largest + √smallest), so the rate has a 4."""
    root = math.sqrt(largest / smallest)
    return 2 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2, ((root - 1) / (root + 1)) ** 2


def with_unit_gain(smallest, largest):
    """This is the rate with unit gain: without it the gradient counts 1, so do not divide by 1 − momentum."""
    root = math.sqrt(largest / smallest)
    momentum = ((root - 1) / (root + 1)) ** 2
    return (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2 / (1 - momentum), momentum


def negative_root(smallest, largest):
    """The momentum is below 0: κ is the largest curvature over the smallest, and the fraction wants a square."""
    root = math.sqrt(smallest / largest)
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return rate, (root - 1) / (root + 1)


def rate_without_momentum(smallest, largest):
    """2 / (largest + smallest) is the best rate without momentum: with it, add the roots, and square the whole."""
    root = math.sqrt(largest / smallest)
    return 2 / (largest + smallest), ((root - 1) / (root + 1)) ** 2


def cautious_rate(smallest, largest):
    """1 / largest is safe and too small: with momentum the steepest direction bears nearly 4 / largest."""
    root = math.sqrt(largest / smallest)
    return 1 / largest, ((root - 1) / (root + 1)) ** 2


def rate_not_squared(smallest, largest):
    """The sum of the roots has the unit of a root, and a rate that of 1 / curvature: square the whole fraction."""
    root = math.sqrt(largest / smallest)
    return 2 / (math.sqrt(largest) + math.sqrt(smallest)), ((root - 1) / (root + 1)) ** 2


def scale_forgotten(smallest, largest):
    """That is the rate for a largest curvature of 1: twice as steep a loss needs half the rate."""
    root = math.sqrt(largest / smallest)
    return (2 * root / (root + 1)) ** 2, ((root - 1) / (root + 1)) ** 2


def nesterovs(smallest, largest):
    """These are Nesterov's best numbers: the heavy ball's come from (1 − √m)² = rate · smallest, + for largest."""
    root = math.sqrt(3 * largest / smallest + 1)
    return 4 / (3 * largest + smallest), (root - 2) / (root + 2)


def turned_round(smallest, largest):
    """The rate comes first, the momentum second."""
    root = math.sqrt(largest / smallest)
    momentum = ((root - 1) / (root + 1)) ** 2
    rate = (2 / (math.sqrt(largest) + math.sqrt(smallest))) ** 2
    return momentum, rate


def fastest_cases(random, dtype):
    yield Case(1.0, 9.0)
    yield Case(0.01, 1.0)
    for _ in range(3):
        smallest = float(random.uniform(0.01, 2))
        yield Case(smallest, smallest * float(random.uniform(3, 500)))


exercises = [
    Exercise(
        memory,
        title="How long it remembers",
        points=2,
        cases=memory_cases,
        misconceptions=(
            decimal_logarithm,
            tenth_for_e,
            half_by_ten,
            half_life_twice,
            binary_logarithm,
            minibatches,
            half_life_in_minibatches,
            divided_by_samples,
            upside_down,
            whole_minibatches,
            negative,
            negative_half_life,
            negative_time_constant,
            effective_number,
            swapped,
            longer_half_life,
            half_of_it,
        ),
        hints=(
            "After k minibatches momentum^k is left. For which k is that 1/e, and for which is it 1/2?",
            "Take logarithms of momentum^k = 1/e, then turn minibatches into samples.",
            "time_constant = samples / math.log(1 / momentum); the half-life is math.log(2) times as long.",
        ),
    ),
    Exercise(
        hidden,
        title="Find the bug: a number without a name",
        points=2,
        tolerance=dict.fromkeys(("float64", "float32"), 2e-4),  # four digits are enough
        misconceptions=(
            one_over_the_rest,
            half_life_for_time_constant,
            decimal,
            counted_in_minibatches,
            time_constant_for_half_life,
            half_of_the_time_constant,
            longer_than_the_time_constant,
            negative_memory,
            minibatches_for_samples,
            two_for_e,
            what_has_faded,
            ratio_turned,
            the_same_momentum,
            multiplied,
            root,
        ),
        hints=(
            "Somebody chose a time constant T, in samples, and wrote down exp(−1 / T).",
            "Solve exp(−1 / T) = 0.9990239141819757 for T; a round number comes out.",
            "T = -1 / math.log(…); the half-life is T * math.log(2); a minibatch of n leaves math.exp(-n / T).",
        ),
    ),
    Exercise(
        momentum_step,
        title="One step, two gains",
        points=2,
        public=2,
        cases=step_cases,
        misconceptions=(
            gain_forgotten,
            gain_always,
            gain_twice,
            gain_turned_round,
            momentum_for_gain,
            gain_divided,
            never_forgets,
            forgets_all,
            rate_left_out,
            rate_on_everything,
            rate_twice,
            gathers_downhill,
            velocity_first,
            nesterovs_step,
            gain_of_everything,
            weights_swapped,
            old_velocity,
            rate_outside,
            uphill,
        ),
        hints=(
            "Two lines: the new velocity from the old one and the gradient, then the new w.",
            "Only one number differs between the two forms: what the gradient is multiplied by, 1 − momentum or 1.",
            "v = momentum * v + gain * rate * gradient, with that gain; then w − v, and return both.",
        ),
    ),
    Exercise(
        unit_gain_rate,
        title="The same path",
        points=1,
        cases=rate_cases,
        misconceptions=(
            same_rate,
            made_smaller,
            divided_by_momentum,
            sign_lost,
            exponent_upside_down,
            one_plus_momentum,
            time_constant_for_momentum,
            times_samples,
            shared_by_samples,
            rate_forgotten,
            samples_ignored,
            as_long_as_the_memory,
            half_life_taken,
            gain_at_both,
        ),
        hints=(
            "What does unit gain multiply each gradient by, and what makes up for that?",
            "First the momentum: a time constant in samples, a minibatch of so many.",
            "momentum = math.exp(-samples / time_constant); the rate is divided by 1 − momentum.",
        ),
    ),
    Exercise(
        nesterov_step,
        title="Look ahead",
        points=2,
        cases=nesterov_cases,
        driver=three_steps,
        misconceptions=(
            at_the_old_point,
            looks_back,
            looks_too_far,
            asks_twice,
            fades_twice,
            never_fades,
            no_rate,
            rate_at_the_step,
            conventions_mixed,
            climbs,
            place_last,
            part_of_the_step,
            stays_ahead,
            ahead_in_the_learners_way,
            ahead_twice,
            only_gradient_steps,
            unit_gain_came_in,
        ),
        hints=(
            "Before any new gradient, the old velocity alone would carry w to a place: which one?",
            "Only the argument of gradient(…) differs from the heavy ball.",
            "v = momentum * v + rate * gradient(w - momentum * v), and then w − v.",
        ),
    ),
    Exercise(
        fastest,
        title="The fastest heavy ball",
        points=2,
        cases=fastest_cases,
        misconceptions=(
            condition_for_root,
            square_forgotten,
            condition_for_root_unsquared,
            no_momentum,
            safe_and_known,
            four_over_largest,
            at_the_border,
            none_squared,
            rates_half_squared,
            with_unit_gain,
            negative_root,
            rate_without_momentum,
            cautious_rate,
            rate_not_squared,
            scale_forgotten,
            nesterovs,
            turned_round,
        ),
        hints=(
            "The best run ripples everywhere, just so: rate · curvature is between (1 − √m)² and (1 + √m)².",
            "Set (1 − √m)² = rate · smallest and (1 + √m)² = rate · largest: two equations, two unknowns.",
            "√m = (√κ − 1) / (√κ + 1) with κ = largest / smallest; √rate = 2 / (√largest + √smallest).",
        ),
    ),
]
