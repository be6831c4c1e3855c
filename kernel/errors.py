"""The errors of the kernel.

Each message names the operation, the argument, what was expected, what came and what to do.
"""

from typing import Any


def show(value: Any) -> str:
    """A wrong value as a message shows it: on one line, and not too long.

    >>> show("colour")
    "'colour'"
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:50]}… (a {type(value).__name__})"


class ShapeError(ValueError):
    """Shapes that do not fit together.

    >>> import kernel
    >>> kernel.zeros(2, 3) @ kernel.zeros(4, 5)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    kernel.errors.ShapeError: matmul: argument b should have shape (3, ?) because a has shape (2, 3), but ...
    """


class UnknownSizeError(ShapeError):
    """The values of a parameter whose size is not known yet."""


class DtypeError(TypeError):
    """A dtype, or a kind of value, that the operation cannot take."""


class RangeError(ValueError):
    """A number of the right kind that lies where it makes no sense: a negative learning rate, a momentum of 1."""


class DeviceError(RuntimeError):
    """Operands on different devices, or a device that this machine does not have."""


class GradError(RuntimeError):
    """A gradient that does not exist or can no longer be computed."""


class FileError(ValueError):
    """A file that cannot be read or written, or that holds no weights, or damaged ones."""


def in_words(name: str, error: Exception) -> Exception:
    """An error of ``forward`` as a sentence that begins with the operation's name."""
    if isinstance(error, OverflowError):
        return DtypeError(f"{name}: {error}; give a smaller number, or convert the tensor first.")
    if isinstance(error, MemoryError):
        return MemoryError(f"{name}: {str(error) or 'there is not enough memory'}; use smaller tensors.")
    return (ShapeError if isinstance(error, IndexError) else type(error))(f"{name}: {error}")
