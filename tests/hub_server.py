"""A local server that speaks the protocol of the Hugging Face Hub, for tests with the real client (`HF_ENDPOINT`, Xet off).

It keeps repositories in memory, logs every request, and can misbehave by a rule (`Hub.rules`): respond with a status, cut the
connection, or call a function, for example one that kills the client.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml

TOKEN = "hf_" + "TestTokenThatNoOneHas"  # of the user who may write to `acme`
USER, ORG = "tester", "acme"
LARGE = (".mkv", ".mp4", ".png", ".jpg", ".parquet", ".npz", ".safetensors", ".woff2")
KINDS = "models|datasets|spaces"
REPO = r"(?P<repo_id>[^/]+/[^/]+)"
PAGE = 60  # entries on a page of a tree


@dataclass
class File:
    """A file of a commit. `oid` is git's name of the blob, of a pointer for a large file."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        return git_hash(pointer(self) if self.large else self.content)


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pointer(file: File) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {len(file.content)}\n".encode()


@dataclass
class Repo:
    """A repository: commits (id to files), and branches (name to commit)."""

    private: bool
    gated: object = False
    sdk: str = ""
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # operations in each commit

    def commit(self, branch: str, files: dict[str, File], message: str) -> str:
        text = f"{branch}|{len(self.commits)}|" + "".join(f"{path}{files[path].oid}" for path in sorted(files))
        oid = hashlib.sha1(text.encode()).hexdigest()
        self.commits[oid], self.branches[branch] = files, oid
        self.messages.append(message)
        return oid

    def find(self, revision: str) -> str | None:
        found = self.branches.get(revision, revision)
        return found if found in self.commits else None

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return {path: file.content for path, file in self.commits[self.branches[revision]].items()}


@dataclass
class Rule:
    """What happens to requests whose `METHOD path` the pattern finds: the first `after` pass, the next `times` are changed."""

    pattern: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "{}"
    cut: bool = False  # close the connection without a response
    late: bool = False  # do what was asked, and then close it
    half: bool = False  # send half of the response, and then close it
    act: Callable[[], None] | None = None
    after: int = 0
    times: int = 1


@dataclass
class Hub:
    """The state of the server."""

    url: str = ""
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    strangers: list[str] = field(default_factory=list)  # requests to the store of large files that brought a token
    part_size: int = 0  # bytes of a part of an upload in several parts; 0: one part
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def repo(self, kind: str, name: str) -> Repo:
        return self.repos[kind, name]

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, line) is not None for line in self.log)

    def rule(self, line: str) -> Rule | None:
        """The rule that changes this request, counted."""
        with self.lock:
            self.log.append(line)
            for rule in self.rules:
                if re.search(rule.pattern, line):
                    if rule.after:
                        rule.after -= 1
                    elif rule.times:
                        rule.times -= 1
                        return rule
        return None


class Refused(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    """One request. `hub` is set by `serve`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a response in one write
    hub: Hub

    def log_message(self, *_):  # standard error stays clean
        pass

    def _any(self):
        line = f"{self.command} {unquote(self.path)}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        rule = self.hub.rule(line)
        if rule is not None and rule.act is not None:
            rule.act()
        if rule is not None and rule.cut:
            self.close_connection = True
            return
        if rule is not None and rule.status:
            self._send(rule.status, rule.body.encode(), rule.headers)
            return
        try:
            with self.hub.lock:
                status, content, headers = self._respond(body)
        except Refused as error:
            headers = {"X-Error-Code": error.code} if error.code else {}
            content, status = json.dumps({"error": error.message}).encode(), error.status
            headers["X-Error-Message"] = error.message
        if rule is not None and rule.late:
            self.close_connection = True
            return
        if rule is not None and rule.half:
            self.close_connection = True
            headers = {"Content-Length": str(len(content)), **headers}
            content = content[: len(content) // 2]
        self._send(status, content, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _send(self, status, content, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def _respond(self, body):
        path = unquote(urlsplit(self.path).path)
        for method, pattern, name in ROUTES:
            if method == self.command and (found := re.fullmatch(pattern, path)):
                return getattr(self, name)(body=body, **found.groupdict())
        raise Refused(404, message=f"no such page: {self.command} {path}")

    def _json(self, value, **headers):
        return 200, json.dumps(value).encode(), {"Content-Type": "application/json", **headers}

    def _user(self) -> str:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given and given != TOKEN:
            raise Refused(401, message="Invalid credentials in Authorization header")
        return USER if given else ""

    def _repo(self, kind: str, name: str, *, write: bool = False, content: bool = False) -> Repo:
        user, repo = self._user(), self.hub.repos.get((kind, name))
        if repo is None or (repo.private and not user):
            raise Refused(401 if not user else 404, "RepoNotFound", "Repository not found")
        if write and not user:
            raise Refused(401, message="Invalid username or password.")
        if content and repo.gated and not user:
            raise Refused(401, "GatedRepo", "Access to this dataset is restricted")
        return repo

    def _files(self, repo: Repo, rev: str) -> tuple[str, dict[str, File]]:
        oid = repo.find(rev)
        if oid is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        return oid, repo.commits[oid]

    # The pages

    def whoami(self, body):
        if not self._user():
            raise Refused(401, message="Invalid username or password.")
        role = {"accessToken": {"displayName": "test", "role": "write"}}
        return self._json({"type": "user", "name": USER, "orgs": [{"name": ORG}], "auth": role})

    def create(self, body):
        given, user = json.loads(body), self._user()
        owner = given.get("organization") or user
        kind, name = f"{given.get('type') or 'model'}s", f"{owner}/{given['name']}"
        if not user:
            raise Refused(401, message="Invalid username or password.")
        if owner not in (USER, ORG):
            raise Refused(403, message=f"You don't have the rights to create a {kind[:-1]} under this namespace")
        if (kind, name) in self.hub.repos:
            raise Refused(409, message=f"You already created this {kind[:-1]} repo")
        repo = Repo(
            private=given.get("visibility") == "private" or bool(given.get("private")), sdk=given.get("sdk", "")
        )
        names = [".gitattributes", *(["README.md", "index.html", "style.css"] if repo.sdk == "static" else [])]
        repo.commit("main", {name: File(b"of the Hub\n", large=False) for name in names}, "initial commit")
        self.hub.repos[kind, name] = repo
        return self._json({"url": f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{name}", "name": name})

    def validate(self, body):
        front = json.loads(body)["content"].split("---\n")[1]
        try:
            wrong = [] if isinstance(yaml.safe_load(front), dict) else [{"message": "the metadata are no mapping"}]
        except yaml.YAMLError as error:
            wrong = [{"message": str(error)}]
        return (400 if wrong else 200), json.dumps({"errors": wrong, "warnings": []}).encode(), {}

    def settings(self, kind, repo_id, body):
        repo, given = self._repo(kind, repo_id, write=True), json.loads(body)
        repo.gated = given.get("gated", repo.gated)
        return self._json({})

    def info(self, kind, repo_id, body, rev="main"):
        repo = self._repo(kind, repo_id)
        oid, files = self._files(repo, rev)
        siblings = [{"rfilename": path} for path in sorted(files)]
        return self._json({"_id": "1", "id": repo_id, "sha": oid, "private": repo.private, "gated": repo.gated, "siblings": siblings,
                           "lastModified": "2026-01-01T00:00:00.000Z", "tags": [], "downloads": 0, "likes": 0})  # fmt: skip

    def refs(self, kind, repo_id, body):
        repo = self._repo(kind, repo_id)
        names = [{"name": one, "ref": f"refs/heads/{one}", "targetCommit": oid} for one, oid in repo.branches.items()]
        return self._json({"branches": names, "converts": [], "tags": []})

    def branch(self, kind, repo_id, branch, body):
        repo = self._repo(kind, repo_id, write=True)
        if branch in repo.branches:
            raise Refused(409, message="Reference already exists")
        repo.branches[branch] = repo.branches["main"]
        return self._json({})

    def preupload(self, kind, repo_id, rev, body):
        repo = self._repo(kind, repo_id, write=True)
        _, files = self._files(repo, rev)
        found = [{"path": one["path"], "shouldIgnore": False, "uploadMode": "lfs" if is_large(one) else "regular",
                  "oid": oid_of(files.get(one["path"]))} for one in json.loads(body)["files"]]  # fmt: skip
        return self._json({"files": found})

    def batch(self, repo_id, body, kind="models"):
        self._repo((kind or "models").strip("/"), repo_id, write=True)
        found = [self._action(one, repo_id) for one in json.loads(body)["objects"]]
        return self._json({"transfer": "basic", "objects": found})

    def _action(self, one, repo_id):
        if one["oid"] in self.hub.blobs:
            return one
        verify = {"href": f"{self.hub.url}/lfs-verify/{one['oid']}"}
        store = self.hub.url.replace("127.0.0.1", "localhost")  # another host, as at the Hub
        place = f"{store}/lfs/{one['oid']}?signature=secret"
        if not self.hub.part_size or one["size"] <= self.hub.part_size:
            return one | {"actions": {"upload": {"href": place}, "verify": verify}}
        count = -(-one["size"] // self.hub.part_size)
        header = {str(n): f"{store}/lfs-part/{one['oid']}/{n}" for n in range(1, count + 1)}
        whole = {
            "href": f"{self.hub.url}/lfs-whole/{one['oid']}",
            "header": header | {"chunk_size": str(self.hub.part_size)},
        }
        return one | {"actions": {"upload": whole, "verify": verify}}

    def put(self, oid, body):
        if self.headers.get("Authorization"):
            self.hub.strangers.append(oid)
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(400, message="the content does not have its checksum")
        self.hub.blobs[oid] = body
        return self._json({})

    def put_part(self, oid, part, body):
        self.hub.parts[oid, int(part)] = body
        return self._json({}, ETag=f'"{part}"')

    def put_whole(self, oid, body):
        numbers = [one["partNumber"] for one in json.loads(body)["parts"]]
        return self.put(oid, b"".join(self.hub.parts[oid, number] for number in numbers))

    def verify(self, oid, body):
        if len(self.hub.blobs.get(oid, b"")) != json.loads(body)["size"]:
            raise Refused(404, message="no such object")
        return self._json({})

    def commit(self, kind, repo_id, rev, body):
        repo = self._repo(kind, repo_id, write=True)
        if rev not in repo.branches:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        files, message, count = dict(repo.commits[repo.branches[rev]]), "", 0
        for line in body.splitlines():
            one = json.loads(line)
            value = one["value"]
            count += one["key"] != "header"
            if one["key"] == "header":
                message = value["summary"]
            elif one["key"] == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), large=False)
            elif one["key"] == "lfsFile":
                if value["oid"] not in self.hub.blobs:
                    raise Refused(400, message=f"object {value['oid']} was not uploaded")
                files[value["path"]] = File(self.hub.blobs[value["oid"]], large=True)
            elif one["key"] == "deletedFile":
                del files[value["path"]]
        repo.sizes.append(count)
        oid = repo.commit(rev, files, message)
        return self._json(
            {"commitOid": oid, "commitUrl": f"{self.hub.url}/{kind}/{repo_id}/commit/{oid}", "success": True}
        )

    def tree(self, kind, repo_id, rev, body, path=""):
        repo = self._repo(kind, repo_id)
        query = parse_qs(urlsplit(self.path).query)
        _, files = self._files(repo, rev)
        found = entries(files, (path or "").strip("/"), recursive=query.get("recursive", [""])[0].lower() == "true")
        if path and not found:
            raise Refused(404, "EntryNotFound", f"{path} does not exist on {rev}")
        start = int(query.get("cursor", ["0"])[0])
        link = {}
        if start + PAGE < len(found):
            rest = {key: value[0] for key, value in query.items()} | {"cursor": str(start + PAGE)}
            text = "&".join(f"{key}={value}" for key, value in rest.items())
            link = {"Link": f'<{self.hub.url}{urlsplit(self.path).path}?{text}>; rel="next"'}
        return self._json(found[start : start + PAGE], **link)

    def paths(self, kind, repo_id, rev, body):
        repo = self._repo(kind, repo_id)
        _, files = self._files(repo, rev)
        given = json.loads(body) if body[:1] == b"{" else parse_qs(body.decode())
        asked = given["paths"]
        listed = {one["path"]: one for one in entries(files, "", recursive=True)}
        return self._json([listed[path.strip("/")] for path in asked if path.strip("/") in listed])

    def resolve(self, repo_id, rev, path, body, kind=""):
        repo = self._repo((kind or "models").strip("/"), repo_id, content=True)
        oid, files = self._files(repo, rev)
        file = files.get(path)
        if file is None:
            raise Refused(404, "EntryNotFound", "Entry not found")
        etag = file.sha256 if file.large else file.oid
        headers = {"X-Repo-Commit": oid, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if file.large:
            headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(len(file.content))}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is None:
            return 200, file.content, headers
        first, last = int(span[1]), min(int(span[2] or len(file.content) - 1), len(file.content) - 1)
        if first > last:
            return 416, b"", {"Content-Range": f"bytes */{len(file.content)}"}
        headers["Content-Range"] = f"bytes {first}-{last}/{len(file.content)}"
        return 206, file.content[first : last + 1], headers


ROUTES = [
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/repos/create", "create"),
    ("POST", "/api/validate-yaml", "validate"),
    ("PUT", f"/api/(?P<kind>{KINDS})/{REPO}/settings", "settings"),
    ("GET", f"/api/(?P<kind>{KINDS})/{REPO}", "info"),
    ("GET", f"/api/(?P<kind>{KINDS})/{REPO}/revision/(?P<rev>[^/]+)", "info"),
    ("GET", f"/api/(?P<kind>{KINDS})/{REPO}/refs", "refs"),
    ("POST", f"/api/(?P<kind>{KINDS})/{REPO}/branch/(?P<branch>.+)", "branch"),
    ("POST", f"/api/(?P<kind>{KINDS})/{REPO}/preupload/(?P<rev>[^/]+)", "preupload"),
    ("POST", f"/(?P<kind>datasets/|spaces/)?{REPO}\\.git/info/lfs/objects/batch", "batch"),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", "put"),
    ("PUT", "/lfs-part/(?P<oid>[0-9a-f]{64})/(?P<part>[0-9]+)", "put_part"),
    ("POST", "/lfs-whole/(?P<oid>[0-9a-f]{64})", "put_whole"),
    ("POST", "/lfs-verify/(?P<oid>[0-9a-f]{64})", "verify"),
    ("POST", f"/api/(?P<kind>{KINDS})/{REPO}/commit/(?P<rev>[^/]+)", "commit"),
    ("GET", f"/api/(?P<kind>{KINDS})/{REPO}/tree/(?P<rev>[^/]+)(?P<path>/.*)?", "tree"),
    ("POST", f"/api/(?P<kind>{KINDS})/{REPO}/paths-info/(?P<rev>[^/]+)", "paths"),
    ("GET", f"/(?P<kind>datasets/|spaces/)?{REPO}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "resolve"),
    ("HEAD", f"/(?P<kind>datasets/|spaces/)?{REPO}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "resolve"),
]


def is_large(one: dict) -> bool:
    return one["path"].endswith(LARGE) or one["size"] > 10_000_000


def oid_of(file: File | None) -> str | None:
    return None if file is None else file.sha256 if file.large else file.oid


def entries(files: dict[str, File], folder: str, *, recursive: bool) -> list[dict]:
    """The files and folders below a folder, as the tree of the Hub lists them."""
    found = {}
    prefix = f"{folder}/" if folder else ""
    for path, file in sorted(files.items()):
        if not path.startswith(prefix):
            continue
        rest = path[len(prefix) :].split("/")
        for depth in range(1, len(rest) if recursive else min(2, len(rest))):
            name = prefix + "/".join(rest[:depth])
            found.setdefault(name, {"type": "directory", "path": name, "oid": git_hash(name.encode()), "size": 0})
        if recursive or len(rest) == 1:
            found[path] = {"type": "file", "path": path, "oid": file.oid, "size": len(file.content)}
            if file.large:
                found[path]["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": len(pointer(file))}
    return list(found.values())


@contextmanager
def serve():
    """The server on a free port of this machine, while the block runs."""
    hub = Hub()
    handler = type("Bound", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def address(path: str) -> str:
    """A path as it is in a request."""
    return quote(path, safe="/")
