// .upload takes a dropped file and says which files are chosen and how big they are.
import { announce } from "./announce.js";
import { size } from "./sizes.js";

const zone = (event) => event.target.closest?.(".upload");

function describe(box) {
  const input = box.querySelector("input[type=file]");
  const out = box.querySelector("[data-chosen]");
  if (!input || !out) return;
  out.textContent = [...input.files].map((file) => `${file.name} (${size(file.size)})`).join(", ");
  announce(out.textContent);
}

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    const box = zone(event);
    if (!box) return;
    event.preventDefault();
    box.dataset.over = "";
  });
}
document.addEventListener("dragleave", (event) => {
  const box = zone(event);
  if (box && !box.contains(event.relatedTarget)) delete box.dataset.over;
});
document.addEventListener("drop", (event) => {
  const box = zone(event);
  if (!box) return;
  event.preventDefault();
  delete box.dataset.over;
  const input = box.querySelector("input[type=file]");
  if (!input || input.disabled || event.dataTransfer.files.length === 0) return;
  const given = new DataTransfer();
  for (const file of [...event.dataTransfer.files].slice(0, input.multiple ? undefined : 1)) given.items.add(file);
  input.files = given.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("change", (event) => {
  const box = zone(event);
  if (box) describe(box);
});
document.addEventListener("reset", (event) => {
  // The form is emptied only after its listeners have run.
  setTimeout(() => event.target.querySelectorAll?.(".upload").forEach(describe));
});
