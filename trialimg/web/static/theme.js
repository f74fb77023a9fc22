// Light or dark: what the person chose on this computer, else what the system prefers. Runs before the
// first paint. Only the word "light" or "dark" is kept, in this browser.
(function () {
  'use strict';
  const root = document.documentElement;
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  function chosen() {
    try { return window.localStorage.getItem('trialimg-theme'); } catch (refused) { return null; }
  }
  function apply() {
    const kept = chosen();
    root.setAttribute('data-bs-theme', kept === 'light' || kept === 'dark' ? kept : (system.matches ? 'dark' : 'light'));
  }
  apply();
  system.addEventListener('change', apply);
  document.addEventListener('DOMContentLoaded', function () {
    document.querySelectorAll('[data-theme-toggle]').forEach(function (button) {
      button.hidden = false;
      button.addEventListener('click', function () {
        const next = root.getAttribute('data-bs-theme') === 'dark' ? 'light' : 'dark';
        try { window.localStorage.setItem('trialimg-theme', next); } catch (refused) { /* private window: for this page only */ }
        root.setAttribute('data-bs-theme', next);
      });
    });
    // A menu closes when one goes elsewhere or presses Escape.
    document.querySelectorAll('details.ti-account').forEach(function (menu) {
      document.addEventListener('click', function (event) { if (!menu.contains(event.target)) { menu.open = false; } });
      menu.addEventListener('keydown', function (event) {
        if (event.key === 'Escape' && menu.open) { menu.open = false; menu.querySelector('summary').focus(); }
      });
    });
  });
})();
