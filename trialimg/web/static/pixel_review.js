// The page of held pixels: the list of boxes in the form and the boxes on the picture are kept the same. Everything
// works without it: numbers typed, frames turned by links, and the buttons of the form.
import { PixelBoxes } from './pixel_boxes.js';
import { PixelZoom } from './pixel_zoom.js';

const form = document.querySelector('form[data-pixel-review]');
if (form) { begin(form); }

function begin(form) {
  const told = JSON.parse(form.querySelector('[data-review]').textContent);
  const host = form.querySelector('[data-picture]');
  const body = form.querySelector('[data-boxes]');
  const row = form.querySelector('template[data-row]');
  row.content.querySelectorAll('[data-scripted]').forEach(function (each) { each.hidden = false; });
  const status = form.querySelector('[data-status]');
  const approve = form.querySelector('[data-approve]');
  const slider = form.querySelector('[data-frame]');
  const label = form.querySelector('[data-frame-label]');
  const scope = form.querySelector('[data-scope]');
  const NAMES = ['x', 'y', 'width', 'height'];
  const FOUND = { text: 'text found', rule: 'rule for the device', person: 'drawn' };
  const ICONS = { text: 'fonts', rule: 'cpu' };
  const frames = [];
  told.images.forEach(function (image) {
    for (let frame = 1; frame <= image[1]; frame += 1) { frames.push({ image: image[0], frame: frame }); }
  });

  // --- the list ---------------------------------------------------------------------------------------------
  function on(box) { return box.image === null ? '' : String(box.image) + (box.frame === null ? '' : '/' + box.frame); }
  function where(text) {
    const found = /^(\d+)(?:\/(\d+))?$/.exec(text.trim());
    return found ? { image: Number(found[1]), frame: found[2] ? Number(found[2]) : null } : { image: null, frame: null };
  }
  function read() {
    return Array.from(body.querySelectorAll('tr')).map(function (line) {
      const box = { by: line.dataset.by || 'person' };
      NAMES.forEach(function (name) { box[name] = Number(line.querySelector('[name="' + name + '"]').value); });
      return Object.assign(box, where(line.querySelector('[name="on"]').value));
    }).filter(function (box) { return box.width > 0 && box.height > 0; });
  }
  function write(list) {
    while (body.rows.length > list.length) { body.rows[body.rows.length - 1].remove(); }
    while (body.rows.length < list.length) { body.append(row.content.firstElementChild.cloneNode(true)); }
    list.forEach(function (box, number) {
      const line = body.rows[number];
      line.dataset.id = box.id;
      line.dataset.by = box.by;
      line.toggleAttribute('data-chosen', box.id === boxes.chosen);
      line.querySelector('[data-number]').textContent = number + 1;
      line.querySelector('td [data-by]').textContent = FOUND[box.by] || box.by;
      line.querySelector('[data-icon]').className = 'bi bi-' + (ICONS[box.by] || 'pencil');
      NAMES.forEach(function (name) {
        const field = line.querySelector('[name="' + name + '"]');
        field.setAttribute('aria-label', field.dataset.label + ' of box ' + (number + 1));
        if (document.activeElement !== field) { field.value = box[name]; }
      });
      const field = line.querySelector('[name="on"]');
      field.setAttribute('aria-label', 'Images of box ' + (number + 1));
      if (document.activeElement !== field) { field.value = on(box); }
      line.querySelector('[data-remove] span').textContent = 'Delete box ' + (number + 1);
    });
    form.querySelector('[data-none]').hidden = list.length > 0;
    const count = list.length === 1 ? 'cover 1 box' : 'cover ' + list.length + ' boxes';
    approve.querySelector('span').textContent = approve.dataset.word + ': ' + (list.length ? count : 'nothing to hide');
  }

  let saying = null;
  function say(sentence) {
    window.clearTimeout(saying);
    if (sentence) { saying = window.setTimeout(function () { status.textContent = sentence; }, 150); }
  }

  // --- the picture ------------------------------------------------------------------------------------------
  function decide() { form.requestSubmit(approve); }
  function cover() {
    const button = form.querySelector('[data-cover]');
    button.setAttribute('aria-pressed', String(host.classList.toggle('ti-covered')));
  }
  let playing = null;
  function play() {
    const button = form.querySelector('[data-play]');
    if (!button || button.hidden) { return; }
    if (playing) { window.clearInterval(playing); playing = null; } else {
      playing = window.setInterval(function () { boxes.turn((boxes.at + 1) % frames.length); }, 120);
    }
    button.setAttribute('aria-pressed', String(Boolean(playing)));
  }
  const boxes = new PixelBoxes(host, {
    columns: told.columns, rows: told.rows, frames: frames, boxes: read(),
    picture: function (index, fine) {
      const one = frames[index];
      return fetch(told.picture.replace('IMAGE', one.image).replace('FRAME', one.frame) + (fine ? '?size=full' : ''), { credentials: 'same-origin' }).then(function (answer) {
        if (!answer.ok) { throw new Error(String(answer.status)); }
        return answer.blob();
      });
    },
    changed: function (list, sentence) { write(list); say(sentence); },
    selected: function (box) { write(boxes.boxes); mark(box); },
    turned: function (at) {
      const one = frames[at];
      if (slider) { slider.value = at + 1; }
      label.textContent = frames.length === 1 ? '' : (told.images.length > 1 ? 'Image ' + one.image + ', frame ' + one.frame + ': ' : '') + (at + 1) + ' of ' + frames.length;
      mark(boxes.find(boxes.chosen));
    },
    arrived: function () { zoom.done(); },
    failed: function (error, fine) { if (fine) { host.dataset.fine = 'failed'; zoom.done(); } say(fine ? 'This frame cannot be shown at full size now.' : 'This frame cannot be shown now. Turn to it again in a moment.'); },
    keys: {
      a: decide, c: cover, ' ': play,
      '+': function () { zoom.larger(); }, '=': function () { zoom.larger(); }, '-': function () { zoom.smaller(); }, '0': function () { zoom.whole(); },
      arrowleft: function () { return zoom.scroll(-1, 0); }, arrowright: function () { return zoom.scroll(1, 0); },
      arrowup: function () { return zoom.scroll(0, -1); }, arrowdown: function () { return zoom.scroll(0, 1); },
    },
  });
  function mark(box) {
    if (!scope) { return; }
    scope.disabled = !box;
    scope.value = !box || box.image === null ? 'all' : (box.frame === null ? 'image' : 'frame');
  }

  // --- how large it is shown --------------------------------------------------------------------------------
  const percent = form.querySelector('[data-scale]');
  const hand = form.querySelector('[data-hand]');
  const zoom = new PixelZoom(boxes, {
    coarse: told.coarse,
    told: function (scale, enlarged) {
      percent.textContent = 'Shown at ' + (scale < 0.1 ? (100 * scale).toPrecision(2) : Math.round(100 * scale)) + ' %' + (boxes.fine && host.dataset.fine === 'no' ? ', a sharper picture is made' : '');
      hand.hidden = !enlarged;
      hand.setAttribute('aria-pressed', String(host.classList.contains('ti-moving')));
    },
  });

  // --- what would be lost -----------------------------------------------------------------------------------
  function drawn() { return JSON.stringify(boxes.boxes.map(function (box) { return [box.x, box.y, box.width, box.height, on(box)]; })); }
  const begun = form.hasAttribute('data-unsaved') ? '' : drawn();
  let leaving = false;
  form.addEventListener('submit', function () { leaving = true; });
  window.addEventListener('pageshow', function () { leaving = false; });
  window.addEventListener('beforeunload', function (event) { if (!leaving && drawn() !== begun) { event.preventDefault(); event.returnValue = true; } });

  // --- the controls -----------------------------------------------------------------------------------------
  form.querySelectorAll('[data-scripted]').forEach(function (each) { each.hidden = false; });
  form.querySelectorAll('[data-unscripted]').forEach(function (each) { each.remove(); });
  body.addEventListener('input', function (event) {
    const line = event.target.closest('tr');
    const value = event.target.name === 'on' ? where(event.target.value) : { [event.target.name]: Number(event.target.value) };
    if (event.target.name === 'on' || (event.target.value !== '' && Number.isFinite(value[event.target.name]))) { boxes.change(Number(line.dataset.id), value); }
  });
  body.addEventListener('focusin', function (event) {
    const line = event.target.closest('tr');
    if (line && boxes.chosen !== Number(line.dataset.id)) { boxes.choose(Number(line.dataset.id), 'quietly'); }
  });
  body.addEventListener('focusout', function () { write(boxes.boxes); });
  form.addEventListener('click', function (event) {
    const remove = event.target.closest('[data-remove]');
    if (remove) { boxes.remove(Number(remove.closest('tr').dataset.id)); }
    if (event.target.closest('[data-new]')) { boxes.fresh(); }
    if (event.target.closest('[data-undo]')) { boxes.undo(); }
    if (event.target.closest('[data-cover]')) { cover(); }
    if (event.target.closest('[data-play]')) { play(); }
    const size = event.target.closest('[data-zoom]');
    if (size) { zoom[size.dataset.zoom](); say(percent.textContent + '.'); }
    if (event.target.closest('[data-hand]')) { zoom.move(!zoom.moving); }
    if (event.target.closest('[data-turn]')) { boxes.turn(boxes.at + Number(event.target.closest('[data-turn]').dataset.turn)); }
  });
  if (slider) { slider.addEventListener('input', function () { boxes.turn(Number(slider.value) - 1); }); }
  if (scope) {
    scope.addEventListener('change', function () {
      const one = frames[boxes.at];
      const chosen = { all: { image: null, frame: null }, image: { image: one.image, frame: null }, frame: { image: one.image, frame: one.frame } };
      if (boxes.chosen !== null) { boxes.change(boxes.chosen, chosen[scope.value]); }
    });
  }
  window.addEventListener('resize', function () { zoom.done(); });
  write(boxes.boxes);
  boxes.turn(told.at - 1);
  host.focus({ preventScroll: true });
  form.dataset.ready = 'yes';
}
