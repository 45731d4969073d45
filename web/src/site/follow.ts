// A page that shows how something goes listens to it and shows each change in place; without script it has a link to look again.

export function follow(): void {
  const box = document.querySelector<HTMLElement>("[data-follow]");
  const uri = box?.dataset.follow;
  if (!uri) return;
  const events = new EventSource(uri);
  // What happened between the page and the first event is seen when the stream opens.
  events.addEventListener("open", () => void refresh(uri));
  events.addEventListener("changed", () => void refresh(uri));
  addEventListener("pagehide", () => events.close());
}

async function refresh(uri: string): Promise<void> {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = next.querySelector<HTMLElement>("[data-follow]");
  const old = document.querySelector<HTMLElement>("[data-follow]");
  if (!fresh || !old || fresh.dataset.follow !== uri || fresh.innerHTML === old.innerHTML) return;
  // The part that is read out stays the same element, so that a change of it is announced.
  const [said, says] = [old.querySelector("[role=status]"), fresh.querySelector("[role=status]")];
  if (said && says) {
    said.replaceChildren(...says.childNodes);
    says.replaceWith(said);
  }
  old.replaceChildren(...fresh.childNodes);
  document.title = next.title;
}
