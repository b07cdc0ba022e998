"""What the Python scripts share: promises that are checked one by one, and the mock's side of the story."""

import faulthandler
import json
import os
import socket
import traceback
import urllib.parse
import urllib.request
import uuid
from contextlib import contextmanager

KEY = "sk-checks"

# A check takes well under a second; one that still runs after this hangs, and its script ends with a traceback.
LONGEST = 60


class Failed(Exception):
    """A promise that was not kept."""


class Checks:
    """The checks of one SDK, in the order in which they are written."""

    def __init__(self, sdk):
        self.sdk = sdk
        self.checks = []

    def __call__(self, promise):
        def add(check):
            self.checks.append((promise, check))
            return check

        return add

    def run(self):
        """Prints a line for each check. What fails is told; it does not keep the others from running."""
        for promise, check in self.checks:
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            try:
                check()
            except Failed as failed:
                self.tell("FAIL", f"{promise}: {failed}")
            except Exception as error:
                self.tell("FAIL", f"{promise}: expected no error at {line(error)}, got {named(error)}")
            else:
                self.tell("ok", promise)
        faulthandler.cancel_dump_traceback_later()

    def tell(self, result, line):
        print(f"{result} {self.sdk}: {line}", flush=True)


def same(what, got, wanted):
    """One value is as it should be."""
    if got != wanted:
        raise Failed(f"expected {what} {wanted!r}, got {got!r}")


def true(what, holds, got):
    """Something holds of a value."""
    if not holds:
        raise Failed(f"expected {what}, got {got!r}")


@contextmanager
def raises(kind, **attributes):
    """The block raises exactly this class, with these attributes. The error is in the list that is handed in."""
    caught = []
    try:
        yield caught
    except Exception as error:
        if type(error) is not kind:
            raise Failed(f"expected {kind.__name__}, got {named(error)}") from error
        for name, wanted in attributes.items():
            same(f"{kind.__name__}.{name}", getattr(error, name), wanted)
        caught.append(error)
    else:
        raise Failed(f"expected {kind.__name__}, got an answer")


def named(error):
    """An error and its cause in one line. What a validation has to say can fill pages."""
    cause = f" ({named(error.__cause__)})" if error.__cause__ else ""
    text = " ".join(str(error).split())
    return f"{type(error).__module__}.{type(error).__name__}: {text[:300]}{cause}"


def line(error):
    """The line of the check, not that of the package below it."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = [frame for frame in frames if os.path.dirname(frame.filename) == os.path.dirname(__file__)][-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"


def fault(name):
    """The options of a request that asks the mock for a fault."""
    return {"extra_headers": {"x-mock-fault": name}}


def tagged(fault=None):
    """A name by which a request is found in the ledger, and the options that give it."""
    name = str(uuid.uuid4())
    headers = {"x-client-request-id": name} | ({"x-mock-fault": fault} if fault else {})
    return name, {"extra_headers": headers}


class Mock:
    """A running mock, seen from its control routes."""

    def __init__(self, variable):
        self.url = os.environ[variable]

    def queue(self, fault, times):
        """The next requests get this fault, whatever they ask for."""
        self.call("POST", "/__admin/faults", {"fault": fault, "count": times})

    def attempts(self, request):
        """The number and the status of each attempt of a request, in order."""
        return [(entry["attempt"], entry["status"]) for entry in self.ledger(request)]

    def faults(self, request):
        """The faults of a request that were played, in order."""
        faults = [entry["fault"] for entry in self.ledger(request) if entry["fault"]]
        return [fault["name"] for fault in faults if fault["outcome"] == "played"]

    def ledger(self, request):
        """What the ledger has of a request."""
        query = urllib.parse.urlencode({"request_id": request})
        return self.call("GET", f"/__admin/ledger?{query}")["entries"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")


@contextmanager
def refused():
    """An address where nobody listens, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
