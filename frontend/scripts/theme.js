// Loaded in <head> without defer, so that the first paint already has the chosen theme. Keep it tiny.
(() => {
  const root = document.documentElement;
  root.dataset.js = "";
  try {
    const theme = localStorage.getItem("ircase.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be forbidden by policy: the system's theme is used then.
  }
})();
