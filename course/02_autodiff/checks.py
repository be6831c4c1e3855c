"""The exercises on automatic differentiation: right answers, wrong ones that students give, and hints."""

import kernel
from classroom.spec import Case, Exercise

# --- slopes ---------------------------------------------------------------------------------------------------------


def slopes(x, y):
    f = x**2 * y + y**3
    f.backward()
    return x.grad, y.grad


def swapped(x, y):
    """The two derivatives are swapped: the first one asked for is ∂f/∂x, which is 20 at (5, 2)."""
    return x**2 + 3 * y**2, 2 * x * y


def one_use_of_y(x, y):
    """y is used twice, in x²·y and in y³, but only the first use is counted: add 3y² to ∂f/∂y."""
    return 2 * x * y, x**2 + 0 * y


def exponent_kept(x, y):
    """The slope of x² is 2x and that of y³ is 3y²: the exponent comes down as a factor, and here it is missing."""
    return x * y, x**2 + y**2


def factor_lost(x, y):
    """In ∂f/∂x the factor y is missing: it is a constant there, but it stays as a factor, so 2x becomes 2xy."""
    return 2 * x, x**2 + 3 * y**2


def walked_twice(x, y):
    """Every slope is twice too large: backward ran twice, and grad adds up; call backward once."""
    for _ in range(2):
        (x**2 * y + y**3).backward()
    return x.grad, y.grad


def values_for_slopes(x, y):
    """These are the two terms of f itself, not its slopes: call f.backward() and return x.grad and y.grad."""
    return x**2 * y, y**3


def without_backward(x, y):
    """Nothing has walked back yet, so both grad are None: call f.backward() before you return x.grad and y.grad."""
    return x.grad, y.grad


def leaves_for_slopes(x, y):
    """These are x and y themselves: their slopes stand in x.grad and y.grad after f.backward()."""
    return x, y


def backward_returned(x, y):
    """backward returns nothing; it leaves the slopes in the leaves: call it, then return x.grad and y.grad."""
    return (x**2 * y + y**3).backward()


def caret_for_power(x, y):
    """In Python ^ is no power but a bit operation: write x**2 and y**3."""
    f = x ^ 2 * y + y ^ 3
    f.backward()
    return x.grad, y.grad


def slopes_cases(random, dtype):
    def leaf(value):
        return kernel.tensor(float(value), dtype=dtype, requires_grad=True)

    yield Case(leaf(5), leaf(2))
    yield Case(leaf(-1), leaf(3))
    yield Case(leaf(random.uniform(0.5, 2)), leaf(random.uniform(-2, -0.5)))


# --- linear_vjp -----------------------------------------------------------------------------------------------------


def linear_vjp(g, x, w):
    return g @ w.T, x.T @ g, g.sum(axis=0)


def bias_not_summed(g, x, w):
    """b of shape (M,) was stretched over the B rows, so its gradient must be summed over them: g has shape (B, M)."""
    return g @ w.T, x.T @ g, g


def bias_averaged(g, x, w):
    """The bias is added to every row, so its gradient is the sum over the rows; the mean is B times too small."""
    return g @ w.T, x.T @ g, g.mean(axis=0)


def bias_over_features(g, x, w):
    """The bias gradient was summed along each row: sum over axis 0, the samples; b has one number per column."""
    return g @ w.T, x.T @ g, g.sum(axis=1)


def w_not_transposed(g, x, w):
    """In the gradient of x, w must be transposed: (B, M) times (M, K) gives (B, K), but w has shape (K, M)."""
    return g @ w, x.T @ g, g.sum(axis=0)


def x_not_transposed(g, x, w):
    """In the gradient of w, x must be transposed: (K, B) times (B, M) gives (K, M), but x has shape (B, K)."""
    return g @ w.T, x @ g, g.sum(axis=0)


def w_gradient_transposed(g, x, w):
    """The gradient of w is transposed: it should have w's own shape (K, M), so it is xᵀ g and not gᵀ x."""
    return g @ w.T, g.T @ x, g.sum(axis=0)


def x_and_w_exchanged(g, x, w):
    """The gradients of x and w are exchanged: return them in the order x, w, b; each has the shape of its tensor."""
    return x.T @ g, g @ w.T, g.sum(axis=0)


def linear_vjp_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), tensor([[1.0], [2.0], [3.0]]), tensor([[4.0, 5.0]]))
    for rows, inputs, outputs in ((4, 3, 2), (2, 3, 5)):
        yield Case(
            tensor(random.normal(size=(rows, outputs))),
            tensor(random.normal(size=(rows, inputs))),
            tensor(random.normal(size=(inputs, outputs))),
        )
    yield Case(
        tensor(random.normal(size=(1, 2))),
        tensor(random.normal(size=(1, 3))),
        tensor(random.normal(size=(3, 2))),
        note="a batch of one row",
    )


# --- accumulation ---------------------------------------------------------------------------------------------------


def accumulation():
    return {"A": 3.0, "B": "error", "C": 6.0, "D": 2.0, "E": 6.0, "retain_graph keeps": "saved values"}


def retain_graph_for_sums():
    """C: grad adds up without retain_graph; each turn computes a new y, so three times 2 stand there."""
    return {"C": 2.0}


def keeps_gradients():
    """retain_graph does not keep the gradients, which lie in x.grad anyway: compare C, where nothing is retained."""
    return {"retain_graph keeps": "gradients"}


def square_walked_again():
    """B: the rule 2x reads x, and the first backward freed it; walking the same square again is an error."""
    return {"B": 4.0}


def square_replaces():
    """B: the second backward is refused, because the first one freed the x that the rule 2x reads; and a gradient that
    arrives is added to grad, it never replaces it."""
    return {"B": 2.0}


def new_square_refused():
    """C: each turn computes a new y, which saves its own x, so every backward finds what it reads: 2 + 2 + 2."""
    return {"C": "error"}


def sum_refused():
    """A: the rule of a sum reads no value, so nothing was freed that the third backward would miss."""
    return {"A": "error"}


def overwritten():
    """A: grad is added to and not overwritten, so three backward calls leave 1 + 1 + 1."""
    return {"A": 1.0}


def never_cleared():
    """D: grad is set to None before each backward, so only the gradient of the last turn stands there."""
    return {"D": 6.0}


def retained_once():
    """E: both earlier calls keep the graph, so the third may still walk it, and all three are added."""
    return {"E": 4.0}


def third_is_an_error():
    """E: the third call needs the saved values, and the second one kept them: only the third frees them, at its end."""
    return {"E": "error"}


# --- loop_slope -----------------------------------------------------------------------------------------------------


def loop_slope(x):
    y = x
    while y < 10:
        y = y**2
    y.backward()
    return y.detach(), x.grad


def last_turn_only(x):
    """Only the last squaring is differentiated: the chain rule multiplies the slopes 2y of all turns of the loop."""
    y, slope = x.detach(), kernel.ones_like(x)
    while y < 10:
        slope = 2 * y
        y = y**2
    return y, slope


def slopes_added(x):
    """The slopes of the turns are added, but turns follow one another, so they multiply: at x = 2, 4 · 8 = 32."""
    y, slope = x.detach(), kernel.zeros_like(x)
    while y < 10:
        slope = slope + 2 * y
        y = y**2
    return y, slope


def twice_the_result(x):
    """2y at the end is the slope at x = 2 only, by accident: the slopes of all turns multiply; let backward do it."""
    y = x.detach()
    while y < 10:
        y = y**2
    return y, 2 * y


def always_two_turns(x):
    """Two turns are taken for granted, as at x = 2: another x needs another number of turns, so let while decide."""
    y = x.detach() ** 4
    return y, 4 * x.detach() ** 3


def backward_in_the_loop(x):
    """backward stands inside the loop, so x.grad adds up the slope after every turn: call it once, after the loop."""
    y = x
    while y < 10:
        y = y**2
        y.backward(retain_graph=True)
    return y.detach(), x.grad


def history_cut(x):
    """The loop squares y.detach() (or .data), which forgets where y came from: square y itself."""
    y = x
    while y < 10:
        y = y.detach() ** 2
    y.backward()
    return y.detach(), x.grad


def x_lost(x):
    """In the loop the name x goes to a new tensor, which is no leaf, so its grad is None: square y, leave x alone."""
    while x < 10:
        x = x**2
    x.backward()
    return x.detach(), x.grad


def if_for_while(x):
    """`if` squares once at most: `while` asks again after every turn."""
    y = x
    if y < 10:
        y = y**2
    y.backward()
    return y.detach(), x.grad


def ten_is_below_ten(x):
    """At 10 the loop should stop, since 10 is not below 10: the condition is y < 10, without the equals sign."""
    y = x
    while y <= 10:
        y = y**2
    y.backward()
    return y.detach(), x.grad


def size_for_value(x):
    """The condition is about y itself, and -12 is below 10: leave out abs, so that one turn makes 144 of it."""
    y = x
    while abs(y) < 10:
        y = y**2
    y.backward()
    return y.detach(), x.grad


def loop_slope_cases(random, dtype):
    for x, note in (
        (2.0, ""),
        (1.2, "four turns"),
        (-3.0, ""),
        (12.0, "the loop does not turn at all"),
        (10.0, "10 is not below 10"),
        (-12.0, "-12 is below 10"),
    ):
        yield Case(kernel.tensor([x], dtype=dtype, requires_grad=True), note=note)
    yield Case(kernel.tensor([random.uniform(1.3, 1.7)], dtype=dtype, requires_grad=True))


# --- walk_back ------------------------------------------------------------------------------------------------------


def walk_back(tape):
    gradients = {tape[-1][0]: 1.0}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[result] * slope
    return gradients


def replaced(tape):
    """A second part replaces the first one: add it to what has arrived, because a is used twice in a + a."""
    gradients = {tape[-1][0]: 1.0}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients[result] * slope
    return gradients


def oldest_first(tape):
    """The walk runs from the oldest line to the newest, where no gradient has arrived yet: take reversed(tape)."""
    gradients = {tape[-1][0]: 1.0}
    for result, operands, slopes in tape:
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients.get(result, 0.0) * slope
    return gradients


def slope_forgotten(tape):
    """The gradient is handed on as it came: multiply it by the local slope of each operand."""
    gradients = {tape[-1][0]: 1.0}
    for result, operands, _ in reversed(tape):
        for operand in operands:
            gradients[operand] = gradients.get(operand, 0.0) + gradients[result]
    return gradients


def impatient(tape):
    """A value hands on its sum whenever a part arrives, so early parts count twice: take a line once, newest first."""
    lines = {result: (operands, slopes) for result, operands, slopes in tape}
    gradients = {tape[-1][0]: 1.0}

    def visit(name):
        for operand, slope in zip(*lines.get(name, ((), ())), strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[name] * slope
            visit(operand)

    visit(tape[-1][0])
    return gradients


def one_visit_too_early(tape):
    """Each value is visited when its first part arrives, and a later part is lost: take the lines newest first."""
    lines = {result: (operands, slopes) for result, operands, slopes in tape}
    gradients, queue, seen = {tape[-1][0]: 1.0}, [tape[-1][0]], set()
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for operand, slope in zip(*lines.get(name, ((), ())), strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[name] * slope
            queue.append(operand)
    return gradients


def nothing_to_add_to(tape):
    """When the first part of an operand arrives, the dict has no entry to add it to: gradients.get(operand, 0.0) gives
    0 in its place."""
    gradients = {tape[-1][0]: 1.0}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] += gradients[result] * slope
    return gradients


def no_first_entry(tape):
    """The dict is empty when the walk begins, so the last line finds no gradient of its result: put it in with 1.0."""
    gradients = {}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[result] * slope
    return gradients


def result_left_out(tape):
    """The last result is missing in the dict: its derivative with respect to itself is 1."""
    gradients = {}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients.get(result, 1.0) * slope
    return gradients


def local_slopes_alone(tape):
    """Each part is the local slope alone: by the chain rule it is multiplied by the gradient of the line's result."""
    gradients = {tape[-1][0]: 1.0}
    for _, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + slope
    return gradients


def starts_with_zero(tape):
    """Everything is 0 because the walk starts with 0: the gradient of the result with respect to itself is 1."""
    gradients = {tape[-1][0]: 0.0}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes, strict=True):
            gradients[operand] = gradients.get(operand, 0.0) + gradients[result] * slope
    return gradients


def walk_back_cases(random, dtype):
    yield Case([("b", ("a", "a"), (1.0, 1.0)), ("c", ("b", "b"), (1.0, 1.0))])
    yield Case([("s", ("x",), (10.0,)), ("c", ("s", "y"), (2.0, 25.0))], note="x²y at (5, 2)")
    # Both reach back over the line in between, so that the order of the visits matters.
    yield Case([("p", ("x",), (2.0,)), ("q", ("p",), (3.0,)), ("r", ("p", "q"), (1.0, 1.0))], note="p is used twice")
    tape, names = [], ["x"]
    for number in range(6):
        operands = (names[-1], names[int(random.integers(len(names)))])
        name = f"v{number}"
        tape.append((name, operands, tuple(float(slope) for slope in random.uniform(0.5, 2, size=2))))
        names.append(name)
    yield Case(tape, note="a longer tape")


# --- frameworks -----------------------------------------------------------------------------------------------------


def frameworks():
    return {
        "A": "leaf",
        "B": "record",
        "C": "record",
        "D": "backward",
        "E": "forward",
        "F": "forward",
        "G": "backward",
        "H": "graph first",
    }


def attach_grad_records():
    """A: attach_grad only says that the gradient of x is wanted, as requires_grad does; the block records."""
    return {"A": "record"}


def recording_makes_leaves():
    """B: autograd.record() does not choose leaves: in its block the operations are noted, as PyTorch always does."""
    return {"B": "leaf"}


def tape_walks_at_once():
    """C: GradientTape as a context only notes operations; the walk is the call of tape.gradient afterwards."""
    return {"C": "backward"}


def session_differentiates():
    """E: session.run computes what it is asked for; asked for y, it runs forward; a gradient is a node of its own."""
    return {"E": "backward"}


def eval_differentiates():
    """F: eval computes the value of a CNTK function; its gradient is what grad gives."""
    return {"F": "backward"}


def grad_is_a_value():
    """G: grad of a CNTK function does not give its value but the gradients: forward and backward in one call."""
    return {"G": "forward"}


def block_is_the_tape():
    """D: the lines of the with block were recorded before; tape.gradient(y, x) walks back over that record."""
    return {"D": "record"}


def everything_is_eager():
    """H: in CNTK and TensorFlow 1 a line y = x * x adds a node and gives no number: eval or run does."""
    return {"H": "eager"}


exercises = [
    Exercise(
        slopes,
        title="Two slopes of one formula",
        points=1,
        cases=slopes_cases,
        misconceptions=(
            swapped,
            one_use_of_y,
            exponent_kept,
            factor_lost,
            walked_twice,
            values_for_slopes,
            leaves_for_slopes,
            without_backward,
            backward_returned,
            caret_for_power,
        ),
        hints=(
            "x and y come as leaves: whatever you compute from them is recorded.",
            "Compute f with the operators of Python, and call backward on it, once.",
            "f = x**2 * y + y**3, then f.backward(); the answers are x.grad and y.grad, in this order.",
        ),
    ),
    Exercise(
        linear_vjp,
        title="Three rules of a linear layer",
        without=("backward", "grad"),
        points=3,
        cases=linear_vjp_cases,
        misconceptions=(
            bias_not_summed,
            bias_averaged,
            bias_over_features,
            w_not_transposed,
            x_not_transposed,
            w_gradient_transposed,
            x_and_w_exchanged,
        ),
        hints=(
            "Each gradient has the shape of its own tensor: write the three shapes down first.",
            "Two of the rules are the matmul row of the table in the lesson, the third is broadcasting read backward.",
            "g @ w.T has shape (B, K), x.T @ g has shape (K, M), and b, which every row used, gets g.sum(axis=0).",
        ),
    ),
    Exercise(
        accumulation,
        title="Find the bug: what retain_graph is for",
        choices=("error", "gradients", "saved values"),
        points=2,
        misconceptions=(
            retain_graph_for_sums,
            keeps_gradients,
            square_walked_again,
            square_replaces,
            new_square_refused,
            sum_refused,
            overwritten,
            never_cleared,
            retained_once,
            third_is_an_error,
        ),
        hints=(
            "Ask of every backward: are the values that its rules read still there, and what stood in grad before?",
            "The rule of a square reads x, the rule of a sum reads nothing; only what is read can have been freed.",
            "Every backward that runs adds its gradient, 2 for a square and 1 for a sum; only x.grad = None clears it.",
        ),
    ),
    Exercise(
        loop_slope,
        title="The slope of a loop",
        points=2,
        cases=loop_slope_cases,
        misconceptions=(
            last_turn_only,
            slopes_added,
            twice_the_result,
            always_two_turns,
            backward_in_the_loop,
            history_cut,
            x_lost,
            if_for_while,
            ten_is_below_ten,
            size_for_value,
        ),
        hints=(
            "A tensor of one element can be compared in a while, as a number can.",
            "Let y start as x itself, so that its history leads back to the leaf, and square it in the loop.",
            "After the loop: y.backward(), then return y.detach(), x.grad.",
        ),
    ),
    Exercise(
        walk_back,
        title="Walk backward over a tape",
        points=3,
        cases=walk_back_cases,
        misconceptions=(
            replaced,
            oldest_first,
            slope_forgotten,
            impatient,
            one_visit_too_early,
            nothing_to_add_to,
            no_first_entry,
            result_left_out,
            local_slopes_alone,
            starts_with_zero,
        ),
        hints=(
            "Keep a dict of what has arrived so far; at the beginning it holds 1.0 under the name of the last line.",
            "Take the lines in reversed(tape): then all parts of a result have arrived before its own line is visited.",
            "For each operand and slope: gradients[operand] = gradients.get(operand, 0.0) + gradients[result] * slope.",
        ),
    ),
    Exercise(
        frameworks,
        title="The same four steps in other frameworks",
        points=1,
        choices=("leaf", "record", "forward", "backward", "eager", "graph first"),
        misconceptions=(
            attach_grad_records,
            recording_makes_leaves,
            tape_walks_at_once,
            block_is_the_tape,
            session_differentiates,
            eval_differentiates,
            grad_is_a_value,
            everything_is_eager,
        ),
        hints=(
            "The last table of the lesson has most of these lines, each in the column of its step.",
            "A with block records; what is called afterwards on the tape, or on y, walks back.",
            "eval and session.run(y, …) compute numbers, going forward, from a graph that was built before.",
        ),
    ),
]
