// Loads the engine into Pyodide and cleans with it: the same under node and in a browser, with no network of its own.

export async function loadEngine(loadPyodide, archives, task) {
  const start = performance.now();
  const python = await loadPyodide();
  for (const archive of archives) python.unpackArchive(archive, "zip", { extractDir: "/engine" });
  python.FS.writeFile("/engine/pyodide_task.py", task);
  python.runPython("import sys; sys.path.insert(0, '/engine')");
  const module = python.pyimport("pyodide_task");
  return { python, module, version: python.version, loadSeconds: (performance.now() - start) / 1000 };
}

// `given` is the trial's profile and a subject's key. Files are [name, bytes]; each goes in as bytes and comes out as bytes. `keep` is given what was made.
export function cleanAll(engine, files, given, keep) {
  const { FS } = engine.python;
  const batch = engine.module.Batch("/in", "/out", JSON.stringify(given));
  const results = files.map(([name, bytes]) => {
    FS.writeFile(`/in/${name}`, bytes);
    const result = JSON.parse(batch.clean(name));
    FS.unlink(`/in/${name}`);
    if (FS.analyzePath(`/out/${name}`).exists) {
      keep(name, FS.readFile(`/out/${name}`));
      FS.unlink(`/out/${name}`);
    }
    return result;
  });
  const report = JSON.parse(batch.report());
  batch.destroy();
  return { results, report };
}
