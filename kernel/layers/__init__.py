"""The layers, for every programming style: a layer holds parameters and applies functions, whatever it is applied to.

Names and arguments are PyTorch's (Linear, Conv2d, MaxPool2d, …) or CNTK's (Dense, Convolution2D, MaxPooling, …), so
that the networks of both can be written as their users write them. A size that can be found on the first call may be
left out.
"""

from .activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from .containers import Concat, For, Residual, Sequential
from .convolutional import (
    AveragePooling,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Convolution,
    Convolution1D,
    Convolution2D,
    ConvolutionTranspose2D,
    ConvTranspose2d,
    GlobalAveragePooling,
    GlobalMaxPooling,
    MaxPool2d,
    MaxPooling,
)
from .dense import Dense, Embedding, Linear
from .losses import CrossEntropyLoss
from .normalisation import (
    BatchNorm,
    BatchNorm1d,
    BatchNorm2d,
    BatchNormalization,
    GroupNorm,
    LayerNorm,
    LayerNormalization,
)
from .options import default_options

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "AveragePooling",
    "AvgPool2d",
    "BatchNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNormalization",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Convolution",
    "Convolution1D",
    "Convolution2D",
    "ConvolutionTranspose2D",
    "CrossEntropyLoss",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "For",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GroupNorm",
    "Identity",
    "LayerNorm",
    "LayerNormalization",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "MaxPooling",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "default_options",
]
