// A watch page whose video is still being prepared listens to its episode: it shows how far the first version is, and loads
// itself again when the episode changes.
import type { Progress } from "../studio/upload";

export function waiting(): void {
  const box = document.querySelector<HTMLElement>("[data-waiting]");
  const uri = box?.dataset.waiting;
  if (!box || !uri) return;
  const bar = box.querySelector("progress");
  const events = new EventSource(uri);
  const reload = () => location.reload();
  events.addEventListener("changed", reload);
  events.addEventListener("progress", (event: MessageEvent<string>) => {
    const { stage, fraction } = JSON.parse(event.data) as Progress;
    if (stage === "ready" || stage === "failed") reload();
    if (!bar || stage !== "quick" || fraction === undefined) return;
    bar.hidden = false;
    bar.value = fraction;
  });
  addEventListener("pagehide", () => events.close());
}
