"""Products of matrices and vectors, sums of products in general, and rows looked up, which one-hot matrices would pick.

Outputs of ``linear`` are laid out batch-last in memory, (features, N) behind the shape (N, features): what follows
works along the batch, on long contiguous runs. Nothing but the strides shows it.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from ..errors import DtypeError, ShapeError, show
from ..op import (
    BOOL,
    HALF,
    NUMBERS,
    ArrayType,
    Op,
    broadcast,
    deliver,
    promote,
    require_float,
    require_whole,
    spell,
    unify,
)
from .reduce import in_dtype, wide
from .shape import check_labels


def _arithmetic(*types: ArrayType):
    """The dtype in which a product computes: any but bool, since a sum of booleans is a count."""
    dtype = promote(*(t.dtype for t in types))
    if dtype == BOOL:
        require_float("a matrix product's operand", dtype)
    return dtype


def _need_ndim(name: str, t: ArrayType, expected: tuple, hint: str) -> None:
    if t.shape is not None and t.ndim != len(expected):
        raise ShapeError(
            f"argument {name} should have shape {spell(expected)}, but it has shape {spell(t.shape)}; {hint}"
        )


class matmul(Op):
    """(…, N, K) @ (…, K, M) -> (…, N, M); the leading axes broadcast."""

    onnx = "MatMul"
    vjp = (
        lambda xp, g, y, a, b: g.dot(b.T) if g.ndim == b.ndim == 2 else xp.matmul(g, xp.swapaxes(b, -1, -2)),
        lambda xp, g, y, a, b: a.T.dot(g) if g.ndim == a.ndim == 2 else xp.matmul(xp.swapaxes(a, -1, -2), g),
    )
    reads = ("b", "a")

    def infer(a, b):
        dtype = _arithmetic(a, b)
        for name, t in (("a", a), ("b", b)):
            if t.shape is not None and t.ndim < 2:
                raise ShapeError(
                    f"argument {name} should be a matrix (?, ?), but it has shape {spell(t.shape)}; "
                    "use mv for a matrix with a vector, dot for two vectors."
                )
        if a.shape is None or b.shape is None:
            return (ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(None, dtype),)
        inner = a.shape[-1] if a.shape[-1] is not None else b.shape[-2]
        if None not in (a.shape[-1], b.shape[-2]) and a.shape[-1] != b.shape[-2]:
            wanted = (*b.shape[:-2], a.shape[-1], None)
            raise ShapeError(
                f"argument b should have shape {spell(wanted)} because a has shape {spell(a.shape)}, but it has shape "
                f"{spell(b.shape)}; the inner sizes must be equal, so transpose or reshape one of them."
            )
        a_shape = (*a.shape[:-1], inner)
        b_shape = (*b.shape[:-2], inner, b.shape[-1])
        shape = (*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        return (ArrayType(a_shape, dtype), ArrayType(b_shape, dtype)), (ArrayType(shape, dtype),)

    def forward(xp, a, b, out=None):
        if a.ndim != 2 or b.ndim != 2:
            return xp.matmul(a, b, out=out)
        if out is None:
            return a.dot(b)
        # Not matmul, which adds up in another order where an operand has gaps between its elements.
        return a.dot(b, out=out) if out.flags.c_contiguous else deliver(xp, a.dot(b), out)


class mv(Op):
    """(N, K) @ (K,) -> (N,): a matrix with a vector."""

    vjp = (
        lambda xp, g, y, matrix, vector: xp.reshape(g, (-1, 1)) * vector,
        lambda xp, g, y, matrix, vector: xp.matmul(xp.reshape(g, (1, -1)), matrix).reshape(-1),
    )
    reads = ("vector", "matrix")

    def infer(matrix, vector):
        dtype = _arithmetic(matrix, vector)
        _need_ndim("matrix", matrix, (None, None), "mv takes a matrix first.")
        _need_ndim("vector", vector, (None,), "for two matrices use matmul.")
        columns = None if matrix.shape is None else (matrix.shape[1],)
        shape = unify("argument vector", vector.shape, columns, f"the matrix has shape {spell(matrix.shape)}")
        rows = matrix.shape
        if rows is not None and shape is not None:
            rows = (rows[0], shape[0])
        out = (None,) if rows is None else (rows[0],)
        return (ArrayType(rows, dtype), ArrayType(shape, dtype)), (ArrayType(out, dtype),)

    def forward(xp, matrix, vector, out=None):
        return deliver(xp, matrix.dot(vector), out)


class dot(Op):
    """(K,) · (K,) -> (): the inner product of two vectors."""

    vjp = (lambda xp, g, y, a, b: g * b, lambda xp, g, y, a, b: g * a)
    reads = ("b", "a")

    def infer(a, b):
        dtype = _arithmetic(a, b)
        for name, t in (("a", a), ("b", b)):
            _need_ndim(name, t, (None,), "dot takes two vectors; for matrices use matmul.")
        shape = unify("argument b", b.shape, a.shape, f"a has shape {spell(a.shape)}")
        return (ArrayType(shape, dtype), ArrayType(shape, dtype)), (ArrayType((), dtype),)

    def forward(xp, a, b, out=None):
        return deliver(xp, a.dot(b), out)


class linear(Op):
    """x Wᵀ + b: (…, in), (out, in), (out,) -> (…, out); with ``transposed`` W is (in, out) and the output x W + b.

    With ``flatten`` all axes of x but the first are its features: (N, …) -> (N, out). The bias may be a number, 0 for
    none.
    """

    onnx = "Gemm"
    reads = ("weight", "x", "")

    def infer(x, weight, bias, transposed=False, flatten=False):
        if flatten and x.shape is not None and len(x.shape) != 2:
            return _flattened(x, weight, bias, transposed)
        dtype = _arithmetic(x, weight, bias)
        require_float("the operands of linear", dtype)
        shape = (None, None) if weight.shape is None else weight.shape
        _need_ndim("weight", weight, (None, None), "a linear layer has one matrix of weights.")
        if x.shape == ():
            raise ShapeError(
                "argument x should have shape (?, in), but it has shape (); give it a last axis of features."
            )
        n_in, n_out = shape if transposed else shape[::-1]
        found = None if x.shape is None else x.shape[-1]
        if None not in (found, n_in) and found != n_in:
            wanted = (found, None) if transposed else (None, found)
            raise ShapeError(
                f"argument weight should have shape {spell(wanted)} because x has shape {spell(x.shape)}, "
                f"but it has shape {spell(shape)}; weights are {'(in, out)' if transposed else '(out, in)'}."
            )
        n_in = found if n_in is None else n_in
        n_out, bias = _with_bias(n_out, bias, dtype, shape)
        x_shape = None if x.shape is None else (*x.shape[:-1], n_in)
        inputs = (
            ArrayType(x_shape, dtype),
            ArrayType((n_in, n_out) if transposed else (n_out, n_in), dtype),
            bias,
        )
        return inputs, (ArrayType(None if x_shape is None else (*x_shape[:-1], n_out), dtype),)

    def forward(xp, x, weight, bias, out=None, transposed=False, flatten=False):
        w = weight.T if transposed else weight
        if flatten and x.ndim != 2:
            x = x.reshape((len(x), math.prod(x.shape[1:])))
        if x.ndim == 1:
            y = w.dot(x)
            y += bias
            return deliver(xp, y, out)
        rows = x if x.ndim == 2 else _rows(x)
        direct = out is not None and x.ndim == 2 and out.T.flags.c_contiguous
        y = w.dot(rows.T, out=out.T) if direct else w.dot(rows.T)
        if type(bias) not in NUMBERS:
            y += bias[:, None]
        elif bias:
            y += bias
        if x.ndim == 2:
            return out if direct else deliver(xp, y.T, out)
        return deliver(xp, y.T.reshape(*x.shape[:-1], len(w)), out)

    def _x(xp, g, y, x, weight, bias, transposed=False, flatten=False):
        w = weight if transposed else weight.T  # (in, out)
        gradient = w.dot(_rows(g).T).T
        return gradient if len(x.shape) == 2 else gradient.reshape(x.shape)

    def _weight(xp, g, y, x, weight, bias, transposed=False, flatten=False):
        if flatten and x.ndim != 2:
            x = x.reshape((len(x), math.prod(x.shape[1:])))
        return _rows(x).T.dot(_rows(g)) if transposed else _rows(g).T.dot(_rows(x))

    def _bias(xp, g, y, x, weight, bias, transposed=False, flatten=False):
        return xp.sum_rows(_rows(g))

    vjp = (_x, _weight, _bias)


def _flattened(x: ArrayType, weight: ArrayType, bias: ArrayType, transposed: bool) -> tuple:
    """``linear.infer`` of x (N, …) that is to be flattened."""
    if x.shape == ():
        raise ShapeError("argument x should have shape (N, …), but it has shape (); give it an axis for the batch.")
    features = None if None in x.shape[1:] else math.prod(x.shape[1:])
    (flat, *others), outputs = linear.infer(ArrayType((x.shape[0], features), x.dtype), weight, bias, transposed)
    return (ArrayType(x.shape, flat.dtype), *others), outputs


def _with_bias(n_out: int | None, bias: ArrayType, dtype: Any, weight: tuple) -> tuple[int | None, ArrayType]:
    """The number of outputs, which a bias may know, and the bias as it computes: a number stays one."""
    if isinstance(bias.dtype, type):
        return n_out, bias
    _need_ndim("bias", bias, (None,), "a linear layer has one bias for each output.")
    shape = (None,) if bias.shape is None else bias.shape
    (n_out,) = unify("argument bias", shape, (n_out,), f"weight has shape {spell(weight)}")
    return n_out, ArrayType((n_out,), dtype)


class dense(Op):
    """x W + b over all axes of x but the ``first`` ones: (N…, in…), (in…, out), (out,) -> (N…, out).

    With one axis of input this is ``linear`` transposed; images and the like need no flattening. The bias may be a
    number, 0 for none.
    """

    reads = ("weight", "x", "")

    def infer(x, weight, bias, first=1):
        require_whole("first", first)
        dtype = _arithmetic(x, weight, bias)
        require_float("the operands of dense", dtype)
        if x.shape is not None and not 0 <= first < x.ndim:
            raise ShapeError(
                f"argument x should have {first} axes and then those that are multiplied, but it has shape "
                f"{spell(x.shape)}; give it a last axis of features, or map over fewer axes."
            )
        shape = weight.shape
        if shape == ():
            raise ShapeError("argument weight should have shape (in…, out), but it has shape ().")
        n_out = None if shape is None else shape[-1]
        if x.shape is not None:
            wanted = (*x.shape[first:], n_out)
            because = f"x has shape {spell(x.shape)}, of which the axes from {first} on are multiplied"
            shape = unify("argument weight", shape, wanted, because)
        n_out, bias = _with_bias(n_out, bias, dtype, shape)
        if shape is None:
            return (ArrayType(None, dtype), ArrayType(None, dtype), bias), (ArrayType(None, dtype),)
        shape = (*shape[:-1], n_out)
        x_shape = None if x.shape is None else (*x.shape[:first], *shape[:-1])
        x_shape = (*(None,) * first, *shape[:-1]) if x_shape is None else x_shape
        return (ArrayType(x_shape, dtype), ArrayType(shape, dtype), bias), (
            ArrayType((*x_shape[:first], n_out), dtype),
        )

    def forward(xp, x, weight, bias, out=None, first=1):
        size = math.prod(weight.shape[:-1])
        rows, matrix = x.reshape((math.prod(x.shape[:first]), size)), weight.reshape((size, weight.shape[-1]))
        y = linear.forward(xp, rows, matrix, bias, transposed=True)
        return deliver(xp, y if first == 1 else y.reshape((*x.shape[:first], weight.shape[-1])), out)

    def _x(xp, g, y, x, weight, bias, first=1):
        matrix = weight.reshape((math.prod(weight.shape[:-1]), weight.shape[-1]))
        return matrix.dot(_rows(g).T).T.reshape(x.shape)

    def _weight(xp, g, y, x, weight, bias, first=1):
        rows = x.reshape((math.prod(x.shape[:first]), math.prod(x.shape[first:])))
        return rows.T.dot(_rows(g)).reshape(weight.shape)

    vjp = (_x, _weight, lambda xp, g, y, x, weight, bias, first=1: xp.sum_rows(_rows(g)))


def _rows(t):
    """(…, C) as a matrix (N, C)."""
    return t if t.ndim == 2 else t.reshape(math.prod(t.shape[:-1]), t.shape[-1])


@functools.lru_cache(1024)
def letters_of(subscripts: str, count: int) -> tuple[tuple[str, ...], str]:
    """The letters of each of ``count`` operands, and those of the result.

    Without an arrow the result has the letters that occur once, in the order of the alphabet.

    >>> letters_of("ij, jk", 2)
    (('ij', 'jk'), 'ik')
    """
    text = subscripts.replace(" ", "")
    if "." in text:
        raise DtypeError(f"subscripts {show(subscripts)} hold dots; write a letter for each axis that they stand for.")
    given, arrow, result = text.partition("->")
    operands = tuple(given.split(","))
    if len(operands) != count:
        raise DtypeError(f"subscripts {show(subscripts)} describe {len(operands)} operands, but {count} came.")
    together = "".join(operands)
    if not arrow:
        result = "".join(sorted(letter for letter in together if together.count(letter) == 1))
    wrong = [letter for letter in together + result if not (letter.isascii() and letter.isalpha())]
    if wrong:
        raise DtypeError(f"subscripts {show(subscripts)} hold {show(wrong[0])}; they are letters, commas and one ->.")
    for letter in result:
        if letter not in together:
            raise DtypeError(f"subscripts {show(subscripts)} give the result a letter {letter} that no operand has.")
        if result.count(letter) > 1:
            raise DtypeError(f"subscripts {show(subscripts)} give the result the letter {letter} twice.")
    return operands, result


# From so many products on it pays to look for matrix products among them, which takes some ten microseconds.
WORTH_A_PLAN = 2**14


class einsum(Op):
    """Sums of products of operands whose axes are letters: equal ones run together, those the result lacks are summed.

    "ij,jk->ik" is a product of matrices, "ii->i" a diagonal, "ij->j" a sum, "ij->ji" a transposition.
    """

    onnx = "Einsum"
    reads = ("operands",)

    def infer(*operands, subscripts):
        if not isinstance(subscripts, str):
            raise DtypeError(f"subscripts must be a text such as 'ij,jk->ik', but {show(subscripts)} came.")
        given, result = letters_of(subscripts, len(operands))
        dtype = _arithmetic(*operands)
        sizes: dict[str, int | None] = {}
        owner: dict[str, int] = {}
        for i, (letters, t) in enumerate(zip(given, operands, strict=True)):
            if t.shape is not None and len(t.shape) != len(letters):
                raise ShapeError(
                    f"operand {i} has shape {spell(t.shape)}, but subscripts {show(subscripts)} name {len(letters)} "
                    f"axes of it ({show(letters)}); give each axis one letter."
                )
            for letter, size in zip(letters, (None,) * len(letters) if t.shape is None else t.shape, strict=True):
                known = sizes.get(letter)
                if None not in (known, size) and known != size:
                    j = owner[letter]
                    raise ShapeError(
                        f"letter {letter} of {show(subscripts)} has size {known} in operand {j} of shape "
                        f"{spell(operands[j].shape)} and size {size} in operand {i} of shape {spell(t.shape)}; axes of "
                        "one letter need one size."
                    )
                if known is None:
                    sizes[letter], owner[letter] = size, i
        inputs = tuple(ArrayType(tuple(sizes[letter] for letter in letters), dtype) for letters in given)
        return inputs, (ArrayType(tuple(sizes[letter] for letter in result), dtype),)

    def forward(xp, *operands, out=None, subscripts=None):
        given, result = letters_of(subscripts, len(operands))
        sizes: dict[str, int] = {}
        for letters, t in zip(given, operands, strict=True):
            sizes.update(zip(letters, t.shape, strict=True))
        plan = len(operands) > 1 and math.prod(sizes.values()) >= WORTH_A_PLAN
        text = f"{','.join(given)}->{result}"
        y = xp.einsum(text, *map(wide, operands), optimize=plan)
        if len(operands) == 1 and len(result) == len(sizes) and out is None and operands[0].dtype != HALF:
            y = y.copy()  # nothing is summed, so it is a view
        return deliver(xp, in_dtype(operands[0].dtype, y), out)

    def vjp(i, xp, g, y, *operands, subscripts):
        given, result = letters_of(subscripts, len(operands))
        mine, others = "".join(dict.fromkeys(given[i])), (*given[:i], *given[i + 1 :])
        # What was multiplied is multiplied by g instead; along a letter that nobody else has, all were summed alike.
        found = "".join(letter for letter in mine if letter in result or any(letter in other for other in others))
        g = xp.apply(einsum, g, *operands[:i], *operands[i + 1 :], subscripts=f"{','.join((result, *others))}->{found}")
        sizes = dict(zip(given[i], operands[i].shape, strict=True))
        if found != mine:
            g = g.reshape(tuple(sizes[letter] if letter in found else 1 for letter in mine))
            g = xp.stretch(g, tuple(sizes[letter] for letter in mine))
        return g if mine == given[i] else xp.apply(on_diagonal, g, letters=given[i])


class on_diagonal(Op):
    """Zeros, and x where axes of equal letters meet: for the letters "iij" (I, J) -> (I, I, J). einsum transposed."""

    def infer(x, letters):
        unique = "".join(dict.fromkeys(letters))
        if x.shape is not None and x.ndim != len(unique):
            raise ShapeError(
                f"argument x should have {len(unique)} axes, one for each different letter of {show(letters)}, but it "
                f"has shape {spell(x.shape)}."
            )
        sizes = dict(zip(unique, (None,) * len(unique) if x.shape is None else x.shape, strict=True))
        return (ArrayType(tuple(sizes.values()), x.dtype),), (
            ArrayType(tuple(sizes[letter] for letter in letters), x.dtype),
        )

    def forward(xp, x, out=None, letters=None):
        place = dict(zip(dict.fromkeys(letters), xp.positions(x.shape), strict=True))
        y = xp.zeros(tuple(place[letter].size for letter in letters), x.dtype) if out is None else out
        if out is not None:
            y.fill(0)
        y[tuple(place[letter] for letter in letters)] = x
        return y

    vjp = (
        lambda xp, g, y, x, letters: xp.apply(einsum, g, subscripts=f"{letters}->{''.join(dict.fromkeys(letters))}"),
    )


class embedding(Op):
    """The rows of a table: indices (…), weight (classes, dim) -> (…, dim); one-hot(indices) @ weight, without zeros."""

    onnx = "Gather"
    reads = ("", "indices")

    def infer(indices, weight):
        if getattr(indices.dtype, "kind", "") not in ("i", "u"):
            came = indices.dtype if hasattr(indices.dtype, "kind") else "a plain number"
            raise DtypeError(
                f"argument indices, the first, must hold whole numbers, but they are {came}; use .long() on a tensor."
            )
        _need_ndim("weight", weight, (None, None), "a table of embeddings has one row for each class.")
        last = None if weight.shape is None else weight.shape[1]
        return (indices, weight), (ArrayType(None if indices.shape is None else (*indices.shape, last), weight.dtype),)

    def forward(xp, indices, weight, out=None):
        check_labels(xp, indices, weight.shape[0], "an index")
        return deliver(xp, xp.take(weight, indices, axis=0), out)

    vjp = (None, lambda xp, g, y, indices, weight: xp.scatter_add(g, (indices,), weight.shape))
