// The demo strip can be dismissed for good in this browser.

export function strip(): void {
  for (const bar of document.querySelectorAll<HTMLElement>("[data-strip]")) {
    const key = `strip:${bar.dataset.strip}`;
    if (read(key)) bar.hidden = true;
    bar.querySelector("[data-dismiss]")?.addEventListener("click", (event) => {
      event.preventDefault();
      bar.hidden = true;
      try {
        localStorage.setItem(key, "dismissed");
      } catch {
        // Without storage the strip comes back with the next page.
      }
    });
  }
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
