// Arrows and dots for rows that scroll by themselves already. They never advance on their own.
import { icon, make } from "../dom";

export function carousels(): void {
  for (const frame of document.querySelectorAll<HTMLElement>("[data-carousel]")) {
    const track = frame.querySelector<HTMLElement>(".row-track, .hero-track");
    if (track && track.children.length > 1) arrows(frame, track);
    if (track) dots(frame, track);
  }
  prefetchOnIntent();
}

function arrows(frame: HTMLElement, track: HTMLElement): void {
  const back = arrow("back", "Scroll back");
  const on = arrow("on", "Scroll on");
  const step = () => (track.classList.contains("hero-track") ? track.clientWidth : track.clientWidth * 0.85);
  back.addEventListener("click", () => track.scrollBy({ left: -step(), behavior: "smooth" }));
  on.addEventListener("click", () => track.scrollBy({ left: step(), behavior: "smooth" }));
  const update = () => {
    back.disabled = track.scrollLeft < 8;
    on.disabled = track.scrollLeft + track.clientWidth > track.scrollWidth - 8;
  };
  track.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(track);
  frame.append(back, on);
  update();
}

// The row is reached by keyboard through its links, so the arrows stay out of the order of focus.
function arrow(name: "back" | "on", label: string): HTMLButtonElement {
  const button = make("button", { type: "button", class: `row-arrow row-arrow-${name}`, "aria-label": label, tabindex: "-1" });
  button.append(icon(name));
  return button;
}

function dots(frame: HTMLElement, track: HTMLElement): void {
  const links = [...frame.querySelectorAll<HTMLAnchorElement>(".hero-dots a")];
  if (links.length === 0) return;
  links.forEach((link, index) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      track.scrollTo({ left: index * track.clientWidth, behavior: "smooth" });
    }),
  );
  const update = () => {
    const current = Math.round(track.scrollLeft / Math.max(1, track.clientWidth));
    links.forEach((link, index) => link.setAttribute("aria-current", String(index === current)));
  };
  track.addEventListener("scroll", update, { passive: true });
  update();
}

// A page is fetched when the pointer rests on its card, once each.
function prefetchOnIntent(): void {
  const seen = new Set<string>();
  let waiting = 0;
  document.addEventListener("pointerover", (event) => {
    clearTimeout(waiting);
    const card = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a.card") : null;
    if (!card || seen.has(card.href) || document.documentElement.hasAttribute("data-signed-in")) return;
    waiting = window.setTimeout(() => {
      seen.add(card.href);
      document.head.append(make("link", { rel: "prefetch", href: card.href }));
    }, 150);
  });
}
