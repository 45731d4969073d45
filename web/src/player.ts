// `<show-player>`: the player behind an element of our own. It holds a plain <video controls> that works by itself where
// the browser plays HLS; this upgrades it with hls.js, media-chrome's controls, the kept place, shortcuts and the next episode.
//
// Attributes: src, poster, title, position-uri, position-ms, duration-ms, playback-uri, next-uri, next-title.
import { make } from "./dom";
import { surround } from "./player/controls";
import { listenToKeys } from "./player/keys";
import { Position, startSeconds } from "./player/position";
import { Source } from "./player/source";
import { offerNext } from "./player/up-next";

class ShowPlayer extends HTMLElement {
  #video: HTMLVideoElement | undefined;
  #source: Source | undefined;
  #position: Position | undefined;
  #deafen: (() => void) | undefined;

  connectedCallback(): void {
    const video = this.querySelector("video") ?? make("video", { playsinline: true });
    // The title would otherwise be a tooltip over the whole picture.
    const title = this.getAttribute("data-title") ?? "";
    this.#video = video;
    const controller = surround(video, title);
    this.replaceChildren(controller);
    this.#load();
    const uri = this.getAttribute("position-uri");
    if (uri) this.#position = new Position(video, uri);
    this.#deafen = listenToKeys({
      video,
      request: (name) => video.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true })),
      fullscreen: () => void (document.fullscreenElement ? document.exitFullscreen() : controller.requestFullscreen()),
    });
    const next = this.getAttribute("next-uri");
    if (next) offerNext(this, video, next, this.getAttribute("next-title") ?? "Next episode");
    announce(video, title);
  }

  disconnectedCallback(): void {
    this.#source?.stop();
    this.#position?.stop();
    this.#deafen?.();
  }

  #load(from?: number): void {
    const video = this.#video;
    const src = this.getAttribute("src");
    if (!video || !src) return;
    this.#source = new Source({
      video,
      src,
      playbackUri: this.getAttribute("playback-uri"),
      startSeconds: from ?? startSeconds(this.#number("position-ms"), this.#number("duration-ms")),
      failed: (message) => this.#tell(message),
    });
  }

  #number(name: string): number {
    return Number(this.getAttribute(name) ?? Number.NaN);
  }

  // A failure is words over the picture, with the one thing to do.
  #tell(message: string): void {
    this.querySelector(".player-message")?.remove();
    const again = make("button", { type: "button", class: "button" }, "Try again");
    const box = make("div", { class: "player-message", role: "alert" }, make("p", {}, message), again);
    again.addEventListener("click", () => {
      box.remove();
      const from = this.#video?.currentTime;
      this.#source?.stop();
      this.#load(from || undefined);
    });
    this.append(box);
    this.#source?.stop();
  }
}

// What the keys and the lock screen of the device show.
function announce(video: HTMLVideoElement, title: string): void {
  if (!("mediaSession" in navigator) || !title) return;
  video.addEventListener("play", () => {
    navigator.mediaSession.metadata = new MediaMetadata({ title, artwork: video.poster ? [{ src: video.poster }] : [] });
  }, { once: true });
}

customElements.define("show-player", ShowPlayer);
