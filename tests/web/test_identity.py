"""Who asks the hub: sessions, keys, this machine; and what each may do."""

import asyncio

import httpx
import pytest

import tenfold
from tenfold.catalog import accounts, activity, keys, sessions
from tenfold.errors import NotAllowed, SpecError
from tenfold.jobs import Job
from tenfold.roles import LEAST, ROLES
from tenfold.web import sign_in
from tenfold.web.errors import TooOften, WhoAreYou
from tenfold.web.hub_app import created
from tenfold.web.identity import check_reach
from tenfold.web.sign_in import Attempts, Ration, SignIns

WORDS, OTHER = "correct horse battery", "another long password"
BASE = "http://127.0.0.1:8081"


@pytest.fixture
def workspace(tmp_path):
    with tenfold.opened(tmp_path / "home", actor="root") as opened:
        yield opened


@pytest.fixture
def people(workspace):
    for name, role in (("olga", "owner"), ("erik", "engineer"), ("lena", "labeller")):
        accounts.create(workspace.scope, name, WORDS, role=role)
    accounts.create(workspace.scope, "vera", WORDS, role="viewer")
    return workspace


def scene(workspace, play, *, base=BASE, address="10.0.0.7"):
    """Play it with a client of a hub."""

    async def run():
        app = created(workspace, None)
        transport = httpx.ASGITransport(app=app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await play(client)

    return asyncio.run(run())


def asked(workspace, method, path, **more):
    place = {name: more.pop(name) for name in ("base", "address") if name in more}
    return scene(workspace, lambda client: client.request(method, path, **more), **place)


def bearer(secret):
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def as_role(workspace, role):
    return bearer(keys.create(workspace.scope, f"{role}-key", role=role))


async def signed_in(client, name="olga", password=WORDS):
    answer = await client.post("/api/sign-in", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_cookie_signs_in_and_out(people):
    async def play(client):
        told = await signed_in(client)
        assert WORDS not in str(told)
        (cookie,) = client.cookies.jar
        assert (cookie.name, cookie.value in str(told)) == ("tenfold_session", False)
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "strict"
        me = (await client.get("/api/me")).json()
        assert (me["actor"], me["role"], me["via"]) == ("olga", "owner", "session")
        assert me["csrf"] == told["csrf"]
        stolen = cookie.value
        csrf = {"X-CSRF-Token": told["csrf"]}
        assert (await client.post("/api/sign-out", headers=csrf)).status_code == 200
        assert not list(client.cookies.jar)
        client.cookies.set("tenfold_session", stolen)
        assert (await client.get("/api/me")).status_code == 401

    scene(people, play)


def test_a_change_by_cookie_needs_the_token_of_the_page(people):
    async def play(client):
        told = await signed_in(client)
        body = {"name": "line-3"}
        wrong = [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "ü".encode()}]
        wrong += [{"X-CSRF-Token": told["csrf"], "Origin": "http://evil.example"}]
        wrong += [{"X-CSRF-Token": told["csrf"], "Origin": "null"}]
        for headers in wrong:
            answer = await client.post("/api/keys", json=body, headers=headers)
            assert answer.status_code == 403, headers
        headers = {"X-CSRF-Token": told["csrf"], "Origin": BASE}
        answer = await client.post("/api/keys", json=body, headers=headers)
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"

    scene(people, play)


def test_over_tls_the_cookie_stays_there(people):
    async def play(client):
        await signed_in(client)
        return list(client.cookies.jar)

    assert [cookie.secure for cookie in scene(people, play, base="https://hub.example")] == [True]
    assert [cookie.secure for cookie in scene(people, play)] == [False]


def test_programs_sign_in_by_a_token_or_a_key(people):
    body = {"name": "erik", "password": WORDS, "token": True}
    answer = asked(people, "POST", "/api/sign-in", json=body)
    token = answer.json()["token"]
    assert "set-cookie" not in answer.headers
    me = asked(people, "GET", "/api/me", **bearer(token)).json()
    assert (me["actor"], me["role"], me["via"]) == ("erik", "engineer", "session")
    secret = keys.create(people.scope, "robot", role="labeller")
    for headers in ({"Authorization": f"bearer {secret}"}, {"X-API-Key": secret}):
        me = asked(people, "GET", "/api/me", headers=headers).json()
        assert (me["actor"], me["role"], me["via"]) == ("key:robot", "labeller", "key")
    keys.revoke(people.scope, "robot")
    for wrong in (secret, "tf_", "tfs_" + "a" * 43, "", "ü"):
        answer = asked(people, "GET", "/api/me", headers={"X-API-Key": wrong.encode()})
        assert answer.status_code == 401


NOBODY = [
    ("GET", "/api/me"),
    ("GET", "/api/accounts"),
    ("POST", "/api/accounts"),
    ("PUT", "/api/accounts/olga/role"),
    ("PUT", "/api/accounts/olga/password"),
    ("POST", "/api/accounts/olga/disable"),
    ("POST", "/api/accounts/olga/enable"),
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/keys/line-3"),
    ("GET", "/api/activity"),
    ("GET", "/api/activity/verify"),
    ("POST", "/api/sign-out"),
    ("POST", "/api/me/password"),
]
BODIES = {
    "/api/accounts": {"name": "new", "password": WORDS},
    "/api/accounts/olga/role": {"role": "viewer"},
    "/api/accounts/olga/password": {"password": OTHER},
    "/api/keys": {"name": "line-3"},
    "/api/me/password": {"old": WORDS, "new": OTHER},
}


@pytest.mark.parametrize(("method", "path"), NOBODY)
def test_whoever_is_not_signed_in_does_nothing(people, method, path):
    for address in ("10.0.0.7", "127.0.0.1"):
        answer = asked(people, method, path, json=BODIES.get(path), address=address)
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"] == "Bearer"


ASKING = {
    "show": ("GET", "/api/models", None),
    "label": ("GET", "/api/review/pictures/a?deployment=none", None),
    "activity": ("GET", "/api/activity", None),
    "approve": ("POST", "/api/loops/none/approve", {}),
    "deploy": ("POST", "/api/deployments/none/retire", {}),
    "ingest": ("POST", "/api/datasets", {"name": "a"}),
    "make": ("POST", "/api/makes", {"task": ""}),
    "accounts": ("GET", "/api/accounts", None),
    "prices": ("PUT", "/api/headcount", {"date": "2026-01-31", "people": -1}),
}


def test_every_role_does_what_it_may_and_nothing_else(people):
    assert ASKING.keys() == LEAST.keys() - {"ask"}
    for role in ROLES:
        known = as_role(people, role)
        for action, (method, path, body) in ASKING.items():
            is_enough = ROLES.index(role) >= ROLES.index(LEAST[action])
            answer = asked(people, method, path, json=body, **known)
            assert (answer.status_code != 403) == is_enough, (role, action, answer.text)


def test_every_route_asks_who_is_there(people):
    app = created(people, None)
    open_to_all = {("/api/sign-in", "POST"), ("/api/uploads", "OPTIONS")}
    routes = [
        (method, route)
        for route in _routes(app.routes)
        for method in route.methods
        if (route.path, method) not in open_to_all
    ]
    assert len(routes) > 30
    for method, route in routes:
        names = {one.call.__qualname__ for one in route.dependant.dependencies}
        assert names & {"permitted.<locals>.workspace", "known"}, (method, route.path)


def _routes(found):
    for route in found:
        if hasattr(route, "dependant"):
            yield route
        elif hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes)


def test_owners_manage_people_and_keys(people):
    known = as_role(people, "owner")

    def ask(method, path, body=None):
        return asked(people, method, path, json=body, **known)

    made = ask("POST", "/api/accounts", {"name": "nora", "password": OTHER})
    assert (made.status_code, made.json()["role"]) == (201, "viewer")
    assert ask("POST", "/api/accounts", {"name": "nora", "password": OTHER}).status_code == 409
    assert ask("POST", "/api/accounts", {"name": "N", "password": OTHER}).status_code == 400
    short = ask("POST", "/api/accounts", {"name": "n", "password": "short!"})
    assert (short.status_code, "short!" in short.text) == (400, False)
    wrong = ask("POST", "/api/accounts", {"name": "n", "password": WORDS, "role": "admin"})
    assert (wrong.status_code, WORDS in wrong.text) == (400, False)
    assert ask("PUT", "/api/accounts/nora/role", {"role": "engineer"}).json()["role"] == "engineer"
    assert ask("PUT", "/api/accounts/nora/password", {"password": WORDS}).status_code == 200
    assert ask("POST", "/api/accounts/nora/disable").json()["disabled_at"]
    assert ask("POST", "/api/accounts/nora/enable").json()["disabled_at"] is None
    assert ask("POST", "/api/accounts/olga/disable").status_code == 409
    assert ask("PUT", "/api/accounts/nobody/role", {"role": "viewer"}).status_code == 404
    listed = ask("GET", "/api/accounts")
    assert [one["name"] for one in listed.json()] == ["erik", "lena", "nora", "olga", "vera"]
    assert "argon2" not in listed.text
    secret = ask("POST", "/api/keys", {"name": "line-3", "role": "viewer"}).json()["key"]
    found = ask("GET", "/api/keys")
    assert {one["name"]: one["role"] for one in found.json()}["line-3"] == "viewer"
    assert keys.digest_of(secret) not in found.text
    assert ask("DELETE", "/api/keys/line-3").status_code == 200
    rows = ask("GET", "/api/activity?limit=3").json()
    actions = ["revoke-key", "create-key", "enable-account"]
    assert [(one["actor"], one["action"]) for one in rows] == [
        ("key:owner-key", action) for action in actions
    ]
    older = ask("GET", f"/api/activity?limit=1&before={rows[-1]['number']}").json()
    assert older[0]["action"] == "disable-account"
    head = rows[0]["digest"]
    assert ask("GET", f"/api/activity/verify?noted={head}").json()["broken"] is None
    lost = ask("GET", f"/api/activity/verify?noted={'a' * 64}").json()
    assert "cut off" in lost["broken"]["why"]


def test_whoever_is_signed_in_sets_another_password(people):
    async def play(client):
        told = await signed_in(client, "vera")
        csrf = {"X-CSRF-Token": told["csrf"]}

        async def change(old, new):
            body = {"old": old, "new": new}
            return (await client.post("/api/me/password", json=body, headers=csrf)).status_code

        assert await change(OTHER, OTHER) == 401
        assert await change(WORDS, "short") == 400
        assert await change(WORDS, OTHER) == 200
        assert (await client.get("/api/me")).status_code == 401
        await signed_in(client, "vera", OTHER)

    scene(people, play)
    known = as_role(people, "viewer")
    body = {"old": WORDS, "new": OTHER}
    assert asked(people, "POST", "/api/me/password", json=body, **known).status_code == 403
    newest = activity.page(people.scope, activity.Sought(action="set-password"), limit=1)
    assert (newest[0].actor, newest[0].subject) == ("vera", "vera")


def test_while_there_are_no_accounts_this_machine_alone_may_ask(workspace):
    def status(**more):
        return asked(workspace, "GET", "/api/me", **more).status_code

    me = asked(workspace, "GET", "/api/me", address="127.0.0.1").json()
    assert (me["actor"], me["role"], me["via"]) == ("root", "owner", "local")
    assert status(address="10.0.0.7") == 401
    assert status(address="127.0.0.1", base="http://evil.example:8081") == 401
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert status(address="127.0.0.1", headers={name: "127.0.0.1"}) == 401
    assert status(address="127.0.0.1", **bearer("tf_wrong")) == 401
    body = {"name": "olga", "password": WORDS}
    evil = {"Origin": "http://evil.example"}
    here = {"address": "127.0.0.1", "json": body}
    assert asked(workspace, "POST", "/api/accounts", headers=evil, **here).status_code == 403
    made = asked(workspace, "POST", "/api/accounts", headers={"Origin": BASE}, **here)
    assert (made.status_code, made.json()["role"]) == (201, "owner")
    assert status(address="127.0.0.1") == 401


def test_what_a_job_does_is_done_by_whoever_asked_for_it(people):
    class Work:
        asked = None

        def submit(self, kind, arguments, key):
            self.asked = arguments
            return Job(key, kind, "waits")

    (people.settings.home / "uploads" / "caps").mkdir(parents=True)
    work, known = Work(), as_role(people, "engineer")

    async def play():
        transport = httpx.ASGITransport(app=created(people, work))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            body = {"name": "caps", "folder": "caps"}
            return await client.post("/api/datasets", json=body, **known)

    answer = asyncio.run(play())
    assert answer.status_code == 202, answer.text
    assert work.asked["actor"] == "key:engineer-key"


def test_nobody_fills_the_memory(workspace):
    async def pieces():
        for _ in range(40):
            yield b"a" * 100_000

    for path in ("/api/makes", "/api/accounts"):
        answer = asked(workspace, "POST", path, content=pieces())
        assert answer.status_code == 413, answer.text


def test_other_machines_need_accounts(workspace):
    check_reach(workspace.scope, "127.0.0.1")
    with pytest.raises(NotAllowed, match="no account"):
        check_reach(workspace.scope, "0.0.0.0")
    accounts.create(workspace.scope, "olga", WORDS)
    check_reach(workspace.scope, "0.0.0.0")


def test_what_is_no_sign_in_is_told(people):
    body = {"name": "olga", "password": WORDS}
    wrong = [
        ({"json": {"name": "olga"}}, 400),
        ({"json": body | {"x": 1}}, 400),
        ({"json": body | {"name": "o" * 101}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"\xff" * 20_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"data": body}, 501),
        ({"json": body, "headers": {"Origin": "http://evil.example"}}, 403),
        ({"json": body | {"password": OTHER}}, 401),
        ({"json": body | {"name": "nobody"}}, 401),
        ({"json": body | {"name": "Olga"}}, 401),
        ({"json": body | {"name": "\x00'; --"}}, 401),
    ]
    for sent, status in wrong:
        answer = asked(people, "POST", "/api/sign-in", **sent)
        assert answer.status_code == status, (sent, answer.text)
        assert WORDS not in answer.text
        assert OTHER not in answer.text


def test_whoever_guesses_waits(people, monkeypatch):
    async def play(client):
        async def attempt(name, password):
            body = {"name": name, "password": password}
            return (await client.post("/api/sign-in", json=body)).status_code

        assert [await attempt("olga", OTHER) for _ in range(5)] == [401] * 5
        assert await attempt("olga", WORDS) == 429, "even by the right one"
        assert await attempt("erik", WORDS) == 200, "others at that address may"
        guesses = [attempt("vera", OTHER) for _ in range(12)]
        assert sorted(await asyncio.gather(*guesses)) == [401] * 5 + [429] * 7
        return activity.page(people.scope, activity.Sought(action="sign-in-failed"), limit=100)

    told = scene(people, play)
    assert [one.subject for one in told] == ["vera"] * 5 + ["olga"] * 5
    assert {one.detail["address"] for one in told} == {"10.0.0.7"}


def test_many_at_once_are_sent_away(people, monkeypatch):
    monkeypatch.setattr(sign_in, "MOST_WAITING", 3)

    async def run():
        one = SignIns(people.scope)
        tries = [one.check("olga", WORDS, address=str(n)) for n in range(8)]
        return await asyncio.gather(*tries, return_exceptions=True)

    came = asyncio.run(run())
    assert [type(one).__name__ for one in came] == ["Account"] * 3 + ["TooOften"] * 5


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def failures(attempts, name, address, most=100):
    for count in range(most):
        try:
            attempts.begin(name, address)
        except TooOften:
            return count
    return most


def test_the_wait_doubles_and_is_bounded():
    clock = Clock()
    attempts = Attempts(clock)
    assert failures(attempts, "olga", "10.0.0.7") == 5
    waits = []
    for _ in range(12):
        began = clock.now
        while failures(attempts, "olga", "10.0.0.7", most=1) == 0:
            clock.now += 0.5
        waits.append(clock.now - began)
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[-1] == 900.0


def test_names_and_addresses_are_bounded_too():
    clock = Clock()
    attempts = Attempts(clock)
    assert sum(failures(attempts, "olga", f"10.0.0.{n}", most=1) for n in range(50)) == 10
    clock.now += 60
    assert failures(attempts, "olga", "10.0.1.1", most=1) == 1, "its owner waits a minute at most"
    assert sum(failures(attempts, f"name-{n}", "10.9.9.9", most=1) for n in range(50)) == 20
    clock.now += 3601
    assert failures(attempts, "new", "10.9.9.9", most=1) == 1


def test_who_gets_in_does_not_wash_an_address_clean():
    attempts = Attempts(Clock())
    for n in range(19):
        attempts.begin(f"name-{n}", "10.0.0.7")
        attempts.begin("mine", "10.0.0.7")
        attempts.forgive("mine", "10.0.0.7")
    attempts.begin("olga", "10.0.0.7")
    with pytest.raises(TooOften):
        attempts.begin("mine", "10.0.0.7")


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(sign_in, "MOST_KNOWN", 30)
    attempts, ration = Attempts(Clock()), Ration(Clock())
    for n in range(1000):
        attempts.begin(f"name-{n}", f"10.0.{n % 250}.{n}")
        ration.taken(f"name-{n}")
    assert len(attempts) <= 30
    assert len(ration) <= 30


def test_failures_fill_the_log_slowly_and_none_is_lost():
    clock = Clock()
    ration = Ration(clock)
    assert [ration.taken("olga") for _ in range(8)] == [1] * 5 + [0] * 3
    clock.now += 61
    assert ration.taken("olga") == 4
    assert sum(ration.taken(f"name-{n}") for n in range(100)) == 29, "all names together"


def test_an_account_that_is_disabled_while_it_signs_in_gets_nothing(people, monkeypatch):
    checked = accounts.check

    def slow(scope, name, password):
        found = checked(scope, name, password)
        accounts.disable(scope, name)
        return found

    monkeypatch.setattr(accounts, "check", slow)
    with pytest.raises(WhoAreYou):
        asyncio.run(SignIns(people.scope).begin("vera", WORDS, address=""))


def test_a_new_password_must_be_one(people):
    with pytest.raises(SpecError):
        asyncio.run(SignIns(people.scope).change_password("vera", WORDS, "short", address=""))
    assert sessions.who(people.scope, "") is None
