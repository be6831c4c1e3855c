"""What JupyterLab does when it saves a notebook: its server loads this, told to by `workspace.lab_command`."""

from __future__ import annotations

from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def keep_still_pictures(path: str, model: dict[str, Any], contents_manager: Any) -> None:
    """Leave out of a saved notebook the widgets that have a still picture beside them.

    Where their kernel is gone, JupyterLab shows an error in the place of a widget, and not the picture.

    >>> data = {WIDGET_VIEW: {}, "text/html": "<img>"}
    >>> cells = [{"outputs": [{"data": data}]}, {"source": "# Text"}]
    >>> keep_still_pictures("a.ipynb", {"type": "notebook", "content": {"cells": cells}}, None)
    >>> data
    {'text/html': '<img>'}
    """
    if model["type"] != "notebook":
        return
    for cell in model["content"]["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/html" in data:
                data.pop(WIDGET_VIEW, None)
