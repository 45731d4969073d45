// The switch between dark and light in the header; the choice is stored in this browser only.

export function themeSwitch(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-theme-switch]")) {
    show(button);
    button.addEventListener("click", () => {
      const next = current() === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try {
        localStorage.setItem("theme", next);
      } catch {
        // Without storage the choice lasts as long as the page.
      }
      document.querySelectorAll<HTMLButtonElement>("[data-theme-switch]").forEach(show);
    });
  }
}

function current(): "dark" | "light" {
  const { theme, scheme } = document.documentElement.dataset;
  if (theme === "dark" || theme === "light") return theme;
  const light = scheme === "system" && matchMedia("(prefers-color-scheme: light)").matches;
  return light ? "light" : "dark";
}

function show(button: HTMLButtonElement): void {
  const dark = current() === "dark";
  const words = dark ? "Use the light theme" : "Use the dark theme";
  button.setAttribute("aria-label", words);
  button.title = words;
}
