"""Starts the built binary on a folder of its own, has the public validators read its documents, and has schemathesis call every
route as nobody, as a viewer and as the owner. Usage: run.py BINARY SECONDS; needs the packages of requirements.txt and
package.json, which `cargo xtask test --only contracts` installs."""

import atexit
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import hooks  # noqa: F401 — it tells schemathesis how bodies are written
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import ignored_auth

HERE = Path(__file__).resolve().parent
OWNER, VIEWER, PASSWORD = "owner@channel.example", "viewer@channel.example", "lantern fish parade 31"
BANK_KEY, BANK_SECRET = "sk_test_contracts", "whsec_contracts"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
]
# What ends the session that the calls are made in, or takes away the right to make them.
ENDS_ITSELF = ["identity.sessions.sign_out"]
# What removes the series and episodes that the other calls are about; called with ids that nobody has, by the others.
REMOVES = ["catalogue.removal.begin", "catalogue.episodes.remove", "identity.members.remove"]
# Operations that need not succeed here, each with its reason.
REFUSES = {}
REFUSED = "[400, 401, 403, 404, 409, 412, 413, 415, 429]"


class Channel:
    """A server of its own with one channel."""

    def __init__(self, binary, folder):
        self.command, self.folder = binary, folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SHOWRUNNER_")}
        # So it holds every answer against its description itself, and logs what is otherwise.
        self.environment = {**clean, "SHOWRUNNER_TENANT": "demo", "SHOWRUNNER_LOG": "warn", "SHOWRUNNER_CALLBOARD_CAPTURE": "all"}
        self.say("tenant", "demo", "--title", "Demo", "--data-dir", folder)
        told = self.say("owner", OWNER, "--tenant", "demo", "--data-dir", folder)
        self.owner_password = re.search(r"shown once: (\S+)", told)[1]
        self.bank = self.begin_bank()
        self.log = open(Path(folder).parent / "server.log", "w+b")
        line = [binary, "up", "--data-dir", folder, "--listen", "127.0.0.1:0"]
        self.server = subprocess.Popen(line, env=self.environment, cwd=Path(folder).parent, stdout=subprocess.PIPE, stderr=self.log)
        first = self.server.stdout.readline().decode()
        port = re.search(r":(\d+)", first)
        assert port, f"the server does not say where it is: {first!r}"
        self.origin = f"http://127.0.0.1:{port[1]}"

    def begin_bank(self):
        """A payment service of its own, so that tips can be given."""
        line = [self.command, "payments-simulator", "--listen", "127.0.0.1:0", "--key", BANK_KEY, "--webhook-secret", BANK_SECRET]
        bank = subprocess.Popen(line, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = bank.stdout.readline().decode()
        port = re.search(r":(\d+)", first)
        assert port, f"the payment service does not say where it is: {first!r}"
        named = {"URL": f"http://127.0.0.1:{port[1]}", "KEY": BANK_KEY, "WEBHOOK_SECRET": BANK_SECRET}
        self.environment |= {f"SHOWRUNNER_PAYMENTS_STRIPE_{name}": value for name, value in named.items()}
        self.environment["SHOWRUNNER_PAYMENTS_TEST_CARDS"] = "yes"
        return bank

    def say(self, *words):
        """Runs a command of the binary."""
        done = subprocess.run([self.command, *words], env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"showrunner {' '.join(words)}: {done.stderr}"
        return done.stdout

    def call(self, method, path, data=None, token=None, more=None):
        """Calls a function; its answer and its headers."""
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {}), **(more or {})}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.origin}/api{path}", method=method, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null"), answer.headers

    def sign_in(self, email, password):
        """A token of a new session."""
        _, headers = self.call("POST", "/sessions", {"email": email, "password": password})
        return re.search(r"session=([^;]+)", headers["set-cookie"])[1]

    def stop(self):
        """Ends what still runs."""
        for process in (self.server, self.bank):
            process.kill()
            process.wait()

    def end(self):
        """Ends the server in good order; what it wrote to its log."""
        self.server.terminate()
        code = self.server.wait(30)
        self.bank.terminate()
        self.bank.wait(30)
        self.log.seek(0)
        log = self.log.read().decode()
        assert code == 0, f"the server ended with {code}:\n{log}"
        return log


def fill(channel, owner, viewer):
    """A little of everything, and which values stand for names in paths: calls with made-up ids only see that nothing is there."""
    series = [channel.call("POST", "/series", {"title": f"Film {n}", "genres": ["noir"]}, owner)[0]["id"] for n in (1, 2)]
    episodes = [channel.call("POST", f"/series/{id}/episodes", {"title": "One"}, owner)[0] for id in series]
    ids = [episode["id"] for episode in episodes]
    person = channel.call("GET", "/me", token=viewer)[0]["id"]
    about = f"filename {encoded('film.mp4')},episode {encoded(ids[0])}"
    of_file = {"tus-resumable": "1.0.0", "upload-length": "100000", "upload-metadata": about}
    uploads = [channel.call("POST", "/uploads", token=owner, more=of_file)[1]["location"].rsplit("/", 1)[1] for _ in (1, 2)]
    return {
        "/series/{id}": {"id": series},
        "/series/{id}/episodes": {"id": series},
        "/series/{id}/seasons/{number}": {"id": series, "number": ["1"]},
        "/series/by-slug/{slug}": {"slug": ["film-1", "film-2"]},
        "/access/series/{id}": {"id": series},
        "/access/episodes/{id}": {"id": ids},
        "/episodes/{id}": {"id": ids},
        "/episodes/{id}/asset": {"id": ids},
        "/episodes/{id}/playback": {"id": ids},
        "/episodes/by-pid/{pid}": {"pid": [episode["pid"] for episode in episodes]},
        "/me/positions/{episode}": {"episode": ids},
        "/members/{id}": {"id": [person]},
        "/uploads/{id}": {"id": uploads},
    }


def encoded(text):
    """As tus sends the values of its metadata."""
    return base64.b64encode(text.encode()).decode()


def settings(known):
    """The settings of schemathesis: how calls are refused here, and the values that stand for something."""
    lines = [f"[checks.{check}]\nexpected-statuses = {REFUSED}\n" for check in ("negative_data_rejection", "missing_required_header")]
    for path, names in known.items():
        values = ", ".join(f'"path.{name}" = {json.dumps(values)}' for name, values in names.items())
        lines.append(f'[[operations]]\ninclude-path = "{path}"\nparameters = {{ {values} }}\n')
    return "\n".join(lines)


def exercise(channel, folder, who, token, known, seconds, left_out):
    """Calls every route; whether all answers were as the document says."""
    file = Path(folder) / f"{who}.toml"
    file.write_text(settings(known))
    line = [sys.executable, "-m", "schemathesis.cli", "--config-file", file, "run", f"{channel.origin}/api/openapi.json"]
    line += ["--max-time", str(seconds), "--workers", "1", "--seed", "1", "--request-timeout", "20", "--warnings", "off"]
    line += ["--continue-on-failure", "--suppress-health-check", "all", "--checks", ",".join(CHECKS)]
    line += ["--header", f"Authorization: Bearer {token}"] if token else []
    line += [word for name in left_out for word in ("--exclude-operation-id", name)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "COLUMNS": "120"}
    environment["CONTRACTS_ANSWERS"] = str(Path(folder) / "answers.jsonl")
    done = subprocess.run(line, env=environment, cwd=folder, capture_output=True, text=True, timeout=seconds + 120)
    cases = re.search(r"(\d+) generated", done.stdout)
    print(f"schemathesis as {who}: {cases[1] if cases else 'no'} calls, {'as described' if done.returncode == 0 else 'NOT as described'}", flush=True)
    if done.returncode != 0:
        print("\n".join(line[:400] for line in (done.stdout + done.stderr).splitlines()[-200:]))
    return done.returncode == 0


def validate(channel, folder, token):
    """The public validators on the documents as they are served and as the command line prints them."""
    printed = json.loads(channel.say("openapi"))
    served, _ = channel.call("GET", "/openapi.json", token=token)
    for name, document in (("printed", printed), ("served", served)):
        OpenAPIV31SpecValidator(document).validate()
        count = sum(len(operations) for operations in document["paths"].values())
        print(f"OpenAPI {document['openapi']}, {name}: {count} operations are valid", flush=True)
    # The binary serves a few functions of its own beside those of the services.
    missing = printed["paths"].keys() - served["paths"].keys()
    assert not missing, f"the owner is not shown {missing}"
    served, _ = channel.call("GET", "/asyncapi.json", token=token)
    for name, text in (("printed", channel.say("asyncapi")), ("served", json.dumps(served))):
        file = Path(folder) / f"asyncapi-{name}.json"
        file.write_text(text)
        subprocess.run(["node", HERE / "asyncapi.mjs", file], check=True, timeout=60)


class Walk:
    """Calls that are valid, of operations that need what nobody guesses: a password, a signature, something that was made before.
    Each answer is held against the document."""

    def __init__(self, channel, file, owner):
        os.environ["CONTRACTS_ANSWERS"] = str(file)
        self.schema = schemathesis.openapi.from_url(f"{channel.origin}/api/openapi.json", headers={"authorization": f"Bearer {owner}"})

    def call(self, kind, path, token=None, headers=None, **parts):
        """Calls an operation; its answer, which has to be a success."""
        case = self.schema[path][kind].Case(headers=headers or {}, **parts)
        sent = {"authorization": f"Bearer {token}"} if token else {}
        answer = case.call(headers=sent)
        assert answer.status_code < 300, f"{kind} {path}: {answer.status_code} {answer.text[:300]}"
        # Strangers hear 404 of what they must not know of, which this check takes for a mistake.
        case.validate_response(answer, excluded_checks=[ignored_auth])
        self.location = (answer.headers.get("location") or [None])[0]
        return json.loads(answer.text) if answer.text else None


def walk(channel, file, owner, known):
    """Sessions, passwords and keys; a file in parts; a tip that is paid and given back."""
    walk, as_json = Walk(channel, file, owner), {"media_type": "application/json"}
    account = {"email": "walker@channel.example", "password": PASSWORD}
    walk.call("POST", "/accounts", body={**account, "name": "Wanda"}, **as_json)
    walk.call("POST", "/sessions", body=account, **as_json)
    walker = channel.sign_in(account["email"], PASSWORD)
    walk.call("PUT", "/me/password", walker, body={"old": PASSWORD, "new": f"{PASSWORD} too"}, **as_json)
    walker = channel.sign_in(account["email"], f"{PASSWORD} too")
    key = walk.call("POST", "/keys", owner, body={"name": "walk", "role": "viewer"}, **as_json)
    walk.call("DELETE", "/keys/{id}", owner, path_parameters={"id": key["id"]})

    produce(walk, owner, walker)
    offer = {"currency": "eur", "amounts": [300, 500, 1000], "is_open": True}
    walk.call("PUT", "/payments/offer", owner, body=offer, **as_json)
    gift = {"series": known["/series/{id}"]["id"][0], "amount": 500, "currency": "eur", "card": "pm_card_visa"}
    tip = {"id": walk.call("POST", "/tips", walker, body=gift, **as_json)["id"]}
    received = lambda: walk.call("GET", "/tips/{id}", walker, path_parameters=tip)["state"] == "received"
    hear(channel, f"/tips/{tip['id']}", walker, received)
    operate(channel, walk, owner)
    walk.call("POST", "/tips/{id}/refund", owner, path_parameters=tip)
    told = {"id": "evt_walk", "type": "charge.updated", "data": {"object": {"id": "ch_walk"}}}
    at = int(time.time())
    proof = hmac.new(BANK_SECRET.encode(), f"{at}.{json.dumps(told)}".encode(), hashlib.sha256).hexdigest()
    signed = {"stripe-signature": f"t={at},v1={proof}"}
    walk.call("POST", "/payments/webhook", None, signed, body=told, **as_json)
    walk.call("DELETE", "/sessions/current", walker)


def produce(walk, owner, viewer):
    """A series with an episode, of which a part is uploaded and watched; then all of it goes away again."""
    as_json, tus = {"media_type": "application/json"}, {"tus-resumable": "1.0.0"}
    series = {"path_parameters": {"id": walk.call("POST", "/series", owner, body={"title": "Walk"}, **as_json)["id"]}}
    walk.call("PATCH", "/series/{id}", owner, body={"title": "A walk"}, **series, **as_json)
    id = walk.call("POST", "/series/{id}/episodes", owner, body={"title": "One"}, **series, **as_json)["id"]
    walk.call("GET", "/series/{id}/episodes", owner, **series)
    episode, place = {"path_parameters": {"id": id}}, {"path_parameters": {"episode": id}}
    walk.call("PATCH", "/episodes/{id}", owner, body={"title": "First"}, **episode, **as_json)
    walk.call("PUT", "/me/positions/{episode}", viewer, body={"position_ms": 5000, "duration_ms": 60000}, **place, **as_json)
    walk.call("GET", "/me/positions/{episode}", viewer, **place)
    walk.call("DELETE", "/me/positions/{episode}", viewer, **place)

    of_file = {**tus, "upload-length": "100000", "upload-metadata": f"filename {encoded('film.mp4')},episode {encoded(id)}"}
    walk.call("POST", "/uploads", owner, of_file)
    upload = {"path_parameters": {"id": walk.location.rsplit("/", 1)[1]}}
    part = {"body": b"film", "media_type": "application/offset+octet-stream"}
    walk.call("PATCH", "/uploads/{id}", owner, {**tus, "upload-offset": "0"}, **upload, **part)
    walk.call("GET", "/uploads/{id}", owner, **upload)
    walk.call("DELETE", "/uploads/{id}", owner, tus, **upload)
    walk.call("POST", "/uploads", owner, {**of_file, "upload-length": "4"})
    upload = {"path_parameters": {"id": walk.location.rsplit("/", 1)[1]}}
    walk.call("PATCH", "/uploads/{id}", owner, {**tus, "upload-offset": "0"}, **upload, **part)
    walk.call("DELETE", "/episodes/{id}/asset", owner, **episode)
    walk.call("GET", "/episodes/{id}", owner, **episode)
    walk.call("DELETE", "/episodes/{id}", owner, **episode)
    walk.call("GET", "/series/{id}", owner, **series)
    walk.call("DELETE", "/series/{id}", owner, **series)


def operate(channel, walk, owner):
    """What an operator looks at: an invocation, an error, and a run, of which only is said what would be done."""
    spans = channel.call("GET", "/-/invocations", token=owner)[0]["invocations"]
    walk.call("GET", "/-/invocations/{id}", owner, path_parameters={"id": spans[0]["span"]})
    walk.call("GET", "/-/errors/{code}", owner, path_parameters={"code": "bug"})
    run = channel.call("GET", "/-/flows?flow=tip", token=owner)[0][0]["id"]
    walk.call("GET", "/-/flows/{id}", owner, path_parameters={"id": run})
    plan = {"path_parameters": {"id": run, "operation": "redo"}, "body": {"from": "event", "is_dry": True}, "media_type": "application/json"}
    walk.call("POST", "/-/flows/{id}/{operation}", owner, **plan)
    again = {"flow": "tip", "from": "event", "is_dry": True}
    walk.call("POST", "/-/flows/redo", owner, body=again, media_type="application/json")


def hear(channel, path, token, is_so):
    """Listens at a URI until it is so; each line of the stream is a reason to look."""
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{channel.origin}/api{path}", headers=headers), timeout=30) as stream:
        until = time.monotonic() + 60
        # The first line greets; a stream at which nothing happens beats so often that it is noticed.
        for line in stream:
            if is_so():
                return
            assert time.monotonic() < until, f"{path} does not come to it: {line!r}"
    raise AssertionError(f"the stream of {path} ended too early")


def is_covered(channel, file):
    """Whether every operation was called and also succeeded: a run that was cut short shows nothing, and what only refuses was looked at
    from one side."""
    answers = {}
    for line in file.read_text().splitlines():
        name, status = json.loads(line)
        answers.setdefault(name, set()).add(status)
    never = [f"{name} {sorted(statuses)}" for name, statuses in sorted(answers.items()) if min(statuses) >= 300 and name not in REFUSES]
    print(f"{len(answers) - len(never)} of {len(answers)} operations also succeeded; never: {', '.join(never) or 'none'}")
    paths = json.loads(channel.say("openapi"))["paths"]
    operations = {f"{kind.upper()} {path}" for path, kinds in paths.items() for kind in kinds}
    # The document itself was read to learn of all others.
    left_out = sorted(operations - answers.keys() - {"GET /openapi.json"})
    if left_out:
        print(f"never called, so give this more time: {', '.join(left_out)}")
    return not left_out and not never


def main(binary, seconds):
    with tempfile.TemporaryDirectory() as folder:
        channel = Channel(binary, str(Path(folder) / "data"))
        # Whatever goes wrong, nothing goes on running.
        atexit.register(channel.stop)
        owner = channel.sign_in(OWNER, channel.owner_password)
        channel.call("POST", "/accounts", {"email": VIEWER, "password": PASSWORD, "name": "Vic"})
        viewer = channel.sign_in(VIEWER, PASSWORD)
        known = fill(channel, owner, viewer)
        validate(channel, folder, owner)
        # First, because among the calls of the others may be one that ends the session.
        walk(channel, Path(folder) / "answers.jsonl", owner, known)
        # Who may do more is given more of the time.
        verdicts = [
            exercise(channel, folder, "nobody", None, {}, seconds * 15 // 100, []),
            exercise(channel, folder, "viewer", viewer, known, seconds * 20 // 100, ENDS_ITSELF),
            exercise(channel, folder, "owner", owner, known, seconds * 45 // 100, ENDS_ITSELF + REMOVES),
            exercise(channel, folder, "owner with made-up ids", owner, {}, seconds * 20 // 100, ENDS_ITSELF),
        ]
        verdicts.append(is_covered(channel, Path(folder) / "answers.jsonl"))
        log = channel.end().splitlines()
        for line in log[:20]:
            print(f"server: {line[:400]}")
        verdicts.append(not any("what it gives is not as it is described" in line for line in log))
        count = verdicts.count(True)
        print(f"{count} passed, {len(verdicts) - count} failed")
        return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
