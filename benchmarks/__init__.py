"""How fast a training step is, against PyTorch's eager mode: `python -m benchmarks --help`."""
