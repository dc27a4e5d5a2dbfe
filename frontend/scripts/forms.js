// No double submit, a warning before unsaved text is lost ([data-guard]), "select all" ([data-check-all="name"]),
// and [data-autosubmit] filters.
const dirty = new Set();

const sent = (form) => {
  dirty.delete(form);
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post") || event.defaultPrevented) return;
  const button = event.submitter;
  if (form.dataset.sending !== undefined) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "";
  dirty.delete(form);
  button?.setAttribute("aria-busy", "true");
});

// A page that comes back from the back/forward cache must be usable again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sending]")) {
    delete form.dataset.sending;
    sent(form);
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-guard]");
  if (form) dirty.add(form);
});
document.addEventListener("reset", (event) => dirty.delete(event.target));
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest?.("form");
  if (form && event.detail.successful) sent(form);
});
window.addEventListener("beforeunload", (event) => {
  if ([...dirty].some((form) => form.isConnected)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  const box = event.target;
  const scope = box.closest?.("form, table") ?? document;
  if (box.dataset?.checkAll) {
    for (const other of scope.querySelectorAll(`input[type=checkbox][name="${CSS.escape(box.dataset.checkAll)}"]`)) other.checked = box.checked;
  } else if (box.type === "checkbox" && box.name) {
    const all = scope.querySelector(`[data-check-all="${CSS.escape(box.name)}"]`);
    const boxes = all ? [...scope.querySelectorAll(`input[type=checkbox][name="${CSS.escape(box.name)}"]`)] : [];
    if (all) {
      all.checked = boxes.every((one) => one.checked);
      all.indeterminate = !all.checked && boxes.some((one) => one.checked);
    }
  }
  if (box.form?.hasAttribute("data-autosubmit")) box.form.requestSubmit();
});
