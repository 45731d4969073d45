// How one upload looks in the tray: name, bytes, buttons, and a line per stage with its own bar.
import { make } from "../dom";
import { capital } from "../resource";
import type { Progress } from "./upload";

const stageNames: Record<string, string> = {
  upload: "Upload",
  probe: "Check",
  quick: "First version",
  full: "All qualities",
  poster: "Poster",
};

export class TrayItem {
  readonly element: HTMLElement;
  readonly pause = make("button", { type: "button", class: "button" }, "Pause");
  readonly cancel = make("button", { type: "button", class: "button button-quiet" }, "Cancel");
  readonly #state = make("span", { class: "state", role: "status" }, "Waiting");
  readonly #lines = make("ul", { class: "tray-stages" });
  readonly #stages = new Map<string, { bar: HTMLProgressElement; words: HTMLElement }>();

  constructor(name: string) {
    const head = make("div", { class: "tray-head" }, make("strong", { class: "one-line" }, name), this.#state, this.pause, this.cancel);
    this.element = make("li", { class: "tray-item" }, head, this.#lines);
  }

  sent(bytes: number, total: number): void {
    this.pause.textContent = "Pause";
    this.#say(`${megabytes(bytes)} of ${megabytes(total)}`);
    this.#line("upload", "Upload", total === 0 ? 1 : bytes / total);
  }

  stored(): void {
    this.#line("upload", "Upload", 1);
    this.#say("Stored; being prepared");
    this.pause.hidden = true;
    this.cancel.hidden = true;
  }

  paused(reason: string): void {
    this.#say(reason);
    this.pause.textContent = "Resume";
  }

  running(): void {
    this.#say("Sending");
    this.pause.textContent = "Pause";
  }

  /** A stage may carry several renditions; each gets a line of its own. */
  progress(news: Progress): void {
    if (news.stage === "ready") return this.#finish();
    if (news.stage === "failed") return this.failed(news.message ?? "this video could not be prepared");
    const key = news.rendition ? `${news.stage}/${news.rendition}` : news.stage;
    const name = news.rendition ?? stageNames[news.stage] ?? news.stage;
    this.#line(key, name, news.fraction ?? 0);
    this.#say(news.message ? capital(news.message) : `${stageNames[news.stage] ?? news.stage} …`);
  }

  failed(message: string): void {
    this.#say(capital(message), "state-bad");
    this.#state.setAttribute("role", "alert");
    this.pause.hidden = true;
    this.cancel.hidden = false;
    this.cancel.textContent = "Remove";
  }

  #finish(): void {
    for (const key of this.#stages.keys()) this.#line(key, "", 1);
    this.#say("Ready to watch", "state-good");
    this.pause.hidden = true;
    this.cancel.hidden = true;
  }

  #say(words: string, tone = ""): void {
    this.#state.className = `state ${tone}`;
    this.#state.textContent = tone === "state-good" ? `✓ ${words}` : tone === "state-bad" ? `! ${words}` : words;
  }

  #line(key: string, name: string, fraction: number): void {
    let stage = this.#stages.get(key);
    if (!stage) {
      const bar = make("progress", { max: "1", "aria-label": name });
      const words = make("span", { class: "num" });
      stage = { bar, words };
      this.#stages.set(key, stage);
      this.#lines.append(make("li", {}, make("span", {}, name), bar, words));
    }
    stage.bar.value = fraction;
    stage.words.textContent = `${Math.floor(fraction * 100)} %`;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;
}
