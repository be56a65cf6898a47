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

let drawn = ""; // what the curves on the page were drawn for
let drawing = false;

/** Asks for the curves again when they have changed; the next time not before the server had a rest. */
async function draw() {
  const wanted = () =>
    JSON.stringify([...chosen ?? []].map((id) => [id, runs.find((run) => run.id === id)?.version]));
  if (drawing || wanted() === drawn) return;
  drawing = true;
  const now = wanted();
  const start = performance.now();
  try {
    const query = new URLSearchParams([...chosen ?? []].map((id) => ["run", id]));
    const response = await fetch(`/charts?${query}`, { headers });
    if (!response.ok) throw new Error(await response.text());
    showCharts(await response.json());
    drawn = now;
    await sleep(Math.max(1000, 10 * (performance.now() - start)));
  } catch {
    await sleep(2000); // the connection says what is wrong
  }
  drawing = false;
  draw();
}

function showCharts({ charts }) {
  const place = $("charts");
  const known = new Map([...place.children].map((chart) => [chart.dataset.key, chart]));
  const all = charts.map((chart) => {
    const element = known.get(chart.key) ?? newChart(chart);
    element.update(chart);
    return element;
  });
  place.replaceChildren(...all);
}

/** A chart: a picture that the server has drawn, and the values under the pointer. */
function newChart({ key }) {
  const image = h("img", {});
  const cross = h("div", { className: "cross", hidden: true });
  const values = h("div", { className: "values", hidden: true });
  const plot = h("div", { className: "plot" }, image, cross, values);
  const element = h("figure", { className: "chart" }, plot);
  element.dataset.key = key;
  let chart;
  element.update = (next) => {
    chart = next;
    image.alt = chart.title;
    const url = URL.createObjectURL(new Blob([chart.svg], { type: "image/svg+xml" }));
    image.onload = () => URL.revokeObjectURL(url);
    image.src = url;
  };
  plot.onpointermove = (event) => {
    const box = plot.getBoundingClientRect();
    const scale = chart.frame.width / box.width;
    const { left, right, top, bottom, x: [from, to] } = chart.frame;
    const place = (event.clientX - box.left) * scale;
    const step = from + (place - left) / (right - left) * (to - from);
    const near = chart.series.flatMap(({ name, color, points }) => {
      const at = nearest(points, step);
      return at ? [{ name, color, at }] : [];
    });
    cross.hidden = values.hidden = !near.length || place < left - 5 || place > right + 5;
    if (cross.hidden) return;
    const x = near[0].at[0];
    const pixel = (left + (x - from) / (to - from || 1) * (right - left)) / scale;
    Object.assign(cross.style, {
      left: `${pixel}px`,
      top: `${top / scale}px`,
      height: `${(bottom - top) / scale}px`,
    });
    values.replaceChildren(
      h("div", {}, `step ${x}`),
      ...near.map(({ name, color, at }) =>
        h("div", {}, swatch(color), name ? `${name} ` : "", Number(at[1].toPrecision(5)).toString())
      ),
    );
    const isLeft = pixel < box.width / 2;
    Object.assign(values.style, {
      top: `${top / scale}px`,
      left: isLeft ? `${pixel + 8}px` : "auto",
      right: isLeft ? "auto" : `${box.width - pixel + 8}px`,
    });
  };
  plot.onpointerleave = () => cross.hidden = values.hidden = true;
  return element;
}

/** The point whose step is nearest, of points by rising step. */
function nearest(points, step) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle;
    else high = middle;
  }
  if (high < 0) return undefined;
  return step - points[low][0] < points[high][0] - step ? points[low] : points[high];
}

listen();
