"""The console: its pages over a real run and store, and a browser that uses them."""

import re
import shutil
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")
pytest.importorskip("jinja2", reason="jinja2 is not installed; it is in the extra serve")

from sqlalchemy.exc import OperationalError

from penchant import load
from penchant.data import synthetic
from penchant.serve.api import api_keys
from penchant.serve.api.api_keys import ApiKeys
from penchant.serve.console.rendering import STATIC
from penchant.serve.store.store import Store
from serving import client_of, quoted, run_of, told, world

HOSTILE = (
    "<script>alert(1)</script>",
    "a/b",
    '"><img src=x onerror=alert(1)>',
    "'; drop table events; --",
    "{{ 7 * 7 }}",
    "🙂 100%",
    "ü?x=1&y#z",
)
TITLE = "<img src=x onerror=\"document.title='broken into'\"><script>alert(1)</script>"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060"
    "00000004000146d8e1d30000000049454e44ae426082"
)
PAGES = ("/", "/console/evaluation", "/console/privacy", "/docs")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A world whose most popular item has a hostile title, and some of whose items have files."""
    folder, plain = tmp_path_factory.mktemp("images"), world(300, 150)
    (folder / "good.png").write_bytes(PNG)
    (folder / "secret.txt").write_text("root:x:0:0", encoding="utf-8")
    (folder / "drawn.svg").write_text("<svg onload='alert(1)'/>", encoding="utf-8")
    catalogue = plain.catalogue
    titles, image = list(catalogue.titles), np.full(len(catalogue), None, object)
    titles[int(plain.counts().argmax())] = TITLE
    for row, name in enumerate(("good.png", "secret.txt", "drawn.svg", "none.png", "a\x00b", ".")):
        image[row] = str(folder / name)
    columns = {**catalogue.columns, "image": image}
    return replace(plain, catalogue=replace(catalogue, titles=tuple(titles), columns=columns))


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    content = {"image": "none", "text": "none", "audio": "none"}
    folder = tmp_path_factory.mktemp("runs") / "run"
    return run_of(folder, data=data, content=content)


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and its text."""

    def __init__(self, response, status=200):
        super().__init__()
        assert response.status_code == status, response.text
        assert response.headers["content-type"].startswith("text/html")
        self.elements, self.words = [], []
        self.feed(response.text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, words):
        self.words.append(words)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def inert(page):
    """Nothing of what data holds has become an element, a handler or an address."""
    assert all(one["src"].startswith("/console/static/htmx") for one in page.of("script"))
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("/", "#", "data:,")), address
            assert address is None or not address.startswith("//")
    assert not [one for one in page.of("img") if not one["src"].startswith("/console/items/")]


def post(client, address, headers=None, **form):
    return client.post(address, data=form, headers=headers, follow_redirects=False)


@pytest.mark.parametrize("address", PAGES)
def test_each_page_says_what_it_is(client, address):
    response = client.get(address)
    page = Page(response)
    inert(page)
    assert [one["lang"] for one in page.of("html")] == ["en"]
    assert len(page.of("h1")) == len(page.of("main")) == 1
    assert page.of("a")[0]["href"] == "#main"
    fields = {one["id"] for tag in ("input", "select") for one in page.of(tag) if "id" in one}
    assert fields == {one["for"] for one in page.of("label")}
    assert all("unsafe" not in part for part in _policy(response, "default-src"))
    assert response.headers["cache-control"] == "no-store"


def _policy(response, name):
    parts = response.headers["content-security-policy"].split(";")
    return next(part.split() for part in parts if part.split()[0] == name)


def test_the_overview_tells_what_serves(client, run, data):
    told(client.post("/events", json={"user": "u", "item": "?", "behavior": "buy"}))
    page = Page(client.get("/"))
    variant = client.service.variants["main"]
    for words in (
        variant.digest[:12],
        "transition",
        f"{len(data.events):,}",
        "ndcg@10",
        "Events from",
    ):
        assert words in page.text
    for behavior in data.catalogue.behaviors:
        count = int((data.events.behavior == data.catalogue.behavior(behavior.name)).sum())
        assert f"{behavior.name} {count:,}" in page.text
    assert "1 events stored" in page.text
    value = load(run).report.evaluation.metrics["ndcg@10"].value
    assert f"ndcg@10 {value:.4f} [" in page.text


def test_two_variants_have_a_section_each(run, database):
    with client_of(run, database, runs={"main": str(run), "other": str(run)}, share=0.3) as client:
        page = Page(client.get("/"))
        assert "30%" in page.text
        assert "70%" in page.text
        assert "Evaluation: other" in page.text
        assert "Metrics" in Page(client.get("/console/evaluation?variant=other")).text
        Page(client.get("/console/evaluation?variant=third"), 422)


def test_a_user_has_a_timeline_a_list_with_reasons_and_interests(client, data):
    user = data.users.ids[4]
    page = Page(client.get(f"/console/users/{user}"))
    inert(page)
    client.service.log.flush()
    assert client.service.store.counts()["impressions"] == 0  # nobody was shown the list
    listed = told(client.get(f"/users/{user}/recommendations?explain=true"))["items"]
    for row in listed:
        assert f"/console/items/{quoted(row['item'])}" in {one.get("href") for one in page.of("a")}
        assert row["because"] in page.text
    found = told(client.get(f"/users/{user}/interests"))["interests"]
    assert found
    assert all(one["label"] in page.text for one in found)
    assert len(page.of("time")) == min(50, len(data.history(user).events))
    assert len(page.of("svg")) == 1 + len(found)


@pytest.mark.parametrize("user", HOSTILE)
def test_a_hostile_user_is_text_and_nothing_else(client, data, user):
    address = f"/console/users/{quoted(user)}"
    page = Page(client.get(address))
    inert(page)
    assert "No user with this ID yet" in page.text
    assert "The most popular items" in page.text
    assert " ".join(f"User {user}".split()) in page.text
    item = data.catalogue.items.ids[0]
    answer = post(client, f"{address}/events", item=item, behavior="buy")
    assert answer.status_code == 303
    assert answer.headers["location"] == address
    page = Page(client.get(address))
    inert(page)
    assert "1 event." in page.text
    assert "No user with" not in page.text
    assert client.service.store.snapshot(user).events[0].about == item
    answer = client.get("/console/find", params={"user": user}, follow_redirects=False)
    assert answer.headers["location"] == address
    inert(Page(client.get("/console/privacy", params={"user": user})))


@pytest.mark.parametrize("item", HOSTILE)
def test_a_hostile_item_is_text_and_nothing_else(client, data, item):
    body = {"item": item, "title": TITLE + item, "tags": [item], "color": item}
    told(client.post("/items", json=body | {"domain": data.catalogue.domains[0]}))
    page = Page(client.get(f"/console/items/{quoted(item)}"))
    inert(page)
    assert " ".join(item.split()) in page.text
    user = "someone"
    address = f"/console/users/{user}"
    assert post(client, f"{address}/events", item=item, behavior="view").status_code == 303
    page = Page(client.get(address))
    inert(page)
    assert TITLE.split(">")[0] in page.text
    options = client.get("/console/suggest/items", params={"item": item}).text
    assert "<script" not in options
    assert "<img" not in options
    state = {"hidden": "true"}
    assert post(client, f"/console/items/{quoted(item)}/state", **state).status_code == 303
    page = Page(client.get(f"/console/items/{quoted(item)}"))
    assert "Not recommended now." in page.text


@pytest.mark.parametrize(
    "address", ["/console/users/%ff", "/console/users/a%00", "/console/items/no"]
)
def test_a_page_that_cannot_be_shown_says_why(client, address):
    page = Page(client.get(address), 404 if "items" in address else 422)
    inert(page)
    assert "What to do" in page.text


def test_an_item_shows_what_is_known_and_its_neighbors(client, data):
    item = data.catalogue.items.ids[0]
    page = Page(client.get(f"/console/items/{quoted(item)}"))
    inert(page)
    for row in told(client.get(f"/items/{quoted(item)}/similar?k=8"))["items"]:
        assert (row["title"] or row["item"]) in page.text
    assert all(tag in page.text for tag in data.catalogue.tags[0])
    assert f"events {int(data.event_counts[0])}" in page.text
    assert "good.png" in page.text
    assert "/good.png" not in page.text  # where files lie is nobody's business


def test_an_image_is_shown_only_where_the_catalogue_names_one(client, data):
    ids = data.catalogue.items.ids
    found = client.get(f"/console/items/{quoted(ids[0])}/image")
    assert found.content == PNG
    assert found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert Page(client.get(f"/console/items/{quoted(ids[0])}")).of("img")
    for item in ids[1:7]:
        Page(client.get(f"/console/items/{quoted(item)}/image"), 404)
        assert not Page(client.get(f"/console/items/{quoted(item)}")).of("img")
    for path in ("../../../../etc/passwd", "%2Fetc%2Fpasswd"):
        assert client.get(f"/console/items/{path}/image").status_code == 404


def test_hidden_items_leave_lists_and_come_back(client, data):
    user = data.users.ids[4]

    def listed():
        return [row["item"] for row in told(client.get(f"/users/{user}/recommendations"))["items"]]

    first = listed()
    address = f"/console/items/{quoted(first[0])}/state"
    assert post(client, address, hidden="true").status_code == 303
    assert first[0] not in listed()
    assert post(client, address, hidden="false").status_code == 303
    assert listed() == first


def test_interests_are_steered_and_the_answer_is_the_part_that_changed(client, data):
    user = data.users.ids[4]
    page = f"/console/users/{user}"
    one = told(client.get(f"/users/{user}/interests"))["interests"][0]
    headers = {"hx-request": "true"}
    first = Page(client.get(page))
    answer = post(client, f"{page}/interests/{one['id']}", headers, factor="0")
    part = Page(answer)
    assert not part.of("html")
    assert f"{one['label']}: muted." in part.text
    assert "new" in part.text
    sliders = [one for one in part.of("input") if one["type"] == "range"]
    assert sliders[0]["value"] == "0.0"
    assert sliders[0]["aria-valuetext"] == "muted"
    assert told(client.get(f"/users/{user}/interests"))["interests"][0]["factor"] == 0
    assert post(client, f"{page}/interests/{one['id']}", factor="1").status_code == 303
    links = [a["href"] for a in first.of("a")]
    assert [a["href"] for a in Page(client.get(page)).of("a")] == links
    problem = Page(post(client, f"{page}/interests/none", headers, factor="0"), 422)
    assert not problem.of("html")
    assert "unknown interest" in problem.text.lower()


def test_an_event_names_its_item_by_title_too(client, data):
    titles = data.catalogue.titles
    row = next(r for r, title in enumerate(titles) if titles.count(title) == 1 and title != TITLE)
    address = "/console/users/new/events"
    assert post(client, address, item=titles[row].upper(), behavior="view").status_code == 303
    assert client.service.store.snapshot("new").events[0].about == data.catalogue.items.ids[row]
    assert "Unknown item" in Page(post(client, address, item="what", behavior="view"), 404).text
    assert (
        "unknown behavior" in Page(post(client, address, item=titles[row], behavior="?"), 422).text
    )
    Page(post(client, address, item="", behavior="view"), 422)
    assert client.service.store.counts()["events"] == 1


def test_fields_suggest_what_is_known(client, data):
    def values(address, **asked):
        return [one["value"] for one in Page(client.get(address, params=asked)).of("option")]

    user = data.users.ids[7]
    assert values("/console/suggest/users", user=user) == [user]
    assert len(values("/console/suggest/users", user=user[:2])) == 12
    assert values("/console/suggest/users", user="~") == []
    title = data.catalogue.titles[9]
    assert data.catalogue.items.ids[9] in values("/console/suggest/items", item=title[3:].upper())
    found = client.get("/console/find", params={"item": title}, follow_redirects=False)
    assert found.headers["location"] == f"/console/items/{quoted(data.catalogue.items.ids[9])}"
    Page(client.get("/console/find", params={"item": "what"}), 404)
    assert client.get("/console/find", follow_redirects=False).headers["location"] == "/"


def test_forgetting_asks_twice_and_gives_a_receipt(client, data):
    user, item = data.users.ids[4], data.catalogue.items.ids[0]
    told(client.post("/events", json={"user": user, "item": item, "behavior": "buy"}))
    page = Page(
        post(client, "/console/privacy/forget", user=user, confirmation="someone else"), 422
    )
    assert "nothing was forgotten" in page.text
    assert client.service.store.counts()["events"] == 1
    page = Page(post(client, "/console/privacy/forget", user=user, confirmation=user))
    assert f"{user} was forgotten" in page.text
    assert "events 1" in page.text
    assert "The saved model of main" in page.text
    assert "No user with this ID" in Page(client.get(f"/console/users/{user}")).text


def test_consent_is_taken_back_and_given(client, data):
    user, item = data.users.ids[4], data.catalogue.items.ids[0]
    page = Page(post(client, "/console/privacy/consent", user=user, given="false"))
    assert f"{user} does not consent" in page.text
    page = Page(client.get(f"/console/users/{user}"))
    assert "does not consent" in page.text
    assert "No events." in page.text
    refused = post(client, f"/console/users/{user}/events", item=item, behavior="buy")
    assert "consent" in Page(refused, 422).text
    Page(post(client, "/console/privacy/consent", user=user, given="true"))
    assert "consent to" not in Page(client.get(f"/console/users/{user}")).text


def test_the_description_holds_every_address(client):
    page = Page(client.get("/docs"))
    described = told(client.get("/openapi.json"))
    for path, methods in described["paths"].items():
        assert not path.startswith("/console")
        for method, of in methods.items():
            assert f"{method.upper()} {path}" in page.text
            for one in of.get("parameters", []):
                assert one["name"] in page.text
    assert '"event_id": "e-1"' in page.text
    assert "integer from 1 to 200" in page.text


def test_files_of_pages_are_in_the_package(client):
    page = client.get("/").text
    for name, (kind, content) in STATIC.items():
        found = client.get(f"/console/static/{name}")
        assert found.content == content
        assert found.headers["content-type"].startswith(kind)
    for name in ("report.css", "console.css", "htmx.min.js"):
        assert re.search(rf"/console/static/{re.escape(name)}\?v=\w+", page)
    assert b"Permission to use, copy, modify" in STATIC["htmx.LICENSE.txt"][1]
    Page(client.get("/console/static/base.html"), 404)
    Page(client.get("/console/static/..%2Froutes.py"), 404)


CROSS = ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"})
CROSS += ({"origin": "http://evil.example"}, {"origin": "null"})


@pytest.mark.parametrize("headers", CROSS)
def test_other_sites_change_nothing(client, data, headers):
    user, item = data.users.ids[4], data.catalogue.items.ids[0]
    for address, form in (
        (f"/console/users/{user}/events", {"item": item, "behavior": "buy"}),
        (f"/console/items/{quoted(item)}/state", {"hidden": "true"}),
        ("/console/privacy/forget", {"user": user, "confirmation": user}),
        ("/console/privacy/consent", {"user": user, "given": "false"}),
        ("/console/login", {"key": "k"}),
        ("/console/logout", {}),
    ):
        answer = client.post(address, data=form, headers=FORM | headers, follow_redirects=False)
        assert "another site" in Page(answer, 403).text
    assert client.service.store.counts()["events"] == 0
    assert client.service.store.revision == 0
    own = {"origin": "http://testserver"}
    address = f"/console/users/{user}/events"
    assert post(client, address, own, item=item, behavior="buy").status_code == 303


def test_a_key_opens_the_pages_of_its_scopes(run, database, data, monkeypatch):
    monkeypatch.setattr(api_keys, "_CACHE_SECONDS", 0.0)
    keys = ApiKeys(Store(database))
    made = {scope: keys.add(scope, {"read", scope}) for scope in ("read", "write", "admin")}
    user, item = data.users.ids[4], data.catalogue.items.ids[0]
    address = f"/console/users/{user}"
    with client_of(run, database, open=False) as client:
        for page in ("/", address, "/console/evaluation", "/console/privacy"):
            answer = client.get(page, follow_redirects=False)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/console/login?next={quoted(page)}"
        part = client.get("/console/suggest/users", headers={"hx-request": "true"})
        assert part.headers["hx-redirect"] == "/console/login"
        assert post(client, f"{address}/events", item=item, behavior="buy").status_code == 303
        assert client.service.store.counts()["events"] == 0
        Page(client.get("/docs"))
        answer = post(client, "/console/login", key="pk_wrong")
        assert "not valid" in Page(answer, 401).text
        assert "set-cookie" not in answer.headers
        actions = (
            ("write", f"{address}/events", {"item": item, "behavior": "buy"}, 303),
            ("write", "/console/privacy/consent", {"user": user, "given": "true"}, 200),
            ("admin", f"/console/items/{quoted(item)}/state", {"hidden": "false"}, 303),
            ("admin", "/console/privacy/forget", {"user": "x", "confirmation": "x"}, 200),
        )
        for scope, key in made.items():
            answer = post(client, "/console/login", key=key, next=address)
            assert (answer.status_code, answer.headers["location"]) == (303, address)
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert "Secure" not in cookie
            page = Page(client.get(address))
            assert bool(page.of("select")) == (scope != "read")
            assert ("Hide from all lists" in client.get(f"/console/items/{quoted(item)}").text) == (
                scope == "admin"
            )
            for needed, where, form, status in actions:
                good = scope in (needed, "admin")
                answer = post(client, where, **form)
                assert answer.status_code == (status if good else 403), (scope, where)
                assert good or "does not have the scope" in Page(answer, 403).text
            assert post(client, "/console/logout").headers["location"] == "/console/login"
            assert client.get("/", follow_redirects=False).status_code == 303
        secure = client.post(
            "https://testserver/console/login", data={"key": made["read"]}, follow_redirects=False
        )
        assert "Secure" in secure.headers["set-cookie"]
        for outside in (
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "javascript:1",
        ):
            answer = post(client, "/console/login", key=made["read"], next=outside)
            assert answer.headers["location"] == "/"
        keys.revoke(next(key.id for key in keys.list_all() if key.name == "read"))
        assert client.get("/", follow_redirects=False).status_code == 303


def test_more_pages_than_a_key_may_ask_for_wait(run, database):
    with client_of(run, database, rate=1.0) as client:
        found = [client.get("/console/privacy") for _ in range(4)]
    late = Page(found[-1], 429)
    assert "wait" in late.text
    assert int(found[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("family", ["popularity", "transition"])
def test_a_run_that_knows_little_has_pages_too(tmp_path, database, family):
    data = synthetic.checkerboard()
    run = run_of(tmp_path / "run", family, data, target="view")
    user, item = data.users.ids[0], data.catalogue.items.ids[0]
    with client_of(run, database) as client:
        for address in ("/", "/console/evaluation", f"/console/items/{item}"):
            Page(client.get(address))
        form = {"item": item, "behavior": "view"}
        assert post(client, f"/console/users/{user}/events", **form).status_code == 303
        page = Page(client.get(f"/console/users/{user}"))
    assert ("need a model with a transition expert" in page.text) == (family == "popularity")
    assert f"{len(data.history(user).events) + 1} events." in page.text
    assert len(page.of("time")) == 1  # of the run's events the order alone is known


def test_errors_behind_a_page_are_told_without_what_users_did(client, monkeypatch):
    def away(*given, **asked):
        raise OperationalError("select secret-user", {}, ValueError("secret-user"))

    def broken(*given, **asked):
        raise RuntimeError("secret-user did it")

    for fault, status in ((away, 503), (broken, 500)):
        monkeypatch.setattr(client.service.store, "snapshot", fault)
        page = Page(client.get("/console/users/u"), status)
        assert "What to do" in page.text
        assert "secret" not in page.text


# a browser

BROWSER = shutil.which("chromium")


@contextmanager
def served(run, database):
    """The address of a real server in this process, and its live service."""
    import uvicorn

    from penchant.serve.app import application
    from penchant.serve.settings import ServiceSettings

    app = application(
        ServiceSettings(runs={"main": str(run)}, database=database, open=True, rate=0.0)
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", app.app.state.service
        finally:
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; it is in the extra dev"
    )
    if BROWSER is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield made
        made.close()


@contextmanager
def tab(browser, complains=(), **how):
    """A page that may ask 127.0.0.1 alone, and may find nothing else to complain of."""
    complaints, asked = [], []
    context = browser.new_context(viewport={"width": 1200, "height": 900}, **how)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append("a dialog"))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert len(complaints) == len(complains)
    assert all(a in b for a, b in zip(complains, complaints, strict=True)), complaints
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in asked)


def listed(page):
    return page.locator(".list a").all_text_contents()


def test_a_browser_posts_steers_and_forgets(browser, run, database, data):
    with served(run, database) as (base, service), tab(browser) as page:
        page.goto(base)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        for _ in range(20):
            if page.evaluate("document.activeElement.id") == "find-user":
                break
            page.keyboard.press("Tab")
        user = data.users.ids[4]
        page.keyboard.type(user)
        page.wait_for_selector(f"#find-user-known option[value='{user}']", state="attached")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{base}/console/users/{user}")
        first, events = listed(page), page.locator(".timeline li").count()
        assert len(first) == 10

        item = data.catalogue.items.ids[2]
        page.fill("#event-item", item)
        page.select_option("#event-behavior", "buy")
        page.click("text=Add event")
        page.wait_for_selector(".timeline .new")
        assert "Event added: buy" in page.inner_text("#notice")
        assert page.locator(".timeline li").count() == min(50, events + 1)
        assert listed(page) != first
        assert page.locator(".list .badge").count() > 0
        assert service.store.snapshot(user).events[0].about == item

        before = listed(page)
        slider = page.locator(".factor input[type=range]").first
        assert slider.get_attribute("aria-valuetext") == "normal weight"
        slider.focus()
        page.keyboard.press("Home")
        page.wait_for_selector(".factor input[aria-valuetext='muted']")
        assert page.evaluate("document.activeElement.id") == slider.get_attribute("id")
        assert "muted." in page.inner_text("#notice")
        muted = listed(page)
        assert set(before) - set(muted)
        for _ in range(4):  # four steps of a quarter
            page.keyboard.press("ArrowRight")
        page.wait_for_selector(".factor input[aria-valuetext='muted']", state="detached")
        assert slider.get_attribute("aria-valuetext") == "normal weight"
        assert listed(page) == before
        slider.fill("3")
        page.wait_for_selector(".factor input[aria-valuetext='3 times the weight']")
        assert service.store.snapshot(user).preferences.controls[0].factor == 3

        page.click("text=Consent and erasure")
        page.fill("#confirmation", user)
        page.click("text=Forget this user")
        page.wait_for_selector("#receipt")
        assert user in page.inner_text("#receipt")
        assert page.locator("tr", has_text="events").first.inner_text().split() == ["events", "1"]
        assert service.store.snapshot(user).events == ()


def test_a_browser_runs_nothing_of_what_data_holds(browser, run, database, data):
    with served(run, database) as (base, service), tab(browser) as page:
        page.goto(f"{base}/console/users/{quoted(HOSTILE[0])}")
        assert TITLE in listed(page)
        page.fill("#event-item", TITLE)
        page.click("text=Add event")
        page.wait_for_selector(".timeline .new")
        assert TITLE in page.inner_text(".timeline .new")
        popular = service.store.snapshot(HOSTILE[0]).events[0].about
        page.goto(f"{base}/console/items/{quoted(popular)}")
        assert page.inner_text("h1") == TITLE
        page.goto(f"{base}/console/items/{quoted(data.catalogue.items.ids[0])}")
        assert page.evaluate("document.querySelector('.picture').naturalWidth") == 1
        assert "broken into" not in page.title()


def test_a_browser_tells_what_went_wrong(browser, run, database):
    with served(run, database) as (base, _), tab(browser, ["status of 404"]) as page:
        page.goto(f"{base}/console/users/new")
        page.fill("#event-item", "no such item")
        page.click("text=Add event")
        page.wait_for_selector("#notice .error")
        assert "Unknown item 'no such item'" in page.inner_text("#notice")
        assert page.locator("#panels .timeline").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_in_both_schemes(browser, run, database, data, scheme):
    item = quoted(data.catalogue.items.ids[0])
    with served(run, database) as (base, _), tab(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": 390, "height": 800})
        for address in (*PAGES, f"/console/users/{data.users.ids[4]}", f"/console/items/{item}"):
            page.goto(base + address)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
            light = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", light))) > 600) == (scheme == "light")
