// What the page does: listens to its server, shows what it hears, asks for curves when they have changed.
// Names and texts only ever become text nodes, so that none of them can be markup.
const token = new URLSearchParams(location.search).get("token") ?? "";
const headers = { "x-hatchling-token": token };
const COLORS = []; // the palette, which the server puts in
const SILENCE_MS = 15_000;
const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let runs = []; // as the server told last
let chosen; // ids; undefined until there is something to choose from
const asked = new Map(); // what was asked of a run, and the state it was in

/** An element with properties and children; texts are escaped by being text. */
function h(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

/** Says whether the server is there. */
function say(text, lost = false) {
  const place = $("connection");
  if (place.textContent !== text) place.textContent = text;
  place.className = lost ? "lost" : "";
}

/** Listens as long as the page is open; when the server is gone, tries again until it is back. */
async function listen() {
  let wait = 500;
  let since;
  for (;;) {
    const abort = new AbortController();
    try {
      const response = await fetch("/events", { headers, signal: abort.signal });
      if (response.status === 403) {
        return say(
          "Another server has taken this one's place: open the URL that it printed.",
          true,
        );
      }
      if (!response.ok) throw new Error(await response.text());
      wait = 500;
      since = undefined;
      await read(response.body, abort);
    } catch {
      // it is gone, or silent: said below
    }
    abort.abort();
    since ??= new Date().toLocaleTimeString();
    const own = runs.find((run) => run.hosted);
    say(
      own && !["running", "paused"].includes(own.state)
        ? "The run has ended, and its page with it: this is the last of it. " +
          "To look again: deno task dashboard FOLDER"
        : `The server has not answered since ${since}: this is the last it said. Trying again …`,
      true,
    );
    await sleep(wait);
    wait = Math.min(5000, 2 * wait);
  }
}

/** Reads events until the stream ends; silence is an end too, as the server gives signs of life. */
async function read(body, abort) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => abort.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    say("connected");
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    const last = events.findLast((event) => event.startsWith("data: "));
    if (last) show(JSON.parse(last.slice(6)));
  }
}

/** Shows what the server told. */
function show(news) {
  runs = news;
  const ids = runs.map((run) => run.id);
  if (!chosen && runs.length) {
    const first = runs.find((run) => run.state === "running" || run.state === "paused") ??
      runs.at(-1);
    chosen = new Set([first.id]);
  }
  for (const id of chosen ?? []) if (!ids.includes(id)) chosen.delete(id);
  showList();
  showRuns();
  draw();
}

const chosenRuns = () => runs.filter((run) => chosen?.has(run.id));
const colorOf = (id) => COLORS[[...chosen].indexOf(id) % COLORS.length];
const number = (value) => typeof value === "number" ? value.toPrecision(4) : "–";
const progressOf = ({ step, total }) => total ? `${step} / ${total}` : `${step}`;
const swatch = (color) => {
  const mark = h("span", { className: "swatch" });
  mark.style.background = color; // a property, not an attribute: the page's policy allows no inline styles
  return mark;
};

function showList() {
  const list = $("list");
  list.hidden = runs.length === 1;
  if (!runs.length) {
    return list.replaceChildren(h("p", {}, "No runs yet: they appear here by themselves."));
  }
  const rows = runs.map((run) => {
    const box = h("input", { type: "checkbox", checked: chosen.has(run.id), ariaLabel: run.name });
    box.onchange = () => {
      if (box.checked) chosen.add(run.id);
      else chosen.delete(run.id);
      show(runs);
    };
    return h(
      "tr",
      {},
      h("td", {}, box),
      h("td", { className: "name" }, chosen.has(run.id) ? swatch(colorOf(run.id)) : "", run.name),
      h("td", { className: `state ${run.state}` }, run.state),
      h("td", { className: "number" }, progressOf(run)),
      h("td", { className: run.trouble ? "trouble" : "" }, run.verdict),
      h("td", { className: "number" }, number(run.loss)),
    );
  });
  const titles = ["", "run", "state", "steps", "verdict", "loss"].map((title, i) =>
    h("th", { className: i === 3 || i === 5 ? "number" : "" }, title)
  );
  keepFocus(list, () => list.replaceChildren(h("table", {}, h("tr", {}, ...titles), ...rows)));
}

/** Replaces content without taking the keyboard's focus or the place in it away. */
function keepFocus(place, replace) {
  const label = place.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
  const top = place.scrollTop;
  replace();
  place.scrollTop = top;
  if (label) {
    [...place.querySelectorAll("input, button")].find((e) => e.ariaLabel === label)?.focus();
  }
}

const cards = new Map(); // by id: kept, so that what is open stays open

function showRuns() {
  const all = chosenRuns().map((run) => {
    const key = JSON.stringify([run, asked.get(run.id), colorOf(run.id), chosen.size]);
    const known = cards.get(run.id);
    if (known?.key === key) return known.card;
    const open = known?.card.querySelector("details")?.open ?? false;
    const card = cardOf(run, open, known?.snapshot);
    cards.set(run.id, { key, card, snapshot: card.snapshot });
    return card;
  });
  const place = $("runs");
  if (all.length !== place.children.length || all.some((card, i) => place.children[i] !== card)) {
    keepFocus(place, () => place.replaceChildren(...all));
  }
}

function cardOf(run, open, snapshot) {
  const reasons = [...run.evidence.map((text) => h("li", {}, text))];
  const table = run.evaluation && h(
    "details",
    { open },
    h("summary", {}, `Evaluation ${run.evaluation.title}`),
    h(
      "table",
      {},
      ...run.evaluation.rows.map(([metric, value]) =>
        h("tr", {}, h("td", {}, metric), h("td", { className: "number" }, value))
      ),
    ),
  );
  const card = h(
    "article",
    { className: "card" },
    h(
      "div",
      { className: "top" },
      h("h2", {}, chosen.size > 1 ? swatch(colorOf(run.id)) : "", run.name),
      h("span", { className: `state ${run.state}` }, run.text),
    ),
    h("progress", { max: run.total ?? 1, value: run.total ? run.step : 0 }),
    h("p", {}, `step ${progressOf(run)}`, run.pace ? `, ${run.pace}` : ""),
    run.line ? h("p", { className: "dim" }, run.line) : "",
    h("p", { className: run.trouble ? "trouble" : "" }, h("b", {}, run.verdict)),
    reasons.length ? h("ul", {}, ...reasons) : "",
    run.remedy ? h("p", {}, `What to change first: ${run.remedy}`) : "",
    run.controlled ? buttons(run) : "",
    table ?? "",
    ...run.notes.map((note) => h("p", { className: "dim" }, note)),
  );
  if (run.snapshots.length) card.append(attention(run, card, snapshot));
  return card;
}

/** Pictures of the attention, with a slider through the steps; the newest unless another was chosen. */
function attention(run, card, before) {
  const last = run.snapshots.length - 1;
  const image = h("img", { alt: "attention of the teacher" });
  const title = h("p", { className: "dim" });
  const slider = h("input", {
    type: "range",
    min: 0,
    max: last,
    ariaLabel: `attention of ${run.name}`,
  });
  const turn = (i) => {
    const step = run.snapshots[i];
    title.textContent = `Attention at step ${step}`;
    image.src = `/snapshot?${new URLSearchParams({ run: run.id, step, token })}`;
    card.snapshot = i === last ? undefined : i;
  };
  slider.value = String(Math.min(before ?? last, last));
  slider.oninput = () => turn(Number(slider.value));
  turn(Number(slider.value));
  return h("div", { className: "snapshots" }, title, last ? slider : "", image);
}

function buttons(run) {
  const pauses = run.state !== "paused";
  const wish = asked.get(run.id);
  const isDone = wish &&
    (wish.command === "checkpoint" ? run.saved !== wish.saved : run.state !== wish.state);
  if (isDone) asked.delete(run.id);
  const note = h("span", { className: "dim", role: "status" });
  if (wish && !isDone) {
    note.textContent = `asked to ${wish.command}: the run does so at its next look`;
  } else if (run.saved !== undefined) note.textContent = `saved at step ${run.saved}`;
  const button = (text, command, ask = () => post(run, command)) =>
    h("button", { type: "button", ariaLabel: `${command} ${run.name}`, onclick: ask }, text);
  const stop = button("Stop", "stop", () => {
    if (stop.textContent !== "Stop") return post(run, "stop");
    stop.textContent = "Save and stop?";
    setTimeout(() => stop.textContent = "Stop", 4000);
  });
  return h(
    "div",
    { className: "buttons" },
    pauses ? button("Pause", "pause") : button("Resume", "resume"),
    button("Save a checkpoint", "checkpoint"),
    stop,
    note,
  );
}

async function post(run, command) {
  asked.set(run.id, { command, state: run.state, saved: run.saved });
  show(runs);
  const response = await fetch("/command", { method: "POST", headers, body: command }).catch(
    () => {},
  );
  if (response?.ok) return;
  asked.delete(run.id);
  say(await response?.text() ?? "The server has not answered: nothing was asked of the run.", true);
}

listen();
