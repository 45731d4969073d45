// `<upload-tray episode="…">`: choose or drop videos, see them arrive and being prepared.
// With `upload="/api/uploads/…"` it also follows a preparation that was already under way.
import { toast } from "../site/toast";
import { TrayItem } from "./tray-item";
import { follow, outcome, type Progress, VideoUpload } from "./upload";

class UploadTray extends HTMLElement {
  #list!: HTMLElement;

  connectedCallback(): void {
    const list = this.querySelector<HTMLElement>(".tray");
    const drop = this.querySelector<HTMLElement>(".drop");
    const input = this.querySelector<HTMLInputElement>("input[type=file]");
    if (!list || !drop || !input) return;
    this.#list = list;
    input.disabled = false;
    input.addEventListener("change", () => {
      this.#take(input.files);
      input.value = "";
    });
    this.#drops(drop);
    const running = this.getAttribute("upload");
    if (running) this.#watch(running);
  }

  #drops(drop: HTMLElement): void {
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.dataset.over = "";
    });
    drop.addEventListener("dragleave", () => delete drop.dataset.over);
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      delete drop.dataset.over;
      this.#take(event.dataTransfer?.files ?? null);
    });
  }

  #take(files: FileList | null): void {
    const [file, ...rest] = files ?? [];
    if (!file) return;
    if (rest.length > 0) toast("An episode has one video: only the first file is used.");
    if (file.size === 0) return toast("This file is empty. Choose another one.");
    const item = new TrayItem(file.name);
    const upload = new VideoUpload(file, this.#episode, {
      sent: (bytes, total) => item.sent(bytes, total),
      paused: (reason) => item.paused(reason),
      stored: () => {
        item.stored();
        removeEventListener("beforeunload", stay);
      },
      progress: (news) => {
        item.progress(news);
        if (news.stage === "ready" || (news.stage === "quick" && news.fraction === 1)) this.#ready();
      },
      failed: (message) => {
        item.failed(message);
        removeEventListener("beforeunload", stay);
      },
    });
    buttons(item, upload);
    // What the page said about the video is no longer news; the tray says it now.
    document.querySelectorAll<HTMLElement>("[data-video-state]").forEach((state) => (state.hidden = true));
    addEventListener("beforeunload", stay);
    this.#list.prepend(item.element);
    void upload.start();
  }

  get #episode(): string {
    return this.getAttribute("episode") ?? "";
  }

  #watch(uri: string): void {
    const item = new TrayItem(this.getAttribute("filename") ?? "Video");
    item.stored();
    this.#list.prepend(item.element);
    const heard = (news: Progress) => {
      item.progress(news);
      if (news.stage === "ready" || (news.stage === "quick" && news.fraction === 1)) this.#ready();
    };
    follow(uri, heard, () => void outcome(this.#episode).then((end) => end && heard(end)));
  }

  #ready(): void {
    const link = this.querySelector<HTMLElement>("[data-when-ready]");
    if (link) link.hidden = false;
  }
}

function stay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

function buttons(item: TrayItem, upload: VideoUpload): void {
  let paused = false;
  item.pause.addEventListener("click", () => {
    paused = item.pause.textContent === "Pause";
    if (paused) void upload.pause();
    else {
      item.running();
      upload.resume();
    }
  });
  item.cancel.addEventListener("click", () => {
    removeEventListener("beforeunload", stay);
    item.element.remove();
    void upload.cancel();
  });
}

export function defineUploadTray(): void {
  customElements.define("upload-tray", UploadTray);
}
