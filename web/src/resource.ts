// Talks to the resources below the tenant's mount and reads their faults (RFC 9457). No page state lives here.

/** A fault as the server words it. */
export interface Problem {
  status: number;
  code: string;
  message: string;
  errors: { field: string; message: string }[];
}

/** The address of a path below the tenant's mount (`/@name` or nothing). */
export function mounted(path: string): string {
  return (document.documentElement.dataset.mount ?? "") + path;
}

/** Reads the problem out of an answer that is not a success; an answer without words gets general ones. */
export async function problemOf(answer: Response): Promise<Problem> {
  const fallback = wordsFor(answer.status);
  try {
    const body: unknown = await answer.json();
    if (typeof body !== "object" || body === null) throw new Error("the body is not an object");
    const fields = body as Record<string, unknown>;
    return {
      status: answer.status,
      code: String(fields.code ?? fields.type ?? ""),
      message: capital(String(fields.detail ?? fields.title ?? fallback)),
      errors: Array.isArray(fields.errors) ? fields.errors.filter(isFieldError) : [],
    };
  } catch {
    return { status: answer.status, code: "", message: fallback, errors: [] };
  }
}

function isFieldError(value: unknown): value is { field: string; message: string } {
  if (typeof value !== "object" || value === null) return false;
  const { field, message } = value as Record<string, unknown>;
  return typeof field === "string" && typeof message === "string";
}

/** Error texts are lower-case fragments; on a page they start a sentence. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function wordsFor(status: number): string {
  if (status === 401) return "Please sign in again.";
  if (status === 403 || status === 404) return "You may not see this, or it is no longer here.";
  if (status === 413) return "This is too large.";
  if (status === 429) return "Too many requests at once. Wait a moment and try again.";
  return "The server could not answer. Try again in a moment.";
}
