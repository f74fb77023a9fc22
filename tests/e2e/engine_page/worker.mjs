import { loadPyodide } from "./pyodide/pyodide.mjs";
import { cleanAll, loadEngine } from "./pyodide_engine.mjs";

async function bytesOf(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function digestOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

self.onmessage = async ({ data: { names, given } }) => {
  try {
    const archives = await Promise.all(["engine.zip", "parser.zip"].map(bytesOf));
    const engine = await loadEngine(loadPyodide, archives, await bytesOf("pyodide_task.py"));
    const files = await Promise.all(names.map(async (name) => [name, await bytesOf(`files/${name}`)]));
    const written = new Map();
    const start = performance.now();
    const made = cleanAll(engine, files, given, (name, bytes) => written.set(name, bytes));
    const seconds = (performance.now() - start) / 1000;
    const digests = {};
    for (const [name, bytes] of written) digests[name] = await digestOf(bytes);
    self.postMessage({ ...made, digests, seconds, loadSeconds: engine.loadSeconds, version: engine.version });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};
