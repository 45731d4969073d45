// Runs a handler of JavaScript: asks the Lambda Runtime API for work and answers it, with nothing but what comes with Node.js.
import { spawnSync } from "node:child_process";
import { Agent, request } from "node:http";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const base = "/2018-06-01/runtime/";
const agent = new Agent({ keepAlive: true, maxSockets: 2, noDelay: true });

const ask = (method, path, body, headers = {}) =>
  new Promise((resolve, reject) => {
    const length = { "content-length": body ? Buffer.byteLength(body) : 0 };
    const asked = request({ host, port, method, path, agent, headers: { ...headers, ...length } }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces).toString() }),
      );
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });

// An error with its place, without the lines of this file and of Node.js.
const told = (error) => {
  const lines = String(error?.stack ?? error).split("\n");
  const stackTrace = lines.filter((line) => !/node:internal|\[eval|node:vm|\(<anonymous>\)/.test(line)).map((line) => line.replace("file://", ""));
  const errorMessage = String(error?.message ?? error);
  return JSON.stringify({ errorMessage, errorType: error?.name ?? "Error", stackTrace: stackTrace.length > 1 ? stackTrace : [] });
};

// An answer as JSON. What would silently become something else is refused.
const written = (answer) => {
  const isGenerator = typeof answer?.next === "function" && Symbol.iterator in answer;
  if (isGenerator || typeof answer?.[Symbol.asyncIterator] === "function") {
    throw new TypeError("handler returned a generator: answers are values; to stream, use `command` and the Runtime API");
  }
  if (["function", "symbol"].includes(typeof answer)) {
    throw new TypeError(`handler returned a ${typeof answer}, which is no JSON`);
  }
  const kept = (key, value) => {
    if (value instanceof Set || value instanceof Map) {
      const place = key === "" ? "" : " in its answer";
      throw new TypeError(`handler returned a ${value.constructor.name}${place}, which is no JSON`);
    }
    return value;
  };
  return JSON.stringify(answer ?? null, kept);
};

class Context {
  constructor(headers) {
    this.awsRequestId = headers["lambda-runtime-aws-request-id"];
    this.functionName = process.env.AWS_LAMBDA_FUNCTION_NAME;
    this.deadlineMs = Number(headers["lambda-runtime-deadline-ms"]);
    this.token = JSON.parse(headers["lambda-runtime-client-context"] ?? "{}").custom?.callboard_token ?? "";
  }

  getRemainingTimeInMillis() {
    return Math.max(0, this.deadlineMs - Date.now());
  }

  // The resource at a URI of the space, such as `/series?limit=3`.
  async read(uri) {
    return (await this.#get(encodeURI(uri))).value;
  }

  // The function's own document of this key and its version; `{ value: null, version: 0 }` where there is none.
  async document(key) {
    try {
      return await this.#get(`/~documents/${encodeURIComponent(key)}`);
    } catch (error) {
      if (error.status === 404) return { value: null, version: 0 };
      throw error;
    }
  }

  async #get(path) {
    const answer = await ask("GET", path, undefined, { authorization: `Bearer ${this.token}` });
    const value = answer.body ? JSON.parse(answer.body) : null;
    if (answer.status >= 400) {
      throw Object.assign(new Error(value?.detail), { name: "Denied", status: answer.status, code: value?.code });
    }
    return { value, version: Number((answer.headers.etag ?? '"v0"').slice(2, -1)) };
  }
}

const load = async (file) => {
  const module = await import(pathToFileURL(file));
  const handler = module.handler ?? module.default?.handler ?? module.default;
  if (typeof handler !== "function") {
    throw new TypeError(`${basename(file)} has no function \`handler\`: write \`export async function handler(event, context)\``);
  }
  return handler;
};

let handler;
try {
  handler = await load(process.argv.at(-1));
} catch (error) {
  if (error instanceof SyntaxError) {
    // Only a check of the file says in which line it is.
    const checked = spawnSync(process.execPath, ["--check", process.argv.at(-1)], { encoding: "utf8" });
    const lines = (checked.stderr ?? "").replace("file://", "").split("\n");
    error.stack = lines.slice(0, Math.max(lines.findIndex((line) => line.startsWith("SyntaxError")) + 1, 0)).join("\n") || error.stack;
  }
  await ask("POST", `${base}init/error`, told(error));
  process.exit(1);
}
for (;;) {
  let work;
  try {
    work = await ask("GET", `${base}invocation/next`);
  } catch {
    break;
  }
  process.env._X_AMZN_TRACE_ID = work.headers["lambda-runtime-trace-id"] ?? "";
  const context = new Context(work.headers);
  let answer;
  let end = "response";
  try {
    answer = written(await handler(JSON.parse(work.body), context));
  } catch (error) {
    [answer, end] = [told(error), "error"];
  }
  await ask("POST", `${base}invocation/${context.awsRequestId}/${end}`, answer, { "content-type": "application/json" });
}
