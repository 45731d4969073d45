// Makes forms pleasant: counters, errors beside their fields, sending without losing the place.
// Every form works without it; the server's answer is the same page.
import { make } from "../dom";
import { problemOf } from "../resource";
import { toast } from "./toast";

export function forms(root: ParentNode = document): void {
  root.querySelectorAll<HTMLElement>("[data-limit]").forEach(counter);
  root.querySelectorAll<HTMLFormElement>("form[data-enhance]").forEach(enhance);
  root.querySelectorAll<HTMLFormElement>("form[data-warn]").forEach(warnBeforeLeaving);
}

// `data-limit="200"` on an output with `for`: counts characters as people do, not bytes.
function counter(output: HTMLElement): void {
  const input = document.getElementById(output.getAttribute("for") ?? "");
  if (!(input instanceof HTMLInputElement || input instanceof HTMLTextAreaElement)) return;
  const limit = Number(output.dataset.limit);
  const update = () => {
    const count = [...input.value.replaceAll("\r\n", "\n")].length;
    output.textContent = count > limit ? `${count}/${limit}: ${count - limit} too many` : `${count}/${limit}`;
    output.toggleAttribute("data-over", count > limit);
  };
  input.addEventListener("input", update);
  input.form?.addEventListener("reset", () => requestAnimationFrame(update));
  update();
}

function enhance(form: HTMLFormElement): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const submitter = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
    void send(form, submitter);
  });
}

async function send(form: HTMLFormElement, submitter: HTMLButtonElement | null): Promise<void> {
  if (form.dataset.busy !== undefined) return;
  form.dataset.busy = "";
  submitter?.setAttribute("aria-disabled", "true");
  try {
    const body = new URLSearchParams(new FormData(form, submitter) as unknown as Record<string, string>);
    const answer = await fetch(submitter?.getAttribute("formaction") ?? form.action, { method: "POST", body, credentials: "same-origin" });
    await show(form, answer);
  } catch {
    toast("The server cannot be reached. What you typed is still here.");
  } finally {
    delete form.dataset.busy;
    submitter?.removeAttribute("aria-disabled");
  }
}

async function show(form: HTMLFormElement, answer: Response): Promise<void> {
  if (answer.redirected) {
    delete form.dataset.dirty;
    location.assign(answer.url);
  } else if ((answer.headers.get("content-type") ?? "").startsWith("text/html")) {
    swap(await answer.text());
  } else if (!answer.ok) {
    const problem = await problemOf(answer);
    const placed = problem.errors.filter((error) => place(form, error.field, error.message));
    if (placed.length === 0) toast(problem.message);
    form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }
}

// The server answered with the page again, errors in place: keep the scroll, focus the first wrong field.
function swap(html: string): void {
  const next = new DOMParser().parseFromString(html, "text/html");
  const main = next.querySelector("main");
  const old = document.querySelector("main");
  if (!main || !old) return;
  old.replaceWith(document.adoptNode(main));
  document.title = next.title;
  forms(main);
  main.querySelector<HTMLElement>("[aria-invalid=true], [role=alert]")?.focus();
}

function place(form: HTMLFormElement, field: string, message: string): boolean {
  const input = form.elements.namedItem(field);
  if (!(input instanceof HTMLElement)) return false;
  const holder = input.closest(".field");
  if (!holder) return false;
  let words = holder.querySelector<HTMLElement>(".error");
  if (!words) {
    words = make("p", { class: "error", id: `${field}-error` });
    holder.append(words);
  }
  words.textContent = message;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", words.id);
  return true;
}

function warnBeforeLeaving(form: HTMLFormElement): void {
  form.addEventListener("input", () => (form.dataset.dirty = ""));
  form.addEventListener("reset", () => delete form.dataset.dirty);
  form.addEventListener("submit", () => delete form.dataset.dirty);
  addEventListener("beforeunload", (event) => {
    if (form.isConnected && form.dataset.dirty !== undefined) event.preventDefault();
  });
}
