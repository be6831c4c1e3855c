"""The `gradschool` command: open the lessons, see how far you are, check, start over, examine the machine."""

import codecs
import importlib.metadata
import os
import sys
import textwrap
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classroom import manual, progress, workspace
from classroom.course import CourseError, Lesson, find_lesson, lessons
from classroom.verdict import RIGHT, Verdict
from classroom.workspace import WorkspaceError

app = typer.Typer(
    name="gradschool",
    cls=manual.Commands,
    help="Learn how deep-learning frameworks work: read, predict, move a slider, write ten lines.\n\n"
    "Begin with [bold]gradschool lab[/bold]: your browser opens at the first lesson.",
    epilog="[bold]gradschool COMMAND --help[/bold] says more of each.\n\n"
    "Your work lies in ~/gradschool, or where --dir or GRADSCHOOL_WORKSPACE says. No command overwrites it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
author_commands = typer.Typer(
    cls=manual.Commands, no_args_is_help=True, rich_markup_mode="rich", help="For those who write lessons."
)
app.add_typer(author_commands, name="author", rich_help_panel="Writing lessons")

LEARNING, CARING = "Learning", "When something is wrong"
Folder = Annotated[str | None, typer.Option("--dir", metavar="FOLDER", help="Your workspace, if not ~/gradschool.")]
LESSON = "Number or name, such as 00 or crossentropy"
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

STATES = {"good": ("✓", "green"), "note": ("i", "yellow"), "missing": ("✗", "red")}
VERDICTS = {
    "right": ("✓", "green"),
    "wrong": ("✗", "red"),
    "not attempted": ("○", "yellow"),
    "unavailable": ("!", "yellow"),
}
# For terminals and files whose encoding has no such signs: LATIN-1, ASCII, a pipe on Windows.
PLAIN = {"✓": "+", "✗": "x", "○": "o", "·": "-", "−": "-", "×": "x", "…": "..."}


def main() -> None:
    """Run the command; what a person can mend is told in one sentence, without a traceback."""
    from classroom.spec import SpecError

    codecs.register_error("gradschool", _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="gradschool")
    try:
        app()
    except (CourseError, SpecError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise typer.BadParameter(f"{text} is no port; a port is a whole number from 1 to 65535.")
    return int(text)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"gradschool {importlib.metadata.version('gradschool')}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before the name of a command."""


@app.command(cls=manual.Command, rich_help_panel=LEARNING)
def lab(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help=f"{LESSON}; without it, the first.")] = "",
    folder: Folder = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address and open no browser.")] = False,
    port: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", parser=_port, help="Port of the server; without it, 8888 or the next free one."),
    ] = None,
) -> None:
    """Open the lessons in JupyterLab.

    Lessons are copied to your workspace. Where you edited a lesson that has a new version, yours stays and the new one
    is put beside it.
    """
    chosen = _lesson_to_open(lesson)
    home = _workspace(folder)
    _tell(home, workspace.update(home, lessons()))
    command = workspace.lab_command(home, chosen, port, browser=not no_browser)
    out.print(f"Opening [bold]{chosen.number} {escape(chosen.title)}[/bold]; to stop, press Ctrl-C twice here.")
    raise typer.Exit(workspace.run_lab(command, workspace.lab_environment(home)))


@app.command("lessons", cls=manual.Command, rich_help_panel=LEARNING)
def list_lessons(folder: Folder = None) -> None:
    """Show the map of the course: every lesson, its minutes, and how far you are."""
    from classroom.catalogue import exercises_of

    home = _workspace(folder)
    records, sentence = progress.read()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading, justify in [
        ("", "right"),
        ("Lesson", "left"),
        ("Minutes", "right"),
        ("Points", "right"),
        ("Solved", "left"),
    ]:
        table.add_column(heading, justify=justify)
    minutes = earned = possible = 0
    for lesson in lessons():
        exercises = exercises_of(lesson)
        points = sum(exercise.points for exercise in exercises)
        mine = sum(min(records[each.name].points, each.points) for each in exercises if each.name in records)
        solved = sum(each.name in records and records[each.name].solved for each in exercises)
        state = f"{solved} of {len(exercises)}" if exercises else "to read"
        if exercises and solved == len(exercises):
            state += " ✓"
        table.add_row(lesson.number, escape(lesson.title), str(lesson.minutes), f"{mine}/{points}", state)
        minutes, earned, possible = minutes + lesson.minutes, earned + mine, possible + points
    table.add_section()
    table.add_row("", "together", str(minutes), f"{earned}/{possible}", "")
    out.print(table)
    here = "is" if home.is_dir() else "will be"
    line = workspace.to_type(home, "lab", "00")
    out.print(f"\nYour workspace {here} {escape(str(home))}; `{escape(line)}` opens a lesson.")
    if sentence:
        out.print(escape(sentence))


@app.command(cls=manual.Command, rich_help_panel=LEARNING)
def check(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help=f"{LESSON}; without it, all you have.")] = "",
    folder: Folder = None,
) -> None:
    """Check your answers of a lesson, as they are saved in your workspace.

    It says what check("...") says in the notebook, and ends with code 0 only if every answer is right.
    """
    from classroom.lesson_check import check_lesson

    home = _workspace(folder)
    chosen = [find_lesson(lesson)] if lesson else workspace.begun(home, lessons())
    for sentence in filter(None, [progress.read()[1], workspace.obstacle(home)]):
        out.print(escape(sentence))
    all_right = True
    for each in chosen:
        out.print(f"[bold]{each.number} {escape(each.title)}[/bold]")
        try:
            for verdict in check_lesson(each, home / workspace.exercises(home, each)):
                _show(verdict, trouble=progress.note(verdict))
                all_right = all_right and verdict.status == RIGHT
        except WorkspaceError as error:
            # One damaged notebook is no reason to leave the other lessons unchecked.
            _complain(str(error))
            all_right = False
    if not all_right:
        raise typer.Exit(1)


@app.command(cls=manual.Command, rich_help_panel=CARING)
def doctor(folder: Folder = None) -> None:
    """Say what is here, what is missing, and the command that mends it.

    It looks at Python, the packages, the notebook kernel, your workspace, files of yours that hide a package, the GPU,
    how answers are confined while they are checked, and the browser of the tests.

    It ends with code 1 only if something that you need is missing.
    """
    from classroom.doctor import examine

    missing = 0
    for finding in examine(_named(folder)):
        symbol, colour = STATES[finding.state]
        missing += finding.state == "missing"
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=len("notebook kernel"))
        subject = f"[{colour}]{symbol}[/{colour}]", f"[bold]{escape(finding.subject)}[/bold]"
        row.add_row(*subject, escape(finding.sentence))
        out.print(row)
        if finding.mend:
            # Outside the table, which would break it over two lines: it is there to be copied.
            out.print(f"  [bold]{escape(finding.mend)}[/bold]")
    if missing:
        out.print(f"\n{missing} thing{'s' if missing > 1 else ''} you need: the line under each mends it.")
        raise typer.Exit(1)
    out.print("\nNothing that you need is missing.")


@app.command(cls=manual.Command, rich_help_panel=CARING)
def reset(
    lesson: Annotated[str, typer.Argument(metavar="LESSON", help=f"{LESSON}.")],
    exercise: Annotated[
        str | None, typer.Argument(metavar="EXERCISE", help="Name of one of its exercises; without it, all of them.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Start an exercise, or all exercises of a lesson, over; what you wrote is kept.

    It is kept in the folder [bold]backups[/bold] of your workspace, and points already earned stay earned.
    For example, [bold]gradschool reset 00 softmax[/bold] gives one exercise its first state back.
    """
    chosen, home = find_lesson(lesson), _workspace(folder)
    kept = workspace.reset(home, chosen, exercise)
    what = "all exercises" if exercise is None else exercise
    out.print(f"Started over: {escape(what)} of lesson {chosen.number}.")
    if kept:
        out.print(f"What you had written is in {escape(str(home / kept))}")


@author_commands.command("build", cls=manual.Command)
def author_build(
    names: Annotated[list[str], typer.Argument(metavar="LESSON", help=f"{LESSON}; [bold]all[/bold] for every lesson.")],
) -> None:
    """Execute the text twins of lessons and write their notebooks.

    [bold]lesson.py[/bold] and [bold]exercises.py[/bold] are the source; without a change in them the notebooks keep
    every byte.
    """
    from classroom.author import build

    for lesson in lessons() if names == ["all"] else map(find_lesson, names):
        for notebook, changed in build(lesson).items():
            out.print(f"{'written' if changed else 'unchanged'}  {lesson.name}/{notebook.name}")


def _named(folder: str | None) -> Path:
    """The workspace of this command; all that the command calls finds it by the variable that kernels are given too."""
    if folder == "":
        raise CourseError("--dir names no folder; type one after it, or leave --dir out")
    if folder is not None:
        os.environ[progress.WORKSPACE_VARIABLE] = folder
    home = progress.workspace_folder().absolute()
    os.environ[progress.WORKSPACE_VARIABLE] = str(home)
    return home


def _workspace(folder: str | None) -> Path:
    """The same, for commands that can do nothing where there cannot be a workspace."""
    home = _named(folder)
    if sentence := workspace.no_folder(home):
        raise WorkspaceError(sentence)
    return home


def _lesson_to_open(name: str) -> Lesson:
    chosen = find_lesson(name) if name else lessons()[0]
    if chosen.folder / "lesson.ipynb" not in chosen.notebooks:
        raise CourseError(f"{chosen.name} has no notebook yet; build it: gradschool author build {chosen.number}")
    return chosen


def _tell(home: Path, changes: list[workspace.Change]) -> None:
    """What an update did, and nothing if it did nothing."""
    Step = workspace.Step
    new = sorted({change.path.parts[0] for change in changes if change.step is Step.ADD})
    if new:
        out.print(f"New in {escape(str(home))}: {', '.join(new)}")
    for change in changes:
        path, other = escape(str(change.path)), escape(str(change.other))
        if change.step is Step.RESTORE:
            out.print(f"{path} was gone and is back.")
        elif change.step is Step.UPDATE:
            kept = f"; your run of it is in {other}" if change.other else ""
            out.print(f"{path} has a new version{kept}.")
        elif change.step is Step.BESIDE:
            out.print(f"{path} has a new version, and you changed yours: yours stays, the new one is {other}.")


def _show(verdict: Verdict, trouble: str) -> None:
    """One verdict, with the case that failed, and what kept the attempt from being counted."""
    symbol, colour = VERDICTS[verdict.status]
    points = f"{verdict.points}/{verdict.possible} points"
    out.print(f"[{colour}]{symbol} {verdict.status}[/{colour}]  {escape(verdict.title)} · {points}")
    out.print(f"  {escape(verdict.sentence)}")
    for name, value in verdict.table:
        out.print(escape(textwrap.indent(f"{name}: {value}", "    ")))
    if trouble:
        out.print(f"  {escape(trouble)}")


def _complain(sentence: str) -> None:
    err.print(f"[red]✗[/red] gradschool: {escape(sentence)}")


def _fail(sentence: str) -> NoReturn:
    _complain(sentence)
    sys.exit(1)
