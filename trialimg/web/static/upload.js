// Sends a folder, files or a zip at a slot (parts/upload.html), one object a request, three at a time.
//
// 1. POST data-create-url with the form's own fields            → {id, objects_url, complete_url, cancel_url, page_url}
// 2. POST objects_url, raw body, for each file, with
//      X-CSRFToken, X-Object-Ordinal (1, 2, …; the same on every retry), X-Object-Name (URL-encoded)
// 3. POST complete_url {announced, refused}                     → then go to page_url
// A file's name is never part of an address, so it gets into no log. Refusals come as problem+json and are
// shown in the server's own words. Only handles are kept in memory; a file is read when its turn comes.
import { Problem, encodedName, fromEntries, fromList, post, sameOrigin, size, sleep } from './upload_wire.js';

const AT_ONCE = 3;
const ATTEMPTS = 8;
const WAIT_STATUS = [0, 408, 425, 429, 502, 503, 504];
const NOT_IMAGES = ['.DS_Store', 'Thumbs.db', 'desktop.ini'];

class Upload {
  constructor(form) {
    this.form = form;
    this.view = form.querySelector('[data-upload-view]');
    this.bar = form.querySelector('[data-upload-bar]');
    this.count = form.querySelector('[data-upload-count]');
    this.status = form.querySelector('[data-upload-status]');
    this.problem = form.querySelector('[data-upload-problem]');
    this.refusedList = form.querySelector('[data-upload-refused]');
    this.running = new Set();
    this.busy = false;
    this.reset();
  }

  reset() {
    this.queue = []; this.found = 0; this.walked = false; this.knownBytes = 0;
    this.ordinal = 0; this.sent = 0; this.sentBytes = 0; this.refused = 0; this.partial = new Map();
    this.stopped = null; this.cancelled = false; this.submission = null;
  }

  token() {
    const field = this.form.querySelector('input[name="csrf_token"]');
    const meta = document.querySelector('meta[name="csrf-token"]');
    return field ? field.value : (meta ? meta.content : '');
  }

  headers(more) { return Object.assign({ 'X-CSRFToken': this.token(), Accept: 'application/json, application/problem+json' }, more || {}); }

  say(sentence) { this.status.textContent = sentence; }

  draw() {
    let moving = 0;
    this.partial.forEach(function (bytes) { moving += bytes; });
    const done = this.sent + this.refused;
    if (this.walked && this.found) {
      // Bytes tell more than files when one zip is sent, files when thousands are.
      const byBytes = this.knownBytes > 0;
      this.bar.max = byBytes ? this.knownBytes : this.found;
      this.bar.value = byBytes ? Math.min(this.sentBytes + moving, this.knownBytes) : done;
    }
    this.count.textContent = done + ' of ' + this.found + (this.walked ? '' : ' or more') + ' files, ' + size(this.sentBytes + moving);
  }

  async walk(source) {
    for await (const item of source) {
      if (this.cancelled) { return; }
      if (NOT_IMAGES.includes(item.path.split('/').pop())) { continue; }
      this.queue.push(item);
      this.found += 1;
      if (this.found % 50 === 0) { this.draw(); }
    }
    this.walked = true;
    this.draw();
  }

  async start(source, bytes) {
    if (this.busy) { return; }
    this.reset();
    this.busy = true;
    this.knownBytes = bytes;
    this.form.classList.add('ti-sending');
    this.form.querySelector('[data-upload-choose]').hidden = true;
    this.view.hidden = false;
    this.showProblem(null);
    this.say('Looking through what you chose …');
    this.walking = this.walk(source).catch(() => {
      this.stop(new Problem(-1, 'A folder could not be read on this computer. Nothing is lost; check that it is still there and choose again.'));
    });
    await this.walking;
    if (this.stopped || this.cancelled) { return; }
    if (!this.found) { this.fail('There is no file in what you chose. Choose the folder that holds the images.'); return; }
    const fields = new FormData(this.form);
    Array.from(fields.entries()).forEach(function (pair) { if (pair[1] instanceof File) { fields.delete(pair[0]); } });
    fields.set('announced', String(this.found));
    try {
      this.submission = await post(this.form.dataset.createUrl, fields, this.headers(), this.running);
    } catch (problem) {
      if (!this.cancelled) { this.fail(problem.message); }
      return;
    }
    this.say('Sending ' + this.found + (this.found === 1 ? ' file.' : ' files.'));
    await this.go();
  }

  async go() {
    this.stopped = null;
    this.showProblem(null);
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.lane()));
    if (this.stopped || this.cancelled) { return; }
    try {
      const body = JSON.stringify({ announced: this.found, refused: this.refused });
      await post(this.submission.complete_url, body, this.headers({ 'Content-Type': 'application/json' }), this.running);
    } catch (problem) {
      if (!this.cancelled) { this.stop(problem); }
      return;
    }
    this.say('All files have arrived.');
    this.busy = false;
    window.location.assign(sameOrigin(this.submission.page_url));
  }

  async lane() {
    while (this.queue.length && !this.stopped && !this.cancelled) {
      const item = this.queue.shift();
      if (!item.ordinal) { this.ordinal += 1; item.ordinal = this.ordinal; }
      try {
        await this.object(item);
      } catch (problem) {
        if (this.cancelled) { return; }
        this.queue.unshift(item); // its turn comes again when the person continues
        this.stop(problem);
      }
      this.draw();
    }
  }

  async object(item) {
    let file;
    try {
      file = await item.file();
      if (file.size) { await file.slice(0, 1).arrayBuffer(); }
    } catch (gone) {
      throw new Problem(-1, 'The file “' + item.path + '” could not be read on this computer. Check that it is still there, then press Continue.');
    }
    const headers = this.headers({ 'Content-Type': 'application/octet-stream', 'X-Object-Ordinal': String(item.ordinal), 'X-Object-Name': encodedName(item.path) });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await post(this.submission.objects_url, file, headers, this.running, (bytes) => { this.partial.set(item.ordinal, bytes); this.draw(); });
        this.sent += 1;
        this.sentBytes += file.size;
        return;
      } catch (problem) {
        if (problem.status === 422) { this.refuse(item, problem.message); return; }
        if (this.cancelled || this.stopped || attempt >= ATTEMPTS || !WAIT_STATUS.includes(problem.status)) { throw problem; }
        this.say('The server is busy or cannot be reached; trying again.');
        await sleep(Math.max(problem.retryAfter * 1000, Math.min(500 * Math.pow(2, attempt), 30000) * (0.75 + Math.random() / 2)));
      } finally {
        this.partial.delete(item.ordinal);
      }
    }
  }

  refuse(item, sentence) {
    this.refused += 1;
    if (this.refused > 20) { return; }
    const line = document.createElement('li');
    line.textContent = this.refused === 20 ? '… and more; the summary lists them all.' : item.path + ': ' + sentence;
    this.refusedList.appendChild(line);
    this.refusedList.hidden = false;
  }

  showProblem(sentence) {
    this.problem.hidden = !sentence;
    this.problem.querySelector('[data-upload-sentence]').textContent = sentence || '';
  }

  // Something a person must look at; the queue stays, Continue goes on.
  stop(problem) {
    if (this.stopped) { return; }
    this.stopped = problem;
    this.say('Stopped.');
    this.problem.querySelector('[data-upload-continue]').hidden = !this.submission;
    this.showProblem(problem.message);
    this.problem.focus();
  }

  // Nothing was begun: choose again.
  fail(sentence) {
    this.busy = false;
    this.view.hidden = true;
    this.form.querySelector('[data-upload-choose]').hidden = false;
    this.form.classList.remove('ti-sending');
    this.problem.querySelector('[data-upload-continue]').hidden = true;
    this.showProblem(sentence);
    this.problem.focus();
  }

  async cancel() {
    this.cancelled = true;
    this.running.forEach(function (request) { request.abort(); });
    this.queue = [];
    const address = (this.submission && this.submission.cancel_url) || this.form.dataset.cancelUrl;
    if (this.submission && address) {
      try {
        await post(address, '', this.headers(), this.running);
      } catch (problem) {
        this.showProblem('Sending has stopped, but the server was not told: ' + problem.message);
        this.busy = false;
        return;
      }
    }
    this.busy = false;
    window.location.reload();
  }
}

function listen(form) {
  const upload = new Upload(form);
  const drop = form.querySelector('[data-upload-drop]');
  const inputs = Array.from(form.querySelectorAll('input[type=file]'));
  let waiting = null;

  function begin(make, bytes) {
    waiting = [make, bytes];
    if (!form.reportValidity()) { return; } // a field before it is still open; Send goes on with what was chosen
    waiting = null;
    upload.start(make(), bytes);
  }
  function beginWith(files) {
    if (!files.length) { return; }
    const kept = Array.from(files);
    begin(function () { return fromList(kept); }, kept.reduce(function (sum, file) { return sum + file.size; }, 0));
  }
  form.querySelectorAll('[data-upload-script]').forEach(function (part) { part.hidden = false; });
  form.querySelectorAll('[data-upload-plain]').forEach(function (part) { part.hidden = true; });
  form.querySelector('[data-upload-native]').classList.add('visually-hidden');
  form.querySelector('[data-upload-native]').tabIndex = -1; // its button stands for it
  form.querySelector('[data-upload-native]').setAttribute('aria-label', 'Files or a zip');
  inputs.forEach(function (input) {
    input.required = false;
    input.addEventListener('change', function () { beginWith(input.files); });
  });
  form.querySelectorAll('[data-upload-pick]').forEach(function (button) {
    button.addEventListener('click', function () { form.querySelector('#' + button.dataset.uploadPick).click(); });
  });
  form.addEventListener('submit', function (event) {
    event.preventDefault();
    if (waiting) { begin(waiting[0], waiting[1]); } else { beginWith(inputs.flatMap(function (input) { return Array.from(input.files); })); }
  });
  form.querySelector('[data-upload-cancel]').addEventListener('click', function () { upload.cancel(); });
  form.querySelector('[data-upload-continue]').addEventListener('click', function () { upload.go(); });
  window.addEventListener('beforeunload', function (event) { if (upload.busy && !upload.cancelled) { event.preventDefault(); } });

  ['dragenter', 'dragover'].forEach(function (name) {
    drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.add('ti-over'); });
  });
  ['dragleave', 'drop'].forEach(function (name) {
    drop.addEventListener(name, function () { drop.classList.remove('ti-over'); });
  });
  // A file dropped beside the zone must not replace the page.
  ['dragover', 'drop'].forEach(function (name) { window.addEventListener(name, function (event) { event.preventDefault(); }); });
  drop.addEventListener('drop', function (event) {
    event.preventDefault();
    const items = Array.from(event.dataTransfer.items || []);
    const entries = items.map(function (item) { return item.webkitGetAsEntry ? item.webkitGetAsEntry() : null; }).filter(Boolean);
    if (entries.length) { begin(function () { return fromEntries(entries); }, 0); } else { beginWith(event.dataTransfer.files); }
  });
}

document.addEventListener('DOMContentLoaded', function () { document.querySelectorAll('form[data-upload]').forEach(listen); });
