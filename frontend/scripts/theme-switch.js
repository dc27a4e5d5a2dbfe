// [data-theme-switch]: a button that goes system > light > dark. The choice stays in this browser.
import { announce } from "./announce.js";
import { recall, remember } from "./storage.js";

const order = ["system", "light", "dark"];

const current = () => {
  const stored = recall("theme");
  return order.includes(stored) ? stored : document.documentElement.dataset.theme ?? "system";
};

function show(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
    button.title = `Theme: ${theme}`;
    for (const icon of button.querySelectorAll("[data-theme-icon]")) icon.toggleAttribute("hidden", icon.dataset.themeIcon !== theme);
  }
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const next = order[(order.indexOf(current()) + 1) % order.length];
  remember("theme", next === "system" ? null : next);
  show(next);
  announce(`Theme: ${next}`);
});

// Another tab may change it.
window.addEventListener("storage", (event) => {
  if (event.key === "ircase.theme") show(current());
});

show(current());
