// The read as one works: the draft saved by itself, a length drawn in the viewer taken into the chosen lesion.
// Everything works without it: diameters typed, series and image chosen, saved by the button.
(function () {
  'use strict';
  const WAIT = 1200; // ms after the last change

  document.querySelectorAll('form[data-sign] [name="zone"]').forEach(function (field) {
    field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  });

  const form = document.querySelector('form[data-read]');
  if (!form) { return; }
  const status = form.querySelector('[data-status]');
  const panel = form.querySelector('[data-panel]');
  const series = JSON.parse(document.querySelector('[data-images]').textContent);
  let timer = null;
  let saving = null;
  let again = false;

  function say(sentence, wrong) {
    status.textContent = sentence;
    status.toggleAttribute('data-wrong', Boolean(wrong));
  }
  function field(name) { return form.elements.namedItem(name); }

  // --- the draft ----------------------------------------------------------------------------------------
  async function save() {
    if (saving) { again = true; return saving; }
    const sent = new FormData(form);
    delete form.dataset.changed;
    say('Saving …');
    saving = fetch(form.action, { method: 'POST', body: sent, headers: { Accept: 'application/json' }, credentials: 'same-origin' });
    try {
      const answer = await saving;
      const told = await answer.json();
      if (!answer.ok) { throw new Error(told.detail || 'Not saved; use the button below.'); }
      field('_revision').value = told.revision;
      if (!panel.contains(document.activeElement)) { panel.innerHTML = told.panel; }
      say('Saved ' + new Date().toISOString().slice(11, 19) + ' UTC');
    } catch (error) {
      form.dataset.changed = 'yes';
      say(error instanceof TypeError || error instanceof SyntaxError ? 'Not saved: the server cannot be reached. What you typed is on this page.' : error.message, true);
    } finally {
      saving = null;
      if (again) { again = false; save(); }
    }
    return null;
  }
  function soon() { clearTimeout(timer); timer = setTimeout(save, WAIT); }
  form.addEventListener('input', soon);
  form.addEventListener('change', soon);
  form.addEventListener('submit', async function (event) {
    clearTimeout(timer);
    if (!saving) { return; }
    // The answer under way brings the revision that this submit must carry.
    event.preventDefault();
    const button = event.submitter;
    again = false;
    await saving.catch(function () { return null; });
    setTimeout(function () { form.requestSubmit(button); }, 50);
  });

  // An image chosen from the lists is no longer the one the line was drawn on.
  form.addEventListener('change', function (event) {
    const found = /^(.*)\.(series|image)\.(\d)$/.exec(event.target.name || '');
    if (!found) { return; }
    field(found[1] + '.sop.' + found[3]).value = '';
    field(found[1] + '.points.' + found[3]).value = '';
  });

  // --- the lesion that the next line is for ---------------------------------------------------------------
  let chosen = null;
  function choose(lesion) {
    chosen = lesion;
    form.querySelectorAll('[data-lesion]').forEach(function (each) {
      each.toggleAttribute('data-chosen', each === lesion);
      const button = each.querySelector('[data-choose]');
      if (button) { button.setAttribute('aria-pressed', String(each === lesion)); }
    });
    if (lesion) { say('Draw a length in the viewer for ' + lesion.dataset.lesion.split('.')[1] + '.'); }
  }
  form.addEventListener('click', function (event) {
    const button = event.target.closest('[data-choose]');
    if (!button) { return; }
    const lesion = button.closest('[data-lesion]');
    choose(lesion === chosen ? null : lesion);
  });

  // --- the viewer ----------------------------------------------------------------------------------------
  const frame = document.querySelector('iframe[data-viewer]');
  function numberOf(sop) {
    for (const each of series) {
      const at = each.images.indexOf(sop);
      if (at >= 0) { return { key: each.key, number: at + 1 }; }
    }
    return null;
  }
  function lengthOf(measurement) {
    // Cached statistics by image: {"imageId:…": {length, unit}}; of a calibrated image in mm.
    for (const each of Object.values(measurement.data || {})) {
      if (each && typeof each.length === 'number' && (!each.unit || each.unit.startsWith('mm'))) { return each.length; }
    }
    return null;
  }
  function endPoints(measurement, image) {
    const tools = frame.contentWindow.cornerstone;
    const points = measurement.points || [];
    if (!tools || !image || points.length !== 2) { return ''; }
    try {
      return points.map(function (point) {
        const at = tools.utilities.worldToImageCoords(image, point);
        return at[0].toFixed(2) + ',' + at[1].toFixed(2);
      }).join(';');
    } catch (error) { return ''; }
  }
  const takenFor = new Map(); // a line that is moved later goes to the lesion it was drawn for
  function take(event) {
    const measurement = event.measurement;
    if (!measurement || !measurement.SOPInstanceUID) { return; }
    const lesion = takenFor.get(measurement.uid) || chosen;
    if (!lesion) { return; }
    const name = lesion.dataset.lesion;
    const where = numberOf(measurement.SOPInstanceUID);
    if (!where) { say('That line is on an image of another time point; draw it on the images of this one.', true); return; }
    const diameter = field(name + '.diameter.0');
    const length = lengthOf(measurement);
    if (diameter && length === null) { return; } // the first event may come before the length is known
    if (diameter) { diameter.value = (Math.round(length * 10) / 10).toFixed(1); }
    field(name + '.series.0').value = where.key;
    field(name + '.image.0').value = where.number;
    field(name + '.sop.0').value = measurement.SOPInstanceUID;
    field(name + '.frame.0').value = measurement.frameNumber || 1;
    field(name + '.points.0').value = endPoints(measurement, measurement.referencedImageId);
    const state = field(name + '.state');
    if (state && diameter) { state.value = 'measured'; }
    takenFor.set(measurement.uid, lesion);
    choose(null);
    form.dataset.changed = 'yes';
    say('Taken from the viewer for ' + name.split('.')[1] + (diameter ? ': ' + diameter.value + ' mm' : '') + '.');
    soon();
  }
  let tries = 0;
  const looking = setInterval(function () {
    tries += 1;
    const inside = frame.contentWindow;
    const service = inside && inside.services && inside.services.measurementService;
    if (service && service.EVENTS) {
      clearInterval(looking);
      service.subscribe(service.EVENTS.MEASUREMENT_ADDED, take);
      service.subscribe(service.EVENTS.MEASUREMENT_UPDATED, take);
      form.querySelectorAll('[data-choose]').forEach(function (button) { button.hidden = false; });
      frame.dataset.ready = 'yes';
    } else if (tries > 240) { clearInterval(looking); }
  }, 500);
})();
