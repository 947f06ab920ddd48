// The phone of simulated customers: lists them, shows a chat as its customer sees it, writes and presses for them.

const $ = (id) => document.getElementById(id);
const COLOURS = ["#5c7cfa", "#d6336c", "#0c8599", "#e8590c", "#7048e8", "#2f9e44", "#a1662f"];
const state = { title: "", people: [], open: null, seen: new Map(), toEnd: false };

/** Make an element: attributes, then children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await fetch(`/_sim/${path}`, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || `The simulator answered ${response.status}.`);
  return answer;
}

const time = (ms) => new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const colour = (id) => COLOURS[[...id].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 9973, 0) % COLOURS.length];
const safe = (url) => (/^https?:/.test(url || "") ? url : undefined);

function face(id, name, small) {
  const circle = make("span", { class: small ? "face small" : "face", "aria-hidden": "true" }, [...(name || "?")][0].toUpperCase());
  circle.style.background = colour(id);
  return circle;
}

// ---------------------------------------------------------------- the list

function showPeople() {
  const rows = state.people.map((person) => {
    const fresh = person.last_ms > (state.seen.get(person.id) ?? 0);
    const words = make("span", { class: "who" }, make("b", {}, person.name), make("span", {}, person.typing ? "is being answered…" : person.last || "No messages yet"));
    const when = make("span", { class: "when" }, person.last_ms ? time(person.last_ms) : "");
    const dot = fresh && person.last_ms ? make("span", { class: "fresh", role: "img", "aria-label": "New" }) : null;
    const button = make("button", { class: "person", type: "button", onclick: () => open(person.id) }, face(person.id, person.name), words, when, dot);
    return make("li", {}, button);
  });
  $("list").replaceChildren(...rows);
}

// ---------------------------------------------------------------- a chat

function press(one, label = one.label) {
  if (safe(one.url)) return make("a", { class: "press", href: safe(one.url), target: "_blank", rel: "noopener noreferrer" }, label);
  return make("button", { class: "press", type: "button", onclick: () => act({ kind: "press", press: one.id }) }, label);
}

function card(one) {
  const parts = [
    safe(one.image) ? make("img", { src: safe(one.image), alt: "" }) : null,
    make("div", { class: "words" }, one.title ? make("b", {}, one.title) : "", one.text ? make("span", {}, one.text) : ""),
    ...(one.buttons || []).map((button) => press(button)),
  ];
  const link = safe(one.url);
  return link && !(one.buttons || []).length
    ? make("a", { class: "card", href: link, target: "_blank", rel: "noopener noreferrer" }, ...parts)
    : make("div", { class: "card" }, ...parts);
}

const BODIES = {
  text: (b) => make("div", { class: "bubble" }, b.quoted ? make("span", { class: "quoted" }, b.quoted) : "", b.text),
  image: (b) => make("div", { class: "bubble plain" }, make("a", { href: safe(b.url), target: "_blank", rel: "noopener noreferrer" }, make("img", { src: safe(b.image) || safe(b.url), alt: b.text || "Picture" }))),
  video: (b) => make("div", { class: "bubble plain" }, make("video", { src: safe(b.url), poster: safe(b.image), controls: "", preload: "none" })),
  audio: (b) => make("div", { class: "bubble plain" }, make("audio", { src: safe(b.url), controls: "", preload: "none" })),
  file: (b) => make("div", { class: "bubble" }, `📄 ${b.text || "File"}`),
  sticker: (b) => make("div", { class: "bubble plain" }, make("div", { class: "sticker" }, make("i", { "aria-hidden": "true" }), b.text ? make("small", {}, b.text) : "")),
  location: (b) => make("div", { class: "bubble" }, make("div", { class: "place" }, make("div", { class: "map", "aria-hidden": "true" }), b.text)),
  cards: (b) => make("div", { class: "cards" }, ...(b.cards || []).map(card)),
};

function row(bubble) {
  if (bubble.kind === "note") return make("p", { class: "note" }, bubble.text);
  const body = (BODIES[bubble.kind] || BODIES.text)(bubble);
  const name = !bubble.mine && bubble.name ? make("span", { class: "name" }, bubble.name) : "";
  const meta = make("span", { class: "meta" }, bubble.state ? make("span", {}, bubble.state, make("br")) : "", time(bubble.at_ms));
  const classes = ["row", bubble.mine ? "mine" : "", bubble.kind === "cards" ? "wide" : ""].filter(Boolean).join(" ");
  const small = bubble.mine ? null : face(bubble.name || state.title, bubble.name || state.title, true);
  return make("div", { class: classes, "data-kind": bubble.kind }, small, make("div", { class: "stack" }, name, body), bubble.kind === "cards" ? null : meta);
}

function showChat(bubbles, typing) {
  const log = $("log");
  const atEnd = state.toEnd || log.scrollHeight - log.scrollTop - log.clientHeight < 80 || !log.childElementCount;
  const rows = bubbles.map(row);
  const speaker = bubbles.findLast((one) => !one.mine && one.name)?.name || state.title;
  if (typing) rows.push(make("div", { class: "row", "data-kind": "typing" }, face(speaker, speaker, true), make("div", { class: "bubble", "aria-label": "Somebody is typing" }, make("span", { class: "typing" }, make("i"), make("i"), make("i")))));
  log.replaceChildren(...rows);
  const last = bubbles[bubbles.length - 1];
  $("quick").replaceChildren(...((last && last.quick_replies) || []).map((one) => press(one)));
  state.toEnd = false;
  if (typing) setTimeout(soon, 2000);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function refresh() {
  state.people = await ask("customers");
  if (state.open === null) return showPeople();
  const person = state.people.find((one) => one.id === state.open);
  if (!person) return close();
  const bubbles = await ask(`customers/${encodeURIComponent(person.id)}/chat`);
  if (state.open !== person.id) return undefined;
  state.seen.set(person.id, person.last_ms || 0);
  $("title").textContent = person.name;
  return showChat(bubbles, person.typing);
}

function open(id) {
  state.open = id;
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  $("people").hidden = true;
  $("chat").hidden = $("back").hidden = false;
  $("subtitle").textContent = "A simulated customer’s phone";
  $("log").replaceChildren();
  say("");
  refresh();
  $("text").focus();
}

function close() {
  state.open = null;
  history.replaceState(null, "", "#");
  $("people").hidden = false;
  $("chat").hidden = $("back").hidden = true;
  $("title").textContent = state.title;
  $("subtitle").textContent = "Simulated customers";
  refresh();
}

// ---------------------------------------------------------------- writing

function say(problem) {
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
}

async function act(action) {
  if (state.open === null) return false;
  unfold(false);
  try {
    await ask(`customers/${encodeURIComponent(state.open)}/send`, action);
    say("");
    state.toEnd = true;
    soon();
    return true;
  } catch (error) {
    say(error.message);
    return false;
  }
}

function unfold(yes) {
  $("extras").hidden = !yes;
  $("plus").setAttribute("aria-expanded", String(yes));
}

async function write(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  if (!(await act({ kind: "text", text }))) $("text").value = text;
}

// ---------------------------------------------------------------- the laboratory

const HOUR = 60;
const span = (minutes) => [minutes >= HOUR ? `${Math.floor(minutes / HOUR)} h` : "", minutes % HOUR ? `${minutes % HOUR} min` : ""].filter(Boolean).join(" ");

function showLab(lab) {
  const moment = new Date(lab.now_ms);
  $("now").dateTime = moment.toISOString();
  $("now").textContent = moment.toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
  $("jumps").hidden = !lab.movable;
  const choices = lab.outages.map((one) => {
    const input = make("input", { type: "radio", name: "outage", value: one.name, id: `outage-${one.name}`, checked: one.name === lab.outage ? "" : null });
    input.addEventListener("change", () => tryOut("lab/outage", { name: one.name }));
    return make("label", { for: input.id }, input, one.title);
  });
  $("outages").replaceChildren($("outages").firstElementChild, ...choices);
  $("gear").classList.toggle("trouble", lab.outage !== "none");
}

async function tryOut(path, body) {
  const problem = $("lab-problem");
  try {
    const lab = await ask(path, body);
    problem.hidden = true;
    showLab(lab);
    soon();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

function equipLab() {
  const tell = () => { $("by").textContent = span(Number($("jump").value)); };
  tell();
  $("jump").addEventListener("input", tell);
  $("go").addEventListener("click", () => tryOut("lab/clock", { seconds: Number($("jump").value) * 60 }));
  $("tokens").addEventListener("click", () => tryOut("lab/tokens", {}));
  $("gear").addEventListener("click", () => {
    $("lab").hidden = !$("lab").hidden;
    $("gear").setAttribute("aria-expanded", String(!$("lab").hidden));
    if (!$("lab").hidden) tryOut("lab");
  });
  return ask("lab").then(showLab);
}

// ---------------------------------------------------------------- live

let pending = null;
/** Several changes in one moment are one look. */
function soon() {
  pending ??= setTimeout(() => {
    pending = null;
    refresh().catch(() => {});
  }, 30);
}

async function start() {
  const info = await ask("info");
  state.title = info.title;
  document.title = `${info.title} · simulated phone`;
  document.documentElement.style.setProperty("--accent", info.accent);
  $("title").textContent = $("badge").textContent = info.title;
  $("pictures").replaceChildren(
    ...info.pictures.map((name) => make("button", { type: "button", "aria-label": `Send the picture of a ${name}`, onclick: () => act({ kind: "image", picture: name }) }, make("img", { src: `/_sim/pictures/${name}.jpg`, alt: "" }))),
  );
  $("composer").addEventListener("submit", write);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) write(event);
  });
  $("plus").addEventListener("click", () => unfold($("extras").hidden));
  $("back").addEventListener("click", close);
  for (const button of document.querySelectorAll(".others button")) button.addEventListener("click", () => act({ kind: button.dataset.kind }));
  $("newcomer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { id } = await ask("customers", { name: $("newcomer-name").value });
    $("newcomer").reset();
    open(id);
  });
  equipLab();
  new EventSource("/_sim/live").addEventListener("message", soon);
  state.people = await ask("customers");
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (state.people.some((person) => person.id === wanted)) open(wanted);
  else showPeople();
}

start();
