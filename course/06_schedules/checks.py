"""The exercises on schedules: right answers, wrong ones that students give, and hints."""

import math

import kernel
from classroom.spec import Case, Exercise

# --- rates ----------------------------------------------------------------------------------------------------------


def rates(values, epoch_size, n, updates):
    places = [update * n // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def counts_minibatches(values, epoch_size, n, updates):
    """This counts minibatches, but epoch_size is a number of samples: before update u, u · n of them were seen."""
    places = [update // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def one_update_too_early(values, epoch_size, n, updates):
    """The rate changes an update too early: the samples of this minibatch are not seen yet when its rate is read."""
    places = [(update + 1) * n // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def one_sample_too_late(values, epoch_size, n, updates):
    """On the border itself the old rate is still there: with exactly epoch_size samples seen, the next value begins."""
    places = [max(update * n - 1, 0) // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def whole_minibatches(values, epoch_size, n, updates):
    """Every value gets the same number of updates here, but a border may lie within a minibatch: count the samples."""
    places = [update // max(epoch_size // n, 1) for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def rounded_up(values, epoch_size, n, updates):
    """A value's share of updates is rounded up each time, and the errors add up: count samples from the beginning."""
    places = [update // -(-epoch_size // n) for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def one_place_at_a_time(values, epoch_size, n, updates):
    """A minibatch larger than epoch_size may skip a value: go on as long as its samples last, not by one place only."""
    place, seen, told = 0, 0, []
    for _ in range(updates):
        if seen >= epoch_size and place < len(values) - 1:
            place, seen = place + 1, seen - epoch_size
        told.append(values[place])
        seen += n
    return told


def to_the_nearest(values, epoch_size, n, updates):
    """round goes up from one half on, and the next value begins half an epoch too early: cut down to a whole number."""
    places = [round(update * n / epoch_size) for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def place_rounded_up(values, epoch_size, n, updates):
    """Rounded up, the place is one ahead as soon as a sample was seen: cut down to a whole number."""
    places = [math.ceil(update * n / epoch_size) for update in range(updates)]
    return [values[min(place, len(values) - 1)] for place in places]


def last_never_reached(values, epoch_size, n, updates):
    """The last value is never used: its place in the list is len(values) − 1."""
    places = [update * n // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 2)] for place in places]


def begins_again(values, epoch_size, n, updates):
    """After the last value the list begins again: the last value should hold for ever."""
    places = [update * n // epoch_size for update in range(updates)]
    return [values[place % len(values)] for place in places]


def ends_in_zero(values, epoch_size, n, updates):
    """After the end of the list the rate is 0, and nothing would be learned: the last value holds for ever."""
    places = [update * n // epoch_size for update in range(updates)]
    return [values[place] if place < len(values) else 0.0 for place in places]


def divided_by_n(values, epoch_size, n, updates):
    """These are the steps of one sample, rate / n: the list asked for holds the rates themselves."""
    places = [update * n // epoch_size for update in range(updates)]
    return [values[min(place, len(values) - 1)] / n for place in places]


def rate_cases(random, dtype):
    yield Case([0.1, 0.2, 0.4], 100, 32, 9)
    yield Case([0.05, 0.05, 0.05, 0.025, 0.025, 0.0125], 100, 50, 16, note="borders between two minibatches")
    for _ in range(2):
        values = [round(float(value), 3) for value in random.uniform(0.01, 1.0, 4)]
        n = int(random.integers(7, 30))
        yield Case(values, int(random.integers(3, 5)) * n + 3, n, 24)
    yield Case([0.4, 0.2, 0.1], 10, 32, 5, note="minibatches larger than epoch_size")


# --- carried_over ---------------------------------------------------------------------------------------------------


def carried_over(rate, M, old, new):
    return rate if M else rate * new / old


def left_as_it_is(rate, M, old, new):
    """Per minibatch, the same number is shared by more samples, and each moves the net less: it has to grow with n."""
    return rate


def always_scaled(rate, M, old, new):
    """A number that is meant for M samples is scaled by the learner already: there it stays as it is."""
    return rate * new / old


def the_other_way_round(rate, M, old, new):
    """Half the rate for twice the samples: a sample then moves the net by a quarter; take new / old, not old / new."""
    return rate if M else rate * old / new


def square_root(rate, M, old, new):
    """The root of new / old keeps the shaking by noise; to keep what a sample moves, rate / n, take new / old."""
    return rate if M else rate * (new / old) ** 0.5


def meanings_swapped(rate, M, old, new):
    """0 means a minibatch of any size: there the number grows with n, and for M samples it stays."""
    return rate * new / old if M else rate


def always_doubled(rate, M, old, new):
    """Minibatches need not double: the factor is new / old."""
    return rate if M else 2 * rate


def keeps_the_update(rate, M, old, new):
    """This keeps what an update moves: for a sample to move the net as before, an update by more samples grows."""
    return rate * old / new if M else rate


def only_one_sample(rate, M, old, new):
    """Per 32 samples is as much tied to samples as per 1: only with M = 0 does the number have to change."""
    return rate if M == 1 else rate * new / old


def always_divided(rate, M, old, new):
    """Half the rate for twice the samples, for whatever it is meant: at M = 0 it has to grow, and otherwise stay."""
    return rate * old / new


def whole_factor(rate, M, old, new):
    """The factor new / old need not be a whole number: divide with /, not with //."""
    return rate if M else rate * (new // old)


def square_root_always(rate, M, old, new):
    """The root of new / old is a rule for the noise; what a sample moves goes with new / old, and only where M is 0."""
    return rate * (new / old) ** 0.5


def step_of_a_sample(rate, M, old, new):
    """This is what one sample moves; asked for is the number for the schedule, by whose size n it is then divided."""
    return rate / M if M else rate / old


def carry_cases(random, dtype):
    yield Case(0.1, 0, 32, 64)
    yield Case(0.003, 1, 32, 64, note="a rate per sample")
    yield Case(0.4, 32, 16, 128, note="a rate per 32 samples")
    for _ in range(2):
        old = int(random.integers(8, 64))
        yield Case(round(float(random.uniform(0.01, 1.0)), 3), 0, old, old * 4 + 1)
    yield Case(0.2, 0, 256, 32, note="the minibatch shrinks")


# --- plateau --------------------------------------------------------------------------------------------------------


def plateau(losses, rate, factor, patience, threshold):
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def absolute(losses, rate, factor, patience, threshold):
    """The threshold is a share of the best loss: with losses near 0.01, an absolute 0.05 can never be won any more."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best - threshold:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def no_threshold(losses, rate, factor, patience, threshold):
    """Every loss below the best counts as better, however little: it must lie below it by the share threshold."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def against_the_one_before(losses, rate, factor, patience, threshold):
    """Each loss is compared with the one before, so after a bad one a mediocre one counts: compare with the best."""
    before, bad, told = float("inf"), 0, []
    for loss in losses:
        bad = 0 if loss < before * (1 - threshold) else bad + 1
        before = loss
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def impatient(losses, rate, factor, patience, threshold):
    """It cuts one report too soon: patience bad reports are borne, and the next one cuts."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad >= patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def never_patient_again(losses, rate, factor, patience, threshold):
    """After the first cut every bad report cuts: the count of bad ones begins again at 0 with each cut."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate = rate * factor
        told.append(rate)
    return told


def bad_ones_in_all(losses, rate, factor, patience, threshold):
    """The bad reports must come in a row: a new best loss sets their count back to 0."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best = loss
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def best_creeps_along(losses, rate, factor, patience, threshold):
    """A loss that is only a little lower becomes the best here, and moves the mark: the best stays until one is won."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        bad = 0 if loss < best * (1 - threshold) else bad + 1
        best = min(best, loss)
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def best_forgotten(losses, rate, factor, patience, threshold):
    """The cut makes it forget the best loss, and any loss is a new best then: the best stays."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad, best = rate * factor, 0, float("inf")
        told.append(rate)
    return told


def nothing_is_better(losses, rate, factor, patience, threshold):
    """No loss ever becomes the best one: begin with best = inf, and ask for loss < best · (1 − threshold)."""
    best, bad, told = 0, 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def first_is_bad(losses, rate, factor, patience, threshold):
    """The first loss is compared with itself and counts as a bad one: it always is a new best."""
    best, bad, told = losses[0], 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def equal_is_better(losses, rate, factor, patience, threshold):
    """A loss just at the mark counts as better here: it must lie below best · (1 − threshold), so < and not <=."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss <= best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def share_of_the_loss(losses, rate, factor, patience, threshold):
    """The share is one of the best loss, not of the new one: the mark is best · (1 − threshold)."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss * (1 + threshold) < best:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def threshold_as_the_rest(losses, rate, factor, patience, threshold):
    """The threshold is what is to be gained, not what may be left: the mark is best · (1 − threshold)."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * threshold:
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
        told.append(rate)
    return told


def best_at_the_cut(losses, rate, factor, patience, threshold):
    """The cut makes the loss of the moment the best one, and the mark is lowered: the best stays."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad, best = rate * factor, 0, loss
        told.append(rate)
    return told


def divided_by_the_factor(losses, rate, factor, patience, threshold):
    """The rate grows at a cut: multiply it by the factor, which is below 1."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate / factor, 0
        told.append(rate)
    return told


def factor_subtracted(losses, rate, factor, patience, threshold):
    """The factor is subtracted: multiply the rate by it."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate - factor, 0
        told.append(rate)
    return told


def told_before_the_cut(losses, rate, factor, patience, threshold):
    """Each rate is noted before the cut: the list should hold the rate after the report."""
    best, bad, told = float("inf"), 0, []
    for loss in losses:
        told.append(rate)
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
    return told


def plateau_cases(random, dtype):
    yield Case([1.0, 0.99, 0.98, 0.5], 0.4, 0.5, 1, 0.05)
    yield Case(
        [1.0, 0.8, 0.79, 0.78, 0.5, 0.49, 0.6, 0.48, 0.44, 0.9, 0.45, 0.45, 0.44, 0.45],
        *(0.8, 0.5, 1, 0.05),
        note="several cuts",
    )
    yield Case([0.02, 0.018, 0.016, 0.014, 0.012, 0.01], 0.1, 0.1, 2, 0.05, note="losses near zero")
    yield Case([3.0, 2.95, 2.9, 2.85, 2.8, 2.75, 2.7, 2.65], 0.1, 0.5, 2, 0.03, note="a slow fall")
    # 0.75 lies just at the mark, without rounding.
    yield Case([1.0, 0.75, 0.76, 0.5, 0.39, 0.4, 0.3, 0.29], 0.8, 0.5, 1, 0.25, note="losses at the mark")
    for _ in range(2):
        losses = [round(float(loss), 4) for loss in 0.93 ** random.permutation(16) * random.uniform(0.5, 2)]
        yield Case(losses, 0.4, 0.25, 2, 0.1)


# --- counted_in_minibatches -----------------------------------------------------------------------------------------


def counted_in_minibatches(phases, n):
    return kernel.learning_rate_schedule(phases, "minibatch", epoch_size=n)


def trained_by_it(answer, phases, n):
    """What the answer's schedule makes of a weight, and the rate of every update."""
    schedule = answer(phases, n)
    updates = sum(count for count, _ in phases) + 3
    if not isinstance(schedule, kernel.schedules.Schedule):
        came = "None (is there a return?)" if schedule is None else f"a value of type {type(schedule).__name__}"
        said, weight, sweeps = [0.0] * updates, 0.0, False
    else:
        came, sweeps, said = "nothing", schedule.unit == "sweep", []
        parameter = kernel.Parameter([0.0])
        learner = kernel.sgd([parameter], schedule)
        for _ in range(updates):
            said.append(learner.learning_rate())
            learner.update({parameter: kernel.tensor([float(n)])}, n)
        weight = round(parameter.item(), 3)
    return {"in place of a schedule": came, "counts sweeps": sweeps, "rate of each update": said, "weight": weight}


def as_it_was(phases, n):
    """As in the bug, the entries hold for 100 samples each: let a unit be a minibatch, which has n samples."""
    values = [rate for count, rate in phases for _ in range(max(count // 100, 1))]
    return kernel.learning_rate_schedule(values, "minibatch", epoch_size=100)


def samples_for_minibatches(phases, n):
    """With epoch_size=1 the counts are samples: a minibatch has n of them, so one unit should be n samples."""
    return kernel.learning_rate_schedule(phases, "minibatch", epoch_size=1)


def counted_in_sweeps(phases, n):
    """Without epoch_size a unit is a whole sweep, and the first rate stays too long: a unit should be n samples."""
    return kernel.learning_rate_schedule(phases, "minibatch")


def units_too_large(phases, n):
    """The first rate lasts too long: a count of 300 is 300 minibatches of n samples, so one unit is n samples."""
    return kernel.learning_rate_schedule([(count * n, rate) for count, rate in phases], "minibatch", epoch_size=n)


def changes_one_late(phases, n):
    """Each phase ends a minibatch too late: a count of 300 is 300 minibatches, from the first to the 300th."""
    return kernel.learning_rate_schedule([(count + 1, rate) for count, rate in phases], "minibatch", epoch_size=n)


def last_phase_lost(phases, n):
    """The last rate is missing: the last pair belongs to the schedule too, and its number then holds for ever."""
    return kernel.learning_rate_schedule(phases[:-1], "minibatch", epoch_size=n)


def only_the_example(phases, n):
    """This is the schedule of the example, for other phases and other minibatches too: use phases and n."""
    pairs = [(300, 0.05), (200, 0.025), (0, 0.0125)]
    return kernel.learning_rate_schedule(pairs, "minibatch", epoch_size=64)


def without_the_counts(phases, n):
    """Each rate holds for one minibatch only: a plain list has no counts, so hand over the pairs."""
    return kernel.learning_rate_schedule([rate for _, rate in phases], "minibatch", epoch_size=n)


def meant_for_a_sample(phases, n):
    """The counts are right, but "sample" says what the number is meant for: the rates are n times too large."""
    return kernel.learning_rate_schedule(phases, "sample", epoch_size=n)


def changes_one_early(phases, n):
    """Each phase ends a minibatch too early: a count of 300 is 300 of them, so hand it over as it is."""
    shorter = [(max(count - 1, 0), rate) for count, rate in phases]
    return kernel.learning_rate_schedule(shorter, "minibatch", epoch_size=n)


def minibatch_cases(random, dtype):
    yield Case([(300, 0.05), (200, 0.025), (0, 0.0125)], 64)
    yield Case([(30, 0.4), (20, 0.2), (0, 0.1)], 32, note="other counts")
    for _ in range(2):
        first, second, n = (int(number) for number in random.integers(4, 60, 3))
        yield Case([(first, 0.3), (second, 0.1), (0, 0.02)], n)


# --- zero -----------------------------------------------------------------------------------------------------------


def zero():
    return {"by the list": 0.0005 * 512, "by the text": 0.005 * 512, "right": "list"}


def per_sample_left():
    """These are the rates per sample: an update multiplies the mean gradient by them and by the minibatch's size."""
    return {"by the list": 0.0005, "by the text": 0.005}


def first_minibatch():
    """Sweep 13 has minibatches of 512 and the second rate, 0.0005 or 0.005: one of the two is from another sweep."""
    return {"by the list": 0.0005 * 256, "by the text": 0.005 * 256}


def first_phase():
    """The first phase of the rates is over: 12 sweeps have the indices 0 to 11, so index 13 lies in the second."""
    return {"by the list": 0.001 * 512, "by the text": 0.001 * 512}


def divided():
    """The learner divides a rate per minibatch by n; one per sample is multiplied by n, for the mean gradient."""
    return {"by the list": 0.0005 / 512, "by the text": 0.005 / 512}


def third_size():
    """After 6 sweeps of 256 come 9 of 512: they reach to index 14, so index 13 still has 512."""
    return {"by the list": 0.0005 * 1024, "by the text": 0.005 * 1024}


def sizes_alone():
    """These are samples in a minibatch: the mean gradient is multiplied by them and by the rate per sample."""
    return {"by the list": 512, "by the text": 512}


def exchanged():
    """The two are exchanged: the list has 0.0005, and the text reads 0.005."""
    return {"by the list": 0.005 * 512, "by the text": 0.0005 * 512}


def text_like_the_list():
    """The text reads another rate than the list: 0.005, ten times as much."""
    return {"by the list": 0.0005 * 512, "by the text": 0.0005 * 512}


def list_not_moved():
    """In the list the first phase is over, too: 12 sweeps have the indices 0 to 11, so index 13 has 0.0005."""
    return {"by the list": 0.001 * 512, "by the text": 0.005 * 512}


def text_is_right():
    """From 0.001 to 0.005 the rate would grow fivefold; every phase is to halve it."""
    return {"right": "text"}


exercises = [
    Exercise(
        rates,
        title="From a list to updates",
        points=2,
        cases=rate_cases,
        misconceptions=(
            counts_minibatches,
            one_update_too_early,
            one_sample_too_late,
            whole_minibatches,
            rounded_up,
            one_place_at_a_time,
            to_the_nearest,
            place_rounded_up,
            last_never_reached,
            begins_again,
            ends_in_zero,
            divided_by_n,
        ),
        hints=(
            "How many samples have been seen before update 0, before update 1, before update u?",
            "That number, divided by epoch_size and cut to a whole number, is the place in the list.",
            "values[min(u * n // epoch_size, len(values) - 1)] is the rate of update u.",
        ),
    ),
    Exercise(
        carried_over,
        title="The minibatch doubles",
        points=2,
        cases=carry_cases,
        misconceptions=(
            left_as_it_is,
            always_scaled,
            the_other_way_round,
            square_root,
            meanings_swapped,
            always_doubled,
            keeps_the_update,
            only_one_sample,
            always_divided,
            whole_factor,
            square_root_always,
            step_of_a_sample,
        ),
        hints=(
            "Look at the table in section 2: by what is the gradient of one sample multiplied?",
            "Per minibatch that is rate / n, and n has changed; per M samples it is rate / M.",
            "Return rate if M is not 0, and otherwise rate times new / old.",
        ),
    ),
    Exercise(
        plateau,
        title="Cut on a plateau",
        points=3,
        cases=plateau_cases,
        misconceptions=(
            absolute,
            no_threshold,
            against_the_one_before,
            impatient,
            never_patient_again,
            bad_ones_in_all,
            best_creeps_along,
            best_forgotten,
            nothing_is_better,
            first_is_bad,
            equal_is_better,
            share_of_the_loss,
            threshold_as_the_rest,
            best_at_the_cut,
            divided_by_the_factor,
            factor_subtracted,
            told_before_the_cut,
        ),
        hints=(
            "Two things are remembered from report to report: the best loss, and how many bad ones came in a row.",
            "A new best is a loss below best * (1 - threshold); begin with best = float('inf').",
            "If bad > patience: rate *= factor and bad = 0. Then append the rate, whatever happened.",
        ),
    ),
    Exercise(
        counted_in_minibatches,
        title="Find the bug: 300 minibatches",
        points=2,
        cases=minibatch_cases,
        driver=trained_by_it,
        misconceptions=(
            as_it_was,
            samples_for_minibatches,
            counted_in_sweeps,
            units_too_large,
            changes_one_late,
            last_phase_lost,
            only_the_example,
            without_the_counts,
            meant_for_a_sample,
            changes_one_early,
        ),
        hints=(
            "epoch_size says how many samples one unit of a list is, whatever the numbers are meant for.",
            "Let a unit be one minibatch. How many samples is that? And pairs say how many units a value holds.",
            'kernel.learning_rate_schedule(phases, "minibatch", epoch_size=...) needs one number more.',
        ),
    ),
    Exercise(
        zero,
        title="Find the bug: a zero",
        points=1,
        choices=("list", "text"),
        misconceptions=(
            per_sample_left,
            first_minibatch,
            first_phase,
            divided,
            third_size,
            sizes_alone,
            exchanged,
            text_like_the_list,
            list_not_moved,
            text_is_right,
        ),
        hints=(
            "Write both lists out in your head: which entry of each has the index 13?",
            "The rates' phases begin at 0, 12 and 18, the sizes' at 0, 6 and 15.",
            "A rate per sample, times the samples in the minibatch, is what a mean gradient is multiplied by.",
        ),
    ),
]
