# Runs a handler of Python: asks the Lambda Runtime API for work and answers it, with nothing but what comes with Python.
import json, os, socket, sys, time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
BASE = "/2018-06-01/runtime/"


class Connection:
    """One connection that stays; HTTP/1.1 with bodies of known length."""

    def __init__(self):
        self.open()

    def open(self):
        self.socket = socket.create_connection((HOST, int(PORT)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def ask(self, method, path, body=b"", headers=""):
        head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}:{PORT}\r\n{headers}content-length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode("latin-1") + body)
        line = self.reader.readline()
        if not line:
            raise ConnectionError("the runtime has ended")
        status, found = int(line.split()[1]), {}
        while (line := self.reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        return status, found, self.reader.read(int(found.get("content-length", "0")))


class Denied(Exception):
    """What the space answered instead of a value."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", ""))
        self.status, self.code = status, problem.get("code")


class Context:
    """What a handler may ask while it works."""

    def __init__(self, headers, function):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.function_name = function
        self.deadline_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))
        self._token = json.loads(headers.get("lambda-runtime-client-context", "{}")).get("custom", {}).get("callboard_token", "")
        self._version = None

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline_ms - int(time.time() * 1000))

    def read(self, uri):
        """The resource at a URI of the space, such as `/series?limit=3`."""
        from urllib.parse import quote

        path, mark, query = uri.partition("?")
        return self._get(quote(path, safe="/~") + mark + query)[0]

    def document(self, key):
        """The function's own document of this key and its version; `(None, 0)` where there is none."""
        from urllib.parse import quote

        try:
            return self._get("/~documents/" + quote(key, safe=""))
        except Denied as denied:
            if denied.status == 404:
                return None, 0
            raise

    def _get(self, path):
        if self._reader is None:
            Context._reader = Connection()
        status, headers, body = self._reader.ask("GET", path, headers=f"authorization: Bearer {self._token}\r\n")
        value = json.loads(body) if body else None
        if status >= 400:
            raise Denied(status, value or {})
        return value, int(headers.get("etag", '"v0"')[2:-1])

    _reader = None


def told(error):
    """An error with its place, without the lines of this file."""
    import traceback

    stack = [line.rstrip() for line in traceback.format_exception(error) if 'File "<string>"' not in line and "<frozen" not in line]
    if not any("File " in line for line in stack[:-1]) and not isinstance(error, SyntaxError):
        stack = []
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}).encode()


def written(answer):
    """An answer as JSON. What is none is named, and where the library of Python noticed it is nobody's concern."""

    def refuse(value):
        name = type(value).__name__
        if name in ("generator", "async_generator"):
            raise TypeError("handler returned a generator: answers are values; to stream, use `command` and the Runtime API")
        article = "an" if name[:1].lower() in "aeiou" else "a"
        raise TypeError(f"handler returned {article} {name}{'' if value is answer else ' in its answer'}, which is no JSON")

    try:
        return json.dumps(answer, separators=(",", ":"), default=refuse).encode()
    except (TypeError, ValueError, RecursionError) as error:
        error.__traceback__ = None
        raise error from None


def load(file):
    import importlib.util

    name = os.path.splitext(os.path.basename(file))[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for wanted in ("handler", name):
        if callable(getattr(module, wanted, None)):
            return getattr(module, wanted)
    raise AttributeError(f"{os.path.basename(file)} has no function `handler`: write `def handler(event, context):`")


def main(file):
    runtime = Connection()
    try:
        handler = load(file)
    except BaseException as error:
        runtime.ask("POST", BASE + "init/error", told(error))
        sys.exit(1)
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    while True:
        try:
            _, headers, body = runtime.ask("GET", BASE + "invocation/next")
        except (ConnectionError, OSError):
            return
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        context = Context(headers, function)
        try:
            answer, end = written(handler(json.loads(body), context)), "/response"
        except Exception as error:
            answer, end = told(error), "/error"
        sys.stdout.flush()
        runtime.ask("POST", f"{BASE}invocation/{context.aws_request_id}{end}", answer, "content-type: application/json\r\n")


main(sys.argv[1])
