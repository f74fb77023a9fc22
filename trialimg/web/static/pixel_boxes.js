// Boxes on frames: shows one frame at a time; boxes are drawn, moved, resized and deleted by pointer or by keys.
// It takes frames and gives boxes and knows no address: `picture(index, fine)` gives an address, or a Blob of bytes
// that have not left this browser; `fine` asks for it at full size.

const SVG = 'http://www.w3.org/2000/svg';
const KEPT = 90; // pictures kept in memory
const KEPT_FINE = 6; // the same of large ones
const SETTLED = 250; // milliseconds on one frame before its large picture is asked for
const HANDLE = 11; // CSS pixels of a corner's handle
const LEAST = 4; // CSS pixels a pointer must travel to draw

function make(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(function (pair) { made.setAttribute(pair[0], pair[1]); });
  if (parent) { parent.append(made); }
  return made;
}

function clamp(value, low, high) { return Math.min(Math.max(value, low), high); }

export class PixelBoxes {
  // frames: [{image, frame, label}]; boxes: [{x, y, width, height, image, frame, by}], image and frame null for all.
  constructor(host, options) {
    const given = Object.assign({}, options);
    delete given.boxes;
    Object.assign(this, { host: host, at: 0, chosen: null, count: 0, past: [], fine: false, pictures: new Map(), finer: new Map(), shapes: new Map() }, given);
    this.list = (options.boxes || []).map(this.numbered, this);
    this.svg = make('svg', { viewBox: '0 0 ' + this.columns + ' ' + this.rows, class: 'ti-picture', focusable: 'false' });
    this.shown = make('image', { x: 0, y: 0, width: this.columns, height: this.rows, preserveAspectRatio: 'none' }, this.svg);
    this.layer = make('g', {}, this.svg);
    host.replaceChildren(this.svg);
    host.addEventListener('keydown', this.key.bind(this));
    this.svg.addEventListener('pointerdown', this.down.bind(this));
    this.draw();
  }

  get boxes() { return this.list.map(function (box) { return Object.assign({}, box); }); }
  numbered(box) { this.count += 1; return Object.assign({ image: null, frame: null, by: 'person' }, box, { id: this.count }); }
  find(id) { return this.list.find(function (box) { return box.id === id; }); }

  // --- frames ---------------------------------------------------------------------------------------------
  async turn(index) {
    this.at = clamp(index, 0, this.frames.length - 1);
    const wanted = this.at;
    this.draw();
    if (this.turned) { this.turned(this.at); }
    if (!(await this.show(wanted, false))) { return; }
    if (this.fine) {
      await new Promise(function (resolve) { window.setTimeout(resolve, SETTLED); });
      if (this.at === wanted && this.fine) { await this.show(wanted, true); }
      return;
    }
    for (const near of [wanted + 1, wanted + 2, wanted - 1]) {
      if (near >= 0 && near < this.frames.length) { this.load(near).catch(function () { return null; }); }
    }
  }
  async show(wanted, fine) {
    let address;
    try {
      address = await this.load(wanted, fine);
    } catch (error) {
      if (this.at === wanted && this.failed) { this.failed(error, fine); }
      return false;
    }
    if (this.at !== wanted || (fine && !this.fine)) { return false; }
    this.shown.setAttribute('href', address);
    this.host.dataset.shown = String(wanted);
    this.host.dataset.fine = fine ? 'yes' : 'no';
    if (this.arrived) { this.arrived(); }
    return true;
  }
  // Large pictures from now on, or no more; the one at hand stays until it is turned.
  refine(fine) {
    if (this.fine === fine) { return; }
    this.fine = fine;
    if (fine) { this.turn(this.at); }
  }
  load(index, fine) {
    const kept = fine ? this.finer : this.pictures;
    if (!kept.has(index)) {
      const found = Promise.resolve(this.picture(index, Boolean(fine))).then(function (picture) {
        return typeof picture === 'string' ? picture : URL.createObjectURL(picture);
      });
      found.catch(function () { kept.delete(index); }); // asked for again when somebody turns to it again
      kept.set(index, found);
      if (kept.size > (fine ? KEPT_FINE : KEPT)) {
        const oldest = kept.keys().next().value;
        kept.get(oldest).then(function (address) { if (address.startsWith('blob:')) { URL.revokeObjectURL(address); } }, function () { return null; });
        kept.delete(oldest);
      }
    }
    return kept.get(index);
  }

  // --- boxes ----------------------------------------------------------------------------------------------
  covers(box) {
    const frame = this.frames[this.at];
    return (box.image === null || box.image === frame.image) && (box.frame === null || box.frame === frame.frame);
  }
  remember() { this.past.push(this.boxes); if (this.past.length > 200) { this.past.shift(); } }
  undo() {
    if (!this.past.length) { return; }
    this.list = this.past.pop();
    this.tell('Undone.');
  }
  add(box, how) {
    this.remember();
    const added = this.numbered(this.inside(box));
    this.list.push(added);
    this.choose(added.id, how);
    this.tell('Box ' + this.list.length + ' added.');
    return added;
  }
  remove(id) {
    const number = this.list.findIndex(function (box) { return box.id === id; });
    if (number < 0) { return; }
    this.remember();
    this.list.splice(number, 1);
    if (this.chosen === id) { this.chosen = null; }
    this.tell('Box ' + (number + 1) + ' deleted.');
    this.host.focus({ preventScroll: true });
  }
  change(id, values, quietly) {
    const box = this.find(id);
    if (!box) { return; }
    if (!quietly) { this.remember(); }
    Object.assign(box, values);
    if (['x', 'y', 'width', 'height'].some(function (name) { return name in values; })) { Object.assign(box, this.inside(box)); }
    this.tell('');
  }
  inside(box) {
    const width = clamp(Math.round(box.width), 1, this.columns), height = clamp(Math.round(box.height), 1, this.rows);
    return Object.assign({}, box, {
      width: width, height: height,
      x: clamp(Math.round(box.x), 0, this.columns - width), y: clamp(Math.round(box.y), 0, this.rows - height),
    });
  }
  choose(id, how) {
    this.chosen = id;
    this.draw();
    const shape = this.shapes.get(id);
    if (shape && how !== 'quietly') { shape.focus({ preventScroll: true }); }
    if (this.selected) { this.selected(this.find(id) || null); }
  }
  tell(sentence) {
    this.draw();
    if (this.changed) { this.changed(this.boxes, sentence); }
  }

  // --- drawing --------------------------------------------------------------------------------------------
  draw() {
    const seen = new Set();
    this.list.forEach((box, number) => {
      if (!this.covers(box)) { return; }
      seen.add(box.id);
      const shape = this.shapes.get(box.id) || this.shape(box.id);
      shape.setAttribute('aria-label', 'Box ' + (number + 1) + ': ' + box.width + ' by ' + box.height + ' pixels at ' + box.x + ', ' + box.y);
      shape.classList.toggle('ti-chosen', box.id === this.chosen);
      shape.querySelectorAll('.ti-box-area').forEach(function (area) {
        ['x', 'y', 'width', 'height'].forEach(function (name) { area.setAttribute(name, box[name]); });
      });
      this.corners(shape, box);
    });
    this.shapes.forEach((shape, id) => { if (!seen.has(id)) { shape.remove(); this.shapes.delete(id); } });
    this.list.forEach((box) => {
      const shape = this.shapes.get(box.id);
      if (shape && shape !== document.activeElement && this.layer.lastChild !== shape && this.layer.children.length !== seen.size) { this.layer.append(shape); }
    });
  }
  shape(id) {
    const shape = make('g', { tabindex: '0', role: 'button', class: 'ti-box-on', 'data-box': id }, this.layer);
    make('rect', { class: 'ti-box-area ti-box-under' }, shape);
    make('rect', { class: 'ti-box-area ti-box-line' }, shape);
    ['nw', 'ne', 'sw', 'se'].forEach(function (corner) { make('rect', { class: 'ti-box-handle', 'data-corner': corner }, shape); });
    shape.addEventListener('focus', () => { if (this.chosen !== id) { this.choose(id, 'quietly'); } });
    this.shapes.set(id, shape);
    return shape;
  }
  corners(shape, box) {
    const wide = this.svg.getBoundingClientRect().width || this.columns;
    const size = HANDLE * this.columns / wide;
    shape.querySelectorAll('.ti-box-handle').forEach(function (handle) {
      const corner = handle.dataset.corner;
      handle.setAttribute('x', (corner.endsWith('w') ? box.x : box.x + box.width) - size / 2);
      handle.setAttribute('y', (corner.startsWith('n') ? box.y : box.y + box.height) - size / 2);
      handle.setAttribute('width', size);
      handle.setAttribute('height', size);
    });
  }

  // --- pointer --------------------------------------------------------------------------------------------
  point(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return { x: clamp(at.x, 0, this.columns), y: clamp(at.y, 0, this.rows) };
  }
  down(event) {
    if (event.button !== 0) { return; }
    event.preventDefault();
    if (this.dragged && this.dragged(event)) { return; }
    const shape = event.target.closest('[data-box]');
    const corner = event.target.dataset.corner;
    const from = this.point(event), began = { x: event.clientX, y: event.clientY };
    let box = shape ? this.find(Number(shape.dataset.box)) : null;
    let first = box ? Object.assign({}, box) : null;
    let moving = false;
    if (box) { this.choose(box.id); } else { this.chosen = null; this.host.focus({ preventScroll: true }); this.draw(); }
    const move = (now) => {
      if (!moving && Math.hypot(now.clientX - began.x, now.clientY - began.y) < LEAST) { return; }
      const to = this.point(now);
      if (!moving && box) { this.remember(); }
      if (!moving && !box) { box = this.add({ x: from.x, y: from.y, width: 1, height: 1 }); }
      moving = true;
      let values;
      if (!first) {
        values = { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) };
      } else if (corner) {
        const left = corner.endsWith('w') ? Math.min(first.x + to.x - from.x, first.x + first.width - 1) : first.x;
        const top = corner.startsWith('n') ? Math.min(first.y + to.y - from.y, first.y + first.height - 1) : first.y;
        const right = corner.endsWith('e') ? Math.max(first.x + first.width + to.x - from.x, first.x + 1) : first.x + first.width;
        const bottom = corner.startsWith('s') ? Math.max(first.y + first.height + to.y - from.y, first.y + 1) : first.y + first.height;
        values = { x: left, y: top, width: right - left, height: bottom - top };
      } else {
        values = { x: first.x + to.x - from.x, y: first.y + to.y - from.y };
      }
      this.change(box.id, values, true);
    };
    const up = () => {
      window.removeEventListener('pointermove', move);
      window.removeEventListener('pointerup', up);
      window.removeEventListener('pointercancel', up);
    };
    window.addEventListener('pointermove', move);
    window.addEventListener('pointerup', up);
    window.addEventListener('pointercancel', up);
  }

  // --- keys -----------------------------------------------------------------------------------------------
  key(event) {
    if (event.altKey || event.metaKey) { return; }
    const shape = event.target.closest('[data-box]');
    const done = shape ? this.onBox(event, this.find(Number(shape.dataset.box))) : this.onPicture(event);
    if (done || this.onEither(event)) { event.preventDefault(); event.stopPropagation(); }
  }
  onBox(event, box) {
    const step = event.ctrlKey ? 10 : 1;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (way && event.shiftKey) {
      this.change(box.id, { width: Math.max(1, Math.min(box.width + way[0], this.columns - box.x)), height: Math.max(1, Math.min(box.height + way[1], this.rows - box.y)) });
      return true;
    }
    if (way) { this.change(box.id, { x: box.x + way[0], y: box.y + way[1] }); return true; }
    if (event.key === 'Delete' || event.key === 'Backspace') { this.remove(box.id); return true; }
    if (event.key === 'Escape') { this.choose(null); this.host.focus({ preventScroll: true }); return true; }
    return false;
  }
  onPicture(event) {
    const way = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: this.frames.length - 1 }[event.key];
    if (way === undefined || event.ctrlKey || event.shiftKey) { return false; }
    this.turn(way);
    return true;
  }
  onEither(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey) {
      if (key === 'z') { this.undo(); return true; }
      return false;
    }
    if (key === 'n') { this.fresh(); return true; }
    if (this.keys && this.keys[key]) { return this.keys[key]() !== false; }
    return false;
  }
  fresh() {
    const width = Math.round(this.columns / 4), height = Math.round(this.rows / 12);
    this.add({ x: (this.columns - width) / 2, y: (this.rows - height) / 2, width: width, height: height });
  }
}
