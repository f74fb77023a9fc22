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

  document.addEventListener('DOMContentLoaded', function () {
    document.querySelectorAll('form').forEach(reveal);
    document.querySelectorAll('[data-clear-choice]').forEach(function (button) { button.hidden = false; });
    document.querySelectorAll('[data-repeating]').forEach(limit);
    const summary = document.querySelector('[data-error-summary]');
    if (summary) { summary.focus(); }
    // htmx sends the token of the page with what it posts.
    const token = document.querySelector('meta[name="csrf-token"]');
    document.body.addEventListener('htmx:configRequest', function (event) {
      if (token) { event.detail.headers['X-CSRFToken'] = token.content; }
    });
  });
})();
