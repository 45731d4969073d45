// Marks the picture of the card that was followed, so that the browser can carry it to the next page.

export function transitions(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || !(event.target instanceof Element)) return;
    const art = event.target.closest("a.card")?.querySelector(".art");
    if (!art) return;
    document.querySelectorAll(".leaving").forEach((old) => old.classList.remove("leaving"));
    art.classList.add("leaving");
  });
  addEventListener("pageshow", () => document.querySelectorAll(".leaving").forEach((old) => old.classList.remove("leaving")));
}
