// Runs once for each widget that comes to stand in a page, in the onload of its style sheet.
const root = this.closest('.gradschool-widget');
const content = place => root.querySelector(`.gradschool-${place} .widget-html-content`);

// ipywidgets cannot give a slider's handle an accessible name nor an element a role. This names each handle after the
// number field of its row, and makes the sentence a live region that stays in the page while its text changes (screen
// readers do not announce a region that is itself new).
const name = () => {
  tell();
  const title = root.querySelector('.gradschool-title');
  // The widget is being taken from the page.
  if (!title) return;
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', title.textContent);
  for (const row of root.querySelectorAll('.gradschool-slider')) {
    const handle = row.querySelector('[role=slider]'), label = row.querySelector('label');
    if (!handle || !label) continue;
    handle.setAttribute('aria-label', label.textContent);
    if (row.matches('.gradschool-logarithmic')) {
      const field = row.querySelector('input');
      // The slider would say the exponent; and a browser counts a field's steps from its minimum: 0.0101, 0.0111.
      handle.setAttribute('aria-valuetext', field.value);
      field.removeAttribute('min');
    }
    const play = row.querySelector('.widget-play button'), icon = play?.querySelector('i');
    if (!icon || play.hasAttribute('aria-label')) continue;
    const say = () =>
      play.setAttribute('aria-label', `${icon.matches('.fa-pause') ? 'Pause' : 'Play'} ${label.textContent}`);
    say();
    new MutationObserver(say).observe(icon, {attributes: true, attributeFilter: ['class']});
  }
  for (const row of root.querySelectorAll('.gradschool-several')) {
    const label = row.querySelector('.widget-label');
    if (!label) continue;
    row.setAttribute('role', 'group');
    row.setAttribute('aria-label', label.textContent);
    // ipywidgets repeats each name as a tooltip, its HTML and all.
    for (const each of row.querySelectorAll('[title]')) each.removeAttribute('title');
  }
  for (const list of root.querySelectorAll('select'))
    // or JupyterLab takes the arrow keys for its own
    list.setAttribute('data-lm-suppress-shortcuts', 'true');
  for (const [place, role] of [['status', 'status'], ['error-box', 'alert']])
    content(place)?.setAttribute('role', role);
  for (const place of ['formula', 'picture', 'table']) reach(content(place), place);
};

// How many pixels the screen has for each of CSS: a picture has as many, up to two. A window may go to another screen,
// and the next change of the widget finds out. Only such a change is told, not what the field says meanwhile: two windows
// of one kernel on unlike screens would contradict each other for ever.
let told = null;
const tell = () => {
  const field = root.querySelector('.gradschool-pixels input');
  const pixels = String(Math.min(Math.max(Math.ceil(devicePixelRatio), 1), 2));
  if (!field || told === pixels) return;
  told = pixels;
  if (field.value === pixels) return;
  field.value = pixels;
  field.dispatchEvent(new Event('input', {bubbles: true}));
};

// What is wider than its place scrolls: it can be reached with Tab and moved with the arrow keys, and what a picture
// points out comes into view.
const reach = (frame, place) => {
  if (!frame) return;
  const scrolls = frame.scrollWidth > frame.clientWidth + 1;
  const reachable = {
    'tabindex': '0', 'role': 'region', 'aria-label': `${place}, scrolls sideways`, 'data-lm-suppress-shortcuts': 'true',
  };
  for (const [attribute, value] of Object.entries(reachable))
    if (scrolls) frame.setAttribute(attribute, value); else frame.removeAttribute(attribute);
  const shown = [...frame.querySelectorAll('.LOOK_HERE')].map(element => element.getBoundingClientRect());
  if (scrolls && shown.length) {
    const left = Math.min(...shown.map(box => box.left)), right = Math.max(...shown.map(box => box.right));
    const box = frame.getBoundingClientRect();
    frame.scrollLeft += (left + right - box.left - box.right) / 2;
  }
};

// Pressing and dragging on a part of the picture: where, as fractions of that part, goes into a hidden field, which the
// kernel empties when it has drawn. So no more than one place is on its way, and it is always the latest.
const point = () => {
  const picture = root.querySelector('.gradschool-picture'), NEAR = 8;
  let held = null, waiting = null;
  const under = event => {
    const parts = JSON.parse(picture.querySelector('[data-pointers]')?.dataset.pointers ?? '[]');
    const images = [...picture.querySelectorAll('img')].map(each => each.getBoundingClientRect());
    for (const [number, [which, left, top, right, bottom, cursor]] of parts.entries()) {
      const image = images[which];
      const part = {
        number, cursor, left: image.left + left * image.width, right: image.left + right * image.width,
        top: image.top + top * image.height, bottom: image.top + bottom * image.height,
      };
      const inside = event.clientX > part.left - NEAR && event.clientX < part.right + NEAR
        && event.clientY > part.top - NEAR && event.clientY < part.bottom + NEAR;
      if (held === null ? inside : held === number) return part;
    }
    return null;
  };
  const send = () => {
    const field = root.querySelector('.gradschool-pointed input');
    if (waiting === null || !field) return;
    if (field.value === '') {
      field.value = JSON.stringify(waiting);
      waiting = null;
      field.dispatchEvent(new Event('input', {bubbles: true}));
    } else requestAnimationFrame(send);
  };
  const fraction = (at, from, to) => Math.min(Math.max((at - from) / (to - from), 0), 1);
  const move = event => {
    const part = under(event);
    picture.style.cursor = part?.cursor ?? '';
    if (held === null || !part) return;
    const asked = waiting !== null;
    waiting = [part.number, fraction(event.clientX, part.left, part.right), fraction(event.clientY, part.bottom, part.top)];
    if (!asked) send();
  };
  picture.addEventListener('pointerdown', event => {
    const part = event.button === 0 ? under(event) : null;
    if (!part) return;
    // The image itself will be replaced: what holds it takes the pointer. No drag of an image, no marking of text.
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    held = part.number;
    move(event);
  });
  picture.addEventListener('dragstart', event => event.preventDefault());
  picture.addEventListener('pointermove', move);
  for (const end of ['pointerup', 'pointercancel']) picture.addEventListener(end, () => { held = null; });
};

const copy = async event => {
  const button = event.target.closest('.gradschool-copy');
  if (!button) return;
  const text = root.querySelector('.gradschool-code pre').textContent, said = button.nextElementSibling;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard where the page is not from this machine nor encrypted: the old way.
    const field = document.body.appendChild(document.createElement('textarea'));
    field.value = text;
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    button.focus();
    if (!done) { said.textContent = 'The browser does not let the page copy: mark the line and press Ctrl+C.'; return; }
  }
  said.textContent = 'copied';
  setTimeout(() => { said.textContent = ''; }, 2000);
};

// Once for all that changes before the page is painted.
let asked = false;
const soon = () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; name(); });
};

name();
point();
root.addEventListener('click', copy);
new MutationObserver(soon).observe(root, {childList: true, subtree: true});
new ResizeObserver(name).observe(root);
