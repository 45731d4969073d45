// One upload: bytes by tus, resumed after a break; then the processing, followed by its event stream.
// It reports what happens and draws nothing.
import { DetailedError, Upload } from "tus-js-client";
import { mounted, problemOf } from "../resource";

/** What the server says while it prepares a video. */
export interface Progress {
  stage: "probe" | "quick" | "full" | "poster" | "ready" | "failed";
  fraction?: number;
  message?: string;
  rendition?: string;
}

export interface Listener {
  sent(bytes: number, total: number): void;
  paused(reason: string): void;
  stored(): void;
  progress(news: Progress): void;
  failed(message: string): void;
}

const CHUNK_BYTES = 16 * 1024 * 1024;
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000];

export class VideoUpload {
  readonly #tus: Upload;
  readonly #listener: Listener;
  readonly #episode: string;
  #events: EventSource | undefined;
  /** The connection broke and nothing is being tried: the network's return starts it again. */
  #isBroken = false;
  #isStored = false;

  constructor(file: File, episode: string, listener: Listener) {
    this.#listener = listener;
    this.#episode = episode;
    this.#tus = new Upload(file, {
      endpoint: mounted("/api/uploads"),
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, filetype: file.type, episode },
      fingerprint: async () => ["show", location.host, episode, file.name, file.size, file.lastModified].join("|"),
      onProgress: (sent, total) => listener.sent(sent, total),
      onUploadUrlAvailable: () => this.#follow(),
      onSuccess: () => {
        this.#isStored = true;
        listener.stored();
      },
      onError: (error) => void this.#broken(error),
    });
    addEventListener("online", this.#online);
  }

  /** Starts, or goes on where an earlier try of the same file stopped, also after the page was closed. */
  async start(): Promise<void> {
    const [earlier] = await this.#tus.findPreviousUploads();
    if (earlier) this.#tus.resumeFromPreviousUpload(earlier);
    this.resume();
  }

  resume(): void {
    this.#isBroken = false;
    this.#tus.start();
  }

  async pause(): Promise<void> {
    this.#isBroken = false;
    await this.#tus.abort();
    this.#listener.paused("Paused. Your place is kept.");
  }

  /** Stops and removes what was stored so far. */
  async cancel(): Promise<void> {
    this.#isBroken = false;
    this.#events?.close();
    removeEventListener("online", this.#online);
    await this.#tus.abort(true).catch(() => undefined);
  }

  readonly #online = () => {
    if (this.#isBroken) this.resume();
  };

  #follow(): void {
    if (this.#events || !this.#tus.url) return;
    const missed = async () => {
      const end = this.#isStored ? await outcome(this.#episode) : undefined;
      if (end) this.#listener.progress(end);
    };
    this.#events = follow(this.#tus.url, (news) => this.#listener.progress(news), () => void missed());
  }

  async #broken(error: Error | DetailedError): Promise<void> {
    const answer = error instanceof DetailedError ? error.originalResponse : null;
    if (!answer) {
      this.#isBroken = true;
      this.#listener.paused("The connection broke. It goes on by itself when the network is back, or press Resume.");
      return;
    }
    this.#events?.close();
    const { message } = await problemOf(new Response(answer.getBody(), { status: Math.max(200, answer.getStatus()) }));
    this.#listener.failed(message);
  }
}

/** Listens to everything below an upload until it is ready or has failed. `reopened` hears that something may have been missed. */
export function follow(uploadUri: string, heard: (news: Progress) => void, reopened: () => void = () => undefined): EventSource {
  const events = new EventSource(`${uploadUri}/**`);
  let wasOpen = false;
  events.addEventListener("progress", (event: MessageEvent<string>) => {
    const news = JSON.parse(event.data) as Progress;
    heard(news);
    if (news.stage === "ready" || news.stage === "failed") events.close();
  });
  events.addEventListener("open", () => {
    if (wasOpen) reopened();
    wasOpen = true;
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) reopened();
  });
  return events;
}

/** What became of an episode's newest video, where that is decided. */
export async function outcome(episode: string): Promise<Progress | undefined> {
  const answer = await fetch(mounted(`/api/episodes/${episode}/asset`), { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) return undefined;
  const { state, reason } = (await answer.json()) as { state: string; reason: string | null };
  if (state === "ready") return { stage: "ready" };
  if (state === "failed") return { stage: "failed", message: reason ?? "this video could not be prepared" };
  return undefined;
}
