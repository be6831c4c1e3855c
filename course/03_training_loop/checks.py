"""The exercises on the training loop and on metrics: right answers, wrong ones that students give, and hints."""

import numpy as np

import kernel
from classroom.spec import Case, Exercise

# --- update -----------------------------------------------------------------------------------------------------------


def update(parameters, rate):
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)
        parameter.grad.zero_()


def two_steps(update, w, b, x, rate):
    """Two steps on the mean square of x w + b: w, b, and whether all gradients are cleared."""
    parameters = [kernel.Parameter(w), kernel.Parameter(b)]
    for _ in range(2):
        ((x @ parameters[0] + parameters[1]) ** 2).mean().backward()
        update(parameters, rate)
    cleared = all(p.grad is None or not p.grad.any() for p in parameters)
    return {"parameters afterwards": [p.data for p in parameters], "gradients cleared": cleared}


def uphill(parameters, rate):
    """The loss climbs: the gradient points uphill, so the update needs a minus sign."""
    for parameter in parameters:
        parameter.data.add_(rate * parameter.grad)
        parameter.grad.zero_()


def not_cleared(parameters, rate):
    """The first step is right, but its gradients remain and the next backward() adds to them: clear every grad."""
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)


def uphill_not_cleared(parameters, rate):
    """Two things: the update needs a minus sign, and every grad has to be cleared after it."""
    for parameter in parameters:
        parameter.data.add_(rate * parameter.grad)


def rebound(parameters, rate):
    """No parameter has changed: write to parameter.data, not `parameter = …`, and clear after the update only."""
    for parameter in parameters:
        new = parameter - rate * parameter.grad
        parameter.grad.zero_()
        parameter = new


def rebound_not_cleared(parameters, rate):
    """Nothing has changed, no parameter and no grad: `parameter = …` only names a new tensor, so write to its .data."""
    for parameter in parameters:
        parameter = parameter - rate * parameter.grad


def rebound_then_cleared(parameters, rate):
    """`parameter = …` names a new tensor, which has no grad to clear; the old one stays: write to parameter.data."""
    with kernel.no_grad():
        for parameter in parameters:
            parameter = parameter - rate * parameter.grad
            parameter.grad.zero_()


def change_without_no_grad(parameters, rate):
    """A parameter may not be changed under the eyes of the tape: write to its .data, or inside kernel.no_grad()."""
    for parameter in parameters:
        parameter -= rate * parameter.grad
        parameter.grad.zero_()


def step_for_parameter(parameters, rate):
    """Each parameter has become the step itself: the step is subtracted from what the parameter was."""
    for parameter in parameters:
        parameter.data = rate * parameter.grad
        parameter.grad.zero_()


def gradient_forgotten(parameters, rate):
    """Every number goes down by the rate alone: the step is the rate times the gradient."""
    for parameter in parameters:
        parameter.data.sub_(rate)
        parameter.grad.zero_()


def divided_by_the_rate(parameters, rate):
    """The gradient is divided by the rate, so that a small rate makes a long step: multiply."""
    for parameter in parameters:
        parameter.data.sub_(parameter.grad / rate)
        parameter.grad.zero_()


def rate_forgotten(parameters, rate):
    """The step is the whole gradient: multiply it by the rate."""
    for parameter in parameters:
        parameter.data.sub_(parameter.grad)
        parameter.grad.zero_()


def first_only(parameters, rate):
    """Only the first parameter is updated: let the loop run to its end, a return inside stops it."""
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)
        parameter.grad.zero_()
        return


def last_cleared(parameters, rate):
    """Only the last gradient is cleared: the line belongs into the loop, one level further in."""
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)
    parameter.grad.zero_()


def parameters_cleared(parameters, rate):
    """The parameters themselves are zero now: what has to be cleared is parameter.grad."""
    for parameter in parameters:
        parameter.data.sub_(rate * parameter.grad)
        parameter.data.zero_()


def scaled(parameters, rate):
    """Every parameter was multiplied by 1 − rate · gradient: subtract the step, whatever the size of the parameter."""
    for parameter in parameters:
        parameter.data.mul_(1 - rate * parameter.grad)
        parameter.grad.zero_()


def update_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([[1.0], [-2.0]]), tensor([0.5]), tensor([[1.0, 2.0], [3.0, 0.0]]), 0.1)
    for rows, inputs, outputs in ((5, 3, 2), (4, 1, 3)):
        w, b, x = (random.normal(size=shape) for shape in ((inputs, outputs), outputs, (rows, inputs)))
        yield Case(tensor(w), tensor(b), tensor(x), 0.05)


# --- batches ----------------------------------------------------------------------------------------------------------


def batches(x, labels, order, size):
    pairs = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        pairs.append((x[rows], labels[rows]))
    return pairs


def tail_lost(x, labels, order, size):
    """The last samples are lost where the size does not divide their number: the last batch may be smaller."""
    pairs = []
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        pairs.append((x[rows], labels[rows]))
    return pairs


def not_shuffled(x, labels, order, size):
    """The samples come as they lie, turn after turn: take the rows that `order` says."""
    return [(x[i : i + size], labels[i : i + size]) for i in range(0, len(x), size)]


def labels_stay(x, labels, order, size):
    """The samples are shuffled and their labels are not, so no pair fits: take the same rows of both."""
    return [(x[order[i : i + size]], labels[i : i + size]) for i in range(0, len(x), size)]


def samples_stay(x, labels, order, size):
    """The labels are shuffled and their samples are not, so no pair fits: take the same rows of both."""
    return [(x[i : i + size], labels[order[i : i + size]]) for i in range(0, len(x), size)]


def overlapping(x, labels, order, size):
    """Batches overlap by one sample: a slice ends before its second number, so that i : i + size has `size` rows."""
    return [(x[order[i : i + size + 1]], labels[order[i : i + size + 1]]) for i in range(0, len(order), size)]


def sliding(x, labels, order, size):
    """Every sample comes in several batches: from one batch to the next the start moves by `size`, not by one."""
    return [(x[order[i : i + size]], labels[order[i : i + size]]) for i in range(len(order))]


def tail_filled(x, labels, order, size):
    """The last batch was filled up with samples that had their turn already: let it be smaller."""
    starts = [max(min(i, len(order) - size), 0) for i in range(0, len(order), size)]
    return [(x[order[i : i + size]], labels[order[i : i + size]]) for i in starts]


def number_for_size(x, labels, order, size):
    """This makes `size` batches: size is how many samples are in one, not how many batches there are."""
    length = -(-len(order) // size)
    return [(x[order[i : i + length]], labels[order[i : i + length]]) for i in range(0, len(order), length)]


def turned_round(x, labels, order, size):
    """The order is used the wrong way round: the first sample is row order[0], so write x[order] and not argsort."""
    order = kernel.argsort(order)
    return [(x[order[i : i + size]], labels[order[i : i + size]]) for i in range(0, len(order), size)]


def empty_last(x, labels, order, size):
    """Where the size divides the number of samples an empty batch follows: let range end at len(order), not beyond."""
    return [(x[order[i : i + size]], labels[order[i : i + size]]) for i in range(0, len(order) + 1, size)]


def spread_evenly(x, labels, order, size):
    """The samples are spread evenly: every batch but the last has `size` rows, and that one has what is left."""
    pieces = np.array_split(np.arange(len(order)), -(-len(order) // size))
    return [(x[order[each[0] : each[-1] + 1]], labels[order[each[0] : each[-1] + 1]]) for each in map(list, pieces)]


def tail_joined(x, labels, order, size):
    """What is left was put into the batch before it: give it a smaller batch of its own."""
    starts = [size * k for k in range(max(len(order) // size, 1))]
    pieces = [order[i : i + size] if i < starts[-1] else order[i:] for i in starts]
    return [(x[rows], labels[rows]) for rows in pieces]


def first_alone(x, labels, order, size):
    """Only the first batch comes back: return the list after the loop, one level further out."""
    rows = order[:size]
    return [(x[rows], labels[rows])]


def last_alone(x, labels, order, size):
    """Only the last batch comes back: make the list once, before the loop, and append to it."""
    rows = order[(len(order) - 1) // size * size :]
    return [(x[rows], labels[rows])]


def labels_first(x, labels, order, size):
    """The labels stand before their samples: a pair is (samples, labels)."""
    return [(labels[order[i : i + size]], x[order[i : i + size]]) for i in range(0, len(order), size)]


def two_lists(x, labels, order, size):
    """These are two lists, one of samples and one of labels: make one list of pairs, a pair for each batch."""
    starts = range(0, len(order), size)
    return [x[order[i : i + size]] for i in starts], [labels[order[i : i + size]] for i in starts]


def slices_end_at_size(x, labels, order, size):
    """Only the first batch has samples: a slice ends before its second number, so write start : start + size."""
    return [(x[order[i:size]], labels[order[i:size]]) for i in range(0, len(order), size)]


def from_the_end(x, labels, order, size):
    """The order is walked through from its end: the first batch begins with row order[0]."""
    rows = [order[len(order) - 1 - k] for k in range(len(order))]
    order = kernel.stack(rows)
    return [(x[order[i : i + size]], labels[order[i : i + size]]) for i in range(0, len(order), size)]


def batches_cases(random, dtype):
    def case(count, size, order, note=""):
        x = kernel.tensor(np.arange(2.0 * count).reshape(count, 2) + random.normal() * (count > 5), dtype=dtype)
        return Case(x, kernel.arange(count) * 10, kernel.tensor(order), size, note=note)

    yield case(5, 2, [3, 0, 4, 1, 2])
    yield case(9, 3, random.permutation(9), note="the size divides the number of samples")
    yield case(9, 4, random.permutation(9), note="a single sample is left")
    yield case(6, 10, random.permutation(6), note="one batch, smaller than the size")


# --- report -----------------------------------------------------------------------------------------------------------


def report(answers, labels, k):
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()

    def share(whole):
        return hits / whole if whole else 0.0

    return {
        "accuracy": (answers == labels).sum().item() / len(labels),
        "precision": share(answered.sum().item()),
        "recall": share(actual.sum().item()),
    }


def a_count(answers, labels, k):
    """The accuracy is a count of right answers: divide it by the number of samples."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item()
    precision, recall = hits / max(answered.sum().item(), 1), hits / max(actual.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": recall}


def per_cent(answers, labels, k):
    """The accuracy comes in per cent: here it is a share, from 0 to 1."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = 100 * (answers == labels).sum().item() / len(labels)
    precision, recall = hits / max(answered.sum().item(), 1), hits / max(actual.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": recall}


def error_rate(answers, labels, k):
    """This is the error rate, the share of wrong answers: the accuracy is 1 less that."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    wrong = (answers != labels).sum().item() / len(labels)
    precision, recall = hits / max(answered.sum().item(), 1), hits / max(actual.sum().item(), 1)
    return {"accuracy": wrong, "precision": precision, "recall": recall}


def accuracy_of_one_class(answers, labels, k):
    """The accuracy asks of every class whether the answer is right, not only whether k was told from the others."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answered == actual).sum().item() / len(labels)
    precision, recall = hits / max(answered.sum().item(), 1), hits / max(actual.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": recall}


def swapped(answers, labels, k):
    """Precision and recall are swapped: precision is a share of what was answered k, recall of what is k."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    precision, recall = hits / max(actual.sum().item(), 1), hits / max(answered.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": recall}


def nothing_is_nan(answers, labels, k):
    """Where nothing was answered k, or nothing is k, a share is 0/0 and comes out as nan: let it be 0."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    shares = [hits / whole if whole else float("nan") for whole in (answered.sum().item(), actual.sum().item())]
    return {"accuracy": right, "precision": shares[0], "recall": shares[1]}


def nothing_is_one(answers, labels, k):
    """Where nothing was answered k, or nothing is k, a share is 0/0, and by convention that is 0, not 1."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    shares = [hits / whole if whole else 1.0 for whole in (answered.sum().item(), actual.sum().item())]
    return {"accuracy": right, "precision": shares[0], "recall": shares[1]}


def share_of_all(answers, labels, k):
    """Precision and recall are shares of all samples here: divide by those answered k, and by those that are k."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    return {"accuracy": right, "precision": hits / len(labels), "recall": hits / len(labels)}


def no_hits(answers, labels, k):
    """The numerator is all that was answered k, or all that is k: of these, count those that are both."""
    answered, actual = (answers == k).sum().item(), (labels == k).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    return {"accuracy": right, "precision": answered / max(actual, 1), "recall": actual / max(answered, 1)}


def right_for_hits(answers, labels, k):
    """The numerator counts right answers of every class: count only those that are k and were answered k."""
    answered, actual = (answers == k).sum().item(), (labels == k).sum().item()
    right = (answers == labels).sum().item()
    precision, recall = (right / whole if whole else 0.0 for whole in (answered, actual))
    return {"accuracy": right / len(labels), "precision": precision, "recall": recall}


def nothing_divides(answers, labels, k):
    """Where nothing was answered k, or nothing is k, Python stops at 0/0: ask first, and let the share be 0."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    return {"accuracy": right, "precision": hits / answered.sum().item(), "recall": hits / actual.sum().item()}


def all_per_cent(answers, labels, k):
    """All three come in per cent: here they are shares, from 0 to 1."""
    answered, actual = answers == k, labels == k
    hits = 100 * (answered & actual).sum().item()
    right = 100 * (answers == labels).sum().item() / len(labels)
    precision, recall = hits / max(answered.sum().item(), 1), hits / max(actual.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": recall}


def precision_twice(answers, labels, k):
    """Both are shares of what was answered k: the recall is a share of what is k."""
    answered, actual = answers == k, labels == k
    share = (answered & actual).sum().item() / max(answered.sum().item(), 1)
    right = (answers == labels).sum().item() / len(labels)
    return {"accuracy": right, "precision": share, "recall": share}


def recall_twice(answers, labels, k):
    """Both are shares of what is k: the precision is a share of what was answered k."""
    answered, actual = answers == k, labels == k
    share = (answered & actual).sum().item() / max(actual.sum().item(), 1)
    right = (answers == labels).sum().item() / len(labels)
    return {"accuracy": right, "precision": share, "recall": share}


def false_alarms(answers, labels, k):
    """The precision here is the share of wrong ones among the answers k: it is the share of right ones."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    precision = (answered.sum().item() - hits) / max(answered.sum().item(), 1)
    return {"accuracy": right, "precision": precision, "recall": hits / max(actual.sum().item(), 1)}


def recall_of_the_others(answers, labels, k):
    """The recall counts what is not k and was not answered k: it asks how much of what is k was found."""
    answered, actual = answers == k, labels == k
    hits = (answered & actual).sum().item()
    right = (answers == labels).sum().item() / len(labels)
    others = len(labels) - actual.sum().item()
    found = (~answered & ~actual).sum().item()
    return {"accuracy": right, "precision": hits / max(answered.sum().item(), 1), "recall": found / max(others, 1)}


def report_cases(random, dtype):
    def case(answers, labels, k, note=""):
        return Case(kernel.tensor(np.array(answers)), kernel.tensor(np.array(labels)), k, note=note)

    yield case([0, 0, 0, 0, 1, 2, 2, 1], [0, 0, 1, 2, 0, 2, 1, 1], 0)
    yield case([1, 1, 2, 1, 1], [1, 0, 2, 2, 1], 0, note="nothing was answered k")
    answers, labels = random.integers(0, 4, 40), random.integers(0, 3, 40)
    yield case(answers, labels, 2)
    yield case(answers, labels, 3, note="nothing is k")


# --- auc --------------------------------------------------------------------------------------------------------------


def auc(scores, labels):
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().mean().item()
    level = (ones[:, None] == zeros).double().mean().item()
    return higher + level / 2


def ties_lost(scores, labels):
    """A tie counts for nothing here: give it half, neither of the two is ahead."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    return (ones[:, None] > zeros).double().mean().item()


def ties_won(scores, labels):
    """A tie counts as if the one were ahead: give it half, or a model that says the same of all would be perfect."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    return (ones[:, None] >= zeros).double().mean().item()


def other_way_round(scores, labels):
    """This is how often a zero is ahead: the area is the share of pairs in which the one has the higher score."""
    ones, zeros = scores[labels == 0], scores[labels == 1]
    higher = (ones[:, None] > zeros).double().mean().item()
    return higher + (ones[:, None] == zeros).double().mean().item() / 2


def number_of_pairs(scores, labels):
    """This counts pairs: divide by how many pairs of a one and a zero there are."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().sum().item()
    return higher + (ones[:, None] == zeros).double().sum().item() / 2


def all_pairs(scores, labels):
    """Divided by all pairs of samples: only those of a one and a zero count, ones times zeros."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().sum().item()
    higher += (ones[:, None] == zeros).double().sum().item() / 2
    return higher / (len(scores) * (len(scores) - 1) / 2)


def one_at_a_time(scores, labels):
    """Equal scores were taken one after the other, so the area depends on how they lie: a tie is half a pair."""
    hits = area = 0
    for place in kernel.argsort(scores, descending=True).tolist():
        if labels[place].item() == 1:
            hits += 1
        else:
            area += hits
    return area / (hits * (len(labels) - hits))


def under_precision_and_recall(scores, labels):
    """This is the other area, under precision and recall: here the chance that a one is ahead of a zero is wanted."""
    return kernel.pr_auc(scores, labels)


def half_as_threshold(scores, labels):
    """This is the accuracy at the threshold 0.5: the area knows no threshold, it compares scores with each other."""
    return ((scores > 0.5) == (labels == 1)).double().mean().item()


def side_by_side(scores, labels):
    """The first one was compared with the first zero, and so on: compare every one with every zero."""
    ones, zeros = scores[labels == 1].tolist(), scores[labels == 0].tolist()
    pairs = list(zip(ones, zeros, strict=False))
    return sum(1.0 if one > zero else 0.5 if one == zero else 0.0 for one, zero in pairs) / len(pairs)


def lost_pairs_subtracted(scores, labels):
    """A pair in which the zero is ahead counts −1 here: it counts 0, so that a guess has the area one half."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    return (ones[:, None] > zeros).double().mean().item() - (ones[:, None] < zeros).double().mean().item()


def half_for_a_lost_pair(scores, labels):
    """Every pair in which the one is not ahead counts one half: only a tie does, a lost pair counts 0."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    return 0.5 + (ones[:, None] > zeros).double().mean().item() / 2


def divided_by_the_ones(scores, labels):
    """Divided by the number of ones only: there are as many pairs as ones times zeros."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().sum().item()
    return (higher + (ones[:, None] == zeros).double().sum().item() / 2) / len(ones)


def divided_by_the_samples(scores, labels):
    """Divided by the number of samples: it is a share of pairs, and there are as many as ones times zeros."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().sum().item()
    return (higher + (ones[:, None] == zeros).double().sum().item() / 2) / len(scores)


def negative_area(scores, labels):
    """The area has the wrong sign: it is summed up from the right, so turn both rows round, or take the size."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().mean().item()
    return -higher - (ones[:, None] == zeros).double().mean().item() / 2


def first_one_only(scores, labels):
    """Only the first of the ones is compared with the zeros: let both loops run to their end, and return after them."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[0] > zeros).double().sum().item()
    return (higher + (ones[0] == zeros).double().sum().item() / 2) / (len(ones) * len(zeros))


def in_per_cent(scores, labels):
    """The area comes in per cent: here it is a share, from 0 to 1."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    higher = (ones[:, None] > zeros).double().mean().item()
    return 100 * higher + 50 * (ones[:, None] == zeros).double().mean().item()


def auc_cases(random, dtype):
    def case(scores, labels, note=""):
        return Case(kernel.tensor(scores, dtype=dtype), kernel.tensor(labels), note=note)

    yield case([0.9, 0.4, 0.4, 0.7, 0.4, 0.2], [1, 0, 1, 0, 1, 0], note="a one and a zero have the same score")
    for count in (12, 30):
        labels = np.arange(count) % 3 == 0
        yield case(random.integers(0, 8, count) / 8, random.permutation(labels).astype(int), note="many ties")
    labels = random.permutation(25) % 3 == 0
    yield case(random.random(25) + labels / 4, labels.astype(int))


# --- early_stop -------------------------------------------------------------------------------------------------------


def early_stop(training, validation, patience):
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def watches_training(training, validation, patience):
    """This watches the training loss, which goes on falling while the net over-fits: watch the validation loss."""
    best = 0
    for turn, loss in enumerate(training):
        if loss < training[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def keeps_the_last(training, validation, patience):
    """It stops in time and then keeps the parameters of the last turn: the best are those of the lowest loss."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return turn, turn


def highest(training, validation, patience):
    """This keeps the highest loss: of a loss the lowest is best, of an accuracy it would be the highest."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss > validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def bad_turns_in_all(training, validation, patience):
    """This counts all turns without improvement: after each improvement the patience begins anew."""
    best = bad = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn and (bad := bad + 1) >= patience:
            break
    return best, turn


def one_turn_late(training, validation, patience):
    """One turn too late: it stops as soon as `patience` turns have passed since the best, so compare with >=."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best > patience:
            break
    return best, turn


def one_turn_early(training, validation, patience):
    """One turn too early: the best turn itself does not count, turn - best has to reach the patience."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn and turn - best >= patience - 1:
            break
    return best, turn


def better_than_before(training, validation, patience):
    """Each loss is compared with the one before: a small drop after a rise is no new best, compare with the best."""
    best = 0
    for turn, loss in enumerate(validation):
        if turn and loss < validation[turn - 1]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def knows_the_future(training, validation, patience):
    """This looks for the lowest loss of the whole list: while training, nobody knows the turns to come."""
    best = min(range(len(validation)), key=lambda turn: validation[turn])
    return best, min(best + patience, len(validation) - 1)


def equal_is_better(training, validation, patience):
    """An equal loss counts as an improvement: only a lower one is, so compare with <, not with <=."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss <= validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def goes_on(training, validation, patience):
    """It never stops: the best turn is kept, but all turns are spent; leave the loop when the patience is over."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
    return best, len(validation) - 1


def counts_from_one(training, validation, patience):
    """Turns are counted from one here: as everywhere in Python, the first is turn 0."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best + 1, turn + 1


def loss_for_turn(training, validation, patience):
    """The first number is the lowest loss: the turn is wanted in which it was reached."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return validation[best], turn


def numbers_swapped(training, validation, patience):
    """The two numbers are swapped: first the turn that is kept, then the one in which it stops."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return turn, best


def turns_counted(training, validation, patience):
    """The second number says how many turns there were: the turn in which it stops is one less, as the first is 0."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn + 1


def hindsight(training, validation, patience):
    """It stops in time, and then keeps the best turn of the whole list: turns after the stop were never trained."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return min(range(len(validation)), key=lambda each: validation[each]), turn


def no_patience(training, validation, patience):
    """It stops in the first turn that is no better: it should wait until the best is `patience` turns ago."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn:
            break
    return best, turn


def patience_before(training, validation, patience):
    """It keeps the turn `patience` before the last, which is not the best where the list ends before it stops."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return turn - patience, turn


def patience_after(training, validation, patience):
    """It stops `patience` turns after the best even where the list is over by then: then it is the last turn."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, best + patience


def rises_in_a_row(training, validation, patience):
    """This counts rises in a row, so that a small drop above the best begins anew: count the turns since the best."""
    best = rises = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best]:
            best = turn
        rises = rises + 1 if turn and loss >= validation[turn - 1] else 0
        if rises >= patience:
            break
    return best, turn


def both_lists(training, validation, patience):
    """The losses of both lists are added up: the training loss goes on falling, so watch the validation loss alone."""
    sums = [one + other for one, other in zip(training, validation, strict=True)]
    best = 0
    for turn, loss in enumerate(sums):
        if loss < sums[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def both_improve(training, validation, patience):
    """A turn counts as the best only where the training loss falls too: the validation loss decides alone."""
    best = 0
    for turn, loss in enumerate(validation):
        if loss < validation[best] and training[turn] < training[best]:
            best = turn
        elif turn - best >= patience:
            break
    return best, turn


def early_stop_cases(random, dtype):
    # The training loss rises where the validation loss is best, and falls faster than that on the whole.
    training = [3.0, 2.4, 1.8, 1.5, 1.9, 1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25]
    validation = [1.0, 1.1, 0.8, 0.9, 0.7, 0.72, 0.7, 0.75, 0.74, 0.73, 0.8, 0.5, 0.55, 0.52, 0.6, 0.62]
    yield Case(training, validation, 3)
    for patience in (2, 4):
        falling = (3 - np.arange(14) / 6 + 0.01 * random.random(14)).round(3).tolist()
        bumpy = [1.0, 1.2, 0.9, 0.95, 0.8, 0.85, 0.8, 0.9, 0.82, 0.9, 0.92, 0.95, 0.4, 0.3]
        shift = float(random.integers(1, 5))
        yield Case(falling, [loss + shift for loss in bumpy], patience)
    yield Case([0.5, 0.4, 0.3], [0.9, 0.8, 0.7], 5, note="it still improves in the last turn")


# --- mended -----------------------------------------------------------------------------------------------------------


def mended(theta, x, labels, i):
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def one_step(mended, theta, x, labels, i):
    theta = kernel.Parameter(theta)
    found = mended(theta, x, labels, i)
    loss, rate = found if isinstance(found, (tuple, list)) and len(found) == 2 else (found, None)
    return {"loss": loss, "rate": rate, "theta": theta.data}


def loss_only_positive(theta, x, labels, i):
    """The loss lost its minus sign: log p is negative, and a step downhill makes the right class less likely."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def update_only_positive(theta, x, labels, i):
    """Each step makes the loss larger: the gradient points uphill, so the update needs its minus sign."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.add_(rate * theta.grad)
    return loss.item(), rate


def decay_only_positive(theta, x, labels, i):
    """The decay lost its minus sign: the rate falls 200 steps too soon, compare it at step 1,000."""
    rate = 0.5 * 0.1 ** (max(i + 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def two_that_cancel(theta, x, labels, i):
    """It learns, since two lost signs cancel, but a loss below 0 is none: loss and update both need a minus sign."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.add_(rate * theta.grad)
    return loss.item(), rate


def only_update_mended(theta, x, labels, i):
    """The update is mended; two signs are still lost, that of the loss and one in the decay."""
    rate = 0.5 * 0.1 ** (max(i + 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def only_loss_mended(theta, x, labels, i):
    """The loss is mended; two signs are still lost, that of the update and one in the decay."""
    rate = 0.5 * 0.1 ** (max(i + 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.add_(rate * theta.grad)
    return loss.item(), rate


def as_printed(theta, x, labels, i):
    """This is still as it was printed: look for three lost minus signs, in the loss, the update and the decay."""
    rate = 0.5 * 0.1 ** (max(i + 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.add_(rate * theta.grad)
    return loss.item(), rate


def rate_grows(theta, x, labels, i):
    """The rate grows: it was i - 100 that lost a minus sign, the exponent needs none, since 0.1 is below 1."""
    rate = 0.5 * 0.1 ** (-(max(i - 100, 0) // 1000))
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def no_maximum(theta, x, labels, i):
    """Without max the first 100 steps have ten times the rate: i - 100 is negative there, and // rounds down to -1."""
    rate = 0.5 * 0.1 ** ((i - 100) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def delay_dropped(theta, x, labels, i):
    """The rate falls 100 steps too soon: 100 is subtracted from i, so that the first 1,100 steps have the rate 0.5."""
    rate = 0.5 * 0.1 ** (max(i, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def falls_in_every_step(theta, x, labels, i):
    """The rate falls a little in every step: // rounds down, so that it falls once in 1,000 steps."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) / 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def theta_not_written(theta, x, labels, i):
    """theta has not changed: `theta = …` only names a new tensor, so write the step to theta.data."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    return loss.item(), rate


def results_swapped(theta, x, labels, i):
    """The two results are swapped: first the loss, then the rate."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return rate, loss.item()


def loss_afterwards(theta, x, labels, i):
    """This is the loss after the step: return the one before, from which the gradient came."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return kernel.cross_entropy(x @ theta, labels).item(), rate


def loss_alone(theta, x, labels, i):
    """Only the loss comes back: return two numbers, loss.item(), rate."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item()


def no_return(theta, x, labels, i):
    """Nothing comes back: the printed function ends with return loss.item(), rate."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    loss.backward()
    theta.data.sub_(rate * theta.grad)


def sum_over_the_batch(theta, x, labels, i):
    """The loss is the sum over the batch, and its gradient with it: the loss is the mean."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().sum()
    loss.backward()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def never_backward(theta, x, labels, i):
    """theta.grad is None, since no backward() was called: it stands between the loss and the update."""
    rate = 0.5 * 0.1 ** (max(i - 100, 0) // 1000)
    p = kernel.softmax(x @ theta, axis=1)
    loss = -p.gather(1, labels[:, None]).log().mean()
    theta.data.sub_(rate * theta.grad)
    return loss.item(), rate


def mended_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([[0.0, 0.0], [0.0, 0.0]]), tensor([[1.0, 2.0]]), kernel.tensor([1]), 0)
    for i in (950, 1000, 2050):
        theta, x = random.normal(size=(2, 3)), random.normal(size=(6, 2))
        yield Case(tensor(theta), tensor(x), kernel.tensor(random.integers(0, 3, 6)), i, note=f"step {i:,}")


exercises = [
    Exercise(
        update,
        title="The update",
        points=2,
        cases=update_cases,
        driver=two_steps,
        without=("SGD", "sgd"),
        misconceptions=(
            uphill,
            not_cleared,
            uphill_not_cleared,
            rebound,
            rebound_not_cleared,
            rebound_then_cleared,
            change_without_no_grad,
            step_for_parameter,
            gradient_forgotten,
            divided_by_the_rate,
            rate_forgotten,
            first_only,
            last_cleared,
            parameters_cleared,
            scaled,
        ),
        hints=(
            "Two acts for each parameter: one step downhill, and a clean gradient for the next backward().",
            "parameter.data.sub_(…) changes the numbers in place, and parameter.grad.zero_() clears a gradient.",
            "In a loop over parameters: parameter.data.sub_(rate * parameter.grad), then parameter.grad.zero_().",
        ),
    ),
    Exercise(
        batches,
        title="Minibatches",
        points=2,
        cases=batches_cases,
        misconceptions=(
            tail_lost,
            not_shuffled,
            labels_stay,
            samples_stay,
            overlapping,
            sliding,
            tail_filled,
            number_for_size,
            turned_round,
            empty_last,
            spread_evenly,
            tail_joined,
            first_alone,
            last_alone,
            labels_first,
            two_lists,
            slices_end_at_size,
            from_the_end,
        ),
        hints=(
            "Cut `order` into pieces of `size` numbers; each piece names the rows of one batch.",
            "range(0, len(order), size) gives the starts, and a slice that reaches past the end is simply shorter.",
            "rows = order[start : start + size], and then the pair (x[rows], labels[rows]).",
        ),
    ),
    Exercise(
        report,
        title="Accuracy, precision, recall",
        points=3,
        cases=report_cases,
        without=("accuracy", "precision", "recall", "confusion_matrix", "f1_score"),
        # A share may come from the mean of a float32 tensor, in float64 cases too: the inputs are integers.
        tolerance={"float64": 1e-6, "float32": 1e-6},
        misconceptions=(
            a_count,
            per_cent,
            error_rate,
            accuracy_of_one_class,
            swapped,
            nothing_is_nan,
            nothing_is_one,
            share_of_all,
            no_hits,
            right_for_hits,
            nothing_divides,
            all_per_cent,
            precision_twice,
            recall_twice,
            false_alarms,
            recall_of_the_others,
        ),
        hints=(
            "Three counts are all you need for class k: answered k, is k, and both at once.",
            "(answers == k) & (labels == k) marks the hits; .sum().item() counts them, as a Python number.",
            "hits / answered_k if answered_k else 0.0 is the precision; for the recall divide by how many are k.",
        ),
    ),
    Exercise(
        auc,
        title="The area under the ROC curve",
        points=2,
        cases=auc_cases,
        without=("roc_auc", "roc_curve"),
        tolerance={"float64": 1e-6, "float32": 1e-5},
        misconceptions=(
            ties_lost,
            ties_won,
            other_way_round,
            number_of_pairs,
            all_pairs,
            one_at_a_time,
            under_precision_and_recall,
            half_as_threshold,
            side_by_side,
            lost_pairs_subtracted,
            half_for_a_lost_pair,
            divided_by_the_ones,
            divided_by_the_samples,
            negative_area,
            first_one_only,
            in_per_cent,
        ),
        hints=(
            "Compare every one with every zero: 1 if the one is ahead, one half for a tie, else 0; then take the mean.",
            "scores[labels == 1] are the scores of the ones; .tolist() makes numbers of them for two loops.",
            "Add (1.0 if a > b else 0.5 if a == b else 0.0) for all a in ones and b in zeros; divide by the pairs.",
        ),
    ),
    Exercise(
        early_stop,
        title="Stop in time",
        points=2,
        cases=early_stop_cases,
        misconceptions=(
            watches_training,
            keeps_the_last,
            highest,
            bad_turns_in_all,
            one_turn_late,
            one_turn_early,
            better_than_before,
            knows_the_future,
            equal_is_better,
            goes_on,
            counts_from_one,
            loss_for_turn,
            numbers_swapped,
            turns_counted,
            hindsight,
            no_patience,
            patience_before,
            patience_after,
            rises_in_a_row,
            both_lists,
            both_improve,
        ),
        hints=(
            "Walk through one of the two lists and remember the turn of the lowest loss so far.",
            "A lower loss than the best makes this turn the best; if not, look how long ago the best was.",
            "elif turn - best >= patience: break, and after the loop return best, turn.",
        ),
    ),
    Exercise(
        mended,
        title="Find the bug: three lost signs",
        points=2,
        cases=mended_cases,
        driver=one_step,
        misconceptions=(
            loss_only_positive,
            update_only_positive,
            decay_only_positive,
            two_that_cancel,
            only_update_mended,
            only_loss_mended,
            as_printed,
            rate_grows,
            no_maximum,
            delay_dropped,
            falls_in_every_step,
            theta_not_written,
            results_swapped,
            loss_afterwards,
            loss_alone,
            no_return,
            sum_over_the_batch,
            never_backward,
        ),
        hints=(
            "Compare with the lesson's section 3, line by line: what is the loss, which way is downhill?",
            "Two signs show in the first step; the third only after 900 steps, when the rate falls too soon.",
            "max(i - 100, 0), loss = -p.gather(…), and theta.data.sub_(rate * theta.grad).",
        ),
    ),
]
