// Has a worker clean the files that the address names, and says when it is done.
const worker = new Worker("worker.mjs", { type: "module" });
const status = document.querySelector("[role=status]");
worker.onmessage = ({ data }) => {
  globalThis.made = data;
  status.textContent = "Done.";
};
worker.onerror = (error) => {
  status.textContent = `Failed: ${error.message}`;
};
const asked = new URLSearchParams(location.search);
worker.postMessage({ names: asked.getAll("file"), given: JSON.parse(asked.get("given")) });
