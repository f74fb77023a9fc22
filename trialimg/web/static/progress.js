// Keeps a progress panel (parts/progress.html) fresh. A tab in the background asks less often; when the
// server does not answer, the sentence says so and asking goes on: the work itself does not depend on it.
(function () {
  'use strict';
  function watch(panel) {
    const bar = panel.querySelector('progress');
    const sentence = panel.querySelector('[data-progress-sentence]');
    const count = panel.querySelector('[data-progress-count]');
    const first = panel.dataset.progressStage;
    let missed = 0, told = first;

    function show(state) {
      if (bar && state.total) { bar.max = state.total; bar.value = state.done; } else if (bar) { bar.removeAttribute('value'); }
      if (count) { count.textContent = state.total ? state.done + ' of ' + state.total : ''; }
      // Written only when it changes: a live region is read out each time.
      if (sentence && state.sentence && sentence.textContent !== state.sentence) { sentence.textContent = state.sentence; }
      if (state.stage !== told) { told = state.stage; renew(); }
    }
    // The stages and the badge of the page as the server now draws them; what somebody types or has open stays.
    function renew() {
      fetch(window.location.href, { headers: { Accept: 'text/html' }, credentials: 'same-origin', cache: 'no-store' })
        .then(function (reply) { return reply.ok && !reply.redirected ? reply.text() : null; })
        .then(function (text) {
          if (!text) { return; }
          const drawn = new DOMParser().parseFromString(text, 'text/html');
          const mine = '[data-progress-url="' + panel.dataset.progressUrl + '"] .ti-stages';
          [mine, '.ti-heading h1 .ti-badge'].forEach(function (part) {
            const old = document.querySelector(part), now = drawn.querySelector(part);
            if (old && now) { old.replaceWith(document.importNode(now, true)); }
          });
        })
        .catch(function () { /* the sentence tells of it; the next stage draws them again */ });
    }
    function again() {
      const pause = Math.min(1000 * Math.pow(2, missed), 15000);
      window.setTimeout(ask, document.hidden ? Math.max(pause, 5000) : pause);
    }
    function ask() {
      fetch(panel.dataset.progressUrl, { headers: { Accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store' })
        .then(function (reply) {
          // Signed out: the page leads to the sign-in and back. Gone: said once; no page that loads itself for ever.
          if (reply.status === 401 || reply.redirected) { window.location.reload(); return null; }
          if (reply.status === 403 || reply.status === 404) {
            if (sentence) { sentence.textContent = 'This is no longer here for you. Load the page again to see why.'; }
            return null;
          }
          if (!reply.ok) { throw new Error(String(reply.status)); }
          return reply.json();
        })
        .then(function (state) {
          if (!state) { return; }
          missed = 0;
          show(state);
          if (state.finished || (state.needs_person && state.stage !== first)) { window.location.reload(); return; }
          again();
        })
        .catch(function () {
          missed += 1;
          if (missed === 3 && sentence) { sentence.textContent = 'The server does not answer at the moment. The work is not lost; this page keeps asking.'; }
          again();
        });
    }
    again();
  }
  function start(root) {
    root.querySelectorAll('[data-progress-url]').forEach(function (panel) {
      if (!panel.dataset.watched) { panel.dataset.watched = 'yes'; watch(panel); }
    });
  }
  document.addEventListener('DOMContentLoaded', function () {
    start(document);
    document.body.addEventListener('htmx:load', function (event) { start(event.detail.elt.parentNode || document); });
  });
})();
