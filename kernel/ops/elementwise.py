"""Operations that work number by number, on operands stretched to one shape."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..errors import DtypeError, show
from ..op import (
    BOOL,
    DEFAULT_FLOAT,
    ArrayType,
    Op,
    broadcast,
    deliver,
    dtype_of,
    is_float,
    promote,
    require_fits,
    require_number,
)


def _floating(dtype: Any) -> Any:
    """The dtype in which a function with real values computes: floats keep theirs, whole numbers take float32."""
    return dtype if is_float(dtype) and dtype is not float else DEFAULT_FLOAT


class Unary(Op, register=False):
    """f(x) with real values: whole numbers are taken as float32."""

    arguments = ("x",)
    inplace = (0,)
    keeps_shape = True

    def infer(x: ArrayType):
        dtype = _floating(x.dtype)
        return (ArrayType(x.shape, dtype),), (ArrayType(x.shape, dtype),)


class Binary(Op, register=False):
    """f(a, b), both stretched to one shape and brought to one dtype."""

    arguments = ("a", "b")
    inplace = (0, 1)

    def infer(a: ArrayType, b: ArrayType):
        dtype = promote(a.dtype, b.dtype)
        return (ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(broadcast(a.shape, b.shape), dtype),)


class add(Binary):
    """a + b."""

    function = "add"
    onnx = "Add"
    c = "{0} + {1}"
    vjp = (lambda xp, g, y, a, b: g, lambda xp, g, y, a, b: g)


class sub(Binary):
    """a - b."""

    function = "subtract"
    onnx = "Sub"
    c = "{0} - {1}"
    vjp = (lambda xp, g, y, a, b: g, lambda xp, g, y, a, b: -g)

    def infer(a, b):
        if BOOL in (a.dtype, b.dtype) and promote(a.dtype, b.dtype) == BOOL:
            raise DtypeError(
                "booleans cannot be subtracted; convert them with .int(), or use a != b for the difference."
            )
        return Binary.infer(a, b)


class mul(Binary):
    """a · b, elementwise."""

    function = "multiply"
    onnx = "Mul"
    c = "{0} * {1}"
    vjp = (lambda xp, g, y, a, b: g * b, lambda xp, g, y, a, b: g * a)
    reads = ("b", "a")


class div(Binary):
    """a / b; whole numbers are divided as float32."""

    function = "divide"
    onnx = "Div"
    c = "{0} / {1}"
    vjp = (lambda xp, g, y, a, b: g / b, lambda xp, g, y, a, b: -g * y / b)
    reads = ("b", "b y")

    def infer(a, b):
        dtype = _floating(promote(a.dtype, b.dtype))
        return (ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(broadcast(a.shape, b.shape), dtype),)


class pow(Binary):
    """a to the power b; the gradient in b is taken as 0 where a is 0."""

    onnx = "Pow"
    c = "pow({0}, {1})"
    reads = ("a b", "a y")

    def infer(a, b):
        if promote(a.dtype, b.dtype) == BOOL:
            raise DtypeError("booleans have no powers; convert them with .int() or .float().")
        inputs, outputs = Binary.infer(a, b)
        if b.dtype is int and is_float(inputs[0].dtype):  # kept whole: a ** 2 is a square, and its rule a plain product
            inputs = (inputs[0], b)
        return inputs, outputs

    def forward(xp, a, b, out=None):
        if type(b) is int and b == 2:
            return xp.square(a, out=out)
        lowest = 0
        if isinstance(b, int):
            lowest = b if a.dtype.kind in "iu" else 0
        elif not isinstance(b, float) and b.dtype.kind == "i" and b.size:
            lowest = xp.read(b.min())
        if lowest < 0:
            raise DtypeError(
                f"whole numbers have no power {lowest}; convert the tensor with .float(), as 2.0 ** -1 is 0.5."
            )
        return xp.power(a, b, out=out)

    def _base(xp, g, y, a, b):
        if type(b) is int and b == 2:
            return g * (2 * a)
        if isinstance(b, int | float):
            return g * (b * a ** (b - 1)) if b else g * xp.zeros_like(a)
        # b - 1 is replaced where both are 0, so that 0 ** 0 has the slope 0 and not 0 times infinity.
        return g * (b * a ** xp.where((a == 0) & (b == 0), 1, b - 1))

    def _exponent(xp, g, y, a, b):
        if isinstance(a, int | float):
            slope = math.log(a) if a > 0 else 0.0 if a == 0 else math.nan
            return g * (y * slope) if a else xp.zeros_like(g)
        at_zero = a == 0
        return xp.where(at_zero, 0, g * (y * xp.log(xp.where(at_zero, xp.ones_like(a), a))))

    vjp = (_base, _exponent)


class neg(Unary):
    """-x."""

    function = "negative"
    onnx = "Neg"
    c = "-{0}"
    vjp = (lambda xp, g, y, x: -g,)

    def infer(x):
        if x.dtype == BOOL:
            raise DtypeError("a boolean has no negative; use ~x for the opposite.")
        return (x,), (x,)


class abs(Unary):
    """|x|; its slope at 0 is taken as 0."""

    function = "absolute"
    onnx = "Abs"
    c = "fabs({0})"
    vjp = (lambda xp, g, y, x: g * xp.sign(x),)
    reads = ("x",)

    def infer(x):
        return (x,), (x,)


class sign(Unary):
    """-1, 0 or 1; its slope is 0 everywhere."""

    function = "sign"
    onnx = "Sign"
    c = "{0} > 0 ? T(1) : {0} < 0 ? T(-1) : {0}"
    vjp = (lambda xp, g, y, x: xp.zeros_like(g),)

    def infer(x):
        if x.dtype == BOOL:
            raise DtypeError("a boolean has no sign; convert it with .int().")
        return (x,), (x,)


class exp(Unary):
    """e to the power x."""

    function = "exp"
    onnx = "Exp"
    c = "exp({0})"
    vjp = (lambda xp, g, y, x: g * y,)
    reads = ("y",)


class log(Unary):
    """The natural logarithm of x."""

    function = "log"
    onnx = "Log"
    c = "log({0})"
    vjp = (lambda xp, g, y, x: g / x,)
    reads = ("x",)


class sqrt(Unary):
    """The square root of x."""

    function = "sqrt"
    onnx = "Sqrt"
    c = "sqrt({0})"
    vjp = (lambda xp, g, y, x: g / (2 * y),)
    reads = ("y",)


class sin(Unary):
    """The sine of x, in radians."""

    function = "sin"
    onnx = "Sin"
    c = "sin({0})"
    vjp = (lambda xp, g, y, x: g * xp.cos(x),)
    reads = ("x",)


class cos(Unary):
    """The cosine of x, in radians."""

    function = "cos"
    onnx = "Cos"
    c = "cos({0})"
    vjp = (lambda xp, g, y, x: -g * xp.sin(x),)
    reads = ("x",)


class tanh(Unary):
    """The hyperbolic tangent of x."""

    function = "tanh"
    onnx = "Tanh"
    c = "tanh({0})"
    vjp = (lambda xp, g, y, x, **out: xp.through_tanh(g, y, **out),)
    overwrites = True
    reads = ("y",)


def _logistic(xp, x):
    """e^min(x, 0) / (1 + e^-|x|): no exponential overflows, and a small result keeps all of its digits."""
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))


class sigmoid(Unary):
    """1 / (1 + e^-x)."""

    onnx = "Sigmoid"
    vjp = (lambda xp, g, y, x: g * (y * (1 - y)),)
    reads = ("y",)

    def forward(xp, x, out=None):
        return deliver(xp, _logistic(xp, x), out)


class relu(Unary):
    """max(x, 0); its slope at 0 is 0."""

    function = "rectify"
    onnx = "Relu"
    vjp = (lambda xp, g, y, x, **out: xp.gate(g, y, **out),)
    overwrites = True
    reads = ("y",)

    def infer(x):
        if x.dtype == BOOL:
            raise DtypeError("a boolean is never below 0; convert it with .int() or .float().")
        return (x,), (x,)


def _need_numbers(**options: Any) -> None:
    for name, value in options.items():
        require_number(name, value)


class leaky_relu(Op):
    """x where positive, slope · x elsewhere, where its slope is that. Maas et al., ICML 2013."""

    onnx = "LeakyRelu"
    vjp = (lambda xp, g, y, x, slope=0.01: xp.where(x > 0, g, slope * g),)
    reads = ("x",)
    inplace = (0,)

    def infer(x, slope=0.01):
        _need_numbers(slope=slope)
        return Unary.infer(x)

    def forward(xp, x, out=None, slope=0.01):
        return deliver(xp, xp.where(x > 0, x, slope * x), out)


class elu(Op):
    """scale · x where positive, scale · alpha (e^x - 1) elsewhere. Clevert et al., arXiv 1511.07289."""

    onnx = "Elu"
    reads = ("x",)
    inplace = (0,)

    def infer(x, alpha=1.0, scale=1.0):
        _need_numbers(alpha=alpha, scale=scale)
        return Unary.infer(x)

    def forward(xp, x, out=None, alpha=1.0, scale=1.0):
        return deliver(xp, xp.where(x > 0, scale * x, (scale * alpha) * xp.expm1(xp.minimum(x, 0))), out)

    def _x(xp, g, y, x, alpha=1.0, scale=1.0):
        return xp.where(x > 0, scale * g, g * ((scale * alpha) * xp.exp(xp.minimum(x, 0))))

    vjp = (_x,)


class softplus(Unary):
    """log(1 + e^x), without overflow."""

    onnx = "Softplus"
    vjp = (lambda xp, g, y, x: g * _logistic(xp, x),)
    reads = ("x",)

    def forward(xp, x, out=None):
        return xp.logaddexp(x, 0, out=out)


_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
_FLAT = 30  # from here on the tanh is 1, and x³ would overflow float16


class gelu(Unary):
    """x · Φ(x) in its tanh form: x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))). Hendrycks and Gimpel, arXiv 1606.08415."""

    onnx = "Gelu"
    reads = ("x",)

    def forward(xp, x, out=None):
        c = xp.clip(x, -_FLAT, _FLAT)
        inner = xp.tanh(_SQRT_2_OVER_PI * (c + _CUBIC * (c * c * c)))
        return xp.multiply(x, 0.5 * (inner + 1), out=out)

    def _slope(xp, g, y, x):
        c = xp.clip(x, -_FLAT, _FLAT)
        inner = xp.tanh(_SQRT_2_OVER_PI * (c + _CUBIC * (c * c * c)))
        return g * (0.5 * (1 + inner) + c * (1 - inner * inner) * (0.5 * _SQRT_2_OVER_PI * (1 + 3 * _CUBIC * (c * c))))

    vjp = (_slope,)


class clip(Op):
    """x limited to [low, high]; the slope is 1 inside and at the limits, 0 beyond them, as in PyTorch."""

    onnx = "Clip"
    vjp = (
        lambda xp, g, y, x, low, high: (
            xp.zeros_like(g) if None not in (low, high) and low > high else xp.where(x == y, g, 0)
        ),
    )
    reads = ("x y",)
    inplace = (0,)

    def infer(x, low, high):
        for name, limit in (("low", low), ("high", high)):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float)):
                raise DtypeError(f"{name} must be a number or None, but {show(limit)} came.")
        if low is None and high is None:
            raise DtypeError("give low, high or both: with neither there is nothing to clip.")
        dtype = promote(x.dtype, *(type(limit) for limit in (low, high) if limit is not None))
        return (ArrayType(x.shape, dtype),), (ArrayType(x.shape, dtype),)

    def forward(xp, x, out=None, low=None, high=None):
        return xp.clip(x, low, high, out=out)


def _share(xp, g, lost, tie):
    """The part of ``g`` that an operand gets: nothing where the other was chosen, half where both are equal."""
    return xp.where(lost, 0, xp.where(tie, 0.5 * g, g))


class maximum(Binary):
    """The larger of a and b, elementwise; on a tie both get half the gradient, as in PyTorch."""

    function = "maximum"
    onnx = "Max"
    c = "{0} > {1} || {0} != {0} ? {0} : {1}"
    vjp = (lambda xp, g, y, a, b: _share(xp, g, a < b, a == b), lambda xp, g, y, a, b: _share(xp, g, b < a, a == b))
    reads = ("a b", "a b")


class minimum(Binary):
    """The smaller of a and b, elementwise; on a tie both get half the gradient, as in PyTorch."""

    function = "minimum"
    onnx = "Min"
    c = "{0} < {1} || {0} != {0} ? {0} : {1}"
    vjp = (lambda xp, g, y, a, b: _share(xp, g, a > b, a == b), lambda xp, g, y, a, b: _share(xp, g, b > a, a == b))
    reads = ("a b", "a b")


class element_max(Binary):
    """The larger of a and b, elementwise; on a tie the second argument gets the whole gradient, as in CNTK."""

    function = "maximum"
    vjp = (lambda xp, g, y, a, b: xp.where(a <= b, 0, g), lambda xp, g, y, a, b: xp.where(b < a, 0, g))
    reads = ("a b", "a b")


class where(Op):
    """a where the condition holds, b elsewhere."""

    onnx = "Where"
    vjp = (
        None,
        lambda xp, g, y, condition, a, b: xp.where(condition, g, xp.zeros_like(g)),
        lambda xp, g, y, condition, a, b: xp.where(condition, xp.zeros_like(g), g),
    )
    reads = ("", "condition", "condition")

    def infer(condition, a, b):
        if condition.dtype != BOOL or not isinstance(condition.dtype, numpy.dtype):
            came = condition.dtype if isinstance(condition.dtype, numpy.dtype) else "a plain number"
            raise DtypeError(f"argument condition must be a boolean tensor, such as x > 0, but it is {came}.")
        dtype = promote(a.dtype, b.dtype)
        shape = broadcast(condition.shape, a.shape, b.shape)
        return (condition, ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(shape, dtype),)

    def forward(xp, condition, a, b, out=None):
        for name, number, other in (("a", a, b), ("b", b, a)):
            if isinstance(number, int | float) and not isinstance(other, int | float):
                require_fits(f"argument {name}", number, other.dtype)
        return deliver(xp, xp.where(condition, a, b), out)


class cast(Op):
    """x in another dtype."""

    onnx = "Cast"
    keeps_shape = True
    vjp = (lambda xp, g, y, x, dtype: g.astype(x.dtype),)

    def infer(x, dtype):
        return (x,), (ArrayType(x.shape, dtype_of("dtype", dtype)),)

    def forward(xp, x, out=None, dtype=None):
        if out is None:
            return x.astype(dtype)
        xp.copyto(out, x, casting="unsafe")
        return out


class clone(Op):
    """A copy of x, laid out in memory as x is; row by row with ``order`` "C"."""

    onnx = "Identity"
    vjp = (lambda xp, g, y, x, order="K": g,)
    inplace = (0,)

    def infer(x, order="K"):
        return (x,), (x,)

    def forward(xp, x, out=None, order="K"):
        if out is None:
            return x.copy(order=order)
        xp.copyto(out, x)
        return out


class stop_gradient(Op):
    """x itself, through which no gradient flows."""

    onnx = "Identity"
    view = True
    keeps_shape = True
    vjp = (None,)

    def infer(x):
        return (x,), (x,)

    def forward(xp, x, out=None):
        return deliver(xp, x[...], out)


class Comparison(Binary, register=False):
    """A boolean for each pair of elements; no gradient flows through it."""

    vjp = (None, None)
    inplace = ()

    def infer(a, b):
        dtype = promote(a.dtype, b.dtype)
        shape = broadcast(a.shape, b.shape)
        return (ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(shape, BOOL),)


class eq(Comparison):
    """a == b."""

    function = "equal"
    onnx = "Equal"


class ne(Comparison):
    """a != b."""

    function = "not_equal"


class lt(Comparison):
    """a < b."""

    function = "less"
    onnx = "Less"


class le(Comparison):
    """a <= b."""

    function = "less_equal"
    onnx = "LessOrEqual"


class gt(Comparison):
    """a > b."""

    function = "greater"
    onnx = "Greater"


class ge(Comparison):
    """a >= b."""

    function = "greater_equal"
    onnx = "GreaterOrEqual"


class Logical(Binary, register=False):
    """A connective of booleans."""

    vjp = (None, None)

    def infer(*types):
        for t in types:
            if t.dtype not in (bool, BOOL):
                raise DtypeError(f"the operands must be boolean, such as x > 0, but one is {t.dtype}.")
        inputs = tuple(ArrayType(t.shape, BOOL) for t in types)
        return inputs, (ArrayType(broadcast(*(t.shape for t in types)), BOOL),)


class logical_and(Logical):
    """a and b."""

    function = "logical_and"
    onnx = "And"


class logical_or(Logical):
    """a or b."""

    function = "logical_or"
    onnx = "Or"


class logical_not(Logical):
    """not x."""

    arguments = ("x",)
    function = "logical_not"
    onnx = "Not"
    vjp = (None,)
    inplace = (0,)
