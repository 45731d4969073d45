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
  #events: EventSource | undefined;
  #running = false;

  constructor(file: File, metadata: Record<string, string>, listener: Listener) {
    this.#listener = listener;
    this.#tus = new Upload(file, {
      endpoint: mounted("/api/uploads"),
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, filetype: file.type, ...metadata },
      fingerprint: async () => ["show", location.host, metadata.episode, file.name, file.size, file.lastModified].join("|"),
      onProgress: (sent, total) => listener.sent(sent, total),
      onUploadUrlAvailable: () => this.#follow(),
      onSuccess: () => {
        this.#running = false;
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
    this.#running = true;
    this.#tus.start();
  }

  async pause(): Promise<void> {
    this.#running = false;
    await this.#tus.abort();
    this.#listener.paused("Paused. Your place is kept.");
  }

  /** Stops and removes what was stored so far. */
  async cancel(): Promise<void> {
    this.#running = false;
    this.#events?.close();
    removeEventListener("online", this.#online);
    await this.#tus.abort(true).catch(() => undefined);
  }

  readonly #online = () => {
    if (this.#running) this.resume();
  };

  #follow(): void {
    if (this.#events || !this.#tus.url) return;
    this.#events = follow(this.#tus.url, (news) => this.#listener.progress(news));
  }

  async #broken(error: Error | DetailedError): Promise<void> {
    const answer = error instanceof DetailedError ? error.originalResponse : null;
    if (!answer) {
      this.#listener.paused("The connection broke. It goes on by itself when the network is back, or press Resume.");
      return;
    }
    this.#running = false;
    this.#events?.close();
    const { message } = await problemOf(new Response(answer.getBody(), { status: Math.max(200, answer.getStatus()) }));
    this.#listener.failed(message);
  }
}

/** Listens to everything below an upload until it is ready or has failed. */
export function follow(uploadUri: string, heard: (news: Progress) => void): EventSource {
  const events = new EventSource(`${uploadUri}/**`);
  events.addEventListener("progress", (event: MessageEvent<string>) => {
    const news = JSON.parse(event.data) as Progress;
    heard(news);
    if (news.stage === "ready" || news.stage === "failed") events.close();
  });
  return events;
}
