// [data-copy="text"], or [data-copy-from="ID"] for the text of another element.
import { announce } from "./announce.js";

const SHOWN_MS = 1800;

/** Copy through a hidden field: the clipboard API is absent on plain http. */
function copyByField(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "vh";
  field.setAttribute("aria-hidden", "true");
  document.body.append(field);
  const before = document.activeElement;
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus?.();
  return copied;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByField(text);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.textContent ?? "";
  const copied = await copy(text);
  announce(copied ? "Copied" : "Could not copy: select the text and copy it by hand");
  if (!copied) return;
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
});
