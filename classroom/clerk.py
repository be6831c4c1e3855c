"""The process between a notebook and the check engine.

A notebook's Python is the student's: `kernel` may be shadowed there, NumPy patched, memory nearly full. So the notebook
asks a fresh Python, which reads the course, starts the worker and answers in JSON; nothing of the course is loaded into
the notebook's own process. `ask` is the notebook's side, `main` the other.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

PATIENCE = 180.0
HOUSE = Path(__file__).resolve().parents[1]
START = f"import sys; sys.path.insert(0, {str(HOUSE)!r}); from classroom.clerk import main; main()"


class ClerkError(RuntimeError):
    """The clerk gave no answer; the message is one sentence for the student."""


def ask(request: dict) -> dict:
    """Send one request and return the answer.

    Requests: {"ask": "check", "name", "seen", "source"} → {"verdict", "hints"}; {"ask": "describe", "name", "seen"} →
    the exercise; {"ask": "map"} → {"lessons"}. Errors: ClerkError, with a sentence.
    """
    group = {"start_new_session": True} if os.name == "posix" else {}
    command = [sys.executable, "-I", "-X", "utf8", "-c", START]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    try:
        process = subprocess.Popen(command, **pipes, text=True, encoding="utf-8", **group)
    except OSError as error:
        raise ClerkError(
            f"The check could not start a Python of its own ({error.strerror}): close what fills the memory, try again."
        ) from None
    try:
        answer, complaint = process.communicate(json.dumps(request), timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        _end(process)
        raise ClerkError(f"The check gave no answer within {PATIENCE:g} seconds and was stopped.") from None
    except KeyboardInterrupt:
        _end(process)
        raise ClerkError("The check was interrupted; nothing was counted.") from None
    if process.returncode:
        reason = complaint.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise ClerkError(f"The check itself stopped, which is no fault of your answer: {reason[0][:300]}")
    reply = json.loads(answer)
    if "sentence" in reply:
        raise ClerkError(reply["sentence"])
    return reply


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    process.communicate()


def main() -> None:
    """Answer the request on standard input."""
    from classroom.course import CourseError
    from classroom.spec import SpecError

    # An interrupted check ends by unwinding, so that its worker is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    request = json.load(sys.stdin)
    # What the course prints while it is read does not belong to the answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    try:
        reply = {"check": _check, "describe": _describe, "map": _map}[request["ask"]](request)
    except (CourseError, SpecError) as error:
        reply = {"sentence": str(error)}
    json.dump(reply, answers)


def _check(request: dict) -> dict:
    from classroom.catalogue import find, used_by
    from classroom.engine import check_answer

    _, exercise = find(request["name"], request["seen"])
    verdict = check_answer(exercise, request["source"], used_by(exercise))
    return {"verdict": verdict.to_dict(), "hints": exercise.hints}


def _describe(request: dict) -> dict:
    from classroom.catalogue import find

    lesson, exercise = find(request["name"], request["seen"])
    return {
        "name": exercise.name,
        "title": exercise.title,
        "points": exercise.points,
        "signature": exercise.signature,
        "hints": exercise.hints,
        "solution": exercise.solution(),
        "lesson": lesson.name,
    }


def _map(request: dict) -> dict:
    from classroom.catalogue import exercises_of
    from classroom.course import lessons

    entries = [
        {
            "name": lesson.name,
            "title": lesson.title,
            "exercises": [
                {"name": each.name, "title": each.title, "points": each.points} for each in exercises_of(lesson)
            ],
        }
        for lesson in lessons()
    ]
    return {"lessons": entries}
