// Feeds a video element: hls.js where it works, the browser's own HLS otherwise. A protected address that has expired is
// asked for again; what cannot be repaired is told in words.
import Hls, { type ErrorData } from "hls.js";
import { mounted, problemOf } from "../resource";
import { Qualities } from "./qualities";

declare const WORKER_FILE: string;

export interface SourceOptions {
  video: HTMLVideoElement;
  src: string;
  /** A POST to it answers `{"src": …}` with a fresh address. */
  playbackUri: string | null;
  startSeconds: number;
  failed(message: string): void;
}

/** Fresh addresses asked for without anything having played in between. */
const RENEWALS_MAX = 3;

export class Source {
  readonly #options: SourceOptions;
  #hls: Hls | undefined;
  #renewals = 0;
  #repairs = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    const { video } = options;
    video.querySelectorAll("source").forEach((source) => source.remove());
    video.addEventListener("timeupdate", this.#played);
    if (Hls.isSupported()) this.#withHls();
    else if (video.canPlayType("application/vnd.apple.mpegurl")) this.#native(options.src, options.startSeconds);
    else options.failed("This browser can play neither HLS nor Media Source video. A current Firefox, Chrome, Edge or Safari can.");
  }

  stop(): void {
    this.#options.video.removeEventListener("timeupdate", this.#played);
    this.#hls?.destroy();
  }

  #withHls(): void {
    const { video, src, startSeconds } = this.#options;
    const hls = new Hls({
      workerPath: new URL(WORKER_FILE, import.meta.url).href,
      startPosition: startSeconds > 0 ? startSeconds : -1,
      capLevelToPlayerSize: true,
      backBufferLength: 60,
    });
    this.#hls = hls;
    const qualities = new Qualities(hls, video);
    hls.on(Hls.Events.MANIFEST_PARSED, () => qualities.fill());
    hls.on(Hls.Events.ERROR, (_, error) => this.#broken(error));
    hls.loadSource(src);
    hls.attachMedia(video);
  }

  #native(src: string, startSeconds: number): void {
    const { video } = this.#options;
    video.src = src;
    video.addEventListener("loadedmetadata", () => (video.currentTime = startSeconds), { once: true });
    video.addEventListener("error", () => void this.#renew(), { once: true });
  }

  readonly #played = () => {
    this.#renewals = 0;
    this.#repairs = 0;
  };

  #broken(error: ErrorData): void {
    const status = error.response?.code ?? 0;
    const isRefused = error.type === Hls.ErrorTypes.NETWORK_ERROR && [401, 403, 404, 410].includes(status);
    if (isRefused) {
      // A refused segment is not "fatal" until hls.js has tried every level; an expired token refuses them all.
      if (error.fatal || status !== 404) void this.#renew();
      return;
    }
    if (!error.fatal) return;
    this.#repairs += 1;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && this.#repairs <= 2) this.#hls?.recoverMediaError();
    else if (error.type === Hls.ErrorTypes.NETWORK_ERROR) this.#options.failed("The connection to the server broke. Check your network, then try again.");
    else this.#options.failed("This video cannot be decoded here. Try again, or another browser.");
  }

  #renewing = false;

  async #renew(): Promise<void> {
    const { playbackUri, video, failed } = this.#options;
    if (this.#renewing) return;
    if (!playbackUri || this.#renewals >= RENEWALS_MAX) return failed("This video is not available to you any more. Load the page again to see why.");
    this.#renewing = true;
    this.#renewals += 1;
    try {
      const answer = await fetch(playbackUri, { method: "POST", credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) return failed((await problemOf(answer)).message);
      const { src } = (await answer.json()) as { src: string };
      const fresh = mounted(src);
      const from = video.currentTime || this.#options.startSeconds;
      if (this.#hls) {
        this.#hls.config.startPosition = from;
        this.#hls.loadSource(fresh);
      } else this.#native(fresh, from);
    } catch {
      failed("The connection to the server broke. Check your network, then try again.");
    } finally {
      this.#renewing = false;
    }
  }
}
