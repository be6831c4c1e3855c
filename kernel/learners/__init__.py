"""Learners: what turns gradients into better parameters.

``rule.py`` says what an update rule is and how it runs in place, ``rules.py`` holds the formulas, ``learner.py`` what
all learners have in common, ``by_rule.py`` how one applies a rule. ``everyday.py`` has them by PyTorch's names,
``by_samples.py`` by CNTK's, which know of how many samples a gradient is the sum. For rules of one's own:
``expression.py`` and ``own.py``.
"""

# ruff: noqa: F401
from . import rules
from .by_rule import RuleLearner
from .by_samples import adadelta, adagrad, adam, fsadagrad, momentum_sgd, nesterov, rmsprop, sgd
from .clipping import clip_grad_norm_, clip_grad_value_
from .everyday import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, NAdam, RAdam, RMSprop
from .expression import assign, constant, universal
from .learner import Learner, Learners
from .own import UserLearner
from .rule import Program, Rule
