// The cards of the chosen runs. One program with page.js, whose names it uses.
// deno-lint-ignore-file no-unused-vars

/** Milliseconds in which "Save and stop?" can be pressed. */
const SURE_MS = 4000;

const asked = new Map(); // what was asked of a run, and the state it was in

function newCard() {
  const mark = swatch(), name = h("span", {}), state = h("span", {});
  const bar = h("progress", { value: 0 }), steps = h("p", {}), line = h("p", { className: "dim" });
  const verdict = h("b", {}), about = h("p", {}, verdict), reasons = h("ul", {});
  const remedy = h("p", {}), notes = h("div", { className: "notes" });
  const buttons = newButtons(), evaluation = newEvaluation(), attention = newAttention();
  const top = h("div", { className: "top" }, h("h2", {}, mark, name), state);
  const parts = [top, bar, steps, line, about, reasons, remedy, buttons, evaluation, notes];
  const card = h("article", { className: "card" }, ...parts, attention);
  card.update = (run) => {
    mark.update(chosen.size > 1 ? colorOf(run.id) : undefined);
    tell(name, run.name);
    tell(state, run.text, `state ${run.state}`);
    set(bar, { max: run.total || 1, value: run.total ? Math.min(run.step, run.total) : 0 });
    tell(steps, `step ${progressOf(run)}${run.pace ? `, ${run.pace}` : ""}`);
    tell(line, run.line);
    set(about, { className: `verdict ${run.tone}` });
    tell(verdict, run.verdict);
    keepTexts(reasons, "li", run.evidence);
    tell(remedy, run.remedy);
    keepTexts(notes, "p", run.notes.map((note) => `Not read: ${note}`));
    for (const part of [buttons, evaluation, attention]) part.update(run);
  };
  return card;
}

function newEvaluation() {
  const title = h("summary", {}), table = h("table", {});
  const element = h("details", {}, title, table);
  element.update = ({ evaluation }) => {
    element.hidden = !evaluation;
    tell(title, evaluation && `Evaluation ${evaluation.title}`);
    keep(table, evaluation?.rows ?? [], (_, i) => i, () => {
      const metric = h("td", {}), value = h("td", { className: "number" });
      const row = h("tr", {}, metric, value);
      row.update = ([name, text]) => {
        tell(metric, name);
        tell(value, text);
      };
      return row;
    });
  };
  return element;
}

/** Pictures of the attention, with a slider through the steps; the newest unless another was chosen. */
function newAttention() {
  const image = h("img", { alt: "attention of the teacher" });
  const title = h("p", { className: "dim" });
  const slider = h("input", { type: "range", min: 0 });
  const element = h("div", { className: "snapshots" }, title, slider, image);
  let run, step; // the one that was chosen
  const turn = () => {
    const { snapshots } = run;
    const at = step === undefined ? snapshots.length - 1 : Number(slider.value);
    tell(title, `Attention at step ${snapshots[at]}`);
    const query = new URLSearchParams({ run: run.id, step: snapshots[at], token });
    const source = `/snapshot?${query}`;
    if (image.getAttribute("src") !== source) image.src = source;
  };
  slider.oninput = () => {
    const at = Number(slider.value);
    step = at === run.snapshots.length - 1 ? undefined : run.snapshots[at];
    turn();
  };
  element.update = (next) => {
    run = next;
    const { snapshots } = run, last = snapshots.length - 1;
    element.hidden = last < 0;
    if (last < 0) return;
    const at = step === undefined ? last : snapshots.indexOf(step);
    if (at < 0) step = undefined; // the run went on from before
    set(slider, { max: String(last), hidden: last === 0, ariaLabel: `attention of ${run.name}` });
    set(slider, { value: String(at < 0 ? last : at) });
    turn();
  };
  return element;
}

function newButtons() {
  let run, timer;
  const button = (ask) => h("button", { type: "button", onclick: ask });
  const pause = button(() => post(run, run.state === "paused" ? "resume" : "pause"));
  const save = button(() => post(run, "checkpoint"));
  const stop = button(() => {
    if (timer === undefined) timer = setTimeout(calm, SURE_MS);
    else {
      calm();
      post(run, "stop");
    }
    update();
  });
  const note = h("span", { className: "dim", role: "status" });
  const element = h("div", { className: "buttons" }, pause, save, stop, note);
  const calm = () => {
    clearTimeout(timer);
    timer = undefined;
    update();
  };
  const label = (element, text, command) => {
    set(element, { textContent: text, ariaLabel: `${command} ${run.name}` });
  };
  const update = () => {
    element.hidden = !run.controlled;
    const paused = run.state === "paused";
    label(pause, paused ? "Resume" : "Pause", paused ? "resume" : "pause");
    label(save, "Save a checkpoint", "checkpoint");
    label(stop, timer === undefined ? "Stop" : "Save and stop?", "stop");
    const wish = asked.get(run.id);
    const isDone = wish &&
      (wish.command === "checkpoint" ? run.saved !== wish.saved : run.state !== wish.state);
    if (isDone) asked.delete(run.id);
    const saved = run.saved === undefined ? "" : `saved at step ${run.saved}`;
    const text = `asked to ${wish?.command}: the run does so at its next look`;
    set(note, { textContent: wish && !isDone ? text : saved });
  };
  element.update = (next) => {
    run = next;
    update();
  };
  return element;
}

async function post(run, command) {
  asked.set(run.id, { command, state: run.state, saved: run.saved });
  show();
  const response = await fetch("/command", { method: "POST", headers, body: command }).catch(
    () => {},
  );
  if (response?.ok) return;
  asked.delete(run.id);
  say(await response?.text() ?? "The server has not answered: nothing was asked of the run.", true);
}
