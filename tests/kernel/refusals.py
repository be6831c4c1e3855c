"""Whether a wrong call is answered in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kernel.errors import DeviceError, DtypeError, FileError, GradError, RangeError, ShapeError

OURS = (ShapeError, DtypeError, DeviceError, GradError, FileError, RangeError)


def refused(call: Callable[[], Any], *words: str, error: Any = OURS) -> None:
    """The call is answered by an error of the kernel, in one sentence that holds the words."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message, message
    assert len(message) > 25, message
    for word in words:
        assert word in message, message
