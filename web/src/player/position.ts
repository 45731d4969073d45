// Keeps the viewer's place: restores it once, saves it every five seconds while playing, on pause and when the page goes.

const EVERY_MS = 5000;
/** From here on an episode counts as watched, and begins again. */
const FINISHED = 0.95;

export class Position {
  readonly #video: HTMLVideoElement;
  readonly #uri: string;
  #saved_ms = -1;
  #timer = 0;

  constructor(video: HTMLVideoElement, uri: string) {
    this.#video = video;
    this.#uri = uri;
    video.addEventListener("play", this.#begin);
    video.addEventListener("pause", this.#end);
    video.addEventListener("ended", this.#end);
    addEventListener("pagehide", this.#save);
    document.addEventListener("visibilitychange", this.#save);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#video.removeEventListener("play", this.#begin);
    this.#video.removeEventListener("pause", this.#end);
    this.#video.removeEventListener("ended", this.#end);
    removeEventListener("pagehide", this.#save);
    document.removeEventListener("visibilitychange", this.#save);
  }

  readonly #begin = () => {
    clearInterval(this.#timer);
    this.#timer = window.setInterval(this.#save, EVERY_MS);
  };

  readonly #end = () => {
    clearInterval(this.#timer);
    this.#save();
  };

  readonly #save = () => {
    const { currentTime, duration } = this.#video;
    if (!Number.isFinite(duration) || duration <= 0 || this.#video.played.length === 0) return;
    const position_ms = Math.round(currentTime * 1000);
    if (position_ms === this.#saved_ms) return;
    this.#saved_ms = position_ms;
    const body = JSON.stringify({ position_ms, duration_ms: Math.round(duration * 1000) });
    fetch(this.#uri, { method: "PUT", body, keepalive: true, credentials: "same-origin", headers: { "content-type": "application/json" } }).then(
      (answer) => {
        if (!answer.ok) this.#saved_ms = -1;
      },
      () => {
        this.#saved_ms = -1;
      },
    );
  };
}

/** Where to start, in seconds: `?t=` in the address wins over the stored place. */
export function startSeconds(stored_ms: number, duration_ms: number): number {
  const asked = Number(new URLSearchParams(location.search).get("t") ?? Number.NaN);
  if (Number.isFinite(asked) && asked >= 0) return asked;
  if (!(stored_ms > 0)) return 0;
  return duration_ms > 0 && stored_ms >= duration_ms * FINISHED ? 0 : stored_ms / 1000;
}
