// Dialogs open by `<button command="show-modal" commandfor="ID">` (https://developer.mozilla.org/docs/Web/API/Invoker_Commands_API);
// this fills in for browsers without it, opens #modal and #drawer when htmx fills them, and closes on the backdrop.

if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!(dialog instanceof HTMLDialogElement)) return;
    const command = button.getAttribute("command");
    if (command === "show-modal" && !dialog.open) dialog.showModal();
    if (command === "close") dialog.close();
  });
}

// A press that starts inside and ends on the backdrop (selecting text) must not close the dialog.
let pressedOn = null;
document.addEventListener("pointerdown", (event) => {
  pressedOn = event.target;
});
document.addEventListener("click", (event) => {
  const dialog = event.target;
  if (!(dialog instanceof HTMLDialogElement) || pressedOn !== dialog || dialog.hasAttribute("data-stay")) return;
  const box = dialog.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
});

document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target.closest?.("dialog[data-fill]");
  if (dialog && !dialog.open && dialog.querySelector("[data-fill-body]")?.childElementCount) dialog.showModal();
});

// The server closes the dialog with the response header `HX-Trigger: closeDialog`.
document.addEventListener("closeDialog", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
});
