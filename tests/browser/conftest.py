"""A real JupyterLab in a real Chromium: one server for all tests, a page that may talk to nobody else."""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from classroom.course import Lesson
from classroom.doctor import find_chromium
from classroom.workspace import lab_command, lab_environment

# Not playwright's own test-results, which the next run of any test empties.
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SECONDS = 1000


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """The system's Chromium, quiet: nothing of its own that would go out to the network."""
    flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
    return {
        **browser_type_launch_args,
        "executable_path": str(find_chromium()),
        "args": [f"--{flag}" for flag in (*flags.split(), "disable-sync")],
    }


class Lab:
    """The server that `gradschool lab` starts, on a workspace and with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.token = secrets.token_hex(16)
        self.workspace = home / "workspace"
        runtime = home / "runtime"
        for folder in (self.workspace, runtime):
            folder.mkdir()
        environment = lab_environment(self.workspace) | {
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        }
        anywhere = Lesson("00", "crossentropy", home, "Cross-entropy", 45)
        for_tests = (
            "--ip=127.0.0.1",
            "--port=0",
            f"--IdentityProvider.token={self.token}",
            # The page reads JupyterLab's own model of the notebook.
            "--LabApp.expose_app_in_browser=True",
            "--ServerApp.terminals_enabled=False",
        )
        self._log = (home / "server.log").open("w+")
        self._process = subprocess.Popen(
            [*lab_command(self.workspace, anywhere, browser=False), *for_tests],
            cwd=self.workspace,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._wait(runtime)

    def _wait(self, runtime: Path) -> str:
        """The address, once the server answers there."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            for record in runtime.glob("jpserver-*.json"):
                try:
                    url = json.loads(record.read_text())["url"]
                    with urllib.request.urlopen(f"{url}api/status?token={self.token}", timeout=5):
                        return url
                except (OSError, ValueError):
                    # Half written, or not listening yet.
                    pass
            time.sleep(0.1)
        self._log.seek(0)
        pytest.fail(f"JupyterLab did not start within 60 s; it said: {self._log.read()[-3000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook into the workspace; a cell that begins with # is text."""
        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            cells=[
                nbformat.v4.new_markdown_cell(cell) if cell.startswith("#") else nbformat.v4.new_code_cell(cell)
                for cell in cells
            ],
        )
        nbformat.write(notebook, self.workspace / name)
        return name


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


class Notebook:
    """The notebook that is open in the page: as a student uses it, and read through JupyterLab's own model."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self._lab = lab

    def open(self, path: str) -> None:
        """Open a notebook, in the light theme whatever an earlier test chose, and wait for its kernel."""
        self.page.goto(f"{self._lab.url}lab/tree/{path}?reset&token={self._lab.token}")
        self._until(
            """() => {
                const widget = window.jupyterapp?.shell.currentWidget;
                return widget?.content?.model && widget.context?.isReady
                    && widget.sessionContext.session?.kernel?.status === 'idle';
            }""",
            "the notebook was not open with an idle kernel",
        )
        self.theme("Light")

    def _until(self, condition: str, otherwise: str, arg: object = None) -> None:
        """Wait for a condition in the page; after a minute fail, and say what kernel and cells were doing."""
        try:
            self.page.wait_for_function(condition, arg=arg, timeout=60 * SECONDS)
        except PlaywrightTimeoutError:
            doing = self.page.evaluate(
                """() => {
                    const widget = window.jupyterapp?.shell.currentWidget, context = widget?.sessionContext;
                    const kernel = context?.session?.kernel;
                    return {
                        kernel: [kernel?.status, kernel?.connectionStatus, context?.kernelDisplayStatus],
                        cells: widget?.content?.widgets?.map(({model}) => [model.executionCount, model.executionState]),
                        focus: document.activeElement?.className,
                        dialog: document.querySelector('.jp-Dialog')?.innerText,
                    };
                }"""
            )
            self.screenshot("timeout")
            pytest.fail(f"after 60 s {otherwise}: {json.dumps(doing)}; build/screenshots/timeout.png shows the page")

    def unsaved(self) -> bool:
        """Whether JupyterLab holds the notebook for changed, once it has heard from the kernel."""
        self._until(
            """() => window.jupyterapp.shell.currentWidget.content.model.getMetadata('language_info')?.version
                && window.jupyterapp.shell.currentWidget.content.model.getMetadata('kernelspec')""",
            "the notebook did not know its kernel",
        )
        # What changes it on opening comes with the kernel's first answers.
        self.page.wait_for_timeout(1 * SECONDS)
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty")

    def save_and_end_the_kernel(self) -> None:
        self.page.evaluate(
            """async () => {
                const {context, sessionContext} = window.jupyterapp.shell.currentWidget;
                await context.save();
                await sessionContext.shutdown();
            }"""
        )

    def sidebar(self, shown: bool) -> None:
        self.page.evaluate(
            "shown => window.jupyterapp.shell[shown ? 'expandLeft' : 'collapseLeft']()",
            shown,
        )

    def cut_off(self) -> list[str]:
        """What of the text, the code and the printed lines is wider than its place, with both widths."""
        return self.page.evaluate(
            """async () => {
                const notebook = window.jupyterapp.shell.currentWidget.content, found = [];
                for (const [number, cell] of notebook.widgets.entries()) {
                    await notebook.scrollToItem(number);
                    await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
                    for (const text of cell.node.querySelectorAll('.jp-OutputArea-output pre'))
                        // JupyterLab breaks what is too long wherever the line ends, inside words too.
                        text.style.whiteSpace = 'pre';
                    for (const place of cell.node.querySelectorAll(
                        '.jp-RenderedHTMLCommon, .jp-RenderedHTMLCommon p, .cm-scroller, .jp-OutputArea-output pre'
                    ))
                        if (place.scrollWidth > place.clientWidth + 1)
                            found.push(`cell ${number}: ${place.scrollWidth} of ${place.clientWidth} pixels: `
                                + place.textContent.trim().slice(0, 60));
                }
                return found;
            }"""
        )

    def run_all(self) -> None:
        """Run every cell and wait until each code cell has run; fail on an error output."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait()

    def wait(self) -> None:
        # After an error the kernel drops the cells behind it, which then never get a number.
        self._until(
            """() => {
                const widget = window.jupyterapp.shell.currentWidget;
                const code = widget.content.widgets.map(cell => cell.model).filter(model => model.type === 'code');
                const failed = model => model.outputs.toJSON().some(output => output.output_type === 'error');
                return widget.sessionContext.session?.kernel?.status === 'idle' && (code.some(failed)
                    || code.every(model => model.executionCount !== null && model.executionState !== 'running'));
            }""",
            "not every cell had run",
        )
        assert self.errors() == []

    def code_cell(self, source: str) -> int:
        """Number of the first code cell that contains the text."""
        return self._find("cell => cell.model.sharedModel.getSource().includes(wanted)", source)

    def answer_cell(self, exercise: str) -> int:
        """Number of the cell that an exercise's answer goes into."""
        return self._find("cell => cell.model.getMetadata('nbgrader')?.grade_id === wanted", exercise)

    def _find(self, condition: str, wanted: str) -> int:
        number = self.page.evaluate(
            f"""wanted => window.jupyterapp.shell.currentWidget.content.widgets
                .findIndex(cell => cell.model.type === 'code' && ({condition})(cell))""",
            wanted,
        )
        assert number >= 0, f"the notebook has no such code cell: {wanted}"
        return number

    def _edit(self, number: int) -> None:
        """Put the cursor into a cell."""
        self.page.evaluate(
            """async number => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                await notebook.scrollToItem(number);
                notebook.deselectAll();
                notebook.activeCellIndex = number;
                notebook.mode = 'edit';
                notebook.activeCell.editor.focus();
            }""",
            number,
        )

    def type(self, number: int, source: str) -> None:
        """Replace a cell's text as one does at the keyboard."""
        self._edit(number)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)

    def run(self, number: int) -> None:
        """Run one cell from the keyboard and wait for its end."""
        self._edit(number)
        cell = "window.jupyterapp.shell.currentWidget.content.widgets[number].model"
        before = self.page.evaluate(f"number => {cell}.executionCount", number)
        self.page.keyboard.press("ControlOrMeta+Enter")
        self._until(
            f"""([number, before]) => {cell}.executionCount !== null && {cell}.executionCount !== before
                && {cell}.executionState !== 'running'""",
            f"cell {number} had not run",
            arg=[number, before],
        )

    def box(self, number: int) -> Locator:
        """The box that a cell's check wrote, in view."""
        found = self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".gradschool-box")
        found.wait_for(timeout=30 * SECONDS)
        found.evaluate("box => box.scrollIntoView({block: 'end'})")
        return found

    def errors(self) -> list[str]:
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .flatMap(cell => cell.model.outputs.toJSON())
                .filter(output => output.output_type === 'error')
                .map(output => output.ename + ': ' + output.evalue)"""
        )

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", f"JupyterLab {name}"
        )
        self.page.wait_for_function(
            """light => document.body.dataset.jpThemeLight === String(light)
                && !document.querySelector('#jupyterlab-splash')""",
            arg=name == "Light",
        )

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def violations(self) -> list[str]:
        """What axe-core finds serious or critical in the notebook's text and outputs: the frame around is not ours."""
        before = self.page.viewport_size
        # axe passes over what is scrolled out of sight, and over all that a body without height holds, as JupyterLab's.
        height = self.page.evaluate(
            """() => {
                document.body.style.height = '100vh';
                return document.querySelector('.jp-Notebook .jp-WindowedPanel-outer').scrollHeight + 200;
            }"""
        )
        below = 1
        while below > 0:
            self.page.set_viewport_size({"width": before["width"], "height": height})
            # JupyterLab lays out a cell when it first comes into sight: the notebook may have grown.
            below = self.page.evaluate(
                """async () => {
                    for (let time = 0; time < 3; time++)
                        await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
                    const last = [...document.querySelectorAll('.jp-Notebook .jp-Cell')].at(-1);
                    return Math.ceil(last.getBoundingClientRect().bottom - innerHeight);
                }"""
            )
            height += below + 200
        ours = {"include": [[".jp-MarkdownOutput"], [".jp-OutputArea-output"]]}
        options = {
            "resultTypes": ["violations", "passes"],
            # JupyterLab's own style sheet takes the underline from links.
            "rules": {"link-in-text-block": {"enabled": False}},
        }
        found = Axe().run(self.page, context=ours, options=options).response
        self.page.set_viewport_size(before)
        contrasts = [node for rule in found["passes"] if rule["id"] == "color-contrast" for node in rule["nodes"]]
        paragraphs = self.page.locator(".jp-MarkdownOutput :is(h1, h2, p)").count()
        assert len(contrasts) >= paragraphs, "axe did not look at all of the text"
        return [
            f"{violation['id']}: {node['html'][:300]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]


class WidgetOnPage:
    """One of our widgets as it stands in a page."""

    def __init__(self, page: Page, title: str) -> None:
        self.page = page
        self.root: Locator = page.get_by_role("group", name=title, exact=True)
        self.root.wait_for(timeout=30 * SECONDS)

    def control(self, label: str) -> Locator:
        """The number field, text field or list of that name."""
        return self.root.get_by_label(label, exact=True).and_(self.page.locator("input, select, textarea"))

    def slider(self, label: str) -> Locator:
        return self.root.get_by_role("slider", name=label, exact=True)

    def button(self, label: str) -> Locator:
        return self.root.get_by_role("button", name=label, exact=True)

    def alt(self) -> str:
        picture = self.root.locator(".gradschool-picture img, .gradschool-picture [role=img]").first
        return picture.get_attribute("alt") or picture.get_attribute("aria-label")

    def seen(self) -> dict[str, str]:
        """Everything that is to change when a control moves."""
        picture = self.root.locator(".gradschool-picture img, .gradschool-picture svg")
        return {
            "alt": self.alt(),
            "picture": picture.evaluate_all("all => all.map(element => element.src ?? element.outerHTML).join()"),
            "status": self.status(),
            "details": self.details(),
        }

    def wait_until_all_changed(self, before: dict[str, str]) -> None:
        """Wait until alternative text, picture, sentence and numbers are all other than before; fail if not."""
        deadline = time.monotonic() + 15
        while same := [name for name, value in self.seen().items() if value == before[name]]:
            assert time.monotonic() < deadline, f"15 s after a control moved, these had not changed: {same}"
            self.page.wait_for_timeout(20)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; fail if it does not come to."""
        deadline = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < deadline, "15 s after a control moved, it had not come to rest"
            self.page.wait_for_timeout(20)

    def drag(self, slider: Locator, pixels: float) -> None:
        """Drag a slider's handle with the mouse."""
        handle = slider.bounding_box()
        x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + pixels, y, steps=4)
        self.page.mouse.up()

    def wait_for_change(self, alt: str) -> None:
        """Wait until the picture is no longer the one with that alternative text."""
        self.page.wait_for_function(
            """([root, alt]) => {
                const picture = root.querySelector('.gradschool-picture img, .gradschool-picture [role=img]');
                return picture && (picture.alt ?? picture.getAttribute('aria-label')) !== alt;
            }""",
            arg=[self.root.element_handle(), alt],
            timeout=15 * SECONDS,
        )

    def wait_for_status(self, text: str) -> None:
        """Wait until the spoken sentence contains the text."""
        self.root.get_by_role("status").get_by_text(text).wait_for(timeout=15 * SECONDS)

    def status(self) -> str:
        return self.root.get_by_role("status").inner_text()

    def details(self) -> str:
        return self.root.locator(".gradschool-details").inner_text()

    def milliseconds(self, control: Locator, key: str, presses: int) -> float:
        """Median time from a key press on a control to the new picture, decoded and painted."""
        self.root.evaluate(
            """root => {
                // Of its own for each call: what an earlier one has left behind must not count presses here.
                const times = window.times = [];
                let pressed = null;
                root.addEventListener('keydown', () => pressed ??= performance.now(), true);
                const shown = new Map();
                new PerformanceObserver(list => {
                    for (const {identifier, renderTime} of list.getEntries()) {
                        const waiting = shown.get(identifier);
                        if (waiting && --waiting.images === 0) times.push(renderTime - waiting.start);
                    }
                }).observe({type: 'element'});
                new MutationObserver(() => {
                    const start = pressed, pictures = root.querySelectorAll('.gradschool-picture :is(img, svg)');
                    if (start === null || !pictures.length) return;
                    pressed = null;
                    const images = [...pictures].filter(picture => picture.matches('img'));
                    const name = `press at ${start}`;
                    shown.set(name, {start, images: images.length});
                    // Images say when they were on the screen, decoded; an SVG is as soon as the page is painted.
                    for (const image of images) image.setAttribute('elementtiming', name);
                    if (!images.length)
                        requestAnimationFrame(() => setTimeout(() => times.push(performance.now() - start)));
                }).observe(root.querySelector('.gradschool-picture'), {childList: true, subtree: true});
            }"""
        )
        control.focus()
        for press in range(presses):
            self.page.keyboard.press(key)
            self.page.wait_for_function("count => window.times.length > count", arg=press, timeout=15 * SECONDS)
        return statistics.median(self.page.evaluate("() => window.times"))


@pytest.fixture(scope="module")
def widget(notebook: Notebook) -> Callable[[str], WidgetOnPage]:
    """The widget of that title on the open page, all of it in view with what stands above it."""

    def find(title: str) -> WidgetOnPage:
        found = WidgetOnPage(notebook.page, title)
        found.root.evaluate(
            """async root => {
                // JupyterLab lays out a cell when it first comes near, which moves the others: then scroll again.
                for (let time = 0; time < 3; time++) {
                    root.scrollIntoView({block: 'end'});
                    await new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)));
                }
            }"""
        )
        return found

    return find


@pytest.fixture(scope="module")
def notebook(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    """A page that fails the tests when it asks anybody but the server, or when its console shows an error."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    outside: list[str] = []
    errors: list[str] = []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    context.route(lambda url: urlsplit(url).scheme not in ("data", "blob"), guard)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("websocket", lambda socket: urlsplit(socket.url).hostname == "127.0.0.1" or outside.append(socket.url))
    yield Notebook(page, lab)
    context.close()
    assert outside == [], "requests left the machine"
    assert errors == [], "errors in the browser's console"
