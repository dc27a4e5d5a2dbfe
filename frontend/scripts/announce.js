// One polite live region for the page (in base.html): what a screen reader should hear after a change it cannot see.

/** Say `text`; saying the same text twice is heard twice. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region || !text) return;
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
