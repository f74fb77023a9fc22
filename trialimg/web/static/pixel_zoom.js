// Enlarges the picture of PixelBoxes inside its frame, where it is scrolled; boxes are part of the picture and stay in
// place. Where a pixel of the screen shows less than the picture made ahead holds back, the fine picture is asked for.

const STEP = 1.5;
const MOST = 4; // screen pixels for one pixel of the image, or this many times the whole picture's scale

export class PixelZoom {
  // coarse: the scale of the picture made ahead, 1 where that is as large as the stored one; told(scale, enlarged).
  constructor(boxes, options) {
    Object.assign(this, { boxes: boxes, host: boxes.host, svg: boxes.svg, enlarged: false, moving: false }, options);
    boxes.dragged = this.drag.bind(this);
    this.done();
  }
  get scale() { const at = this.svg.getScreenCTM(); return at ? at.a : 1; }
  larger() { this.to(this.scale * STEP); }
  smaller() { this.to(this.scale / STEP); }
  whole() {
    this.enlarged = false;
    this.host.classList.remove('ti-enlarged');
    for (const one of [this.host, this.svg]) { one.style.width = ''; one.style.height = ''; }
    this.done();
  }
  to(wanted) {
    if (!this.enlarged) { this.fitted = this.scale; }
    const scale = Math.min(wanted, Math.max(MOST, MOST * this.fitted));
    if (scale < this.fitted * 1.01) { this.whole(); return; }
    const centre = this.centre();
    if (!this.enlarged) { this.host.style.height = this.host.getBoundingClientRect().height + 'px'; }
    this.enlarged = true;
    this.host.classList.add('ti-enlarged');
    this.svg.style.width = Math.round(this.boxes.columns * scale) + 'px';
    this.svg.style.height = Math.round(this.boxes.rows * scale) + 'px';
    this.host.scrollLeft = centre.x * scale - this.host.clientWidth / 2;
    this.host.scrollTop = centre.y * scale - this.host.clientHeight / 2;
    this.done();
  }
  // The chosen box, else what lies in the middle of the frame, stays there.
  centre() {
    const box = this.boxes.find(this.boxes.chosen);
    if (box && this.boxes.covers(box)) { return { x: box.x + box.width / 2, y: box.y + box.height / 2 }; }
    const frame = this.host.getBoundingClientRect();
    const middle = new DOMPoint(frame.left + frame.width / 2, frame.top + frame.height / 2);
    return middle.matrixTransform(this.svg.getScreenCTM().inverse());
  }
  done() {
    const scale = this.scale;
    if (!this.enlarged) { this.moving = false; }
    this.host.classList.toggle('ti-moving', this.moving);
    this.boxes.draw();
    this.boxes.refine(this.coarse < 1 && this.enlarged && scale * window.devicePixelRatio > this.coarse);
    this.told(scale, this.enlarged);
  }
  scroll(x, y) {
    if (!this.enlarged) { return false; }
    this.host.scrollBy(x * this.host.clientWidth / 4, y * this.host.clientHeight / 4);
    return true;
  }
  move(on) { this.moving = on && this.enlarged; this.done(); }
  drag(event) {
    if (!this.moving) { return false; }
    const host = this.host, from = { x: event.clientX + host.scrollLeft, y: event.clientY + host.scrollTop };
    function move(now) { host.scrollTo(from.x - now.clientX, from.y - now.clientY); }
    function up() {
      window.removeEventListener('pointermove', move);
      ['pointerup', 'pointercancel'].forEach(function (name) { window.removeEventListener(name, up); });
    }
    window.addEventListener('pointermove', move);
    ['pointerup', 'pointercancel'].forEach(function (name) { window.addEventListener(name, up); });
    return true;
  }
}
