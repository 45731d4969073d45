// At the end: the next episode starts after ten seconds unless the viewer says otherwise.
import { make } from "../dom";

const SECONDS = 10;

/** Shows the card while the video stands at its end; playing or seeking takes it away. */
export function offerNext(player: HTMLElement, video: HTMLVideoElement, uri: string, title: string): void {
  let timer = 0;
  let card: HTMLElement | undefined;
  const drop = () => {
    clearInterval(timer);
    card?.remove();
    card = undefined;
  };
  video.addEventListener("ended", () => {
    drop();
    let left = SECONDS;
    const words = make("span", { class: "num", "aria-live": "off" }, `Next in ${left} s`);
    const now = make("a", { class: "button button-primary", href: uri }, "Play now");
    const stop = make("button", { type: "button", class: "button" }, "Stay here");
    stop.addEventListener("click", drop);
    card = make("div", { class: "player-next", role: "group", "aria-label": "Next episode" }, words, make("strong", { class: "clamp-2" }, title), make("div", { class: "buttons" }, now, stop));
    player.append(card);
    timer = window.setInterval(() => {
      left -= 1;
      words.textContent = `Next in ${left} s`;
      if (left <= 0) location.assign(uri);
    }, 1000);
  });
  video.addEventListener("play", drop);
  video.addEventListener("seeking", drop);
}
