"""Functions that work number by number."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..ops import elementwise
from ..ops import shape as shapes
from .axes import python_number


def add(a: Any, b: Any) -> Any:
    """a + b, elementwise, both stretched to one shape.

    >>> kernel.add(kernel.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return apply(elementwise.add, a, b)


def subtract(a: Any, b: Any) -> Any:
    """a - b, elementwise.

    >>> kernel.subtract(kernel.tensor([1.0, 2.0]), 10)
    tensor([-9., -8.])
    """
    return apply(elementwise.sub, a, b)


def multiply(a: Any, b: Any) -> Any:
    """a · b, elementwise; for the product of matrices see matmul.

    >>> kernel.multiply(kernel.tensor([1.0, 2.0]), kernel.tensor([3.0, 4.0]))
    tensor([3., 8.])
    """
    return apply(elementwise.mul, a, b)


def divide(a: Any, b: Any) -> Any:
    """a / b, elementwise; whole numbers are divided as float32.

    >>> kernel.divide(kernel.tensor([1, 2]), 4)
    tensor([0.25, 0.5 ])
    """
    return apply(elementwise.div, a, b)


def power(a: Any, b: Any) -> Any:
    """a to the power b, elementwise.

    >>> kernel.power(kernel.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return apply(elementwise.pow, a, b)


def square(x: Any) -> Any:
    """x · x, elementwise.

    >>> kernel.square(kernel.tensor([-3.0]))
    tensor([9.])
    """
    return apply(elementwise.pow, x, 2)


def negative(x: Any) -> Any:
    """-x, elementwise.

    >>> kernel.negative(kernel.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return apply(elementwise.neg, x)


def abs(x: Any) -> Any:
    """The distance of each element from 0; the slope at 0 is taken as 0.

    >>> kernel.abs(kernel.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return apply(elementwise.abs, x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, as each element is negative, zero or positive.

    >>> kernel.sign(kernel.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """
    return apply(elementwise.sign, x)


def exp(x: Any) -> Any:
    """e to the power x, elementwise.

    >>> kernel.exp(kernel.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """
    return apply(elementwise.exp, x)


def log(x: Any) -> Any:
    """The natural logarithm, elementwise.

    >>> kernel.log(kernel.tensor([1.0, 2.0]))
    tensor([0.    , 0.6931])
    """
    return apply(elementwise.log, x)


def sqrt(x: Any) -> Any:
    """The square root, elementwise.

    >>> kernel.sqrt(kernel.tensor([4.0, 2.0]))
    tensor([2.    , 1.4142])
    """
    return apply(elementwise.sqrt, x)


def sin(x: Any) -> Any:
    """The sine of x in radians, elementwise.

    >>> kernel.sin(kernel.tensor([0.0, 1.0]))
    tensor([0.    , 0.8415])
    """
    return apply(elementwise.sin, x)


def cos(x: Any) -> Any:
    """The cosine of x in radians, elementwise.

    >>> kernel.cos(kernel.tensor([0.0, 1.0]))
    tensor([1.    , 0.5403])
    """
    return apply(elementwise.cos, x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, elementwise: between -1 and 1.

    >>> kernel.tanh(kernel.tensor([0.0, 1.0]))
    tensor([0.    , 0.7616])
    """
    return apply(elementwise.tanh, x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), elementwise: between 0 and 1, without overflow.

    >>> kernel.sigmoid(kernel.tensor([0.0, 2.0]))
    tensor([0.5   , 0.8808])
    """
    return apply(elementwise.sigmoid, x)


def relu(x: Any) -> Any:
    """max(x, 0), elementwise; the slope at 0 is 0.

    >>> kernel.relu(kernel.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply(elementwise.relu, x)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x where it is positive, slope · x elsewhere.

    >>> kernel.leaky_relu(kernel.tensor([-1.0, 2.0]))
    tensor([-0.01,  2.  ])
    """
    return apply(elementwise.leaky_relu, x, slope=python_number(slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, alpha (e^x - 1) elsewhere.

    >>> kernel.elu(kernel.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    return apply(elementwise.elu, x, alpha=python_number(alpha))


def selu(x: Any) -> Any:
    """1.0507 · elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer. Klambauer et al., arXiv 1706.02515.

    >>> kernel.selu(kernel.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return apply(elementwise.elu, x, alpha=1.6732632423543772, scale=1.0507009873554805)


def softplus(x: Any) -> Any:
    """log(1 + e^x), elementwise: a smooth relu, without overflow.

    >>> kernel.softplus(kernel.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """
    return apply(elementwise.softplus, x)


def gelu(x: Any) -> Any:
    """x · Φ(x) in its tanh form, elementwise (Hendrycks and Gimpel, arXiv 1606.08415).

    >>> kernel.gelu(kernel.tensor([-1.0, 1.0]))
    tensor([-0.1588,  0.8412])
    """
    return apply(elementwise.gelu, x)


def clip(x: Any, low: float | None = None, high: float | None = None) -> Any:
    """x limited to [low, high]; None leaves that side open.

    >>> kernel.clip(kernel.tensor([-2.0, 0.5, 7.0]), 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    return apply(elementwise.clip, x, low=python_number(low), high=python_number(high))


def maximum(a: Any, b: Any) -> Any:
    """The larger of two elements; on a tie each gets half the gradient.

    >>> kernel.maximum(kernel.tensor([1.0, 5.0]), 3)
    tensor([3., 5.])
    """
    return apply(elementwise.maximum, a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two elements; on a tie each gets half the gradient.

    >>> kernel.minimum(kernel.tensor([1.0, 5.0]), 3)
    tensor([1., 3.])
    """
    return apply(elementwise.minimum, a, b)


def element_max(a: Any, b: Any) -> Any:
    """The larger of two elements; on a tie the second gets the whole gradient, as in CNTK.

    >>> x = kernel.tensor([3.0], requires_grad=True)
    >>> kernel.element_max(x, 3.0).backward()
    >>> x.grad
    tensor([0.])
    """
    return apply(elementwise.element_max, a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, b elsewhere; all three stretched to one shape.

    >>> x = kernel.tensor([-1.0, 2.0])
    >>> kernel.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    return apply(elementwise.where, condition, a, b)


def eq(a: Any, b: Any) -> Any:
    """a == b, elementwise.

    >>> kernel.eq(kernel.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(elementwise.eq, a, b)


def ne(a: Any, b: Any) -> Any:
    """a != b, elementwise.

    >>> kernel.ne(kernel.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(elementwise.ne, a, b)


def lt(a: Any, b: Any) -> Any:
    """a < b, elementwise.

    >>> kernel.lt(kernel.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(elementwise.lt, a, b)


def le(a: Any, b: Any) -> Any:
    """a <= b, elementwise.

    >>> kernel.le(kernel.tensor([1, 2]), 2)
    tensor([ True,  True])
    """
    return apply(elementwise.le, a, b)


def gt(a: Any, b: Any) -> Any:
    """a > b, elementwise.

    >>> kernel.gt(kernel.tensor([1, 2]), 2)
    tensor([False, False])
    """
    return apply(elementwise.gt, a, b)


def ge(a: Any, b: Any) -> Any:
    """a >= b, elementwise.

    >>> kernel.ge(kernel.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(elementwise.ge, a, b)


def logical_and(a: Any, b: Any) -> Any:
    """Whether both hold, elementwise; also a & b.

    >>> x = kernel.tensor([1.0, 2.0, 3.0])
    >>> (x > 1) & (x < 3)
    tensor([False,  True, False])
    """
    return apply(elementwise.logical_and, a, b)


def logical_or(a: Any, b: Any) -> Any:
    """Whether one of the two holds, elementwise; also a | b.

    >>> x = kernel.tensor([1.0, 2.0, 3.0])
    >>> (x < 2) | (x > 2)
    tensor([ True, False,  True])
    """
    return apply(elementwise.logical_or, a, b)


def logical_not(x: Any) -> Any:
    """Whether x does not hold, elementwise; also ~x.

    >>> kernel.logical_not(kernel.tensor([True, False]))
    tensor([False,  True])
    """
    return apply(elementwise.logical_not, x)


def zeros_like(x: Any) -> Any:
    """0 in the shape and dtype of x, on its device.

    >>> kernel.zeros_like(kernel.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return apply(shapes.full_like, x, value=0)


def ones_like(x: Any) -> Any:
    """1 in the shape and dtype of x, on its device.

    >>> kernel.ones_like(kernel.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return apply(shapes.full_like, x, value=1)


sub, mul, div, pow, neg, clamp = subtract, multiply, divide, power, negative, clip

__all__ = [
    "abs",
    "add",
    "clamp",
    "clip",
    "cos",
    "div",
    "divide",
    "element_max",
    "elu",
    "eq",
    "exp",
    "ge",
    "gelu",
    "gt",
    "le",
    "leaky_relu",
    "log",
    "logical_and",
    "logical_not",
    "logical_or",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "ne",
    "neg",
    "negative",
    "ones_like",
    "pow",
    "power",
    "relu",
    "selu",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "sub",
    "subtract",
    "tanh",
    "where",
    "zeros_like",
]
