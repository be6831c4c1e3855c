"""A small autodiff kernel: one definition per operation, on NumPy and CuPy.

>>> x = kernel.tensor([2.0], requires_grad=True)
>>> y = x ** 2
>>> y.backward()
>>> y, x.grad
(tensor([4.], grad_fn=<PowBackward>), tensor([4.]))
"""

import numpy as _numpy

from . import eager, errors, functional, initialisers, layers, learners, op, ops, schedules, sym, tape, xp
from .apply import apply
from .check import gradcheck, inspect_update
from .creation import arange, empty, eye, from_numpy, full, linspace, ones, rand, randint, randn, tensor, zeros
from .drawing import plot_network, summary
from .errors import DeviceError, DtypeError, FileError, GradError, RangeError, ShapeError, UnknownSizeError
from .executor import Executor
from .function import Function, combine, criterion, input_variable, placeholder
from .functional import *  # noqa: F403
from .learners import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    UserLearner,
    adadelta,
    adagrad,
    adam,
    assign,
    clip_grad_norm_,
    clip_grad_value_,
    constant,
    fsadagrad,
    momentum_sgd,
    nesterov,
    rmsprop,
    sgd,
    universal,
)
from .metrics import *  # noqa: F403
from .module import Module
from .op import Op
from .parameter import Buffer, Parameter
from .schedules import (
    UnitType,
    learning_parameter_schedule,
    learning_parameter_schedule_per_sample,
    learning_rate_schedule,
    minibatch_size_schedule,
    momentum_as_time_constant_schedule,
    momentum_schedule,
    momentum_schedule_per_sample,
)
from .serialize import load, save
from .sparse import SparseTensor, sparse_csr
from .symbol import Symbol
from .tape import enable_grad, is_grad_enabled, no_grad
from .tensor import Tensor, grad
from .trainer import Trainer
from .version import __version__
from .xp import Generator, devices, gpu_available, manual_seed, memory, stream, synchronise

float16, float32, float64, uint8, int32, int64, bool = map(
    _numpy.dtype, ("float16", "float32", "float64", "uint8", "int32", "int64", "bool")
)
FloatTensor, DoubleTensor, HalfTensor, LongTensor, IntTensor, ByteTensor, BoolTensor = (
    "FloatTensor",
    "DoubleTensor",
    "HalfTensor",
    "LongTensor",
    "IntTensor",
    "ByteTensor",
    "BoolTensor",
)
