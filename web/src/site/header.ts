// Gives the header its ground once the page has moved by 24 px.

export function header(): void {
  const bar = document.querySelector<HTMLElement>(".header");
  if (!bar) return;
  const update = () => bar.toggleAttribute("data-scrolled", scrollY > 24);
  addEventListener("scroll", update, { passive: true });
  update();
}
