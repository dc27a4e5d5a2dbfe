// Good news leaves by itself after a while, unless it is being read; warnings and errors stay until closed.
const READ_MS = 7000;

function arm(toast) {
  if (toast.dataset.armed !== undefined) return;
  toast.dataset.armed = "";
  if (!toast.hasAttribute("data-fades")) return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, READ_MS / 2);
    else toast.remove();
  };
  setTimeout(leave, READ_MS);
}

const armAll = (root) => root.querySelectorAll?.(".toast").forEach(arm);

document.addEventListener("click", (event) => {
  event.target.closest("[data-close-toast]")?.closest(".toast")?.remove();
});
document.addEventListener("htmx:afterSettle", () => armAll(document));
armAll(document);
