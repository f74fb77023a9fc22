// What upload.js is made of: how one body is sent and refused, and where the files come from.

const NO_ANSWER = 'The connection was lost. What has arrived stays; press Continue to go on from here.';

export function sleep(milliseconds) { return new Promise(function (done) { window.setTimeout(done, milliseconds); }); }

export function size(bytes) {
  if (bytes < 1e6) { return Math.ceil(bytes / 1e3) + ' kB'; }
  return bytes < 1e9 ? (bytes / 1e6).toFixed(1) + ' MB' : (bytes / 1e9).toFixed(2) + ' GB';
}

export function sameOrigin(address) {
  const url = new URL(address, window.location.href);
  if (url.origin !== window.location.origin) { throw new Error('another origin'); }
  return url.href;
}

export function encodedName(path) {
  // The end of the path says most; a header has about 8 kB. Broken surrogates would make encoding throw.
  const short = Array.from(path).slice(-200).join('');
  return encodeURIComponent(short.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD'));
}

export class Problem extends Error {
  constructor(status, sentence, retryAfter) { super(sentence); this.status = status; this.retryAfter = retryAfter; }
}

function problemOf(status, text, type, retryAfter) {
  let sentence = '';
  if ((type || '').includes('json')) {
    try { const told = JSON.parse(text); sentence = told.detail || told.title || ''; } catch (broken) { sentence = ''; }
  }
  if (!sentence) {
    sentence = status === 0 ? NO_ANSWER
      : status === 401 ? 'You are no longer signed in. What has arrived stays. Sign in again in another tab, then press Continue.'
      : status === 413 ? 'The server takes no file of this size. Nothing was changed; ask the operator for the limit.'
      : 'The server could not take this (status ' + status + '). What has arrived stays.';
  }
  return new Problem(status, sentence, Number(retryAfter) || 0);
}

// XMLHttpRequest, since fetch tells nothing about how much of a body has been sent.
export function post(address, body, headers, running, onBytes) {
  return new Promise(function (done, fail) {
    const request = new XMLHttpRequest();
    request.open('POST', sameOrigin(address));
    Object.entries(headers).forEach(function (pair) { request.setRequestHeader(pair[0], pair[1]); });
    if (onBytes) { request.upload.addEventListener('progress', function (event) { onBytes(event.loaded); }); }
    request.addEventListener('loadend', function () {
      running.delete(request);
      const type = request.getResponseHeader('Content-Type');
      if (request.status >= 200 && request.status < 300) {
        try { done(request.responseText && (type || '').includes('json') ? JSON.parse(request.responseText) : {}); } catch (broken) { fail(problemOf(request.status, '', '', 0)); }
      } else {
        fail(problemOf(request.status, request.responseText, type, request.getResponseHeader('Retry-After')));
      }
    });
    running.add(request);
    request.send(body);
  });
}

// --- where the files come from: each source gives {path, file: () => Promise<File>} one after another -----
export async function* fromList(files) {
  for (const file of files) {
    yield { path: file.webkitRelativePath || file.name, file: function () { return Promise.resolve(file); } };
  }
}
export async function* fromEntries(entries) {
  const open = entries.slice();
  while (open.length) {
    const entry = open.shift();
    if (entry.isFile) {
      yield { path: entry.fullPath.replace(/^\//, ''), file: function () { return new Promise(entry.file.bind(entry)); } };
    } else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) { // a reader gives about a hundred names at a time
        const some = await new Promise(reader.readEntries.bind(reader));
        if (!some.length) { break; }
        open.push(...some);
      }
    }
  }
}
