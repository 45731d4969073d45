// Short messages at the foot of the page, with at most one action (such as Undo).
import { make } from "../dom";

export function toast(message: string, action?: { label: string; run: () => void }): void {
  let list = document.querySelector<HTMLElement>(".toasts");
  if (!list) {
    list = make("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(list);
  }
  const item = make("div", { class: "toast" }, make("span", {}, message));
  const button = make("button", { type: "button", class: "button" }, action?.label ?? "Close");
  button.addEventListener("click", () => {
    item.remove();
    action?.run();
  });
  item.append(button);
  list.append(item);
  setTimeout(() => item.remove(), 8000);
}
