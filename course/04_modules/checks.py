"""The exercises on modules: right answers, wrong ones that students give, and hints."""

import kernel
from classroom.spec import Case, Exercise

# --- OwnDense -------------------------------------------------------------------------------------------------------


class OwnDense(kernel.Module):
    def __init__(self, w, b):
        self.W = kernel.Parameter(w)
        self.b = kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W + self.b)


def a_call_and_its_gradients(layer_class, w, b, x):
    layer = layer_class(w, b)
    y = layer(x)
    if y.requires_grad:
        (y * y).sum().backward()
    return y.detach(), {name: parameter.grad for name, parameter in layer.named_parameters()}


class PlainTensors(kernel.Module):
    """The layer has no parameters, since tensors are not looked for: wrap w and b in kernel.Parameter."""

    def __init__(self, w, b):
        self.W, self.b = w, b

    def forward(self, x):
        return kernel.relu(x @ self.W + self.b)


class PlainBias(kernel.Module):
    """The bias is a plain tensor and would never be learned: wrap b in kernel.Parameter, as you did with w."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), b

    def forward(self, x):
        return kernel.relu(x @ self.W + self.b)


class PlainWeight(kernel.Module):
    """The weight is a plain tensor and would never be learned: wrap w in kernel.Parameter, as you did with b."""

    def __init__(self, w, b):
        self.W, self.b = w, kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W + self.b)


class Transposed(kernel.Module):
    """W comes as (K, M), so it is multiplied as it is: x @ W; the transpose belongs to layers that keep (M, K)."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W.T + self.b)


class KeptTransposed(kernel.Module):
    """The numbers are right, but the parameter is kept as (M, K), and with it its gradient: keep w as it came."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w.T), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W.T + self.b)


class NoBias(kernel.Module):
    """The bias is held and never used: add it to x @ W before the activation."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W)


class NoActivation(kernel.Module):
    """The activation is missing, so negative sums come out as they are: put kernel.relu around the sum."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return x @ self.W + self.b


class BiasOutside(kernel.Module):
    """The bias comes after the activation: relu is applied to the whole sum, x @ W + b."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W) + self.b


class BiasPerSample(kernel.Module):
    """The bias is one number for each output, not for each sample: add b of shape (M,) as it is, without an axis."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.W + kernel.expand_dims(self.b, 1))


class Hyperbolic(kernel.Module):
    """This is tanh, the activation of the layer in the lesson's first cell: here it is relu."""

    def __init__(self, w, b):
        self.W, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.tanh(x @ self.W + self.b)


class SmallLetter(kernel.Module):
    """The weight's name is its attribute's, and that should be W, with a capital letter."""

    def __init__(self, w, b):
        self.w, self.b = kernel.Parameter(w), kernel.Parameter(b)

    def forward(self, x):
        return kernel.relu(x @ self.w + self.b)


def dense_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([[1.0, 2.0, -1.0], [0.0, 1.0, -1.0]]), tensor([0.5, -1.0, 1.0]), tensor([[1.0, 1.0], [2.0, 0.0]]))
    for rows, inputs, outputs in ((4, 3, 2), (3, 2, 3)):
        yield Case(
            tensor(random.normal(size=(inputs, outputs))),
            tensor(random.normal(size=outputs)),
            tensor(random.normal(size=(rows, inputs))),
        )
    yield Case(
        tensor(random.normal(size=(3, 3))),
        tensor(random.normal(size=3)),
        tensor(random.normal(size=(3, 3))),
        note="as many samples as inputs and outputs",
    )


# --- count_parameters -----------------------------------------------------------------------------------------------


def count_parameters(net):
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def biases_forgotten(net):
    """The biases are missing: every kernel, and every output of a dense layer, has one."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs
    return total


def bias_of_dense_forgotten(net):
    """Only the convolutions have their biases: a dense layer has one as well, for each of its outputs."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs
    return total


def bias_of_conv_forgotten(net):
    """Only the dense layers have their biases: a convolution has one as well, for each of its kernels."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def one_bias_for_a_layer(net):
    """A layer does not have one bias but one for each output: add the number of outputs, not 1."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs + 1
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + 1
    return total


def bias_for_every_input(net):
    """A kernel has one bias, whatever its number of input channels: (side · side · inputs + 1) · outputs."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += (side * side + 1) * inputs * outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def not_squared(net):
    """A kernel is as high as it is wide, so its side counts twice: side · side, 9 for a kernel of 3."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * inputs * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def doubled_for_squared(net):
    """A square of side 3 has 9 places and not 6: side · side, not 2 · side."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += 2 * side * inputs * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def channels_forgotten(net):
    """A kernel reaches through all input channels, with weights of its own in each: multiply by the inputs."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            _, outputs, side = sizes
            total += side * side * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
    return total


def pooling_learns(net):
    """Pooling takes the largest number of each window and learns nothing: it has no parameters."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs + outputs
        elif kind == "dense":
            inputs, outputs = sizes
            total += inputs * outputs + outputs
        else:
            total += sizes[0] * sizes[0]
    return total


def dense_ignored(net):
    """Only the convolutions are counted: a dense layer has inputs · outputs weights, and its biases."""
    total = 0
    for kind, *sizes in net:
        if kind == "conv":
            inputs, outputs, side = sizes
            total += side * side * inputs * outputs + outputs
    return total


def count_cases(random, dtype):
    yield Case([("conv", 1, 8, 3), ("pool", 2), ("conv", 8, 16, 3), ("dense", 64, 10)], note="the net of the lesson")
    for _ in range(2):
        channels = [int(random.integers(2, 9)) for _ in range(3)]
        sides = [int(random.integers(3, 8)) for _ in range(2)]
        yield Case(
            [
                ("conv", channels[0], channels[1], sides[0]),
                ("pool", int(random.integers(2, 4))),
                ("conv", channels[1], channels[2], sides[1]),
                ("dense", 4 * channels[2], 12),
                ("dense", 12, 10),
            ]
        )
    yield Case([("pool", 2)], note="nothing that learns")


# --- tied_gradient --------------------------------------------------------------------------------------------------


def tied_gradient(w, x):
    h = x @ w
    g = h @ w.T - x
    return g.T @ h + x.T @ (g @ w)


def second_use_only(w, x):
    """Only the second use of W has brought its part: the first one, h = x W, brings xᵀ (g W)."""
    h = x @ w
    g = h @ w.T - x
    return g.T @ h


def first_use_only(w, x):
    """Only the first use of W has brought its part: the second one, y = h Wᵀ, brings gᵀ h."""
    h = x @ w
    g = h @ w.T - x
    return x.T @ (g @ w)


def averaged(w, x):
    """The parts of the two uses are averaged: they are added, because a step of W changes both places at once."""
    h = x @ w
    g = h @ w.T - x
    return (g.T @ h + x.T @ (g @ w)) / 2


def multiplied(w, x):
    """The parts of the two uses are multiplied: gradients of several uses are added."""
    h = x @ w
    g = h @ w.T - x
    return (g.T @ h) * (x.T @ (g @ w))


def second_use_doubled(w, x):
    """One part is taken twice: the two uses bring different parts, gᵀ h and xᵀ (g W)."""
    h = x @ w
    g = h @ w.T - x
    return 2 * (g.T @ h)


def part_transposed(w, x):
    """The second use holds W transposed, and so is hᵀ g: turn it, (hᵀ g)ᵀ = gᵀ h, before you add it to W's part."""
    h = x @ w
    g = h @ w.T - x
    return h.T @ g + x.T @ (g @ w)


def uphill(w, x):
    """Every sign is turned: with L = ½ Σ (y − x)² the gradient that arrives is y − x, not x − y."""
    h = x @ w
    g = x - h @ w.T
    return g.T @ h + x.T @ (g @ w)


def half_forgotten(w, x):
    """Everything is twice too large: the ½ before the sum cancels the 2 that comes down from the square."""
    h = x @ w
    g = 2 * (h @ w.T - x)
    return g.T @ h + x.T @ (g @ w)


def mean_for_sum(w, x):
    """The gradient is divided by the number of samples, but the loss here is a sum over them, not a mean."""
    h = x @ w
    g = (h @ w.T - x) / x.shape[0]
    return g.T @ h + x.T @ (g @ w)


def g_not_carried_back(w, x):
    """In the first use's part g stands as it is: carry it back through y = h Wᵀ first, as g W, or no shape fits."""
    h = x @ w
    g = h @ w.T - x
    return g.T @ h + x.T @ g


def tied_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    yield Case(tensor([[1.0], [2.0]]), tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    for rows, inputs, hidden in ((4, 3, 2), (2, 4, 3)):
        yield Case(tensor(random.normal(size=(inputs, hidden))), tensor(random.normal(size=(rows, inputs))))
    yield Case(tensor(random.normal(size=(3, 3))), tensor(random.normal(size=(3, 3))), note="all sizes alike")


# --- symmetry -------------------------------------------------------------------------------------------------------


def symmetry():
    return {"A": 1, "B": 1, "C": 12, "D": 12, "E": 4, "remedy": "random weights"}


def nothing_moves():
    """A: one of them does move, since the gradient of lin2.bias is p − y, which needs neither weights nor inputs."""
    return {"A": 0}


def biases_move():
    """A: lin1.bias gets its gradient through lin2.weight, which is 0 and stays 0: only lin2.bias moves."""
    return {"A": 2}


def second_layer_moves():
    """A: the gradient of lin2.weight is g times h, and h = relu(0) = 0: its bias moves, the weight does not."""
    return {"A": 3}


def everything_moves():
    """A: three of the gradients hold a factor that is 0: h for lin2.weight, lin2.weight for both tensors of lin1."""
    return {"A": 4}


def gradients_differ():
    """B: equal rows give equal h, meet equal columns of lin2.weight, and so get equal gradients: they stay one row."""
    return {"B": 12}


def one_row_for_a_class():
    """B: the 3 classes have rows of their own in lin2, but within each of them all 12 entries are equal."""
    return {"B": 3}


def one_row_for_an_input():
    """B: the 2 inputs make 2 columns, which may differ; the 12 rows, one for each hidden unit, do not."""
    return {"B": 2}


def zeros_stay_zeros():
    """C: lin2.weight gets g times h at the first step, and the 12 entries of h differ: then everything moves."""
    return {"C": 1}


def bias_breaks_nothing():
    """D: units with different biases switch on at different inputs, so that their gradients differ from then on."""
    return {"D": 1}


def tanh_is_no_help():
    """E: tanh has slope 1 at 0, where relu has 0: the random lin2.weight lets gradients through to lin1."""
    return {"E": 1}


def second_weight_stays():
    """E: at the first step h is 0, but lin1 moves, and from the second step on lin2.weight gets a gradient, too."""
    return {"E": 3}


def patience():
    """remedy: what is equal stays equal after every step, however many there are."""
    return {"remedy": "more steps"}


def rate():
    """remedy: equal gradients times another rate are equal again."""
    return {"remedy": "another rate"}


def wider():
    """remedy: more units that are all alike know no more than one."""
    return {"remedy": "more units"}


# --- accuracy_in_use ------------------------------------------------------------------------------------------------


def accuracy_in_use(net, x, labels):
    was_training = net.training
    net.eval()
    share = (net(x).argmax(axis=1) == labels).float().mean().item()
    net.train(was_training)
    return share


def a_net_that_drops(answer, weight, x, labels, training):
    net = kernel.layers.Sequential(
        [kernel.layers.Dropout(0.5, seed=1), kernel.layers.Linear(weight.shape[1], weight.shape[0], bias=False)]
    )
    net[1].weight = kernel.Parameter(weight)
    net.train(training)
    return answer(net, x, labels), net.training


def still_dropping(net, x, labels):
    """Dropout is still on while you test: call net.eval() first, with its parentheses; no_grad does not do it."""
    return (net(x).argmax(axis=1) == labels).float().mean().item()


def left_in_use(net, x, labels):
    """The share is right, but the net stays in use, and nothing drops in the next epoch: put net.training back."""
    net.eval()
    return (net(x).argmax(axis=1) == labels).float().mean().item()


def always_training_after(net, x, labels):
    """A net that came in use is sent back in training: remember net.training first, and net.train(…) with it."""
    net.eval()
    share = (net(x).argmax(axis=1) == labels).float().mean().item()
    net.train()
    return share


def turned_round(net, x, labels):
    """It is the wrong way round: train() switches dropout on; eval() before the call, the old state after it."""
    was_training = net.training
    net.train()
    share = (net(x).argmax(axis=1) == labels).float().mean().item()
    net.train(was_training)
    return share


def a_count(net, x, labels):
    """This counts the right answers: divide by the number of samples, or take the mean."""
    was_training = net.training
    net.eval()
    count = (net(x).argmax(axis=1) == labels).float().sum().item()
    net.train(was_training)
    return count


def the_error(net, x, labels):
    """This is the share of wrong answers: compare with ==, so that right ones count."""
    was_training = net.training
    net.eval()
    share = (net(x).argmax(axis=1) != labels).float().mean().item()
    net.train(was_training)
    return share


def score_for_class(net, x, labels):
    """max gives the largest score, which is no class: argmax gives its place, and that is compared with the label."""
    was_training = net.training
    net.eval()
    share = (net(x).max(axis=1) == labels).float().mean().item()
    net.train(was_training)
    return share


def down_the_batch(net, x, labels):
    """argmax over axis 0 finds a sample for every class: the classes run along axis 1."""
    was_training = net.training
    net.eval()
    share = (net(x).argmax(axis=0) == labels).float().mean().item()
    net.train(was_training)
    return share


def share_of_classes(net, x, labels):
    """The count is divided by the number of classes: divide by the number of samples."""
    was_training = net.training
    net.eval()
    scores = net(x)
    share = (scores.argmax(axis=1) == labels).float().sum().item() / scores.shape[1]
    net.train(was_training)
    return share


def accuracy_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    # Sizes are powers of two, whose shares have no rounding in any dtype. The labels are mostly what the net says.
    weight, x = (
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]],
        [
            [3.0, 2.0, 1.0, 1.5],
            [1.0, 3.0, 2.0, 0.5],
            [2.0, 1.0, 1.5, 1.0],
            [0.5, 1.0, 3.0, 2.0],
        ],
    )
    yield Case(tensor(weight), tensor(x), kernel.tensor([0, 1, 2, 0]), True)
    for rows, training in ((32, True), (64, False), (64, True)):
        w, x = random.normal(size=(3, 8)), random.normal(size=(rows, 8))
        labels = (x @ w.T).argmax(axis=1)
        changed = random.integers(rows, size=rows // 4)
        labels[changed] = (labels[changed] + 1) % 3
        note = "a net that is in use already" if not training else ""
        yield Case(tensor(w), tensor(x), kernel.tensor(labels), training, note=note)


# --- renamed --------------------------------------------------------------------------------------------------------


def renamed(state):
    return {
        "lin1.weight": state["0.W"].T,
        "lin1.bias": state["0.b"],
        "lin2.weight": state["1.W"].T,
        "lin2.bias": state["1.b"],
    }


def not_turned(state):
    """The weights come as (in, out) and Linear keeps (out, in): take the transpose of both."""
    return {
        "lin1.weight": state["0.W"],
        "lin1.bias": state["0.b"],
        "lin2.weight": state["1.W"],
        "lin2.bias": state["1.b"],
    }


def reshaped(state):
    """The shapes fit, the numbers are mixed up: reshape keeps the reading order, where .T exchanges the axes."""
    return {
        "lin1.weight": state["0.W"].reshape(*reversed(state["0.W"].shape)),
        "lin1.bias": state["0.b"],
        "lin2.weight": state["1.W"].reshape(*reversed(state["1.W"].shape)),
        "lin2.bias": state["1.b"],
    }


def old_names(state):
    """The names are still 0.W and so on, which SimpleNet does not know: with strict=False it would load nothing."""
    return {name: value.T if name.endswith("W") else value for name, value in state.items()}


def both_names(state):
    """The old names are still there beside the new ones, and load_state_dict expects no others: make a new dict."""
    new = {
        "lin1.weight": state["0.W"].T,
        "lin1.bias": state["0.b"],
        "lin2.weight": state["1.W"].T,
        "lin2.bias": state["1.b"],
    }
    return {**state, **new}


def layers_exchanged(state):
    """The two layers have changed places: module 0 comes first and is lin1."""
    return {
        "lin1.weight": state["1.W"].T,
        "lin1.bias": state["1.b"],
        "lin2.weight": state["0.W"].T,
        "lin2.bias": state["0.b"],
    }


def counted_from_zero(state):
    """SimpleNet counts from one: module 0 becomes lin1 and module 1 becomes lin2."""
    return {
        "lin0.weight": state["0.W"].T,
        "lin0.bias": state["0.b"],
        "lin1.weight": state["1.W"].T,
        "lin1.bias": state["1.b"],
    }


def letters_kept(state):
    """Only the layers have new names: in Linear the parameters are called weight and bias, not W and b."""
    return {
        "lin1.W": state["0.W"].T,
        "lin1.b": state["0.b"],
        "lin2.W": state["1.W"].T,
        "lin2.b": state["1.b"],
    }


def biases_left_behind(state):
    """The biases are missing, and the net would keep its own: they are called lin1.bias and lin2.bias."""
    return {"lin1.weight": state["0.W"].T, "lin2.weight": state["1.W"].T}


def renamed_cases(random, dtype):
    def state(inputs, hidden, outputs, numbers):
        shapes = {"0.W": (inputs, hidden), "0.b": (hidden,), "1.W": (hidden, outputs), "1.b": (outputs,)}
        return {name: kernel.tensor(numbers(shape), dtype=dtype) for name, shape in shapes.items()}

    def counting(shape):
        return kernel.arange(kernel.zeros(shape).numel()).reshape(*shape).numpy() + 1.0

    yield Case(state(2, 3, 1, counting))
    yield Case(state(2, 12, 3, lambda shape: random.normal(size=shape)))
    yield Case(state(3, 3, 3, lambda shape: random.normal(size=shape)), note="all sizes alike")


exercises = [
    Exercise(
        OwnDense,
        title="A layer of your own",
        points=3,
        cases=dense_cases,
        driver=a_call_and_its_gradients,
        misconceptions=(
            PlainTensors,
            PlainBias,
            PlainWeight,
            Transposed,
            KeptTransposed,
            NoBias,
            NoActivation,
            BiasOutside,
            BiasPerSample,
            Hyperbolic,
            SmallLetter,
        ),
        hints=(
            "Whatever is to be learned is an attribute of self and a kernel.Parameter; its name is the attribute's.",
            "x has shape (B, K) and W (K, M): write the formula as it stands, and let broadcasting add b to every row.",
            "self.W = kernel.Parameter(w), likewise b; and forward returns kernel.relu(x @ self.W + self.b).",
        ),
    ),
    Exercise(
        count_parameters,
        title="How many numbers does it learn?",
        points=2,
        cases=count_cases,
        misconceptions=(
            biases_forgotten,
            bias_of_dense_forgotten,
            bias_of_conv_forgotten,
            one_bias_for_a_layer,
            bias_for_every_input,
            not_squared,
            doubled_for_squared,
            channels_forgotten,
            pooling_learns,
            dense_ignored,
        ),
        hints=(
            "The size of the image does not matter: the same kernel slides over all of it.",
            "One kernel has side · side weights for each input channel, and one bias; there is one for each output.",
            "conv: (side * side * inputs + 1) * outputs; dense: (inputs + 1) * outputs; pool: 0.",
        ),
    ),
    Exercise(
        tied_gradient,
        title="One weight, used twice",
        without=("backward", "grad"),
        points=3,
        cases=tied_cases,
        misconceptions=(
            second_use_only,
            first_use_only,
            averaged,
            multiplied,
            second_use_doubled,
            part_transposed,
            uphill,
            half_forgotten,
            mean_for_sum,
            g_not_carried_back,
        ),
        hints=(
            "Compute h, y and g = y − x; then give W one part for each of its two uses, and add them.",
            "For h = x W the part is xᵀ times the gradient of h, which is g W; both parts have the shape of W, (K, M).",
            "y = h Wᵀ brings gᵀ h: the result is g.T @ h + x.T @ (g @ w).",
        ),
    ),
    Exercise(
        symmetry,
        title="Why not begin with zeros?",
        choices=("random weights", "more steps", "another rate", "more units"),
        points=2,
        misconceptions=(
            nothing_moves,
            biases_move,
            second_layer_moves,
            everything_moves,
            gradients_differ,
            one_row_for_a_class,
            one_row_for_an_input,
            zeros_stay_zeros,
            bias_breaks_nothing,
            tanh_is_no_help,
            second_weight_stays,
            patience,
            rate,
            wider,
        ),
        hints=(
            "Write the four gradients: lin2.bias gets g, lin2.weight g times h, and g goes back through lin2.weight.",
            "Two hidden units stay alike if they start alike in everything: their row, their bias, their column.",
            "A product with a factor 0 is 0; but at the second step the factor may no longer be 0.",
        ),
    ),
    Exercise(
        accuracy_in_use,
        title="Find the bug: a test that drops",
        points=2,
        cases=accuracy_cases,
        driver=a_net_that_drops,
        misconceptions=(
            still_dropping,
            left_in_use,
            always_training_after,
            turned_round,
            a_count,
            the_error,
            score_for_class,
            down_the_batch,
            share_of_classes,
        ),
        hints=(
            "The share that it returns is another one at every call: what in the net is random?",
            "net.eval() before the call; and after it the net should be as it came, which net.training tells.",
            "was_training = net.training, then net.eval(), the share, and net.train(was_training) before the return.",
        ),
    ),
    Exercise(
        renamed,
        title="A state from elsewhere",
        points=1,
        cases=renamed_cases,
        misconceptions=(
            not_turned,
            reshaped,
            old_names,
            both_names,
            layers_exchanged,
            counted_from_zero,
            letters_kept,
            biases_left_behind,
        ),
        hints=(
            "Print SimpleNet().state_dict().keys(): these four names are wanted, and no others.",
            "A weight (in, out) becomes one of (out, in): which of reshape and .T exchanges the axes?",
            'The first entry is "lin1.weight": state["0.W"].T; the others follow its pattern, biases without .T.',
        ),
    ),
]
