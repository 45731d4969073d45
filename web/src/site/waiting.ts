// A watch page whose video is still being prepared listens to its episode and loads itself again when that changes.

export function waiting(): void {
  const uri = document.querySelector<HTMLElement>("[data-waiting]")?.dataset.waiting;
  if (!uri) return;
  const events = new EventSource(uri);
  events.addEventListener("changed", () => location.reload());
  addEventListener("pagehide", () => events.close());
}
