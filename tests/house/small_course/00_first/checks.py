"""The references, which no student is given."""

from classroom.spec import Case, Exercise


def double(x):
    """Twice x."""
    return 2 * x


def square(x):
    """Double means x + x, not x times x: look at x = 3."""
    return x * x


def same(x):
    """The answer is x itself: multiply it by two."""
    return x


def half(x):
    """The answer is half of x: multiply by two, do not divide."""
    return x / 2


def triple(x):
    """The answer is three times x: one x too many."""
    return 3 * x


def double_cases(random, dtype):
    yield Case(3)
    yield Case(float(random.normal()))


exercises = [
    Exercise(
        double,
        title="Twice a number",
        points=2,
        cases=double_cases,
        hints=("What is twice three?", "Add x to itself.", "return 2 * x"),
        misconceptions=(square, same, half, triple),
    )
]
