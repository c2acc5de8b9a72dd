#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""page.py PROGRAM [FOLDER]: the server's page in headless Chromium, as people use it: by keyboard, by mouse, on a phone, in
the dark. Screenshots go into the folder. Skipped without Chromium or the module
playwright, which scripts/client-packages installs.
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

import serve

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

PROGRAM = sys.argv[1]
SHOTS = sys.argv[2] if len(sys.argv) > 2 else None
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
failures = []

# Texts whose colours are too near those behind them, as WCAG counts.
CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => colour.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.matches("option, script") &&
    (e.matches("input, select, textarea") || [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())));
  return texts.map((e) => {
    const style = getComputedStyle(e), pair = [light(parse(style.color)), light(behind(e))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    return [e.tagName + " " + (e.id || e.textContent.trim().slice(0, 30)), (pair[0] + 0.05) / (pair[1] + 0.05), large ? 3 : 4.5];
  }).filter(([, ratio, least]) => ratio < least).map(([name, ratio]) => `${name}: ${ratio.toFixed(2)}`);
}"""
SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, canvas, summary")].filter((e) => e.checkVisibility())
  .map((e) => [e.id || e.textContent, e.getBoundingClientRect()]).filter(([, box]) => box.width < 24 || box.height < 24)
  .map(([name, box]) => `${name} ${box.width} x ${box.height}`)"""
NAMELESS = """() => [...document.querySelectorAll("a, button, input, select, textarea, canvas, progress, img")].filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute("aria-label") || e.alt || e.textContent.trim() || e.labels?.length || e.querySelector?.("img[alt]")))
  .map((e) => e.outerHTML.slice(0, 80))"""
DROP = """async ([target, address, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([await (await fetch(address)).blob()], name, { type: "image/png" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector(target).dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
}"""
PIXELS = """async (address) => {
  const bitmap = await createImageBitmap(await (await fetch(address)).blob());
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return Array.from(canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height).data);
}"""


def check(good, text):
    if not good:
        failures.append(text)
        print("wrong:", text, flush=True)


class Visit:
    """A page, and what its console and its requests showed."""

    def __init__(self, browser, server, **options):
        options.setdefault("viewport", WIDE)
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.timeout = 300 if serve.SANITIZED else 90
        self.page.set_default_timeout(self.timeout * 1000)
        self.origin = f"http://127.0.0.1:{server.port}"
        self.console, self.hosts = [], set()
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        self.page.on("request", lambda request: self.hosts.add(re.match(r"\w+:(//[^/]*)?", request.url)[0]))
        self.page.goto(self.origin + "/")
        self.until("document.querySelector('#model').value && document.querySelector('#steps').value")

    def until(self, condition):
        """Waits for a condition in JavaScript. The page's policy forbids the driver's own way, which evaluates texts."""
        end = time.monotonic() + self.timeout
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                self.shoot("stuck")
                raise AssertionError(f"it never comes to {condition}; console: {self.console}")
            time.sleep(0.05)

    def label(self, name):
        return self.page.get_by_label(name)

    def button(self, name, **options):
        return self.page.get_by_role("button", name=name, **options)

    def shoot(self, name, **options):
        if SHOTS:
            self.page.screenshot(path=os.path.join(SHOTS, name + ".png"), **options)

    def draw(self, prompt, **fields):
        """Fills in fields by their names, and draws. Returns the picture in the gallery."""
        self.label("Prompt").fill(prompt)
        for name, value in fields.items():
            self.label(name).fill(str(value))
        self.button("Draw").press("Enter")
        picture = self.page.get_by_role("img", name=prompt, exact=True).first
        picture.wait_for()
        return picture

    def close(self, expected=()):
        others = [line for line in self.console if not any(text in line for text in expected)]
        check(not others, f"the console has {others}")
        check(self.hosts <= {self.origin, "blob:"}, f"requests to {self.hosts}")
        self.context.close()


def press_until(page, element, key="Tab", limit=60):
    for _ in range(limit):
        if page.evaluate("document.activeElement.id") == element:
            return
        page.keyboard.press(key)
    check(False, f"{element} is not reached by {key}")


def draw_by_keyboard(browser, server):
    visit = Visit(browser, server)
    page = visit.page
    press_until(page, "prompt")
    page.keyboard.type("red heart")
    press_until(page, "steps")
    page.keyboard.type("40")
    press_until(page, "seed")
    page.keyboard.type("5")
    visit.shoot("filled-in")
    press_until(page, "draw")
    page.keyboard.press("Enter")
    bar = page.get_by_role("progressbar")
    visit.until("document.querySelector('progress')?.value > 0.1")
    check("red heart" in bar.get_attribute("aria-label"), "the progress has a name")
    check(re.search(r"Step \d+ of 40", page.locator("#jobs").inner_text()), f"progress as text: {page.locator('#jobs').inner_text()!r}")
    page.locator("#jobs canvas").wait_for()
    visit.shoot("drawing")
    picture = page.get_by_role("img", name="red heart", exact=True)
    picture.wait_for()
    visit.until("document.querySelector('#pictures img').naturalWidth === 128")
    check("Seed 5 · 40 steps" in page.locator("#pictures").inner_text(), "seed and steps are text")
    visit.until("document.querySelector('#status').textContent.includes('finished')")
    check(page.get_by_role("progressbar").count() == 0, "the queue is empty again")
    check(not page.evaluate(NAMELESS), f"without a name: {page.evaluate(NAMELESS)}")
    visit.close()


def draw_long_prompt(browser, server):
    """A prompt of many lines hides neither the picture nor what can be done with it."""
    prompt = "grey cat, " * 200 + "a" * 200
    for size in (WIDE, PHONE):
        visit = Visit(browser, server, viewport=size, has_touch=size is PHONE, is_mobile=size is PHONE)
        page = visit.page
        visit.draw(prompt, Steps=1, Seed=9007199254740000)
        check(page.evaluate("document.documentElement.scrollWidth") <= size["width"], "a long prompt widens the page")
        lines = page.evaluate("[...document.querySelectorAll('#pictures b')].map((e) => e.getClientRects().length)")
        check(lines and set(lines) == {1}, f"a dot stands alone: {lines}")
        page.locator("#pictures .open").first.press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Use again").wait_for()
        for element in (dialog.locator("img"), dialog.get_by_role("button", name="Close")):
            box = element.bounding_box()
            check(0 <= box["y"] and box["y"] + box["height"] <= size["height"], f"out of sight: {box}")
        check(prompt in dialog.inner_text(), "the whole prompt is there")
        dialog.get_by_role("button", name="Start from this").press("Enter")
        visit.until("!document.querySelector('#start').hidden")
        check(page.evaluate("document.querySelector('#init_img').files[0]?.name ?? ''").startswith("grey cat"), "the file's name")
        visit.close()
        first = server.get("/api/jobs?limit=1").json["jobs"][0]["pictures"][0]
        check(server.request("DELETE", first["url"].removesuffix(".png")).status == 200, "it is deleted")


def cancel(browser, server):
    visit = Visit(browser, server)
    page = visit.page
    visit.label("Prompt").fill("house")
    visit.label("Steps").fill("900")
    for count in (1, 2):
        visit.button("Draw").press("Enter")
        visit.until(f"document.querySelectorAll('#jobs li').length === {count}")
    visit.until("document.querySelector('progress')?.value > 0")
    page.reload()
    visit.until("document.querySelectorAll('#jobs li').length === 2 && document.querySelector('progress')?.value > 0")
    check(page.locator("#jobs li").count() == 2 and "Queued" in page.locator("#jobs").inner_text(), "one is drawn, one waits")
    visit.button("Cancel").nth(1).press("Enter")
    visit.until("document.querySelectorAll('#jobs li').length === 1")
    visit.button("Cancel").press("Enter")
    visit.until("document.querySelectorAll('#jobs li').length === 0")
    visit.until("document.querySelector('#status').textContent.includes('cancelled')")
    states = [job["state"] for job in server.get("/api/jobs?limit=2").json["jobs"]]
    check(states == ["cancelled", "cancelled"], f"the jobs are {states}")
    visit.close()


def keep(browser, server):
    """The gallery after a reload, Use again, the large view, and deleting."""
    visit = Visit(browser, server)
    page = visit.page
    visit.draw("blue car", Steps=2, Seed=7, Count=2)
    visit.until("document.querySelectorAll('#pictures img[alt=\"blue car\"]').length === 2")
    visit.label("Prompt").fill("something else")
    page.reload()
    visit.until("document.querySelectorAll('#pictures img').length >= 3")
    check(visit.label("Prompt").input_value() == "something else", "the form is there after a reload")
    visit.button("Use again").nth(1).press("Enter")
    got = [visit.label(name).input_value() for name in ("Prompt", "Steps", "Seed", "Count")]
    check(got == ["blue car", "2", "8", "1"], f"Use again gives {got}")
    first = server.get("/api/jobs?limit=1").json["jobs"][0]["pictures"][1]
    visit.button("Draw").press("Enter")
    visit.until("document.querySelectorAll('#pictures img[alt=\"blue car\"]').length === 3")
    again = server.get("/api/jobs?limit=1").json["jobs"][0]["pictures"][0]
    check(page.evaluate(PIXELS, first["url"]) == page.evaluate(PIXELS, again["url"]), "Use again draws the same picture")
    page.locator("#pictures .open").first.press("Enter")
    dialog = page.get_by_role("dialog", name="blue car")
    check("Guidance" in dialog.inner_text() and "ddim" in dialog.inner_text(), "the large view has the parameters")
    visit.shoot("viewer")
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Save").click()
    check(download.value.suggested_filename == "blue-car-8.png", f"Save gives {download.value.suggested_filename}")
    dialog.get_by_role("button", name="Delete").press("Enter")
    dialog.get_by_role("button", name="for good").press("Enter")
    visit.until("document.querySelectorAll('#pictures img[alt=\"blue car\"]').length === 2")
    check(server.get(again["url"]).status == 404, "a deleted picture is gone")
    visit.close()


def paint_mask(browser, server):
    """Starts from a picture, paints its upper half, and looks where the result differs."""
    visit = Visit(browser, server)
    page = visit.page
    source = visit.draw("green tree", Steps=4, Seed=3).get_attribute("src")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "tree.png")
        path.write_bytes(server.get("/" + source.lstrip("/")).body)
        visit.label("Init image").set_input_files(path)
        canvas = page.locator("canvas").first
        canvas.wait_for()
        check("change" in canvas.get_attribute("aria-label"), "the canvas has a name")
        canvas.scroll_into_view_if_needed()
        visit.label("Brush").fill("50")
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 2, box["y"] + box["height"] * 0.2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] * 0.2, steps=6)
        page.mouse.up()
        visit.label("Strength").fill("1")
        visit.shoot("mask")
        result = visit.draw("yellow star", Steps=4, Seed=3).get_attribute("src")
    old, new = page.evaluate(PIXELS, source), page.evaluate(PIXELS, result)
    differs = [max(abs(a - b) for a, b in zip(old[at * 512:at * 512 + 512], new[at * 512:at * 512 + 512])) for at in range(128)]
    check(max(differs[:50]) > 60, f"what is painted changes: {differs[:50]}")
    check(max(differs[80:]) <= 2, f"what is not painted stays: {differs[80:]}")
    # The same by keys: the brush goes down from the middle while the space bar is down.
    visit.button("Clear mask").press("Enter")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.down(" ")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.up(" ")
    check(re.search(r"row \d+ %, painted", page.locator("#mask-status").inner_text()), f"the brush says {page.locator('#mask-status').inner_text()!r}")
    page.keyboard.press("Control+z")
    check("undone" in page.locator("#mask-status").inner_text(), "a stroke is undone")
    visit.button("Remove picture").press("Enter")
    check(not canvas.is_visible(), "the picture is removed")
    visit.close()


def drop(browser, server):
    visit = Visit(browser, server)
    page = visit.page
    address = visit.draw("orange fish", Steps=3, Seed=11).get_attribute("src")
    visit.label("Prompt").fill("another")
    visit.label("Steps").fill("9")
    page.evaluate(DROP, ["#gallery-title", address, "fish.png"])
    visit.until("document.querySelector('#prompt').value === 'orange fish'")
    got = [visit.label(name).input_value() for name in ("Steps", "Seed", "Width")]
    check(got == ["3", "11", "128"], f"a dropped PNG gives {got}")
    check(page.locator("#sampling_method").input_value().lower() in ("", "ddim"), "and its sampler")
    visit.close()


def refuse(browser, server):
    visit = Visit(browser, server)
    visit.label("Prompt").fill("cat")
    visit.label("Steps").fill("5000")
    visit.button("Draw").press("Enter")
    alert = visit.page.get_by_role("alert")
    alert.get_by_text("steps", exact=False).wait_for()
    check(visit.label("Steps").get_attribute("aria-invalid") == "true", "the field is marked")
    check(visit.page.evaluate("document.activeElement.id") == "steps", "and has the focus")
    visit.shoot("refused")
    alert.get_by_role("button", name="Close").press("Enter")
    check(visit.page.evaluate("document.activeElement.id") == "steps", "closing the message leaves the focus at the field")
    visit.close(expected=("422",))
    # On a phone neither the message nor the button covers the field and its label.
    visit = Visit(browser, server, viewport=PHONE, has_touch=True, is_mobile=True)
    visit.page.evaluate("document.querySelector('#pictures').style.height = '2000px'")  # a long gallery
    for name in ("width", "seed"):
        visit.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        visit.page.evaluate("([name]) => { document.querySelector('#width').value = 128; document.querySelector('#seed').value = ''; "
                            "document.getElementById(name).value = -5; }", [name])
        visit.button("Draw").press("Enter")
        visit.page.get_by_role("alert").get_by_text(name, exact=False).wait_for()
        box = visit.page.evaluate("([name]) => [document.querySelector('#alert').getBoundingClientRect().bottom, "
                                  "document.querySelector(`label[for=${name}]`).getBoundingClientRect().top, "
                                  "document.getElementById(name).getBoundingClientRect().bottom, "
                                  "document.querySelector('.submit').getBoundingClientRect().top]", [name])
        check(box == sorted(box), f"{name} is covered: {box}")
    visit.close(expected=("422",))


def look(browser, server):
    for scheme in ("light", "dark"):
        for size, name in ((WIDE, "wide"), (PHONE, "phone")):
            visit = Visit(browser, server, viewport=size, color_scheme=scheme, has_touch=size is PHONE, is_mobile=size is PHONE)
            page = visit.page
            visit.until("document.querySelectorAll('#pictures img').length > 0")
            page.evaluate("document.querySelector('#start').hidden = false")
            width = page.evaluate("document.documentElement.scrollWidth")
            check(width <= size["width"], f"{name}: {width} pixels wide")
            check(not page.evaluate(CONTRAST), f"{name}, {scheme}: {page.evaluate(CONTRAST)}")
            check(not page.evaluate(SMALL), f"{name}: small targets {page.evaluate(SMALL)}")
            page.evaluate("document.querySelector('#start').hidden = true")
            visit.shoot(f"{name}-{scheme}", full_page=size is PHONE)
            visit.close()


def lose_server(browser):
    """The server ends and comes back."""
    with tempfile.TemporaryDirectory() as state:
        server = serve.Server(PROGRAM, state=state)
        visit = Visit(browser, server)
        server.stop()
        visit.label("Prompt").fill("cat")
        visit.button("Draw").press("Enter")
        alert = visit.page.get_by_role("alert").get_by_text("does not answer")
        alert.wait_for()
        server = serve.Server(PROGRAM, "--listen-port", str(server.port), state=state)
        alert.wait_for(state="hidden")
        visit.close(expected=("ERR_", "Failed to load"))
        server.stop()


def use_key(browser):
    """Behind a key, browsers log in by Basic."""
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("open sesame\n".replace(" ", "-"))
        keys.flush()
        server = serve.Server(PROGRAM, "--api-key-file", keys.name)
        visit = Visit(browser, server, http_credentials={"username": "anyone", "password": "open-sesame"})
        picture = visit.draw("grey cat", Steps=2)
        visit.until("document.querySelector('#pictures img').naturalWidth === 128")
        check(picture.is_visible(), "pictures come with the key")
        visit.close()
        server.stop()


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not sync_playwright or not chromium:
        print("skipped: Chromium or the module playwright is not here")
        return 77
    with sync_playwright() as driver, serve.Server(PROGRAM) as server:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        for part in (draw_by_keyboard, cancel, keep, paint_mask, drop, refuse, draw_long_prompt, look):
            print(part.__name__, flush=True)
            part(browser, server)
        for part in (lose_server, use_key):
            print(part.__name__, flush=True)
            part(browser)
        browser.close()
    print(f"{len(failures)} wrong")
    return 1 if failures else 0


sys.exit(main())
