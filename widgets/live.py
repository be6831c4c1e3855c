"""The base class of widgets that train while they show: controls → generator of frames → picture of a frame.

A widget gives, beside what every widget gives (`Interactive`):

    train(**values)         the training, a generator of frames: the first is the start, each further one comes after
                            one step of a few milliseconds; frames are plain data and know their step
    state(frame, **values)  what is seen of a frame: pure, as ever; picture, alt, status and the rest are made of it
    views                   the controls that change only what is seen; a move of any other begins the training anew
    pace(values)            how many steps a second, that one may see them; 0, as many as there can be, by itself
    preview                 after how many steps the still picture is taken, for places where no kernel runs

Training is an asyncio task in the kernel's own loop. It works for a fiftieth of a second, lets the kernel do what else
there is to do, and draws as often as that leaves time, at most 15 times a second. So other cells run while it trains.
Buttons press from another thread: they only say what is wanted, and the task alone touches the generator. It ends
when the widget is closed and when its cell runs again.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import ipywidgets
from IPython import get_ipython

from kernel import enable_grad
from widgets.base import Interactive, _lock
from widgets.figure import Picture

# Seconds that a training works before it lets the kernel do something else.
SLICE = 0.02
PICTURES_PER_SECOND = 15
# A screen reader says the sentence: not more often than this while it changes with every step, and first when there is
# something to tell.
SECONDS_BETWEEN_SENTENCES = 5
SECONDS_TO_FIRST_SENTENCE = 1

# What the first button says, and how the line of progress begins.
_WORDS = {
    "ready": ("Start", "Not started"),
    "running": ("Pause", "Training"),
    "paused": ("Continue", "Paused"),
    "stopped": ("Start again", "Stopped"),
    "finished": ("Start again", "Done"),
    "failed": ("Start again", "Broken off"),
}
_OVER = ("stopped", "finished", "failed")


@dataclass(frozen=True)
class Frame:
    """How far a training has come; a widget's own frames derive from it."""

    step: int
    steps: int


class Live(Interactive):
    """A widget that trains: derive from it, give `train` and `state`, and what every widget gives.

    `start`, `pause`, `stop` and `step` are its buttons; `advance` trains from code, at once.
    """

    views: ClassVar[Collection[str]] = ()
    preview: ClassVar[int] = 0
    # What a step is called.
    unit: ClassVar[str] = "update"

    def train(self, **values: Any) -> Iterator[Frame]:
        """The training, a generator: the start, then a frame after each step. The last one's step is its `steps`."""
        raise NotImplementedError(f"{type(self).__name__} must define train(**values).")

    def state(self, frame: Any, **values: Any) -> Any:
        """What is seen of a frame: a pure function of it and the controls."""
        raise NotImplementedError(f"{type(self).__name__} must define state(frame, **values).")

    def pace(self, values: Mapping[str, Any]) -> float:
        """Steps a second; 0: as many as there can be."""
        return 0

    def __init__(self) -> None:
        self._phase = "ready"
        self._training: Iterator[Frame] | None = None
        self._frame: Any = None
        # Those that the training was begun with; None when it must begin anew.
        self._trained_with: dict[str, Any] | None = None
        self._steps_wanted = 0
        self._task: asyncio.Task | None = None
        self._working = False
        self._spoken = 0.0
        self._cell: str | None = None
        self._progress = ipywidgets.HTML()
        self._progress.add_class("gradschool-progress")
        self._go, step, stop = (
            ipywidgets.Button(description=text, layout={"width": "auto"}) for text in ("Start", "Step", "Stop")
        )
        super().__init__()
        self._go.on_click(lambda _: self._pressed(self.pause if self._phase == "running" else self.start))
        step.on_click(lambda _: self._pressed(self.step))
        stop.on_click(lambda _: self._pressed(self.stop))
        self._bar.children = (self._go, step, stop, *self._bar.children, self._progress)

    # What the buttons say is wanted.

    @staticmethod
    def _pressed(wanted: Callable[[], None]) -> None:
        # The box already shows what was refused.
        with contextlib.suppress(ValueError):
            wanted()

    @property
    def phase(self) -> str:
        """ready, running, paused, stopped, finished or failed."""
        return self._phase

    @property
    def frame(self) -> Any:
        """The frame that is shown."""
        return self._frame

    def start(self) -> None:
        """Train: from the start, or on from where it paused."""
        self._want("running")

    def pause(self) -> None:
        """Wait; `start` goes on from here."""
        with _lock:
            if self._phase == "running":
                self._enter("paused")
                self._show()

    def stop(self) -> None:
        """End the training; what it has come to stays to be seen, and `start` begins anew."""
        with _lock:
            if self._phase in ("running", "paused"):
                self._enter("stopped")
                self._show()

    def step(self) -> None:
        """One step, and then wait."""
        self._want("paused", steps=1)

    def advance(self, steps: int) -> None:
        """Train so many steps at once, without a kernel's loop: for code."""
        with _lock:
            if self._phase in _OVER:
                self._trained_with = None
            self._state()
            for frame in islice(iter(lambda: self._next(self._training), None), steps):
                self._frame = frame
            self._enter("finished" if self._frame.step == self._frame.steps else "paused")
            self._show()

    def _want(self, phase: str, steps: int = 0) -> None:
        with _lock:
            if self._loop is None:
                raise RuntimeError(f"{type(self).__name__}: no kernel's loop runs here; advance(steps) trains at once.")
            if self._phase in _OVER:
                self._trained_with = None
            self._enter(phase)
            self._spoken = time.monotonic() + SECONDS_TO_FIRST_SENTENCE - SECONDS_BETWEEN_SENTENCES
            self._steps_wanted += steps
            # One step is drawn when it is done; before, there is nothing new unless it is a first one.
            if not steps or self._trained_with is None:
                self._show()
            if not self._working:
                self._working = True
                self._loop.call_soon_threadsafe(self._begin_work)

    # The task, in the kernel's loop.

    def _begin_work(self) -> None:
        self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        drawn = cost = due = 0.0
        while self._has_work():
            pace = self.pace(self.values)
            try:
                self._train_for(0 if pace else SLICE)
                now = time.monotonic()
                if self._phase != "running" or now - drawn > max(1 / PICTURES_PER_SECOND, 2 * cost):
                    self._show()
                    drawn = time.monotonic()
                    cost = drawn - now
            except Exception as error:
                # Nobody waits for the task: the box is where its accidents are seen.
                with _lock:
                    self._enter("failed")
                    self._fail(error)
            due += 1 / pace if pace else 0
            # Late because of a picture: that is made good, up to a tenth of a second.
            due = max(due, time.monotonic() - 0.1)
            await asyncio.sleep(max(due - time.monotonic(), 0) if pace else 0)

    def _has_work(self) -> bool:
        with _lock:
            if self.widget.comm is None:
                self._enter("stopped")
            self._working = self._phase == "running" or (self._phase == "paused" and self._steps_wanted > 0)
            return self._working

    def _train_for(self, seconds: float) -> None:
        # A button may be pressed and a control may move meanwhile: no lock is held while it trains.
        with _lock:
            training, frame, once = self._training, self._frame, self._phase == "paused"
        end = time.monotonic() + seconds
        while (later := self._next(training)) is not None:
            frame = later
            if once or self._phase != "running" or training is not self._training or time.monotonic() > end:
                break
        with _lock:
            self._steps_wanted -= once
            if training is self._training:
                self._frame = frame
                if later is None or frame.step == frame.steps:
                    self._enter("finished")

    @staticmethod
    def _next(training: Iterator[Frame]) -> Any:
        # Whatever the cell that made the widget was in the middle of: training records.
        with enable_grad():
            return next(training, None)

    # What is shown.

    def _enter(self, phase: str) -> None:
        self._phase = phase
        if phase != "paused":
            self._steps_wanted = 0
        self._go.description = _WORDS[phase][0]

    def _beginning(self) -> dict[str, Any]:
        self._trained_with = None
        self._enter("ready")
        return super()._beginning()

    def _state(self) -> Any:
        values = self.values
        wanted = {name: value for name, value in values.items() if name not in self.views}
        if wanted != self._trained_with:
            self._trained_with = None
            with contextlib.ExitStack() as if_refused:
                if_refused.callback(self._enter, "ready")
                training = self.train(**wanted)
                frame = self._next(training)
                if_refused.pop_all()
            self._training, self._frame, self._trained_with = training, frame, wanted
            # What was running runs on, from the start; a press of Step wants a first step.
            if self._phase != "running" and not self._steps_wanted:
                self._enter("ready")
        return self.state(self._frame, **values)

    def _show(self) -> None:
        with _lock:
            super()._show()
            step, steps = self._frame.step, self._frame.steps
            words = f"{_WORDS[self._phase][1]}: {self.unit} {step} of {steps}"
            self._progress.value = (
                f'<progress value="{step}" max="{steps}" aria-label="progress"></progress> {html.escape(words)}'
            )

    def _look_ahead(self, moved: str) -> None:
        """What is seen next hangs on the training, too."""

    def _say(self, status: str) -> None:
        now = time.monotonic()
        if self._phase != "running" or now - self._spoken > SECONDS_BETWEEN_SENTENCES:
            self._spoken = now
            super()._say(status)

    def _still(self) -> tuple[Picture, str, str]:
        if self._frame.step or not self.preview:
            return super()._still()
        with _lock:
            training = self.train(**self._trained_with)
            *_, frame = islice(iter(lambda: self._next(training), None), self.preview + 1)
            state = self.state(frame, **self.values)
            return self.picture(state), self.alt(state), self.status(state)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        self._end_with_its_cell()
        return super()._repr_mimebundle_(include, exclude)

    def _end_with_its_cell(self) -> None:
        shell = get_ipython()
        parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
        cell = parent.get("metadata", {}).get("cellId")
        if cell is not None and self._cell is None:
            shell.events.register("pre_run_cell", self._cell_runs)
        self._cell = cell or self._cell

    def _cell_runs(self, run: Any) -> None:
        if run.cell_id == self._cell:
            self.stop()
            self._cell = None
            get_ipython().events.unregister("pre_run_cell", self._cell_runs)
