"""Exercises of lesson 01: the right answers, the wrong ones that students give, and what to say to them."""

import math

import kernel
from classroom.spec import Case, Exercise

# --- stack_channels ---


def stack_channels(red, green, blue):
    """Three images (H, W) as one of shape (H, W, 3)."""
    return kernel.stack([red, green, blue], axis=2)


def joined_to_the_right(red, green, blue):
    """The images stand side by side, (H, 3W): concatenate lengthens an axis that is there, stack makes a new one."""
    return kernel.concatenate([red, green, blue], axis=1)


def joined_below(red, green, blue):
    """The three images stand one below the other, (3H, W): concatenate makes no axis for the channels; use stack."""
    return kernel.concatenate([red, green, blue], axis=0)


def channels_first(red, green, blue):
    """The channels are axis 0, (3, H, W): this is stack's default; name the axis that comes after H and W."""
    return kernel.stack([red, green, blue])


def one_axis_too_early(red, green, blue):
    """The channels stand between rows and columns, (H, 3, W): axes count from 0, so the last of three is axis 2."""
    return kernel.stack([red, green, blue], axis=1)


def reshaped_into_place(red, green, blue):
    """The shape is right, the pixels are mixed up: reshape keeps the reading order, it moves no axis."""
    return kernel.stack([red, green, blue]).reshape(*red.shape, 3)


def blue_first(red, green, blue):
    """Red and blue have changed places: the channels come in the order of the parameters."""
    return kernel.stack([blue, green, red], axis=2)


def not_in_a_list(red, green, blue):
    """stack takes the tensors in one list, and then the axis: put the three images in square brackets."""
    return kernel.stack(red, green, blue)


def channel_cases(random, dtype):
    shades = [[1.0, 2.0], [3.0, 4.0]]
    yield Case(*(kernel.tensor(shades, dtype=dtype) * scale for scale in (1.0, 10.0, 100.0)))

    def images(*shape, **keywords):
        return (kernel.tensor(random.uniform(size=shape), dtype=dtype, **keywords) for _ in range(3))

    yield Case(*images(4, 5, requires_grad=True))
    yield Case(*images(3, 3), note="three rows and three columns")


# --- normalise_rows ---


def normalise_rows(x):
    """Each row of x (B, C) divided by its total."""
    return x / x.sum(axis=1, keepdims=True)


def without_keepdims(x):
    """The totals have shape (B,), which lines up with the columns: keep them as (B, 1) with keepdims=True."""
    return x / x.sum(axis=1)


def down_the_columns(x):
    """Each column adds up to 1, not each row: sum over axis 1, the one that runs along a row."""
    return x / x.sum(axis=0, keepdims=True)


def by_the_grand_total(x):
    """All numbers together add up to 1: give sum an axis, so that every row has a total of its own."""
    return x / x.sum()


def by_the_mean(x):
    """Each row adds up to C, not to 1: divide by its sum, not by its mean."""
    return x / x.mean(axis=1, keepdims=True)


def by_the_largest(x):
    """The largest number of each row became 1: divide by the sum of the row, not by its maximum."""
    return x / x.max(axis=1, keepdims=True)


def in_place(x):
    """`/=` writes into the caller's tensor, which must stay as it is: compute a new one with `/`."""
    x /= x.sum(axis=1, keepdims=True)
    return x


def row_cases(random, dtype):
    yield Case(kernel.tensor([[1.0, 3.0], [2.0, 6.0]], dtype=dtype))
    yield Case(kernel.tensor(random.uniform(0.1, 1, size=(4, 3)), dtype=dtype, requires_grad=True))
    yield Case(kernel.tensor(random.uniform(0.1, 1, size=(1, 5)), dtype=dtype), note="a batch of one")


# --- prepare ---


def prepare(batch):
    """Doubles batch (B, C) in place; its first column (B,) in single precision."""
    batch *= 2
    return batch[:, 0].astype(kernel.float32)


def as_it_came(batch):
    """All three bugs are still there: `batch * 2` is thrown away, column 1 is the second, float16 is half."""
    batch * 2
    return batch[:, 1].astype(kernel.float16)


def product_thrown_away(batch):
    """`batch * 2` makes a new tensor that nobody keeps: write into the old one with `*=` or mul_."""
    batch * 2
    return batch[:, 0].astype(kernel.float32)


def new_name(batch):
    """`batch = batch * 2` gives the name to a new tensor, and the caller's stays as it was: write `batch *= 2`."""
    batch = batch * 2
    return batch[:, 0].astype(kernel.float32)


def second_column(batch):
    """This is the second column: positions count from 0."""
    batch *= 2
    return batch[:, 1].astype(kernel.float32)


def first_row(batch):
    """This is the first row: the first index counts rows, so take all of them with `:` and then column 0."""
    batch *= 2
    return batch[0].astype(kernel.float32)


def half_precision(batch):
    """float16 is half precision; single precision has 32 bits."""
    batch *= 2
    return batch[:, 0].astype(kernel.float16)


def dtype_left_alone(batch):
    """The column still has the dtype of the batch: cast it to float32, whatever it was."""
    batch *= 2
    return batch[:, 0]


def batch_cases(random, dtype):
    yield Case(kernel.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=dtype))
    yield Case(kernel.tensor(random.normal(size=(4, 3)), dtype=dtype))
    yield Case(kernel.tensor(random.normal(size=(3, 5)), dtype=dtype))


# --- view_or_copy ---


def view_or_copy():
    return {
        "x[1:]": "view",
        "x.reshape(6)": "view",
        "x.T.reshape(6)": "copy",
        "x[kernel.tensor([1, 0])]": "copy",
        "x.unsqueeze(0)": "view",
        "x.clone()": "copy",
        "x.numpy()": "view",
        "kernel.from_numpy(a)": "view",
        "kernel.tensor(a)": "copy",
        "far.cpu()": "copy",
    }


def slice_copies():
    """A slice is a new start and the same strides over old memory: writing to x[1:] writes to x."""
    return {"x[1:]": "copy"}


def device_copy_aliases():
    """Two devices have no memory in common: what comes back from far is always a copy."""
    return {"far.cpu()": "view"}


def reshape_never_copies():
    """Read row by row, the transpose jumps +3, −2, +3, …: no stride does that, so x.T.reshape(6) has to copy."""
    return {"x.T.reshape(6)": "view"}


def reshape_always_copies():
    """The six numbers of x lie in reading order already: x.reshape(6) only changes the strides."""
    return {"x.reshape(6)": "copy"}


def index_tensor_views():
    """An index tensor may name any rows in any order, and no stride can follow them: indexing with a tensor copies."""
    return {"x[kernel.tensor([1, 0])]": "view"}


def unsqueeze_copies():
    """An axis of size 1 is one more stride over the same memory: x.unsqueeze(0) copies nothing."""
    return {"x.unsqueeze(0)": "copy"}


def clone_shares():
    """clone is how one asks for a copy: write to it as you like, x stays as it was."""
    return {"x.clone()": "view"}


def from_numpy_copies():
    """from_numpy puts a tensor on the memory of the array; it is kernel.tensor that copies."""
    return {"kernel.from_numpy(a)": "copy"}


def tensor_shares():
    """kernel.tensor always copies its data, arrays too; the one that shares is from_numpy."""
    return {"kernel.tensor(a)": "view"}


def numpy_copies():
    """.numpy() hands out the very array behind a CPU tensor: a write to it is a write to x."""
    return {"x.numpy()": "copy"}


# --- float_facts ---


def float_facts():
    return {
        "bits of single precision": 32,
        "bits of double precision": 64,
        "largest float16": 65504,
        "70000 in float16": math.inf,
        "2049 in float16": 2048,
        "0.1 + 0.2 == 0.3 in float64": False,
        "dtype of kernel.from_numpy(np.ones(5))": "float64",
        "dtype of kernel.tensor([1, 2]) / 2": "float32",
    }


def half_called_single():
    """16 bits are half precision: single is twice that."""
    return {"bits of single precision": 16}


def single_called_double():
    """32 bits are single precision: double is twice that."""
    return {"bits of double precision": 32}


def largest_integer():
    """65535 is the largest 16-bit whole number; a float16 spends five of its bits on the exponent."""
    return {"largest float16": 65535}


def next_power_of_two():
    """65536 = 2¹⁶ needs an exponent that float16 has not got: its last number is one step of 32 below it."""
    return {"largest float16": 65536}


def saturates():
    """A float does not stop at its largest number: what lies beyond becomes infinite."""
    return {"70000 in float16": 65504}


def wraps_around():
    """70000 − 65536 is what a 16-bit whole number would make of it; a float becomes infinite."""
    return {"70000 in float16": 4464}


def whole_numbers_are_exact():
    """float16 has 11 significant bits, so from 2048 on every second whole number is missing; 2049 is one of them."""
    return {"2049 in float16": 2049}


def halves_go_up():
    """2049 lies halfway between 2048 and 2050; such ties go to the one whose last bit is even, which is 2048."""
    return {"2049 in float16": 2050}


def decimals_are_exact():
    """A tenth has no finite binary form: in float64 the sum comes out as 0.30000000000000004."""
    return {"0.1 + 0.2 == 0.3 in float64": True}


def default_for_all():
    """np.ones is float64, and from_numpy shares its memory, so it cannot change the dtype."""
    return {"dtype of kernel.from_numpy(np.ones(5))": "float32"}


def widened_by_division():
    """NumPy divides whole numbers as float64; the kernel, like PyTorch, as float32."""
    return {"dtype of kernel.tensor([1, 2]) / 2": "float64"}


def whole_division():
    """`/` is true division: half of 1 is 0.5, which no whole dtype can hold."""
    return {"dtype of kernel.tensor([1, 2]) / 2": "int64"}


# --- equivalents ---


def equivalents():
    return {
        "MXNet: want the gradient of x": "x.attach_grad()",
        "MXNet: record what follows": "autograd.record()",
        "CNTK: value of a node": "node.eval()",
        "CNTK: gradient of a node": "node.grad()",
        "CNTK: join along an axis": "C.splice",
        "CNTK: larger of two, elementwise": "C.element_max",
        "TensorFlow: largest along an axis": "tf.reduce_max",
        "TensorFlow 1: value of a node": "session.run",
        "TensorFlow 1: compute at once": "tf.enable_eager_execution()",
        "Keras: join along an axis": "keras.ops.concatenate",
    }


def mxnet_swapped():
    """attach_grad marks a tensor, as requires_grad=True does; record opens the tape for the lines below it."""
    return {"MXNet: want the gradient of x": "autograd.record()", "MXNet: record what follows": "x.attach_grad()"}


def cntk_swapped():
    """eval computes the node forward; grad computes its derivative."""
    return {"CNTK: value of a node": "node.grad()", "CNTK: gradient of a node": "node.eval()"}


def maxima_swapped():
    """reduce_… takes an axis away, as sum and amax do; element_max compares two tensors place by place."""
    return {"CNTK: larger of two, elementwise": "tf.reduce_max", "TensorFlow: largest along an axis": "C.element_max"}


def session_and_eager_swapped():
    """A session runs one node of a finished graph; eager execution does without graph and session."""
    return {
        "TensorFlow 1: value of a node": "tf.enable_eager_execution()",
        "TensorFlow 1: compute at once": "session.run",
    }


def joins_swapped():
    """CNTK has a word of its own for joining: it splices; Keras says what NumPy says."""
    return {"CNTK: join along an axis": "keras.ops.concatenate", "Keras: join along an axis": "C.splice"}


def eval_in_a_session():
    """eval belongs to CNTK's nodes, run to TensorFlow's sessions."""
    return {"CNTK: value of a node": "session.run", "TensorFlow 1: value of a node": "node.eval()"}


exercises = [
    Exercise(
        stack_channels,
        title="Three channels, one image",
        points=2,
        cases=channel_cases,
        misconceptions=(
            joined_to_the_right,
            joined_below,
            channels_first,
            one_axis_too_early,
            reshaped_into_place,
            blue_first,
            not_in_a_list,
        ),
        hints=(
            "The result has three axes, each image two. Which function makes an axis that was not there?",
            "kernel.stack takes a list of tensors and the position of the new axis in the result.",
            "In (H, W, 3) the new axis has position 2: `kernel.stack([…, …, …], axis=2)`.",
        ),
    ),
    Exercise(
        normalise_rows,
        title="Rows that add up to 1",
        points=2,
        cases=row_cases,
        misconceptions=(without_keepdims, down_the_columns, by_the_grand_total, by_the_mean, by_the_largest, in_place),
        hints=(
            "Work out the totals first. Which axis has to disappear, and which shape is left?",
            "(B, C) / (B,) lines up at the right, with C. Which shape of the totals lines up with the rows?",
            "`x.sum(axis=1, keepdims=True)` has shape (B, 1).",
        ),
    ),
    Exercise(
        prepare,
        title="Find three bugs",
        points=3,
        cases=batch_cases,
        mutates=("batch",),
        # A cast to single precision is the point; in float64 throughout there would be none.
        wide_reference=False,
        misconceptions=(
            as_it_came,
            product_thrown_away,
            new_name,
            second_column,
            first_row,
            half_precision,
            dtype_left_alone,
        ),
        hints=(
            "Go line by line: which tensor does the first line change? Print batch after it.",
            "Three words of the task are wrong in the program: in place, first, single.",
            "Write `batch *= 2`, column 0, and kernel.float32.",
        ),
    ),
    Exercise(
        view_or_copy,
        title="View or copy?",
        choices=("view", "copy"),
        points=2,
        misconceptions=(
            slice_copies,
            device_copy_aliases,
            reshape_never_copies,
            reshape_always_copies,
            index_tensor_views,
            unsqueeze_copies,
            clone_shares,
            from_numpy_copies,
            tensor_shares,
            numpy_copies,
        ),
        hints=(
            "Ask of each: can a start and fixed strides over the old memory give these numbers in this order?",
            "Try it: write into the result, then print x or a. Or ask `np.shares_memory(x.numpy(), result.numpy())`.",
            "Five are views and five are copies; what comes through kernel.tensor or from another device is a copy.",
        ),
    ),
    Exercise(
        float_facts,
        title="What a float can hold",
        points=2,
        misconceptions=(
            half_called_single,
            single_called_double,
            largest_integer,
            next_power_of_two,
            saturates,
            wraps_around,
            whole_numbers_are_exact,
            halves_go_up,
            decimals_are_exact,
            default_for_all,
            widened_by_division,
            whole_division,
        ),
        hints=(
            "Every entry can be asked of the kernel: build the tensor, cast it, look at .item() or .dtype.",
            "`np.finfo(kernel.float16)` knows bits and max; `kernel.tensor(2049.0).half().item()` is one number.",
            "Infinity is written math.inf or float('inf'), a dtype as a string such as 'float32'.",
        ),
    ),
    Exercise(
        equivalents,
        title="The same thing elsewhere",
        choices=(
            "C.element_max",
            "C.splice",
            "autograd.record()",
            "keras.ops.concatenate",
            "node.eval()",
            "node.grad()",
            "session.run",
            "tf.enable_eager_execution()",
            "tf.reduce_max",
            "x.attach_grad()",
        ),
        points=2,
        misconceptions=(
            mxnet_swapped,
            cntk_swapped,
            maxima_swapped,
            session_and_eager_swapped,
            joins_swapped,
            eval_in_a_session,
        ),
        hints=(
            "Begin with the names that carry their framework: C., tf., keras.",
            "Whatever has 'reduce' in its name takes an axis away; whatever has 'element' works place by place.",
            "attach_grad is requires_grad=True; record is the tape; eval and run compute a node of a graph.",
        ),
    ),
]
