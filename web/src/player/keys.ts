// Keyboard shortcuts of the watch page, as on the big sites. Never while somebody types, never over a control's own keys.
import { make } from "../dom";

const LIST: [string, string][] = [
  ["Space, K", "Play or pause"],
  ["J, L", "10 seconds back or on"],
  ["← →", "5 seconds back or on"],
  ["↑ ↓", "Louder or quieter"],
  ["0 … 9", "Jump to a tenth of the video"],
  ["M", "Sound on or off"],
  ["F", "Full screen"],
  ["T", "Theatre"],
  ["C", "Captions"],
  ["?", "This list"],
];

export interface Controls {
  video: HTMLVideoElement;
  /** Sends one of media-chrome's requests. */
  request(name: string): void;
  fullscreen(): void;
}

/** Listens on the document; the returned function stops it. */
export function listenToKeys(controls: Controls): () => void {
  const heard = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || belongsToControl(event)) return;
    if (press(event.key, controls)) event.preventDefault();
  };
  document.addEventListener("keydown", heard);
  return () => document.removeEventListener("keydown", heard);
}

function origin(event: KeyboardEvent): Element | null {
  const [target] = event.composedPath();
  return target instanceof Element ? target : null;
}

function isTyping(event: KeyboardEvent): boolean {
  const target = origin(event);
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=range]), textarea, select"));
}

// Space and Enter press a focused button or link; arrows move a focused slider, menu or radio.
function belongsToControl(event: KeyboardEvent): boolean {
  const path = event.composedPath().filter((part): part is Element => part instanceof Element);
  const on = (selector: string) => path.some((part) => part.matches(selector));
  if (event.key === " " || event.key === "Enter") return on("a[href], button, summary, [role=button], [role^=menuitem], dialog[open]");
  if (event.key.startsWith("Arrow")) return on("[role=slider], input, [role=menu], [role^=menuitem], dialog[open]");
  return on("dialog[open]") && event.key !== "?";
}

function press(key: string, { video, request, fullscreen }: Controls): boolean {
  const seek = (seconds: number) => {
    const end = Number.isFinite(video.duration) ? video.duration : Number.MAX_SAFE_INTEGER;
    video.currentTime = Math.min(end, Math.max(0, video.currentTime + seconds));
  };
  const louder = (step: number) => {
    video.volume = Math.min(1, Math.max(0, video.volume + step));
    if (step > 0) video.muted = false;
  };
  const actions: Record<string, () => void> = {
    " ": () => toggle(video),
    k: () => toggle(video),
    j: () => seek(-10),
    l: () => seek(10),
    ArrowLeft: () => seek(-5),
    ArrowRight: () => seek(5),
    ArrowUp: () => louder(0.05),
    ArrowDown: () => louder(-0.05),
    m: () => (video.muted = !video.muted),
    f: fullscreen,
    t: () => document.documentElement.toggleAttribute("data-theatre"),
    c: () => request("mediatogglesubtitlesrequest"),
    "?": help,
  };
  const action = actions[key.length === 1 ? key.toLowerCase() : key];
  if (action) action();
  else if (/^[0-9]$/.test(key) && Number.isFinite(video.duration)) video.currentTime = (video.duration * Number(key)) / 10;
  else return false;
  return true;
}

function toggle(video: HTMLVideoElement): void {
  if (video.paused) void video.play().catch(() => undefined);
  else video.pause();
}

function help(): void {
  const open = document.querySelector<HTMLDialogElement>("dialog.keys");
  if (open) return open.close();
  const rows = LIST.flatMap(([keys, meaning]) => [make("dt", {}, keys), make("dd", {}, meaning)]);
  const close = make("button", { type: "button", class: "button" }, "Close");
  const dialog = make("dialog", { class: "keys", "aria-label": "Keyboard shortcuts" }, make("h2", {}, "Keyboard shortcuts"), make("dl", {}, ...rows), close);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
