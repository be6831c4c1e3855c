"""Pictures and interactive widgets of the course.

Names load on first use, so that `import widgets` costs nothing and works where no Jupyter runs.
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Broadcasting": "widgets.broadcasting",
    "FormulaPath": "widgets.formula_path",
    "GraphViewer": "widgets.graph_viewer",
    "GraphWorkbench": "widgets.graph_workbench",
    "Interactive": "widgets.base",
    "LearnerRace": "widgets.learner_race",
    "Live": "widgets.live",
    "LiveTraining": "widgets.live_training",
    "Logits": "widgets.logits",
    "ModelTree": "widgets.model_tree",
    "MomentumForms": "widgets.momentum_forms",
    "ScheduleComposer": "widgets.schedule_composer",
    "show": "widgets.figure",
    "subplots": "widgets.style",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'widgets' has no attribute {name!r}; it has {', '.join(__all__)}.")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
