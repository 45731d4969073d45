// Runs before the first paint: says that scripts run, and applies the stored theme. Nothing else belongs here.
const page = document.documentElement;
page.dataset.js = "";
try {
  const stored = localStorage.getItem("theme");
  if (stored === "light" || stored === "dark") page.dataset.theme = stored;
} catch {
  // Storage can be forbidden; the page then keeps its default theme.
}
