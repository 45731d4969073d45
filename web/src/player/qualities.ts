// The levels of hls.js as the list of renditions that media-chrome's quality menu reads and sets.
import type Hls from "hls.js";

interface Rendition {
  id: string;
  width: number;
  height: number;
  bitrate: number;
}

/** An array with events, as in the Media Tracks proposal; `selectedIndex` -1 is automatic. */
export class Qualities extends EventTarget implements ArrayLike<Rendition>, Iterable<Rendition> {
  readonly [index: number]: Rendition;
  readonly #hls: Hls;
  #count = 0;
  #selected = -1;

  constructor(hls: Hls, video: HTMLVideoElement) {
    super();
    this.#hls = hls;
    Object.defineProperty(video, "videoRenditions", { value: this, configurable: true });
  }

  /** Call when a playlist's levels are known; a new playlist replaces the old list. */
  fill(): void {
    const items = this as unknown as Record<number, Rendition>;
    for (let index = 0; index < this.#count; index++) delete items[index];
    this.#hls.levels.forEach((level, index) => {
      items[index] = { id: String(index), width: level.width, height: level.height, bitrate: level.bitrate };
    });
    this.#count = this.#hls.levels.length;
    this.dispatchEvent(new Event("addrendition"));
  }

  get length(): number {
    return this.#count;
  }

  get selectedIndex(): number {
    return this.#selected;
  }

  set selectedIndex(index: number) {
    this.#selected = index;
    this.#hls.nextLevel = index;
    this.dispatchEvent(new Event("change"));
  }

  *[Symbol.iterator](): Iterator<Rendition> {
    for (let index = 0; index < this.#count; index++) yield this[index] as Rendition;
  }
}
