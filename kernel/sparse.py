"""Sparse tensors: matrices of which only the elements that are not 0 are stored."""

from __future__ import annotations

from typing import Any

import numpy

from . import functional
from .apply import apply
from .creation import _put, arange, ones, zeros
from .errors import DeviceError, DtypeError, ShapeError, show
from .op import DEFAULT_FLOAT, ArrayType, Op, require_whole, spell
from .ops import products, reduce
from .ops.sparse import check_stored, csr_matmul, require_matrix, require_stored
from .parameter import complete_all
from .tensor import Tensor, _host_array, _plain_number, _wrap
from .xp import Device


class SparseTensor:
    """A matrix (N, K) that stores its elements row by row, and none of its zeros (CSR, compressed sparse rows).

    ``data`` (E,) holds the values, ``indices`` (E,) their columns, and row i is what stands from ``indptr[i]`` to
    ``indptr[i + 1]``; two elements at one place count together. Three tensors on one device: gradients reach ``data``
    like any other. ``kernel.sparse_csr`` makes one.

    It can be multiplied with a dense tensor (``x @ weight``, ``kernel.linear``, ``kernel.dense``), be the labels of
    ``cross_entropy`` and ``classification_error``, and be sliced by rows. Nothing of that makes it dense.

    >>> x = kernel.SparseTensor.one_hot(kernel.tensor([2, 0]), 3)
    >>> x
    SparseTensor(shape=(2, 3), stored=2, dtype=float32)
    >>> x @ kernel.tensor([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]])
    tensor([[2. , 2.1],
            [0. , 0.1]])
    """

    __slots__ = ("data", "indices", "indptr", "shape")

    ndim = 2

    def __init__(self, data: Tensor, indices: Tensor, indptr: Tensor, shape: tuple[int, int]):
        for name, tensor in (("data", data), ("indices", indices), ("indptr", indptr)):
            if not isinstance(tensor, Tensor):
                raise DtypeError(f"sparse_csr: {name} should be a kernel tensor, but {show(tensor)} came.")
        try:
            require_matrix(shape)
            require_stored(data.shape, indices, indptr, shape[0])
            for name, tensor in (("indices", indices), ("indptr", indptr)):
                if tensor.device is not data.device:
                    raise DeviceError(
                        f"{name} are on {tensor.device}, but data is on {data.device}; move one with .to."
                    )
            with data.device.guard():
                check_stored(data.device.xp, indices._array, indptr._array, shape[1])
        except (ShapeError, DtypeError, DeviceError) as error:
            raise type(error)(f"sparse_csr: {error}") from None
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, tuple(map(int, shape))

    @classmethod
    def one_hot(cls, labels: Tensor, classes: int, dtype: Any = DEFAULT_FLOAT) -> SparseTensor:
        """1 at each label and nothing else: (N,) -> (N, classes), of which N elements are stored.

        >>> kernel.SparseTensor.one_hot(kernel.tensor([1, 0]), 3).to_dense()
        tensor([[0., 1., 0.],
                [1., 0., 0.]])
        """
        if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DtypeError(
                f"SparseTensor.one_hot: labels should be a tensor (N,) of whole numbers, but {show(labels)} came."
            )
        require_whole("SparseTensor.one_hot: classes", classes)
        size, device = len(labels), labels.device
        data = ones(size, dtype=dtype, device=device)
        return cls(data, labels.long(), arange(size + 1, device=device), (size, classes))

    @property
    def dtype(self) -> numpy.dtype:
        """The dtype of the elements."""
        return self.data.dtype

    @property
    def device(self) -> Device:
        """Where the three tensors are."""
        return self.data.device

    @property
    def requires_grad(self) -> bool:
        """Whether a backward looks for the gradient with respect to ``data``."""
        return self.data.requires_grad

    @property
    def rows(self) -> Tensor:
        """The row of each element, (E,): what ``indices`` are to columns."""
        with self.device.guard():
            return _wrap(self.device.xp.csr_rows(self.indptr._array, len(self.data)), self.device)

    def to(self, target: Any) -> SparseTensor:
        """This matrix on another device, or with elements of another dtype."""
        data = self.data.to(target)
        return SparseTensor(data, self.indices.to(data.device), self.indptr.to(data.device), self.shape)

    def to_dense(self) -> Tensor:
        """The same matrix with all its zeros.

        >>> kernel.sparse_csr(([5.0, 6.0], [1, 0], [0, 1, 2]), (2, 2)).to_dense()
        tensor([[0., 5.],
                [6., 0.]])
        """
        return functional.scatter_add(self.data, (self.rows, self.indices), self.shape)

    def sum(self, axis: int | None = None) -> Tensor:
        """The sum of all elements, of each column (axis 0) or of each row (axis 1)."""
        return functional.sum(self, axis)

    def __matmul__(self, other: Any) -> Tensor:
        return functional.matmul(self, other)

    # Refused in words, as the functions refuse it: a sum with a number, say, would have no zeros.
    __add__ = __radd__ = functional.add
    __sub__ = functional.subtract
    __mul__ = __rmul__ = functional.multiply
    __truediv__ = functional.divide

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> SparseTensor:
        """Some of the rows: a slice, or a tensor of whole numbers or booleans, as for a minibatch in a new order.

        >>> x = kernel.SparseTensor.one_hot(kernel.arange(4), 4)
        >>> x[1:3].indices, x[kernel.tensor([3, 0])].indices
        (tensor([1, 2]), tensor([3, 0]))
        """
        if isinstance(rows, slice):
            try:
                start, stop, step = rows.indices(len(self))
            except (TypeError, ValueError) as error:
                raise DtypeError(f"SparseTensor: of rows {show(rows)}: {error}.") from None
            if step == 1:
                return self._between(start, max(start, stop))
            rows = arange(start, stop, step, device=self.device)
        if not isinstance(rows, Tensor) or rows.ndim != 1 or rows.dtype.kind == "f":
            raise DtypeError(
                "SparseTensor: rows are chosen with a slice, as in x[0:64], or a tensor (N,) of whole numbers, but "
                f"{show(rows)} came."
            )
        return self._at(functional.nonzero(rows)[:, 0] if rows.dtype == bool else rows)

    def _between(self, start: int, stop: int) -> SparseTensor:
        first, last = int(self.indptr[start]), int(self.indptr[stop])
        indptr = self.indptr[start : stop + 1] - first
        return SparseTensor(self.data[first:last], self.indices[first:last], indptr, (stop - start, self.shape[1]))

    def _at(self, rows: Tensor) -> SparseTensor:
        starts = self.indptr[:-1][rows]
        ends = functional.cumsum(self.indptr[1:][rows] - starts, axis=0)
        indptr = functional.concatenate([zeros(1, dtype=ends.dtype, device=self.device), ends])
        count = int(indptr[-1])
        with self.device.guard():
            of = _wrap(self.device.xp.csr_rows(indptr._array, count), self.device)
        where = arange(count, device=self.device) + (starts - indptr[:-1])[of]
        return SparseTensor(self.data[where], self.indices[where], indptr, (len(rows), self.shape[1]))

    def __repr__(self) -> str:
        place = "" if self.device.kind == "cpu" else f", device='{self.device}'"
        return f"SparseTensor(shape={spell(self.shape)}, stored={len(self.data)}, dtype={self.dtype}{place})"

    @staticmethod
    def _apply(op: type[Op], operands: tuple, attributes: dict[str, Any]) -> Any:
        """What the operations do with a sparse first operand, those that know how."""
        function, x = _KNOWN.get(op), operands[0]
        if function is None or not isinstance(x, SparseTensor):
            raise DtypeError(
                f"{op.name}: a sparse tensor can be multiplied from the left, summed, and be labels; for all else make "
                "it dense with .to_dense()."
            )
        others = [
            other if isinstance(other, Tensor) else _plain_number(op.name, op.argument(i), other)
            for i, other in enumerate(operands[1:], 1)
        ]
        types = [ArrayType(getattr(o, "shape", ()), getattr(o, "dtype", type(o))) for o in (x, *others)]
        try:
            inputs, _ = op.infer(*types, **attributes)
            complete_all(others, inputs[1:])
        except (ShapeError, DtypeError) as error:
            raise type(error)(f"{op.name}: {error}") from None
        return function(x, *others, **attributes)


def _matmul(x: SparseTensor, weight: Tensor) -> Tensor:
    return apply(csr_matmul, x.data, x.indices, x.indptr, weight, shape=x.shape)


def _mv(x: SparseTensor, vector: Tensor) -> Tensor:
    return functional.squeeze(_matmul(x, functional.expand_dims(vector, 1)), 1)


def _linear(x: SparseTensor, weight: Tensor, bias: Any, transposed: bool = False) -> Tensor:
    return _plus(_matmul(x, weight if transposed else weight.T), bias)


def _dense(x: SparseTensor, weight: Tensor, bias: Any, first: int = 1) -> Tensor:
    if first != 1:
        raise ShapeError(f"dense: the rows of a sparse tensor are its samples: first must be 1, but {first} came.")
    return _plus(_matmul(x, weight), bias)


def _plus(y: Tensor, bias: Any) -> Tensor:
    return y + bias if isinstance(bias, Tensor) else y  # else it is the number 0, for none


def _sum(x: SparseTensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    if axis is None:
        total = functional.sum(x.data)
    else:
        total = functional.scatter_add(x.data, ((x.indices, x.rows)[axis % 2],), (x.shape[1 - axis % 2],))
    return total.reshape(reduce.reduced(x.shape, axis, keepdims))


def _argmax(x: SparseTensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The columns of the largest elements; the first on a tie, in the order in which they are stored."""
    filled = bool((x.indptr[1:] > x.indptr[:-1]).all())
    if axis in (1, -1) and filled:
        order = functional.argsort(x.data, descending=True)
        order = order[functional.argsort(x.rows[order])]  # stable: the largest element is the first of its row
        largest = order[x.indptr[:-1]]
        if bool((x.data[largest] > 0).all()):
            return x.indices[largest].long().reshape(reduce.reduced(x.shape, axis, keepdims))
    raise ShapeError(
        "argmax: of a sparse tensor it is found along axis 1, where each row has an element above 0; for all else make "
        "it dense with .to_dense()."
    )


_KNOWN = {
    products.matmul: _matmul,
    products.mv: _mv,
    products.linear: _linear,
    products.dense: _dense,
    reduce.sum: _sum,
    reduce.argmax: _argmax,
}


def sparse_csr(data: Any, shape: tuple[int, int] | None = None, dtype: Any = None, device: Any = None) -> SparseTensor:
    """A sparse matrix (N, K) of what SciPy has, or of its three vectors.

    Args:
        data: a sparse matrix of SciPy in any format; or (data, indices, indptr): the values, their columns, and where
            each row begins (N + 1 numbers, the last where all end), as tensors, arrays or lists.
        shape: (N, K); may be left out where a matrix came.
        dtype: of the elements; by default as they came.
        device: by default "cpu", or where a tensor came from.

    Raises ShapeError where the vectors do not fit together, or a column does not exist.

    >>> x = kernel.sparse_csr(([5.0, 6.0], [1, 0], [0, 1, 2]), (2, 2))
    >>> x @ kernel.tensor([[1.0], [10.0]])
    tensor([[50.],
            [ 6.]])
    """
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        if shape is not None and tuple(shape) != matrix.shape:
            raise ShapeError(f"sparse_csr: shape should be {spell(matrix.shape)}, the matrix's, but {shape} came.")
        data, shape = (matrix.data, matrix.indices, matrix.indptr), matrix.shape
    if not isinstance(data, tuple | list) or len(data) != 3:
        raise DtypeError(
            f"sparse_csr: a sparse matrix of SciPy, or (data, indices, indptr), was expected, but {show(data)} came."
        )
    if not isinstance(shape, tuple | list):
        raise DtypeError(f"sparse_csr: shape should be two numbers, rows and columns, but {show(shape)} came.")
    data, indices, indptr = data
    values = _vector(data, dtype, device)
    return SparseTensor(values, *(_whole(each, device) for each in (indices, indptr)), tuple(shape))


def _vector(values: Any, dtype: Any, device: Any) -> Tensor:
    if not isinstance(values, Tensor):
        return _put("sparse_csr", lambda: _host_array("sparse_csr", values, dtype), device, False)
    values = values if dtype is None else values.astype(dtype)
    return values if device is None else values.to(device)


def _whole(values: Any, device: Any) -> Tensor:
    vector = _vector(values, None, device)
    return vector.long() if vector.size == 0 or vector.dtype == "uint8" else vector
