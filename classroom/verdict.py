"""What a check says, as plain data: the notebook's box, the command line and a grade are all made from it."""

import re
from dataclasses import asdict, dataclass, field

RIGHT, WRONG, NOT_ATTEMPTED, UNAVAILABLE = "right", "wrong", "not attempted", "unavailable"


def printable(text: str) -> str:
    """`text` without control characters, which a terminal would obey, and without what cannot be encoded."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "�", text)


@dataclass
class Verdict:
    """The result of one check.

    `status` is "right", "wrong", "not attempted" or "unavailable" (the check itself could not run). `table` holds the
    rows of the case that failed: its arguments, what was expected and what came. `misconception` is the name of the
    wrong answer that explains all cases. `seed` repeats the random inputs; `confinement` says how the answer was run.
    """

    exercise: str
    title: str
    status: str
    sentence: str
    points: int
    possible: int
    misconception: str = ""
    case: str = ""
    table: list[tuple[str, str]] = field(default_factory=list)
    printed: str = ""
    seconds: float = 0.0
    seed: int = 0
    confinement: str = ""

    def to_dict(self) -> dict:
        """The verdict as JSON has it."""
        return asdict(self)
