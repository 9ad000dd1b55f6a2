// Which of light and dark is shown: what the system prefers, unless it was chosen here. A plain script, so that nothing flashes.
(() => {
  const chosen = (() => { try { return localStorage.getItem("labwright-theme"); } catch { return null; } })();
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
