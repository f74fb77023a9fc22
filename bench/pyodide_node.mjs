// node pyodide_node.mjs JOB.json: cleans the job's files under Pyodide and prints JSON. Any use of the network fails.
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cleanAll, loadEngine } from "./pyodide_engine.mjs";

function refuse() {
  throw new Error("the engine asked for the network");
}
// Node shows the line where an error arose, and Pyodide is one line of a megabyte.
process.on("uncaughtException", (error) => {
  console.error(error.message ?? error);
  process.exit(1);
});
net.Socket.prototype.connect = refuse;
globalThis.fetch = refuse;

const read = (path) => new Uint8Array(readFileSync(path)); // a Buffer is none to Pyodide

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { loadPyodide } = await import(pathToFileURL(job.pyodide).href);
const engine = await loadEngine(loadPyodide, job.archives.map(read), read(job.task));
const files = job.files.map((path) => [basename(path), read(path)]);

const rounds = [];
for (let round = 0; round < job.rounds; round += 1) {
  const before = process.cpuUsage();
  const start = performance.now();
  cleanAll(engine, files, job.given, () => {});
  const used = process.cpuUsage(before);
  rounds.push({ seconds: (performance.now() - start) / 1000, processor: (used.user + used.system) / 1e6 });
}
const made = cleanAll(engine, files, job.given, (name, bytes) => writeFileSync(join(job.target, name), bytes));
const memory = { process: process.resourceUsage().maxRSS * 1024, heap: engine.python._module.HEAPU8.length };
const parser = engine.python.runPython("'pydicom' in sys.modules");
const modules = job.everything ? JSON.parse(engine.module.load_everything()) : [];
const { version, loadSeconds } = engine;
console.log(JSON.stringify({ version, load_seconds: loadSeconds, parser, rounds, memory, modules, ...made }));
