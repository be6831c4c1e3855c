"""Rows of kernel/ops/products.py."""

from __future__ import annotations

import math

import numpy

from tests.kernel.table.entry import call, dtype_error, of_floats, row, shape_error, truth, u, whole

row(
    "matmul",
    lambda a, b: numpy.einsum("...ij,...jk->...ik", a, b),
    lambda torch, a, b: a @ b,
    call(u(3, 4), u(4, 2)),
    call(u(2, 3, 4), u(4, 2)),
    call(u(3, 4), u(5, 4, 2)),
    call(u(2, 1, 3, 4), u(5, 4, 2)),
    call(u(0, 4), u(4, 2)),
    call(u(3, 0), u(0, 2)),
    shape_error("argument b", "(3, ?)", "(2, 3)", "(4, 5)", of=(u(2, 3), u(4, 5))),
    shape_error("argument b", "(4,)", "mv", of=(u(2, 4), u(4))),
    shape_error("argument a", "()", of=(u(), u(2, 2))),
    shape_error("broadcast", "(2,)", "(3,)", of=(u(2, 3, 4), u(3, 4, 5))),
    dtype_error("bool", of=(truth(2, 3), truth(3, 2))),
    boolean=False,
    tolerance=4,
)
row(
    "mv",
    lambda matrix, vector: numpy.einsum("ij,j->i", matrix, vector),
    lambda torch, matrix, vector: matrix.mv(vector),
    call(u(3, 4), u(4)),
    call(u(1, 1), u(1)),
    call(u(0, 4), u(4)),
    call(u(3, 0), u(0)),
    shape_error("argument vector", "(4,)", "(3, 4)", "(3,)", of=(u(3, 4), u(3))),
    shape_error("argument matrix", "(?, ?)", "(4,)", of=(u(4), u(4))),
    shape_error("argument vector", "(?,)", "(4, 2)", "matmul", of=(u(3, 4), u(4, 2))),
    dtype_error("bool", of=(truth(2, 3), truth(3))),
    boolean=False,
    tolerance=4,
)
row(
    "dot",
    lambda a, b: (a * b).sum(),
    lambda torch, a, b: a.dot(b),
    call(u(4), u(4)),
    call(u(1), u(1)),
    call(u(0), u(0)),
    shape_error("argument b", "(4,)", "(3,)", of=(u(4), u(3))),
    shape_error("argument a", "(?,)", "(2, 2)", "matmul", of=(u(2, 2), u(2))),
    dtype_error("bool", of=(truth(3), truth(3))),
    boolean=False,
    tolerance=4,
)
row(
    "linear",
    lambda x, weight, bias, transposed=False, flatten=False: (
        numpy.einsum(
            "...i,io->...o" if transposed else "...i,oi->...o",
            x.reshape(len(x), math.prod(x.shape[1:])) if flatten else x,
            weight,
        )
        + bias
    ),
    lambda torch, x, weight, bias, transposed=False, flatten=False: (
        torch.nn.functional.linear(x.flatten(1) if flatten else x, weight.T if transposed else weight) + bias
    ),
    call(u(5, 3), u(4, 3), u(4)),
    call(u(3, 3), u(3, 3), u(3)),
    call(u(5, 3), u(3, 4), u(4), transposed=True),
    call(u(2, 5, 3), u(4, 3), u(4)),
    call(u(2, 5, 3), u(3, 4), u(4), transposed=True),
    call(u(3), u(4, 3), u(4)),
    call(u(3), u(3, 4), u(4), transposed=True),
    call(u(0, 3), u(4, 3), u(4)),
    call(u(0, 2, 3), u(4, 3), u(4)),
    call(u(2, 0), u(4, 0), u(4)),
    call(u(5, 3), u(4, 3), 0),
    call(u(5, 3), u(3, 4), 0.5, transposed=True),
    call(u(3), u(4, 3), 0),
    call(u(5, 3), u(4, 3), u(4), flatten=True),
    call(u(5, 3, 2), u(4, 6), u(4), flatten=True),
    call(u(2, 3, 2, 2), u(12, 4), 0, flatten=True, transposed=True),
    shape_error("argument weight", "(?, 6)", "(5, 6)", "(4, 3)", of=(u(5, 3, 2), u(4, 3), u(4)), flatten=True),
    shape_error("argument x", "()", "batch", of=(u(), u(4, 3), u(4)), flatten=True),
    shape_error("argument weight", "(?, 3)", "(5, 3)", "(3, 4)", of=(u(5, 3), u(3, 4), u(4))),
    shape_error("argument weight", "(3, ?)", "(in, out)", of=(u(5, 3), u(4, 3), u(4)), transposed=True),
    shape_error("argument bias", "(4,)", "(5,)", of=(u(5, 3), u(4, 3), u(5))),
    shape_error("argument weight", "(?, ?)", "(3,)", of=(u(5, 3), u(3), u(4))),
    shape_error("argument bias", "(?,)", "(1, 4)", of=(u(5, 3), u(4, 3), u(1, 4))),
    shape_error("argument x", "()", of=(u(), u(4, 3), u(4))),
    dtype_error("float", "int64", of=(whole(5, 3), whole(4, 3), whole(4))),
    whole=False,
    boolean=False,
    tolerance=4,
)


def _einsum(*operands: numpy.ndarray, subscripts: str) -> numpy.ndarray:
    """All products of all elements, written out letter by letter, then summed."""
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    given = given.split(",")
    together = "".join(given)
    if not arrow:
        result = "".join(sorted(letter for letter in set(together) if together.count(letter) == 1))
    every = result + "".join(sorted(set(together) - set(result)))
    sizes: dict[str, int] = {}
    for letters, operand in zip(given, operands, strict=True):
        sizes.update(zip(letters, operand.shape, strict=True))
    places = dict(zip(every, numpy.indices([sizes[letter] for letter in every]), strict=True))
    product = 1.0
    for letters, operand in zip(given, operands, strict=True):
        product = product * operand[tuple(places[letter] for letter in letters)]
    return numpy.asarray(product).sum(axis=tuple(range(len(result), len(every))))


row(
    "dense",
    lambda x, weight, bias, first=1: numpy.tensordot(x, weight, weight.ndim - 1) + bias,
    lambda torch, x, weight, bias, first=1: torch.tensordot(x, weight, weight.ndim - 1) + bias,
    call(u(5, 3), u(3, 4), u(4)),
    call(u(5, 3), u(3, 4), 0),
    call(u(5, 2, 3), u(2, 3, 4), u(4)),
    call(u(2, 5, 3), u(3, 4), u(4), first=2),
    call(u(2, 5, 3, 2), u(3, 2, 4), 1.5, first=2),
    call(u(3, 2), u(3, 2, 4), u(4), first=0),
    call(u(0, 2, 3), u(2, 3, 4), u(4)),
    shape_error("argument weight", "(2, 3, 4)", "(3, 4)", of=(u(5, 2, 3), u(3, 4), u(4))),
    shape_error("argument bias", "(4,)", "(5,)", of=(u(5, 3), u(3, 4), u(5))),
    shape_error("argument x", "(5,)", "features", of=(u(5), u(3, 4), u(4))),
    dtype_error("float", "int64", of=(whole(5, 3), whole(3, 4), whole(4))),
    whole=False,
    boolean=False,
    tolerance=4,
)
row(
    "einsum",
    _einsum,
    lambda torch, *operands, subscripts: torch.einsum(subscripts, *operands),
    call(u(3, 4), u(4, 2), subscripts="ij,jk->ik"),
    call(u(2, 3, 4), u(2, 4, 5), subscripts="bij,bjk->bik"),
    call(u(2, 3), u(2, 3), subscripts="ij, ij"),
    call(u(3, 4), u(3, 4), subscripts="ij,kj"),
    call(u(3, 4), subscripts="ij->ji"),
    call(u(3, 4), subscripts="ji"),
    # Where an axis of one operand alone is summed, torch makes whole numbers int64.
    of_floats(u(3, 4), subscripts="ij->j"),
    of_floats(u(3, 4), subscripts="ij->"),
    of_floats(u(3, 3), subscripts="ii"),
    call(u(3, 3), subscripts="ii->i"),
    call(u(3, 2, 3), u(2), subscripts="iji,j->ij"),
    call(u(2, 2, 2), u(2, 2), subscripts="iii,ii->i"),
    call(u(3), u(4), u(2), subscripts="a,b,c->cab"),
    call(u(2, 3), u(4, 3, 5), u(2, 5), subscripts="bi,oij,bj->bo"),
    call(u(3, 4), u(4, 5), u(5, 6), u(6), subscripts="ij,jk,kl,l->i"),
    of_floats(u(2, 3), u(4), subscripts="ij,k->ik"),
    call(u(3), u(), subscripts="i,->i"),
    call(u(0, 3), u(3, 2), subscripts="ij,jk->ik"),
    call(u(2, 0), u(0, 2), subscripts="ij,jk->ik"),
    call(u(2, 30, 20), u(2, 20, 30), subscripts="bij,bjk->bik"),
    shape_error(
        *("letter j", "size 3", "operand 0", "(2, 3)", "size 4", "operand 1"),
        of=(u(2, 3), u(4, 5)),
        subscripts="ij,jk->ik",
    ),
    shape_error("letter i", "size 2", "size 3", of=(u(2, 3),), subscripts="ii->i"),
    shape_error("operand 1", "(3,)", "2 axes", "'jk'", of=(u(2, 3), u(3)), subscripts="ij,jk->ik"),
    dtype_error("2 operands", "1 came", of=(u(2, 3),), subscripts="ij,jk->ik"),
    dtype_error("letter z", "no operand", of=(u(2, 3),), subscripts="ij->z"),
    dtype_error("letter i", "twice", of=(u(2, 3),), subscripts="ij->ii"),
    dtype_error("dots", of=(u(2, 3),), subscripts="...j->j"),
    dtype_error("'1'", "letters", of=(u(2, 3),), subscripts="i1->i"),
    dtype_error("'ij,jk->ik'", "5", of=(u(2, 3),), subscripts=5),
    dtype_error("bool", of=(truth(2, 3), truth(3, 2)), subscripts="ij,jk->ik"),
    boolean=False,
    tolerance=8,
)
row(
    "on_diagonal",
    lambda x, letters: {
        "ii": lambda: numpy.diag(x),
        "iji": lambda: x[:, :, None] * numpy.eye(len(x))[:, None, :],
        "iii": lambda: numpy.diag(x)[:, :, None] * numpy.eye(len(x)),
        "ij": lambda: x,
    }[letters](),
    lambda torch, x, letters: torch.einsum(
        {"ii": "i,ai,bi->ab", "iji": "ij,ai,bi->ajb", "iii": "i,ai,bi,ci->abc", "ij": "ij->ij"}[letters],
        x,
        *[torch.eye(len(x), dtype=x.dtype)] * (letters.count("i") if letters != "ij" else 0),
    ),
    call(u(3), letters="ii"),
    call(u(3, 2), letters="iji"),
    call(u(2), letters="iii"),
    call(u(2, 3), letters="ij"),
    call(u(0), letters="ii"),
    shape_error("argument x", "1 axes", "'ii'", "(2, 2)", of=(u(2, 2),), letters="ii"),
    boolean=False,
)
row(
    "embedding",
    lambda indices, weight: numpy.eye(len(weight))[indices.astype(int)] @ weight,
    lambda torch, indices, weight: torch.nn.functional.embedding(indices.long(), weight),
    call(whole(6, high=4), u(4, 3)),
    call(whole(2, 5, high=4), u(4, 3)),
    call(whole(300, high=7).astype("uint8"), u(7, 2)),
    call(whole(5, high=4).astype("int32"), u(4, 1)),
    call(numpy.array(2), u(4, 3)),
    call(whole(0), u(4, 3)),
    call(whole(3, high=4), u(4, 0)),
    shape_error("index", "4", "0 to 3", of=(numpy.array([0, 4]), u(4, 3))),
    shape_error("index", "-1", "0 to 3", of=(numpy.array([0, -1]), u(4, 3))),
    shape_error("argument weight", "(?, ?)", "(4,)", of=(numpy.array([0]), u(4))),
    dtype_error("indices", "float", ".long()", of=(u(3), u(4, 3))),
)
