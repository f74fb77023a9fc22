// Makes a case report form quicker; everything works without it (all fields shown, rows added by the server).
(function () {
  'use strict';

  // --- conditional reveal: shown while the field it depends on has one of the values ---------------------
  function valuesOf(form, name) {
    const found = [];
    Array.from(form.elements).forEach(function (element) {
      if (element.name !== name) { return; }
      if (element.type === 'radio' || element.type === 'checkbox') {
        if (element.checked) { found.push(element.value); }
      } else if (element.value !== '') { found.push(element.value); }
    });
    return found;
  }
  function reveal(form) {
    // A hidden field keeps what was typed, and is sent: the server decides what a skipped value means.
    form.querySelectorAll('[data-reveal-name]').forEach(function (block) {
      const wanted = JSON.parse(block.dataset.revealValues);
      const shown = valuesOf(form, block.dataset.revealName).some(function (value) { return wanted.includes(value); });
      const wrong = block.querySelector('[aria-invalid="true"]') !== null; // an error is never hidden
      block.hidden = !shown && !wrong;
    });
  }

  // --- repeating rows -----------------------------------------------------------------------------------
  function freshKey(list) {
    let number = 1;
    while (list.querySelector('[data-row="n' + number + '"]')) { number += 1; }
    return 'n' + number;
  }
  function limit(section) {
    const add = section.querySelector('[data-add-row]');
    const most = Number(section.dataset.max || 0);
    if (add) { add.disabled = most > 0 && section.querySelectorAll('[data-rows] > [data-row]').length >= most; }
    const none = section.querySelector('[data-empty]');
    if (none) { none.hidden = section.querySelector('[data-rows] > [data-row]') !== null; }
  }
  function addRow(section) {
    const list = section.querySelector('[data-rows]');
    const key = freshKey(list);
    const row = section.querySelector('template[data-row-template]').content.firstElementChild.cloneNode(true);
    row.dataset.row = key;
    row.querySelectorAll('*').forEach(function (element) {
      Array.from(element.attributes).forEach(function (attribute) {
        if (attribute.value.includes('__KEY__')) { attribute.value = attribute.value.replaceAll('__KEY__', key); }
      });
    });
    list.appendChild(row);
    row.querySelectorAll('[data-clear-choice]').forEach(function (button) { button.hidden = false; });
    limit(section);
    reveal(section.closest('form'));
    const first = row.querySelector('input:not([type=hidden]), select, textarea');
    if (first) { first.focus(); }
  }

  document.addEventListener('click', function (event) {
    const target = event.target.closest('[data-add-row], [data-remove-new-row], [data-clear-choice]');
    if (!target) { return; }
    const form = target.closest('form');
    if (target.matches('[data-add-row]')) {
      event.preventDefault();
      addRow(target.closest('[data-repeating]'));
    } else if (target.matches('[data-remove-new-row]')) {
      const section = target.closest('[data-repeating]');
      target.closest('[data-row]').remove();
      limit(section);
      section.querySelector('[data-add-row]').focus();
    } else if (form) {
      form.querySelectorAll('input[type=radio]').forEach(function (radio) {
        if (radio.name === target.dataset.clearChoice) { radio.checked = false; }
      });
      reveal(form);
    }
    if (form) { form.dataset.changed = 'yes'; }
  });

  document.addEventListener('change', function (event) {
    const form = event.target.closest('form');
    if (form) { reveal(form); }
  });

  // --- nothing typed is lost by leaving the page unasked (forms that want it say data-guard) --------------
  document.addEventListener('input', function (event) {
    const form = event.target.closest('form[data-guard]');
    if (form) { form.dataset.changed = 'yes'; }
  });
  document.addEventListener('submit', function (event) { event.target.dataset.leaving = 'yes'; });
  window.addEventListener('beforeunload', function (event) {
    const open = document.querySelector('form[data-guard][data-changed="yes"]:not([data-leaving])');
    if (open) { event.preventDefault(); }
  });
  window.addEventListener('pageshow', function (event) {
    // Back to a page kept in memory: its form is open again.
    if (event.persisted) { document.querySelectorAll('form[data-leaving]').forEach(function (form) { delete form.dataset.leaving; }); }
  });

  // --- the place one works at is kept over a save: the name of the field, never what is in it --------------
  const AT = 'trialimg.at';
  let worked = null;
  document.addEventListener('focusin', function (event) {
    const field = event.target;
    if (field.form && field.form.matches('[data-guard]') && field.name && field.matches('input:not([type=submit]), select, textarea')) {
      worked = field;
    }
  });
  document.addEventListener('submit', function (event) {
    if (!worked || worked.form !== event.target) { return; }
    const choice = worked.matches('[type=radio], [type=checkbox]') ? worked.value : null;
    try {
      sessionStorage.setItem(AT, JSON.stringify({ path: location.pathname, name: worked.name, choice: choice }));
    } catch (error) { /* a browser that keeps nothing goes on from the buttons */ }
  });
  function goOn() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(AT));
      sessionStorage.removeItem(AT);
    } catch (error) { return; }
    if (!kept || kept.path !== location.pathname || document.querySelector('[data-error-summary]')) { return; }
    const field = Array.from(document.querySelectorAll('form[data-guard] [name]')).find(function (each) {
      return each.name === kept.name && (kept.choice === null || each.value === kept.choice);
    });
    if (field) { field.focus(); }
  }
  function sayAgain() {
    // What stands in a live region from the start is not read out: it is said once more when the page is there.
    const said = document.querySelector('.ti-flashes');
    if (!said || !said.textContent.trim()) { return; }
    const region = document.createElement('div');
    region.className = 'visually-hidden';
    region.setAttribute('role', 'status');
    document.body.appendChild(region);
    setTimeout(function () { region.textContent = said.textContent.replace(/\s+/g, ' ').trim(); }, 300);
  }
  document.addEventListener('DOMContentLoaded', function () {
    document.querySelectorAll('form').forEach(reveal);
    document.querySelectorAll('[data-clear-choice]').forEach(function (button) { button.hidden = false; });
    document.querySelectorAll('[data-repeating]').forEach(limit);
    const summary = document.querySelector('[data-error-summary]');
    if (summary) { summary.focus(); }
    setTimeout(goOn, 0); // after the browser has gone to the address's fragment
    sayAgain();
    // htmx sends the token of the page with what it posts.
    const token = document.querySelector('meta[name="csrf-token"]');
    document.body.addEventListener('htmx:configRequest', function (event) {
      if (token) { event.detail.headers['X-CSRFToken'] = token.content; }
    });
  });
})();
