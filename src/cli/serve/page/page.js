// SPDX-License-Identifier: MIT
// The server's page: a form that starts jobs, the queue, and the gallery of finished pictures.
// Pictures from messages are drawn on canvases, since the page's policy allows no data: addresses.

// Milliseconds between looks at the queue.
const POLL_BUSY = 2000, POLL_IDLE = 4000, POLL_GONE = 3000, POLL_HIDDEN = 10000;
const MAX_STREAMS = 2; // a browser opens six connections to a host, for all tabs together
const GALLERY_PAGE = 24, LIST_LIMIT = 100, QUEUE_LIMIT = 50;
const FAILED_SECONDS = 3600; // how long failures of earlier visits are shown

// ---- elements, requests, messages ----

const byId = (id) => document.getElementById(id);

// Makes an element: properties by name, attributes where the name has a "-" or is "role".
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const button = (text, onclick, className = "quiet") =>
  make("button", { type: "button", className, onclick }, text);

class Refusal extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.param = error.param;
  }
}

// Sends a request and returns the answer's JSON. Throws a Refusal if the server answers with an
// error, and a TypeError if there is no answer.
async function request(method, path, body, headers = {}) {
  const options = { method, headers: { ...headers }, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(path, options);
  const json = await answer.json().catch(() => null);
  if (answer.ok) return json;
  const error = json?.error?.message ? json.error : { message: json?.detail };
  throw new Refusal(answer.status, { ...error, message: error.message || `the server answered ${answer.status}` });
}

const get = (path) => request("GET", path);

// Makes random characters for an Idempotency-Key. randomUUID needs https, which few servers have.
function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(text) {
  byId("status").textContent = text;
}

let alarmKind = ""; // of the message that is shown

function alarm(text, kind = "refusal") {
  alarmKind = kind;
  const close = button("Close", () => {
    calm();
    (document.querySelector('[aria-invalid="true"]') ?? byId("draw")).focus();
  });
  byId("alert").hidden = false;
  byId("alert").replaceChildren(make("span", {}, text), close);
}

// Takes the message away; with a kind, only one of that kind.
function calm(kind = alarmKind) {
  if (kind !== alarmKind) return;
  byId("alert").hidden = true;
  byId("alert").replaceChildren();
  alarmKind = "";
}

const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const sentence = (text) => capitalise(text) + (/[.!?]$/.test(text) ? "" : ".");

function report(error) {
  if (error instanceof Refusal) alarm(sentence(error.message));
  else if (error instanceof TypeError) alarm("The server does not answer.", "gone");
  else alarm(sentence(String(error.message ?? error)));
}

const shorten = (text, length = 60) => (text.length > length ? text.slice(0, length - 1).trimEnd() + "…" : text);
const titleOf = (parameters) => parameters.prompt?.trim() || "Without a prompt";

function formatSeconds(seconds) {
  if (seconds < 1) return "under a second left";
  if (seconds < 90) return `${Math.round(seconds)} s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
  return `${(seconds / 3600).toFixed(1)} h left`;
}

const formatGiB = (bytes) => (bytes / 2 ** 30).toFixed(1);

function readBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("this file cannot be read"));
    reader.readAsDataURL(blob);
  });
}

function bitmapOfBase64(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/png" }));
}

const blobOfCanvas = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, "image/png"));

// ---- models and other lists ----

const models = new Map();
let shownModel = null;
const MODEL_FIELDS = ["width", "height", "steps", "cfg_scale"];

// Makes names comparable: the interface knows "Euler a" as euler_a, too.
const normalise = (name) => name.toLowerCase().replace(/[\s_-]/g, "");

// Selects a value in a list, in any spelling. What the list lacks is added.
function choose(select, value) {
  const name = normalise(String(value ?? "")), wanted = name === "automatic" ? "" : name;
  const fits = (option) => normalise(option.value) === wanted || option.dataset.names?.split("|").includes(wanted);
  let option = Array.from(select.options).find(fits);
  if (!option) select.append((option = make("option", { value }, String(value))));
  select.value = option.value;
}

// Fills in the model's defaults. Fields that were changed by hand keep their values.
function showModel() {
  const model = models.get(byId("model").value);
  if (!model) return;
  for (const name of MODEL_FIELDS) {
    const field = byId(name);
    const untouched = field.value === "" || (shownModel && Number(field.value) === shownModel[name]);
    if (untouched && model[name] != null) field.value = model[name];
  }
  for (const name of ["sampling_method", "scheduler"])
    byId(name).options[0].textContent = model[name] ? `Default (${model[name]})` : "Default";
  shownModel = model;
}

async function loadModels() {
  const select = byId("model"), before = select.value;
  const list = (await get("api/models")).models;
  models.clear();
  for (const model of list) models.set(model.name, model);
  select.replaceChildren(...list.map((model) => make("option", { value: model.name }, model.name)));
  const chosen = models.get(before) ?? list.find((model) => model.default) ?? list[0];
  if (chosen) select.value = chosen.name;
  showModel();
}

// Fills a list of names from one of the lists that A1111's clients read.
async function loadNames(id, path, nameOf) {
  const select = byId(id), before = select.value;
  const rows = await get(path);
  const options = rows.map((row) => {
    const option = make("option", { value: nameOf(row) }, row.label ?? row.name);
    option.dataset.names = [row.name, row.label, ...(row.aliases ?? [])].filter(Boolean).map(normalise).join("|");
    return option;
  });
  select.replaceChildren(select.options[0], ...options.filter((o) => normalise(o.value) !== "automatic"));
  if (before) choose(select, before);
}

async function loadLists() {
  // A list that is missing leaves its field with the default.
  await Promise.allSettled([
    loadNames("sampling_method", "sdapi/v1/samplers", (row) => row.name),
    loadNames("scheduler", "sdapi/v1/schedulers", (row) => row.name),
    loadNames("lora", "sdapi/v1/loras", (row) => row.name),
  ]);
  if (byId("lora").options.length === 1) byId("lora").options[0].textContent = "None on this server";
}

// ---- the picture to start from, and its mask ----

// A picture on a canvas, over which a mask is painted. The mask is as large as the picture, and is
// made again from its strokes, so that each can be undone.
class Mask {
  constructor(canvas) {
    this.canvas = canvas;
    this.layer = document.createElement("canvas");
    this.layer.getContext("2d", { willReadFrequently: true });
    this.tint = document.createElement("canvas");
    this.picture = null;
    this.strokes = [];
    this.pointer = null; // where the brush is, in pixels of the picture
    canvas.onpointerdown = (event) => this.press(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = canvas.onpointercancel = () => this.release();
    canvas.onpointerleave = () => this.leave();
    canvas.onkeydown = (event) => this.type(event);
    canvas.onkeyup = (event) => {
      if (event.key === " ") this.release();
    };
    canvas.onfocus = () => this.showBrush();
    canvas.onblur = () => {
      this.release();
      this.leave();
    };
    new ResizeObserver(() => this.fit()).observe(canvas.parentElement);
  }

  open(bitmap) {
    this.picture = bitmap;
    const { width, height } = bitmap;
    for (const canvas of [this.layer, this.tint]) Object.assign(canvas, { width, height });
    this.strokes = [];
    this.replay();
    this.fit();
  }

  get brush() {
    return (Number(byId("brush").value) / 100) * Math.max(this.layer.width, this.layer.height);
  }
  get erases() {
    return document.querySelector('input[name="tool"]:checked').value === "erase";
  }
  get empty() {
    return !this.strokes.length;
  }

  // Sizes the canvas to the room that the form has, in pixels of the screen.
  fit() {
    if (!this.picture) return;
    const box = this.canvas.parentElement, style = getComputedStyle(box);
    const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (room <= 0) return;
    const { width, height } = this.picture;
    const scale = Math.min(room / width, Math.max(320, innerHeight * 0.5) / height);
    this.canvas.width = Math.max(1, Math.round(width * scale * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(height * scale * devicePixelRatio));
    this.canvas.style.width = `${Math.max(1, Math.round(width * scale))}px`;
    this.show();
  }

  show() {
    const { canvas, layer, tint } = this, context = canvas.getContext("2d");
    const over = tint.getContext("2d");
    over.globalCompositeOperation = "copy";
    over.drawImage(layer, 0, 0);
    over.globalCompositeOperation = "source-in";
    over.fillStyle = "#e3208c";
    over.fillRect(0, 0, tint.width, tint.height);
    context.imageSmoothingQuality = "high";
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(this.picture, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.58;
    context.drawImage(tint, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    if (this.pointer) this.showRing(context);
  }

  showRing(context) {
    const scale = this.canvas.width / this.layer.width, radius = Math.max(2, (this.brush / 2) * scale);
    for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
      context.beginPath();
      context.arc(this.pointer.x * scale, this.pointer.y * scale, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width * devicePixelRatio;
      context.stroke();
    }
  }

  // Applies a stroke to the mask; of a line, from its point `from` on.
  apply(stroke, from = 0) {
    const context = this.layer.getContext("2d"), { width, height } = this.layer;
    context.globalCompositeOperation = stroke.erase || stroke.kind === "clear" ? "destination-out" : "source-over";
    if (stroke.kind === "invert") context.globalCompositeOperation = "xor";
    context.fillStyle = context.strokeStyle = "#fff";
    if (stroke.kind !== "line") return context.fillRect(0, 0, width, height);
    context.lineWidth = stroke.brush;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    const points = stroke.points.slice(Math.max(0, from - 1));
    context.moveTo(points[0].x, points[0].y);
    for (const point of points) context.lineTo(point.x, point.y);
    context.stroke();
  }

  replay() {
    this.layer.getContext("2d").clearRect(0, 0, this.layer.width, this.layer.height);
    for (const stroke of this.strokes) this.apply(stroke);
    if (this.picture) this.show();
  }

  add(kind, text) {
    if (kind === "clear") this.strokes = [];
    else this.strokes.push({ kind });
    this.replay();
    byId("mask-status").textContent = text;
  }

  undo() {
    byId("mask-status").textContent = this.strokes.pop() ? "The last stroke is undone." : "There is nothing to undo.";
    this.replay();
  }

  locate(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.layer.width,
      y: ((event.clientY - box.top) / box.height) * this.layer.height,
    };
  }

  begin() {
    this.line = { kind: "line", erase: this.erases, brush: this.brush, points: [{ ...this.pointer }] };
    this.strokes.push(this.line);
    this.apply(this.line);
    this.show();
  }

  extend() {
    this.line.points.push({ ...this.pointer });
    this.apply(this.line, this.line.points.length - 1);
  }

  press(event) {
    if (event.button !== 0 || !this.picture) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = this.locate(event);
    this.begin();
  }

  move(event) {
    if (!this.picture) return;
    const parts = this.line ? event.getCoalescedEvents?.() ?? [] : []; // where it was in between
    for (const part of [...parts, event]) {
      this.pointer = this.locate(part);
      if (this.line) this.extend();
    }
    this.show();
  }

  release() {
    this.line = null;
  }

  leave() {
    if (this.line || !this.picture) return;
    this.pointer = null;
    this.show();
  }

  // The keyboard's way to paint: arrows move the brush, the space bar paints while it is down.
  showBrush() {
    if (!this.picture) return;
    this.pointer ??= { x: this.layer.width / 2, y: this.layer.height / 2 };
    this.show();
  }

  type(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key.toLowerCase() !== "z") return;
      this.undo();
    } else if (moves[event.key]) {
      this.step(moves[event.key], event.shiftKey);
    } else if (event.key === " ") {
      this.showBrush();
      if (!this.line) {
        this.begin();
        this.tell();
      }
    } else if (event.key.toLowerCase() === "e") {
      const other = this.erases ? "paint" : "erase";
      document.querySelector(`input[name="tool"][value="${other}"]`).checked = true;
      byId("mask-status").textContent = other === "erase" ? "The brush erases." : "The brush paints.";
    } else if (event.key === "[" || event.key === "]") {
      byId("brush").value = Number(byId("brush").value) + (event.key === "]" ? 2 : -2);
      byId("mask-status").textContent = `The brush is ${byId("brush").value} % wide.`;
      this.show();
    } else return;
    event.preventDefault();
  }

  step([x, y], fine) {
    this.showBrush();
    const { width, height } = this.layer, length = fine ? Math.max(1, this.brush / 8) : Math.max(1, this.brush / 2);
    this.pointer.x = Math.min(width, Math.max(0, this.pointer.x + x * length));
    this.pointer.y = Math.min(height, Math.max(0, this.pointer.y + y * length));
    if (this.line) this.extend();
    this.show();
    this.tell();
  }

  tell() {
    const { width, height } = this.layer, { x, y } = this.pointer;
    const context = this.layer.getContext("2d");
    const [, , , painted] = context.getImageData(Math.min(width - 1, x), Math.min(height - 1, y), 1, 1).data;
    const [column, row] = [x / width, y / height].map((share) => Math.round(100 * share));
    byId("mask-status").textContent = `Column ${column} %, row ${row} %, ${painted > 127 ? "painted" : "not painted"}.`;
  }

  // Returns the mask as a PNG in base64, white where it is painted; null: nothing is.
  async encode() {
    const { width, height } = this.layer, context = this.layer.getContext("2d");
    const painted = !this.empty && context.getImageData(0, 0, width, height).data.some((value) => value);
    if (!painted) return null;
    const out = make("canvas", { width, height }), over = out.getContext("2d");
    over.fillRect(0, 0, width, height);
    over.drawImage(this.layer, 0, 0);
    return readBase64(await blobOfCanvas(out));
  }
}

const mask = new Mask(byId("mask"));
let start = null; // {base64} of the picture to start from

// Returns the file as base64, as it is if the server reads its format, else as a PNG.
async function encodePicture(file, bitmap) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  const known = ["\xff\xd8", "\x89PNG", "BM"].some((mark) => head.startsWith(mark)) || head.slice(8) === "WEBP";
  if (known) return readBase64(file);
  const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return readBase64(await blobOfCanvas(canvas));
}

async function openStart(file, name = file.name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    closeStart();
    throw new Error(`${name || "this file"} is not a picture that can be read`);
  }
  start = { base64: await encodePicture(file, bitmap) };
  showFile(file, name);
  byId("start").hidden = false;
  mask.open(bitmap);
  const size = `${bitmap.width} × ${bitmap.height} pixels`;
  byId("mask-status").textContent = `${shorten(name || "Picture", 40)}, ${size}.${describeFit(bitmap)}`;
}

// Shows the name beside the button that chooses a file, if the picture came in another way.
function showFile(file, name) {
  if (byId("init_img").files[0] === file) return;
  const list = new DataTransfer();
  list.items.add(new File([file], shorten(name || "picture", 40), { type: file.type }));
  byId("init_img").files = list.files;
}

// Says what becomes of a picture whose shape is not that of the form.
function describeFit({ width, height }) {
  const [across, down] = [Number(byId("width").value), Number(byId("height").value)];
  if (!across || !down || Math.abs((width * down) / (height * across) - 1) < 0.02) return "";
  return ` Its shape differs from ${across} × ${down}: choose at Fit how it fills that, or match its sides.`;
}

function closeStart() {
  start = null;
  byId("init_img").value = "";
  byId("start").hidden = true;
}

function matchSides() {
  for (const [id, side] of [["width", mask.picture.width], ["height", mask.picture.height]])
    byId(id).value = Math.max(8, Math.round(side / 8) * 8);
  say(`The sides are ${byId("width").value} and ${byId("height").value}.`);
}

// ---- the form ----

const NUMBERS = ["width", "height", "steps", "cfg_scale", "batch_count"];
const TEXTS = ["prompt", "negative_prompt"];
const CHOICES = ["model", "sampling_method", "scheduler"];
const START_NUMBERS = ["strength", "mask_blur"];
// Settings of a picture that the form has no field for; they are sent along.
let extras = {};

const labelOf = (field) => document.querySelector(`label[for="${field.id}"]`).textContent;

function readNumber(id) {
  const field = byId(id);
  if (!field.validity.badInput) return field.value === "" ? undefined : Number(field.value);
  throw new Refusal(0, { message: `${labelOf(field)} needs a number`, param: id });
}

// Returns the fields of a job as the form has them.
async function readForm() {
  const fields = { ...extras };
  for (const id of TEXTS) if (byId(id).value.trim()) fields[id] = byId(id).value;
  for (const id of CHOICES) if (byId(id).value) fields[id] = byId(id).value;
  for (const id of NUMBERS) if (readNumber(id) !== undefined) fields[id] = readNumber(id);
  fields.seed = readNumber("seed") ?? -1;
  const loras = readLoras();
  if (loras.length) fields.lora = loras;
  if (!start) return fields;
  fields.init_img = start.base64;
  fields.resize_mode = byId("resize_mode").value;
  if (readNumber("strength") !== undefined) fields.strength = readNumber("strength");
  const painted = await mask.encode();
  if (!painted) return fields;
  fields.mask = painted;
  if (readNumber("mask_blur")) fields.mask_blur = readNumber("mask_blur");
  return fields;
}

function readLoras() {
  return Array.from(byId("loras").children, (row) => {
    const weight = row.querySelector("input").value;
    return row.dataset.name + (weight === "" ? "" : `:${Number(weight)}`) + (row.dataset.rest ?? "");
  });
}

function addLora(name, weight = 1, rest = "") {
  const list = byId("loras");
  if (Array.from(list.children).some((row) => row.dataset.name === name)) return;
  const row = make("li", {}, make("span", { className: "name" }, name),
    make("input", { type: "number", step: 0.05, value: weight, "aria-label": `Weight of ${name}` }));
  const remove = button("Remove", () => {
    row.remove();
    byId("lora").focus();
    keepForm();
  });
  remove.setAttribute("aria-label", `Remove ${name}`);
  row.append(remove);
  row.dataset.name = name;
  row.dataset.rest = rest;
  list.append(row);
}

// Adds a LoRA as the interface writes it: NAME[:weight[:weight of the text encoders]].
function addLoraText(text) {
  const [, name, weight, rest] = /^(.*?)(?::(-?[\d.]+))?(:-?[\d.]+)?$/.exec(text);
  addLora(name, weight ?? 1, rest ?? "");
}

// What a picture's parameters have that is not carried over: the pictures that it was made from.
const OF_PICTURES = ["init_img", "mask", "control_image", "strength", "mask_invert", "mask_blur", "inpaint_fill",
  "inpaint_only_masked", "inpaint_padding", "no_mask_composite", "resize_mode", "img_cfg_scale", "preview"];

// Fills in the form from the parameters of a job.
function fillForm(parameters) {
  for (const id of TEXTS) byId(id).value = parameters[id] ?? "";
  if (parameters.model && models.has(parameters.model)) byId("model").value = parameters.model;
  showModel();
  for (const id of [...NUMBERS, "seed"]) if (parameters[id] !== undefined) byId(id).value = parameters[id];
  for (const id of ["sampling_method", "scheduler"]) choose(byId(id), parameters[id] ?? "");
  byId("loras").replaceChildren();
  for (const text of parameters.lora ?? []) addLoraText(text);
  for (const id of START_NUMBERS) if (parameters[id] !== undefined) byId(id).value = parameters[id];
  if (parameters.resize_mode) byId("resize_mode").value = parameters.resize_mode;
  const shown = new Set([...TEXTS, ...NUMBERS, ...CHOICES, ...OF_PICTURES, "seed", "lora"]);
  const carried = ([name]) => !shown.has(name) && !name.startsWith("control_");
  extras = Object.fromEntries(Object.entries(parameters).filter(carried));
  showExtras();
  keepForm();
}

function showExtras() {
  const names = Object.keys(extras);
  byId("extras").hidden = !names.length;
  byId("extras").querySelector("p").textContent =
    "Also: " + names.map((name) => `${name.replaceAll("_", " ")} ${showValue(extras[name])}`).join(", ");
}

const showValue = (value) => (typeof value === "object" && value ? JSON.stringify(value) : String(value));

// What the form holds stays while the tab is open.
function keepForm() {
  const kept = { extras, loras: readLoras() };
  for (const id of [...TEXTS, ...CHOICES, ...NUMBERS, "seed"]) kept[id] = byId(id).value;
  try {
    sessionStorage.setItem("form", JSON.stringify(kept));
  } catch {
    // a browser that keeps nothing
  }
}

function restoreForm() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem("form"));
  } catch {
    // a browser that keeps nothing
  }
  if (!kept) return;
  if (kept.model && models.has(kept.model)) byId("model").value = kept.model;
  showModel();
  for (const id of [...TEXTS, ...NUMBERS, "seed"]) byId(id).value = kept[id] ?? "";
  for (const id of ["sampling_method", "scheduler"]) choose(byId(id), kept[id] ?? "");
  for (const text of kept.loras ?? []) addLoraText(text);
  extras = kept.extras ?? {};
  showExtras();
}

function markField(param) {
  for (const field of document.querySelectorAll('[aria-invalid="true"]')) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
  }
  const field = param && byId(param.replaceAll("-", "_"));
  if (!field?.matches("input, select, textarea")) return;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-errormessage", "alert");
  field.focus();
}

// The key of a request that got no answer, so that sending it again starts no second job.
let unanswered = null;

async function submit() {
  const draw = byId("draw");
  if (draw.getAttribute("aria-disabled") === "true") return;
  draw.setAttribute("aria-disabled", "true");
  try {
    calm("refusal");
    markField(null);
    const fields = await readForm(), text = JSON.stringify(fields);
    const key = unanswered?.text === text ? unanswered.key : makeKey();
    unanswered = { text, key };
    const job = await request("POST", "api/jobs", fields, { "Idempotency-Key": key });
    unanswered = null;
    calm();
    ours.add(job.id);
    takeJob(job);
    if (job.state === "queued") say(`${shorten(titleOf(job.parameters))} is in the queue.`);
    else announce(job);
    refreshSoon(0);
  } catch (error) {
    if (error instanceof Refusal) unanswered = null;
    report(error);
    if (error instanceof Refusal) markField(error.param);
  } finally {
    draw.removeAttribute("aria-disabled");
  }
}

// ---- the queue ----

const ours = new Set(); // jobs that this page started, whose progress is read out
const active = new Map(); // id → a row of the queue
const streams = new Map(); // id → EventSource
const dismissed = new Set();
const finished = new Set(); // jobs that are final
const isFinal = (state) => state === "done" || state === "failed" || state === "cancelled";

// A row of the queue.
class Row {
  constructor(job) {
    this.job = job;
    const name = titleOf(job.parameters);
    this.title = make("p", { className: "title", title: name }, name);
    this.detail = make("p", { className: "detail" });
    this.bar = make("progress", { max: 1, "aria-label": `Progress of ${shorten(name)}` });
    this.button = make("button", { type: "button", className: "quiet", onclick: () => this.press() });
    const about = make("div", { className: "about" }, this.title, this.bar, this.detail);
    this.element = make("li", {}, about, this.button);
    this.update(job);
  }

  press() {
    return this.job.state === "failed" ? this.dismiss() : this.cancel();
  }

  async cancel() {
    this.button.setAttribute("aria-disabled", "true");
    this.detail.textContent = "Cancelling …";
    try {
      takeJob(await request("DELETE", `api/jobs/${this.job.id}`));
      say(`${shorten(titleOf(this.job.parameters))} is cancelled.`);
    } catch (error) {
      this.button.removeAttribute("aria-disabled");
      report(error);
    }
  }

  dismiss() {
    dismissed.add(this.job.id);
    removeRow(this.job.id);
    showQueue();
  }

  update(job) {
    this.job = job;
    const failed = job.state === "failed", progress = job.progress;
    this.element.classList.toggle("failed", failed || Boolean(job.error));
    this.bar.hidden = job.state !== "running";
    if (progress) this.bar.value = (progress.picture + progress.step / progress.steps) / progress.pictures;
    else this.bar.removeAttribute("value");
    if (this.button.getAttribute("aria-disabled") !== "true") this.detail.textContent = this.describe();
    const verb = failed ? "Dismiss" : "Cancel";
    if (this.button.dataset.verb === verb) return;
    this.button.dataset.verb = verb;
    this.button.replaceChildren(verb, make("span", { className: "unseen" }, ` ${shorten(titleOf(job.parameters))}`));
  }

  describe() {
    const { state, error, progress, parameters: p } = this.job;
    if (state === "failed") return `Failed: ${error?.message ?? "the server does not say why"}`;
    if (error) return `Waits: ${error.message}`;
    const size = `${p.width} × ${p.height}`, many = p.batch_count > 1 ? `, ${p.batch_count} pictures` : "";
    if (state === "queued") return `Queued · ${size}${many} · ${p.steps} steps`;
    if (!progress) return `Starting · ${size}${many}`;
    const which = progress.pictures > 1 ? `picture ${progress.picture + 1} of ${progress.pictures}, ` : "";
    const left = progress.seconds_left == null ? "" : ` · ${formatSeconds(progress.seconds_left)}`;
    return capitalise(`${which}step ${progress.step} of ${progress.steps}${left}`);
  }

  async preview(image) {
    const bitmap = await bitmapOfBase64(image);
    if (!this.canvas) {
      this.canvas = make("canvas", { role: "img", "aria-label": "Preview" });
      this.element.prepend(this.canvas);
      this.element.classList.add("seen");
    }
    Object.assign(this.canvas, { width: bitmap.width, height: bitmap.height });
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  }
}

function removeRow(id) {
  const row = active.get(id);
  if (!row) return;
  const focused = row.element.contains(document.activeElement);
  const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
  row.element.remove();
  active.delete(id);
  if (focused) (next?.querySelector("button") ?? byId("gallery-title")).focus();
}

// Takes in what is known of a job now: its row, its pictures, and what it says to the user.
function takeJob(job) {
  for (const picture of job.pictures) addPicture(job, picture);
  if (finished.has(job.id)) return; // a listing may be older than the last event
  const before = active.get(job.id)?.job.state;
  if (job.state === "done" || job.state === "cancelled") removeRow(job.id);
  else if (!dismissed.has(job.id)) showRow(job);
  if (isFinal(job.state)) {
    finished.add(job.id);
    closeStream(job.id);
  }
  if (before && before !== job.state) announce(job);
  showQueue();
}

function announce(job) {
  if (!ours.has(job.id)) return;
  const name = shorten(titleOf(job.parameters));
  if (job.state === "running") say(`Drawing ${name} …`);
  if (job.state === "failed") alarm(sentence(`“${name}” failed: ${job.error?.message ?? "no reason is given"}`));
  if (job.state !== "done") return;
  const seeds = job.pictures.map((picture) => picture.seed);
  if (seeds.length === 1) say(`${name} is finished, with seed ${seeds[0]}.`);
  else say(`${name}: ${seeds.length} pictures are finished.`);
}

function showRow(job) {
  const row = active.get(job.id);
  if (row) row.update({ ...job, progress: job.progress ?? (job.state === "running" ? row.job.progress : null) });
  else active.set(job.id, new Row(job));
}

// Orders the rows: running ones, then those that wait by their age, then failures.
function showQueue() {
  const rank = { running: 0, queued: 1, failed: 2 };
  const order = (a, b) => rank[a.job.state] - rank[b.job.state] || a.job.created - b.job.created;
  const rows = [...active.values()].sort(order);
  const list = byId("jobs");
  rows.forEach((row, index) => {
    if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
  });
  byId("queue").hidden = !rows.length;
  const running = rows.find((row) => row.job.state === "running");
  document.title = running?.job.progress ? `${Math.floor(running.bar.value * 100)} % · fumarole` : "fumarole";
  followJobs(rows.filter((row) => !isFinal(row.job.state)));
}

// Opens the streams of the jobs at the front of the queue.
function followJobs(rows) {
  for (const row of rows) {
    if (streams.size >= MAX_STREAMS || document.hidden) return;
    if (!streams.has(row.job.id)) openStream(row.job.id);
  }
}

function openStream(id) {
  const stream = new EventSource(`api/jobs/${id}/events`);
  streams.set(id, stream);
  const on = (name, take) => stream.addEventListener(name, (event) => {
    const row = active.get(id);
    if (row && event.data) take(row, JSON.parse(event.data));
  });
  on("progress", (row, progress) => takeJob({ ...row.job, state: "running", progress }));
  on("preview", (row, { image }) => row.preview(image));
  on("picture", (row, picture) => {
    if (row.job.pictures.some((known) => known.id === picture.id)) return;
    takeJob({ ...row.job, pictures: [...row.job.pictures, picture] });
  });
  on("state", (row, { state, error }) => {
    if (!isFinal(state)) return takeJob({ ...row.job, state, error });
    closeStream(id);
    return get(`api/jobs/${id}`).then(takeJob, () => refreshSoon(0));
  });
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) closeStream(id);
    refreshSoon(0); // the server may be gone
  };
}

function closeStream(id) {
  streams.get(id)?.close();
  streams.delete(id);
}

// Looks at the queue, which other clients fill, too.
async function refresh() {
  const [running, queued, newest] = await Promise.all([
    get(`api/jobs?state=running&limit=${QUEUE_LIMIT}`),
    get(`api/jobs?state=queued&limit=${QUEUE_LIMIT}`),
    get("api/jobs?limit=20"),
  ]);
  const now = Date.now() / 1000;
  const jobs = new Map([...newest.jobs, ...queued.jobs, ...running.jobs].map((job) => [job.id, job]));
  for (const job of jobs.values())
    if (job.state !== "failed" || now - job.created < FAILED_SECONDS) takeJob(job);
  byId("waiting").hidden = !queued.next;
  byId("waiting").textContent = `More than ${QUEUE_LIMIT} jobs wait; those not shown come first.`;
  const unseen = [...active.values()].filter((row) => !isFinal(row.job.state) && !jobs.has(row.job.id));
  for (const row of unseen) await lookAt(row.job.id, Boolean(queued.next));
  showQueue();
}

// Asks for a job that is in no list any more.
async function lookAt(id, crowded) {
  if (crowded && active.get(id).job.state === "queued") return;
  try {
    takeJob(await get(`api/jobs/${id}`));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    closeStream(id);
    removeRow(id);
  }
}

async function showDevices() {
  const { devices } = await get("api/devices");
  byId("devices").replaceChildren(...devices.map((device) => {
    const [used, total] = [device.memory_used, device.memory_total].map(formatGiB);
    const memory = device.memory_total ? ` · ${used} of ${total} GiB` : "";
    const model = device.model ? ` · ${device.model}` : "";
    return make("li", { className: device.state }, `${device.name} · ${device.state}${model}${memory}`);
  }));
}

let timer = 0, looking = false;

function refreshSoon(delay) {
  clearTimeout(timer);
  timer = setTimeout(look, delay);
}

async function look() {
  if (looking) return;
  looking = true;
  let delay = active.size ? POLL_BUSY : POLL_IDLE;
  try {
    await Promise.all([refresh(), showDevices()]);
    if (alarmKind === "gone") {
      calm();
      say("The server answers again.");
    }
    if (!models.size) await begin();
  } catch (error) {
    delay = POLL_GONE;
    if (error instanceof Refusal && error.status < 500) report(error);
    else alarm("The server does not answer. Trying again every few seconds.", "gone");
  }
  looking = false;
  refreshSoon(document.hidden ? POLL_HIDDEN : delay);
}

// ---- the gallery ----

const cards = new Map(); // id of a picture → {job, picture, element}
const removed = new Set(); // pictures that were deleted here
let older = null; // where the listing goes on

const addressOf = (picture) => picture.url.replace(/^\//, "");
const altOf = (job, picture) => job.parameters.prompt?.trim() || `Picture with seed ${picture.seed}`;

function describePicture(job, picture) {
  const p = job.parameters;
  const guidance = p.cfg_scale == null ? null : `guidance ${p.cfg_scale}`;
  const size = `${picture.width} × ${picture.height}`;
  return [`Seed ${picture.seed}`, `${p.steps} steps`, size, guidance, p.sampling_method, p.scheduler, job.model].filter(Boolean);
}

// Makes a line of items that is broken between them, or within one that is too long. The dot after
// an item stays with its last word.
function makeDetail(items) {
  const detail = make("p", { className: "detail" });
  items.forEach((item, i) => {
    const [, first, last] = /^(.* )?(.*)$/.exec(item);
    const end = i < items.length - 1 ? make("b", {}, `${last} ·`) : last;
    detail.append(make("span", {}, first ?? "", end), " ");
  });
  return detail;
}

function makeImage(job, picture, className = "") {
  const { width, height } = picture;
  return make("img", {
    src: addressOf(picture), alt: altOf(job, picture), width, height, loading: "lazy", decoding: "async", className });
}

function addPicture(job, picture) {
  const known = cards.get(picture.id);
  if (known) known.job = job;
  if (known || removed.has(picture.id)) return;
  const card = { job, picture };
  const titleId = `title-${picture.id}`;
  const title = make("p", { className: "title", id: titleId }, titleOf(job.parameters));
  const again = button("Use again", () => useAgain(card));
  again.setAttribute("aria-describedby", titleId);
  const open = make("button", { type: "button", className: "open", onclick: () => showViewer(card) });
  open.append(makeImage(job, picture));
  const tools = make("div", { className: "tools" }, again, makeSave(job, picture, titleId));
  const caption = make("figcaption", {}, title, makeDetail(describePicture(job, picture)), tools);
  card.element = make("li", {}, make("figure", {}, open, caption));
  cards.set(picture.id, card);
  const list = byId("pictures");
  list.insertBefore(card.element, Array.from(list.children).find((element) => isNewer(card, element.card)) ?? null);
  card.element.card = card;
  byId("empty").hidden = true;
}

// True if a picture stands before another: that of a newer job, or an earlier one of the same job.
function isNewer(a, b) {
  if (a.job.id === b.job.id) return a.picture.index < b.picture.index;
  return a.job.created !== b.job.created ? a.job.created > b.job.created : a.job.id > b.job.id;
}

function makeSave(job, picture, titleId) {
  const name = titleOf(job.parameters).replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40);
  return make("a", {
    className: "button", href: addressOf(picture), download: `${name || "picture"}-${picture.seed}.png`,
    "aria-describedby": titleId }, "Save");
}

function useAgain({ job, picture }) {
  if (byId("viewer").open) byId("viewer").close();
  fillForm({ ...job.parameters, model: job.model, seed: picture.seed, batch_count: 1 });
  say(`The form has the settings of ${shorten(altOf(job, picture))}, seed ${picture.seed}.`);
  byId("prompt").focus();
  byId("form").scrollIntoView({ block: "nearest" });
}

async function startFrom({ job, picture }) {
  byId("viewer").close();
  try {
    const answer = await fetch(addressOf(picture));
    if (!answer.ok) throw new Error("this picture is not there any more");
    await openStart(await answer.blob(), altOf(job, picture));
    byId("mask").focus();
  } catch (error) {
    report(error);
  }
}

async function deletePicture(card, pressed) {
  if (pressed.dataset.sure !== "yes") {
    pressed.dataset.sure = "yes";
    pressed.textContent = "Delete it for good?";
    return;
  }
  try {
    await request("DELETE", `api/pictures/${card.picture.id}`);
    removed.add(card.picture.id);
    cards.delete(card.picture.id);
    card.element.remove();
    byId("viewer").close();
    byId("empty").hidden = cards.size > 0;
    byId("gallery-title").focus();
    say("The picture is deleted.");
  } catch (error) {
    report(error);
  }
}

function showViewer(card) {
  const { job, picture } = card, viewer = byId("viewer");
  const size = `${picture.width} × ${picture.height}`;
  const rows = { seed: picture.seed, size, model: job.model, ...job.parameters };
  for (const name of ["prompt", "width", "height", "batch_count"]) delete rows[name];
  rows.seed = picture.seed;
  const list = make("dl");
  for (const [name, value] of Object.entries(rows)) {
    const label = document.querySelector(`label[for="${name}"]`);
    const field = label?.textContent ?? capitalise(name.replaceAll("_", " "));
    if (value !== "" && value != null && !(Array.isArray(value) && !value.length))
      list.append(make("dt", {}, field), make("dd", {}, showValue(value)));
  }
  const erase = button("Delete", () => deletePicture(card, erase));
  const near = (step) => card.element[step > 0 ? "nextElementSibling" : "previousElementSibling"]?.card;
  const turn = (step) => near(step) && showViewer(near(step));
  const held = viewer.contains(document.activeElement) ? document.activeElement.textContent : null;
  const name = titleOf(job.parameters), title = make("h2", { id: "viewer-title" }, shorten(name, 120));
  if (title.textContent !== name) list.append(make("dt", {}, "Prompt"), make("dd", {}, name));
  viewer.replaceChildren(make("div", { className: "view" }, makeImage(job, picture, "whole"),
    make("div", { className: "side" }, title,
      make("div", { className: "tools" }, button("Use again", () => useAgain(card)),
        button("Start from this", () => startFrom(card)), makeSave(job, picture, "viewer-title"), erase),
      make("div", { className: "tools" }, button("Previous", () => turn(-1)), button("Next", () => turn(1)),
        button("Close", () => viewer.close())), list)));
  viewer.onkeydown = (event) => {
    if (event.key === "ArrowLeft") turn(-1);
    if (event.key === "ArrowRight") turn(1);
  };
  viewer.onclick = (event) => {
    if (event.target === viewer) viewer.close();
  };
  viewer.onclose = () => {
    viewer.replaceChildren();
    if (document.activeElement === document.body) card.element.querySelector("button").focus();
  };
  if (!viewer.open) viewer.showModal();
  if (held) Array.from(viewer.querySelectorAll("button")).find((one) => one.textContent === held)?.focus();
}

// Reads on in the list of jobs until a page of pictures is there.
async function loadOlder() {
  const before = cards.size;
  do {
    const page = await get(`api/jobs?limit=${LIST_LIMIT}${older ? `&after=${encodeURIComponent(older)}` : ""}`);
    for (const job of page.jobs) for (const picture of job.pictures) addPicture(job, picture);
    older = page.next;
  } while (older && cards.size - before < GALLERY_PAGE);
  byId("older").hidden = !older;
}

// ---- pictures that are dropped, pasted or chosen ----

// The names that A1111's text has for fields of the form.
const TEXT_FIELDS = {
  Prompt: "prompt", "Negative prompt": "negative_prompt", Steps: "steps", "CFG scale": "cfg_scale", Seed: "seed",
  "Size-1": "width", "Size-2": "height", Sampler: "sampling_method", "Schedule type": "scheduler", Model: "model" };

// Fills in the form from what a picture says of its making. One that says nothing is a picture to
// start from.
async function readSettings(file) {
  const image = await readBase64(file);
  const { parameters } = await request("POST", "sdapi/v1/png-info", { image });
  if (!parameters || parameters.Steps === undefined) {
    await openStart(file);
    return say(`${file.name || "The picture"} holds no settings, so it is the picture to start from.`);
  }
  const fields = { batch_count: 1 };
  for (const [name, id] of Object.entries(TEXT_FIELDS)) {
    const value = parameters[name];
    if (value !== undefined) fields[id] = NUMBERS.includes(id) ? Number(value) : value;
  }
  fillForm(fields);
  byId("prompt").focus();
  return say(`The form has the settings of ${file.name || "the picture"}.`);
}

function takeFiles(files) {
  const isPicture = (file) => file.type.startsWith("image/") || /\.(png|jpe?g|webp)$/i.test(file.name);
  const file = Array.from(files).find(isPicture);
  if (!file) return alarm("Only pictures can be dropped here.");
  calm("refusal");
  return readSettings(file).catch(report);
}

const holdsFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes("Files");

function watchDrops() {
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    byId("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && (byId("drop").hidden = true));
  addEventListener("drop", (event) => {
    byId("drop").hidden = true;
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (byId("init_img").contains(event.target)) openStart(event.dataTransfer.files[0]).catch(report);
    else takeFiles(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => event.clipboardData?.files.length && takeFiles(event.clipboardData.files));
}

// ---- start ----

function watchForm() {
  const send = (event) => {
    event.preventDefault();
    submit();
  };
  byId("form").onsubmit = send;
  byId("form").onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
  };
  byId("form").oninput = () => keepForm();
  byId("model").onchange = () => {
    showModel();
    keepForm();
  };
  byId("swap").onclick = () => {
    [byId("width").value, byId("height").value] = [byId("height").value, byId("width").value];
    keepForm();
  };
  byId("lora").onchange = () => {
    if (byId("lora").value) addLora(byId("lora").value);
    byId("lora").value = "";
    keepForm();
  };
  byId("extras").querySelector("button").onclick = () => {
    extras = {};
    showExtras();
    keepForm();
    byId("draw").focus();
  };
}

function watchStart() {
  byId("init_img").onchange = ({ target }) => {
    if (target.files[0]) openStart(target.files[0]).catch(report);
    else closeStart();
  };
  byId("read").onchange = (event) => {
    if (event.target.files[0]) takeFiles(event.target.files);
    event.target.value = "";
  };
  byId("mask-undo").onclick = () => mask.undo();
  byId("mask-clear").onclick = () => mask.add("clear", "Nothing is painted.");
  byId("mask-fill").onclick = () => mask.add("fill", "All of it is painted.");
  byId("mask-invert").onclick = () => mask.add("invert", "What was painted is kept, and the other parts change.");
  byId("match").onclick = () => {
    matchSides();
    keepForm();
  };
  byId("remove").onclick = () => {
    closeStart();
    byId("init_img").focus();
  };
}

async function begin() {
  await loadModels();
  restoreForm();
  await Promise.all([loadLists(), loadOlder()]);
}

watchForm();
watchStart();
watchDrops();
byId("older").onclick = () => loadOlder().catch(report);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) for (const id of [...streams.keys()]) closeStream(id);
  else refreshSoon(0);
});
begin().catch(report).finally(() => refreshSoon(0));
