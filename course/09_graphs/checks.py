"""The exercises on graphs: right answers, wrong ones that students give, and hints."""

import math

import kernel
from classroom.spec import Case, Exercise

# --- argument_shapes ------------------------------------------------------------------------------------------------


def argument_shapes(layers, data):
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def weight_transposed(layers, data):
    """The weight of a dense layer is kept as (out, in) and multiplied transposed: the number of outputs comes first."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(math.prod(shape[1:]), sizes[0]), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def flatten_forgotten(layers, data):
    """A dense layer joins all axes but the first, so its inputs are channels · height · width, not the last axis."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], shape[-1]), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def batch_is_joined_too(layers, data):
    """The batch is no feature: a dense layer joins all axes but the first, and its weight does not see the batch."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape)), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def bias_for_every_sample(layers, data):
    """A bias has one number for each output, shape (out,), whatever the batch: broadcasting adds it to every sample."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (shape[0], filters)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (shape[0], sizes[0])]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def bias_of_inputs(layers, data):
    """The bias is added to what comes out: its size is that of the outputs, not that of the inputs."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (shape[1],)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (math.prod(shape[1:]),)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def biases_left_out(layers, data):
    """Only the weights are there: after every weight comes its bias, of shape (out,)."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:]))]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def image_keeps_its_size(layers, data):
    """Without padding a kernel of side s fits at s − 1 fewer places: height and width shrink in every convolution."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2], shape[3])
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def one_place_too_few(layers, data):
    """A kernel as large as the image fits at one place: the new side is side − s + 1, and the 1 is missing."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side, shape[3] - side)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def channels_forgotten(layers, data):
    """A kernel goes through all the channels that come in, so its weight is (filters, channels, side, side)."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, (shape[0],)]


def label_one_hot(layers, data):
    """The label is one class index for each sample, shape (N,): the loss makes the one-hot rows itself."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return [*shapes, shape]


def no_label(layers, data):
    """The label is an argument as well: it comes last, with shape (N,)."""
    shapes, shape = [data], data
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            shapes += [(filters, shape[1], side, side), (filters,)]
            shape = (shape[0], filters, shape[2] - side + 1, shape[3] - side + 1)
        elif kind == "dense":
            shapes += [(sizes[0], math.prod(shape[1:])), (sizes[0],)]
            shape = (shape[0], sizes[0])
    return shapes


def shape_cases(random, dtype):
    yield Case([("dense", 128), ("relu",), ("dense", 10)], (100, 60))
    yield Case([("conv", 20, 5), ("relu",), ("conv", 50, 3), ("relu",), ("dense", 500), ("dense", 10)], (64, 3, 12, 10))
    for _ in range(2):
        batch, channels, filters, hidden, classes = (int(n) for n in random.integers(2, 30, size=5))
        height, width = (int(n) for n in random.integers(8, 12, size=2))
        layers = [("conv", filters, 3), ("relu",), ("dense", hidden), ("dense", classes)]
        yield Case(layers, (batch, channels, height, width))
    yield Case([("conv", 4, 4), ("dense", 3)], (2, 5, 4, 4), note="the kernel is as large as the image")


# --- computing_order ------------------------------------------------------------------------------------------------


def computing_order(graph, root):
    order = []

    def visit(node):
        if node not in order:
            for operand in graph[node]:
                visit(operand)
            order.append(node)

    visit(root)
    return order


def node_before_its_operands(graph, root):
    """A node stands before what it is computed from: visit the operands first, then add the node itself."""
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for operand in graph[node]:
                visit(operand)

    visit(root)
    return order


def shared_twice(graph, root):
    """What is used twice stands there twice, and would be computed twice: skip a node that is in the order already."""
    order = []

    def visit(node):
        for operand in graph[node]:
            visit(operand)
        order.append(node)

    visit(root)
    return order


def from_the_right(graph, root):
    """The operands are visited from the last to the first, and so the label comes before the data: go from the left."""
    order = []

    def visit(node):
        if node not in order:
            for operand in reversed(graph[node]):
                visit(operand)
            order.append(node)

    visit(root)
    return order


def breadth_first(graph, root):
    """This goes level by level: go depth first, into one operand down to its variables, and then into the next."""
    order, waiting = [], [root]
    while waiting:
        node = waiting.pop(0)
        if node not in order:
            order.append(node)
            waiting += graph[node]
    return order[::-1]


def turned_round(graph, root):
    """A list from the root down, turned round, has the operands from the right: add a node after its operands."""
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for operand in graph[node]:
                visit(operand)

    visit(root)
    return order[::-1]


def variables_only(graph, root):
    """These are the arguments alone: the nodes that compute something belong in the order as well."""
    order = []

    def visit(node):
        for operand in graph[node]:
            visit(operand)
        if not graph[node] and node not in order:
            order.append(node)

    visit(root)
    return order


def operations_only(graph, root):
    """The variables are missing: a node without operands belongs in the order as well."""
    order = []

    def visit(node):
        if node not in order and graph[node]:
            for operand in graph[node]:
                visit(operand)
            order.append(node)

    visit(root)
    return order


def as_it_was_written(graph, root):
    """This is the order of the dict, with nodes that the root has no need of: walk from the root."""
    return list(graph)


def by_name(graph, root):
    """Sorted by name, a node may come before its operands: walk from the root, operands first."""
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for operand in graph[node]:
                visit(operand)

    visit(root)
    return sorted(order)


def order_cases(random, dtype):
    mlp = {
        "out": ["fc2", "out_label"],
        "fc2": ["relu1", "fc2_weight", "fc2_bias"],
        "relu1": ["fc1"],
        "fc1": ["data", "fc1_weight", "fc1_bias"],
    }
    skip = {"spare": ["fc"], "sum": ["fc", "h"], "h": ["data"], "fc": ["h", "weight"]}
    chain = {"c": ["b", "b"], "b": ["a", "a"]}
    for net, root in ((mlp, "out"), (skip, "sum"), (chain, "c")):
        leaves = [node for operands in net.values() for node in operands if node not in net]
        yield Case({**{leaf: [] for leaf in leaves}, **net}, root)
    for _ in range(2):
        graph = {name: [] for name in ("data", "w", "v")}
        names = [f"node{number}" for number in range(6)]
        for name in names:
            graph[name] = [str(each) for each in random.choice(list(graph), size=2)]
        yield Case(dict(sorted(graph.items(), reverse=True)), names[-1])


# --- sgd_step -------------------------------------------------------------------------------------------------------


def sgd_step(executor, x, y, rate):
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / len(x)


def two_steps(answer, weight, bias, batches, rate, grad_req):
    sym = kernel.sym
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=len(bias), name="fc")
    x = batches[0][0]
    executor = sym.SoftmaxOutput(net, name="out").simple_bind(
        x.device, grad_req=grad_req, data=x.shape, type_dict={"data": x.dtype}
    )
    executor.arg_dict["fc_weight"][:] = weight
    executor.arg_dict["fc_bias"][:] = bias
    for x, y in batches:
        answer(executor, x, y, rate)
    return executor.arg_dict


def data_moves_too(executor, x, y, rate):
    """The loop runs over all arguments and moves the data as well: leave out data and out_label, nobody learns them."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for array, gradient in zip(executor.arg_arrays, executor.grad_arrays, strict=True):
        array[:] -= rate * gradient / len(x)


def uphill(executor, x, y, rate):
    """This step goes uphill: the gradient points to where the loss grows, so subtract it."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] += rate * executor.grad_dict[name] / len(x)


def not_divided(executor, x, y, rate):
    """SoftmaxOutput adds the gradients of the samples up, so a larger batch would step farther: divide by len(x)."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name]


def divided_by_features(executor, x, y, rate):
    """The gradient is divided by the number of features: the batch is the first axis, len(x)."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / x.shape[1]


def never_cleared(executor, x, y, rate):
    """Bound with "add", backward adds to the gradient of the step before: write 0 into grad_arrays first."""
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / len(x)


def another_array(executor, x, y, rate):
    """`array = array - …` makes a new tensor and leaves the executor's as it was: write into it, `array[:] -= …`."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array = array - rate * executor.grad_dict[name] / len(x)


def stale_arguments(executor, x, y, rate):
    """`arg_dict["data"] = x` puts x into a dict, not into the executor's array: write `arg_dict["data"][:] = x`."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.arg_dict["data"] = x
    executor.arg_dict["out_label"] = y
    executor.forward(is_train=True)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / len(x)


def labels_not_fed(executor, x, y, rate):
    """Only the data are fed, and the labels stay those of before: give forward out_label=y as well."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name not in ("data", "out_label"):
            array[:] -= rate * executor.grad_dict[name] / len(x)


def weights_only(executor, x, y, rate):
    """The bias stays where it is: update every argument but data and out_label."""
    for gradient in executor.grad_arrays:
        gradient[:] = 0
    executor.forward(is_train=True, data=x, out_label=y)
    executor.backward()
    for name, array in executor.arg_dict.items():
        if name.endswith("weight"):
            array[:] -= rate * executor.grad_dict[name] / len(x)


def step_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    def batch(rows, features, classes):
        return tensor(random.normal(size=(rows, features))), kernel.tensor(random.integers(1, classes, size=rows))

    first = tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 1.0]]), kernel.tensor([1, 0])
    yield Case(tensor([[0.5, 0.0, 1.0], [0.0, 0.5, -1.0]]), tensor([0.0, 0.5]), [first], 0.5, "write")
    for rows, features, classes, grad_req in ((4, 3, 3, "write"), (5, 2, 4, "add"), (3, 4, 2, "add")):
        yield Case(
            tensor(random.normal(size=(classes, features))),
            tensor(random.normal(size=classes)),
            [batch(rows, features, classes) for _ in range(2)],
            0.25,
            grad_req,
            note=f'two steps, bound with grad_req="{grad_req}"',
        )


# --- accuracy_of ----------------------------------------------------------------------------------------------------


def accuracy_of(executor, x, y):
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / len(x)


def a_net_that_drops(answer, weight, x, y, batch):
    sym = kernel.sym
    kernel.manual_seed(1)
    net = sym.FullyConnected(sym.Dropout(sym.Variable("data"), p=0.5), num_hidden=len(weight), no_bias=True, name="fc")
    executor = sym.SoftmaxOutput(net, name="out").simple_bind(
        x.device, grad_req="null", data=(batch, x.shape[1]), type_dict={"data": x.dtype}
    )
    executor.arg_dict["fc_weight"][:] = weight
    return answer(executor, x, y)


def a_count(executor, x, y):
    """This is a count, and a count of 1 passes `accuracy > 0.95` already: divide by the number of samples."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right


def still_dropping(executor, x, y):
    """With is_train=True dropout drops while you test, and the share changes at every call: use is_train=False."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=True, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / len(x)


def stale_outputs(executor, x, y):
    """The next forward overwrites outputs, so all that you kept is the last batch: compare, or copy, before it."""
    size, kept = executor.arg_dict["data"].shape[0], []
    for start in range(0, len(x), size):
        kept += executor.forward(is_train=False, data=x[start : start + size])
    return (kernel.concatenate(kept).argmax(axis=1) == y).float().mean().item()


def never_fed(executor, x, y):
    """`arg_dict["data"] = …` puts the batch into a dict and not into the executor's array: write into it with [:]."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        executor.arg_dict["data"] = x[start : start + size]
        (p,) = executor.forward(is_train=False)
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / len(x)


def last_batch_only(executor, x, y):
    """Only the last batch is counted: add up the right answers of all of them."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right = (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / size


def share_of_the_batch(executor, x, y):
    """The right answers of all batches are divided by the size of one: divide by len(x)."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[start : start + size]).sum().item()
    return right / size


def same_labels(executor, x, y):
    """Every batch is compared with the labels of the first: take those of its own rows."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.argmax(axis=1) == y[:size]).sum().item()
    return right / len(x)


def the_error(executor, x, y):
    """This is the share of wrong answers: compare with ==, so that right ones count."""
    size, wrong = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        wrong += (p.argmax(axis=1) != y[start : start + size]).sum().item()
    return wrong / len(x)


def a_probability(executor, x, y):
    """max gives the largest probability, which is no class: argmax gives its place, to be compared with the label."""
    size, right = executor.arg_dict["data"].shape[0], 0
    for start in range(0, len(x), size):
        (p,) = executor.forward(is_train=False, data=x[start : start + size])
        right += (p.max(axis=1) == y[start : start + size]).sum().item()
    return right / len(x)


def accuracy_cases(random, dtype):
    def tensor(values):
        return kernel.tensor(values, dtype=dtype)

    # Sizes are powers of two, whose shares have no rounding in any dtype. The labels are mostly what the net says.
    weight = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    x = [[3.0, 2.0, 1.0, 1.5], [1.0, 3.0, 2.0, 0.5], [2.0, 1.0, 1.5, 1.0], [0.5, 1.0, 3.0, 2.0]]
    yield Case(tensor(weight), tensor(x), kernel.tensor([0, 1, 2, 0]), 2)
    for rows, batch in ((32, 8), (64, 16), (64, 8)):
        w, x = random.normal(size=(3, 8)), random.normal(size=(rows, 8))
        y = (x @ w.T).argmax(axis=1)
        y[: rows // 4] = (y[: rows // 4] + 1) % 3
        yield Case(tensor(w), tensor(x), kernel.tensor(y), batch)


# --- buffers --------------------------------------------------------------------------------------------------------


def buffers(program, outputs):
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if x in place and last[x] == step and x not in outputs]
    return place


def freed_at_the_first_reader(program, outputs):
    """A value is needed until its last reader has read it: here it is freed at the first, and overwritten too early."""
    place, free = {}, []
    for result, operands in program:
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        for x in set(operands):
            if x in place and x not in outputs and place[x] not in free:
                free.append(place[x])
    return place


def freed_twice(program, outputs):
    """In add(x, x) the buffer of x is freed twice, and then two values get it at once: free every operand once."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in operands if x in place and last[x] == step and x not in outputs]
    return place


def output_freed(program, outputs):
    """An output is read after the last step, by whoever asked for it: its buffer is never free."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if x in place and last[x] == step]
    return place


def written_over_its_operand(program, outputs):
    """The result is written while the operands are still being read: place it first, and free them afterwards."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        free += [place[x] for x in set(operands) if x in place and last[x] == step and x not in outputs]
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
    return place


def a_buffer_each(program, outputs):
    """Every value has a buffer of its own: give what nobody reads any more to the values that come later."""
    return {result: step for step, (result, _) in enumerate(program)}


def any_free_one(program, outputs):
    """The buffers do not overlap, but another free one is taken than was asked for: take the smallest number."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = max(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if x in place and last[x] == step and x not in outputs]
    return place


def variables_planned(program, outputs):
    """What is bound from outside has memory already: plan only the results of the program."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    results = [result for result, _ in program]
    bound = [x for _, operands in program for x in operands if x not in results]
    place = {x: number for number, x in enumerate(dict.fromkeys(bound))}
    free = []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values()))]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if last[x] == step and x not in outputs]
    return place


def counted_from_one(program, outputs):
    """The plan is right but for its numbers: the first buffer is 0."""
    last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
    place, free = {}, []
    for step, (result, operands) in enumerate(program):
        if not free:
            free = [len(set(place.values())) + 1]
        place[result] = min(free)
        free.remove(place[result])
        free += [place[x] for x in set(operands) if x in place and last[x] == step and x not in outputs]
    return place


def buffer_cases(random, dtype):
    yield Case([("a", ["data", "w"]), ("b", ["a"]), ("c", ["b", "b"]), ("d", ["c", "a"]), ("e", ["d"])], ["b", "e"])
    for _ in range(3):
        program, made, waiting = [], ["data"], []
        for number in range(9):
            name, one, other = f"t{number}", *(str(x) for x in random.choice(made[-4:], size=2))
            operands = [waiting.pop(0), one] if len(waiting) > 2 else [one, other][: random.integers(1, 3)]
            program.append((name, operands))
            waiting = [x for x in waiting if x not in operands] + [name]
            made.append(name)
        program += [("twice", [made[-1], made[-1]]), ("sum", ["twice", *waiting[:-1]])]
        program += [("end", ["sum"]), ("out", ["end"])]
        yield Case(program, ["twice", "out"])


# --- workloads ------------------------------------------------------------------------------------------------------


def workloads(batch, powers):
    ends = [round(batch * sum(powers[: k + 1]) / sum(powers)) for k in range(len(powers))]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def what_the_devices_get(answer, batch, powers):
    parts = answer(batch, powers)
    shares = [batch * power / sum(powers) for power in powers]
    return {
        "devices": len(parts),
        "samples in all": sum(parts),
        "whole numbers": all(part == int(part) for part in parts),
        "nobody more than 1 off": all(abs(part - share) < 1 + 1e-9 for part, share in zip(parts, shares, strict=False)),
    }


def each_rounded(batch, powers):
    """Every part is rounded by itself, and the parts do not add up: round where they begin and end instead."""
    return [round(batch / sum(powers) * power) for power in powers]


def each_cut(batch, powers):
    """Every part is rounded down, and the samples that are left over are never learned from: give them to somebody."""
    return [int(batch / sum(powers) * power) for power in powers]


def each_raised(batch, powers):
    """Every part is rounded up, and together they want more samples than there are: round where they begin and end."""
    return [-int(-batch / sum(powers) * power // 1) for power in powers]


def rest_on_one(batch, powers):
    """It adds up, but all that rounding has left over falls on one device: spread it, at most one for each."""
    parts = [int(batch / sum(powers) * power) for power in powers[:-1]]
    return [*parts, batch - sum(parts)]


def all_alike(batch, powers):
    """The powers are not looked at: a device of power 5 gets five times as much as one of power 1."""
    ends = [round(batch * (k + 1) / len(powers)) for k in range(len(powers))]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def fractions(batch, powers):
    """These are fractions, and there is no sixth of a sample: the parts are whole numbers."""
    return [batch * power / sum(powers) for power in powers]


def workload_cases(random, dtype):
    yield Case(100, [1, 5])
    yield Case(100, [1, 1, 1])
    yield Case(100, [1] * 7)
    yield Case(103, [1, 5, 1, 1, 1, 1])
    yield Case(48, [2, 1, 1], note="it divides without a remainder")
    yield Case(int(random.integers(50, 400)) * 11 + 6, [1] * 11)


exercises = [
    Exercise(
        argument_shapes,
        title="What the arguments look like",
        points=2,
        cases=shape_cases,
        without=("infer_shape", "simple_bind", "infer_shape_partial"),
        misconceptions=(
            weight_transposed,
            flatten_forgotten,
            batch_is_joined_too,
            bias_for_every_sample,
            bias_of_inputs,
            biases_left_out,
            image_keeps_its_size,
            one_place_too_few,
            channels_forgotten,
            label_one_hot,
            no_label,
        ),
        hints=(
            "Walk through the layers and keep two things: the list of shapes, and the shape of what is on its way.",
            "The batch appears in data and label only: weight and bias do not know how many samples come.",
            "conv: (filters, channels, side, side), (filters,); dense: (hidden, math.prod(shape[1:])), (hidden,).",
        ),
    ),
    Exercise(
        computing_order,
        title="In which order",
        points=2,
        cases=order_cases,
        misconceptions=(
            node_before_its_operands,
            shared_twice,
            from_the_right,
            breadth_first,
            turned_round,
            variables_only,
            operations_only,
            as_it_was_written,
            by_name,
        ),
        hints=(
            "To compute a node, all of its operands must be there: which comes first, then?",
            "Write a function inside that visits a node: first its operands, each by a call of itself, from the left.",
            "visit(node): if it is not in the order yet, visit every operand of graph[node], then append the node.",
        ),
    ),
    Exercise(
        sgd_step,
        title="Find the bug: a step too far",
        points=3,
        cases=step_cases,
        driver=two_steps,
        misconceptions=(
            data_moves_too,
            uphill,
            not_divided,
            divided_by_features,
            never_cleared,
            another_array,
            stale_arguments,
            labels_not_fed,
            weights_only,
        ),
        hints=(
            "Which of the arguments are learned? Print executor.arg_dict: there are four.",
            'Bound with "add", a gradient still holds that of the last step: what has to happen before backward?',
            'array[:] -= rate * executor.grad_dict[name] / len(x), for every name but "data" and "out_label".',
        ),
    ),
    Exercise(
        accuracy_of,
        title="Find the bug: always above 95 %",
        points=2,
        cases=accuracy_cases,
        driver=a_net_that_drops,
        misconceptions=(
            a_count,
            still_dropping,
            stale_outputs,
            never_fed,
            last_batch_only,
            share_of_the_batch,
            same_labels,
            the_error,
            a_probability,
        ),
        hints=(
            "Which number would 3 right answers of 4 give, and which of 100?",
            'The executor takes batches of one size, executor.arg_dict["data"].shape[0]: go through x in such steps.',
            "Add up (p.argmax(axis=1) == the labels of these rows).sum().item(), and divide by len(x) at the end.",
        ),
    ),
    Exercise(
        buffers,
        title="Plan the memory",
        points=3,
        cases=buffer_cases,
        misconceptions=(
            freed_at_the_first_reader,
            freed_twice,
            output_freed,
            written_over_its_operand,
            a_buffer_each,
            any_free_one,
            variables_planned,
            counted_from_one,
        ),
        hints=(
            "First find, for every value, the last step that reads it; a dict that later steps overwrite does it.",
            "At each step: take the smallest free number, or a new one; then free what was read for the last time.",
            "for x in set(operands): if x in place and last[x] == step and x not in outputs, then place[x] is free.",
        ),
    ),
    Exercise(
        workloads,
        title="Find the bug: 99 of 100",
        points=1,
        public=2,
        cases=workload_cases,
        driver=what_the_devices_get,
        misconceptions=(
            each_rounded,
            each_cut,
            each_raised,
            rest_on_one,
            all_alike,
            fractions,
        ),
        hints=(
            "Lay the batch out in a line: where does the part of each device begin, and where does it end?",
            "One part ends where the next begins: round these borders, and the parts must add up.",
            "The end of part k is round(batch * sum(powers[:k + 1]) / sum(powers)); a part is end minus start.",
        ),
    ),
]
