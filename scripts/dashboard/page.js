// What the page does: listens to its server, shows what it hears, asks for curves when they have changed.
// Names and texts only ever become text nodes, so that none of them can be markup.
const token = new URLSearchParams(location.search).get("token") ?? "";
const headers = { "x-hatchling-token": token };
const COLORS = []; // the palette, which the server puts in
const SILENCE_MS = 15_000;
const FEW = 10; // runs that the list shows before somebody asks for all

let runs = []; // as the server told last
let troubles = []; // of the folders
let chosen; // ids; undefined until there is something to choose from
let all = false; // whether the list shows all runs
const seen = new Set(); // ids that it has shown: they stay

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
    if (!last) continue;
    const news = JSON.parse(last.slice(6));
    runs = news.runs;
    troubles = news.notes;
    show();
  }
}

/** Shows what the server told last. */
function show() {
  const ids = runs.map((run) => run.id);
  if (!chosen && runs.length) {
    const first = runs.find((run) => run.state === "running" || run.state === "paused") ??
      runs.at(-1);
    chosen = new Set([first.id]);
  }
  for (const id of chosen ?? []) if (!ids.includes(id)) chosen.delete(id);
  showList();
  keep($("runs"), runs.filter((run) => chosen.has(run.id)), (run) => run.id, newCard);
  draw();
}

const colorOf = (id) => COLORS[[...chosen].indexOf(id) % COLORS.length];
const number = (value) => typeof value === "number" ? value.toPrecision(4) : "–";
const progressOf = ({ step, total }) => total ? `${step} / ${total}` : `${step}`;
const goesOn = ({ state }) => state === "running" || state === "paused";

/** The runs to choose from: of many the newest, those that go on and those that are chosen, until all are wanted. */
function showList() {
  $("list").hidden = runs.length === 1 && !troubles.length;
  keepTexts($("troubles"), "p", troubles);
  tell($("none"), runs.length ? "" : "No runs yet: they appear here by themselves.");
  $("table").hidden = !runs.length;
  runs.forEach((run, i) => {
    if (i >= runs.length - FEW || goesOn(run) || chosen.has(run.id)) seen.add(run.id);
  });
  const shown = all ? runs : runs.filter((run) => seen.has(run.id));
  keep($("rows"), shown, (run) => run.id, newRow);
  const left = runs.filter((run) => !seen.has(run.id));
  const bad = left.filter((run) => run.notes.length).length;
  $("more").hidden = !left.length;
  tell(
    $("count"),
    all
      ? `All ${runs.length} runs.`
      : `${shown.length} of ${runs.length} runs${bad ? `; ${bad} of the others incomplete` : ""}.`,
  );
  set($("all"), { textContent: all ? "Show fewer" : `Show all ${runs.length}` });
  $("all").ariaExpanded = String(all);
}

function newRow({ id }) {
  const box = h("input", { type: "checkbox" }), mark = swatch(), name = h("span", {});
  const state = h("td", {}), steps = h("td", { className: "number" });
  const verdict = h("span", {}), notes = h("span", { className: "trouble" });
  const loss = h("td", { className: "number" });
  const label = h("label", {}, box, mark, name);
  const row = h("tr", {}, h("td", { className: "name" }, label), state, steps);
  row.append(h("td", {}, verdict, notes), loss);
  box.onchange = () => {
    if (box.checked) chosen.add(id);
    else chosen.delete(id);
    show();
  };
  row.update = (run) => {
    set(box, { checked: chosen.has(id), ariaLabel: run.name });
    mark.update(chosen.has(id) ? colorOf(id) : undefined);
    tell(name, run.name);
    tell(state, run.state, `state ${run.state}`);
    tell(steps, progressOf(run));
    tell(verdict, run.verdict, `verdict ${run.tone}`);
    tell(notes, run.notes.length ? " · incomplete" : "");
    set(notes, { title: run.notes.join("\n") });
    tell(loss, number(run.loss));
  };
  return row;
}

$("all").onclick = () => {
  all = !all;
  showList();
};

listen();
