/**
 * The page.
 *
 * @module
 */
import { many } from "../../../lib/words.ts";
import { AttentionView, drawComponents } from "../attention_view.ts";
import type { GivenFile, ModelFacts } from "../protocol.ts";
import { clientOf } from "../rpc.ts";
import { Camera } from "./camera.ts";
import { $, attempt, canvasOf, el, say, setNotes } from "./dom.ts";
import { chosen, dropped, sortFiles } from "./drops.ts";
import { Gallery } from "./gallery.ts";
import { PictureMap } from "./map.ts";
import { type Panel, Tabs } from "./tabs.ts";
import { Training } from "./training.ts";
import { remediesFor } from "./webgpu_help.ts";

/** Emoji that are taken in at once, and neighbours that are shown. */
const [EMOJI, NEIGHBORS] = [240, 17];

/** Patches across at the start, where the model has fewer. */
const FINE = 14;

const worker = clientOf(
  new Worker(new URL("worker.js", import.meta.url), { type: "module" }),
  noGpu,
);
let model: ModelFacts | undefined, mapped = -1;
let asked = 0, busy: Promise<unknown> = Promise.resolve();

const gallery = new Gallery(() => {
  if (tabs.panel === "map" || tabs.panel === "train") tabs.show("look");
  else void refresh(tabs.panel);
});
const view = new AttentionView(
  $<HTMLCanvasElement>("attention"),
  (text) => $("query").textContent = text,
);
const map = new PictureMap(gallery, (index) => {
  tabs.show("look");
  gallery.choose(index);
});
const tabs = new Tabs((panel) => void refresh(panel));
new Training(worker, (facts) => {
  setModel(facts);
  tabs.show("look");
});
new Camera({
  take: async (frame) => {
    const { width, height, data } = frame, name = `camera ${new Date().toLocaleTimeString()}`;
    const added = await worker.addPixels(name, width, height, data);
    gallery.add(added);
    gallery.choose(gallery.length - 1);
  },
  pass: async ({ width, height, data }) => {
    if (!model?.patch) throw new Error("Expected a vision transformer: open weights, or train one");
    if (tabs.panel !== "look") tabs.show("look");
    showSeen(await worker.lookAtPixels(width, height, data, patches()));
  },
});

/** Says that there is no GPU, and what to do. */
function noGpu(why: string): void {
  $("gpu").textContent = "no GPU";
  $("gpu").classList.add("bad");
  $("help").hidden = false;
  $("why").textContent = why;
  setNotes("remedies", remediesFor(navigator.userAgent));
}

const patches = () => Number($<HTMLInputElement>("patches").value);

function setModel(facts: ModelFacts): void {
  model = facts;
  mapped = -1;
  $("model-facts").replaceChildren(el("b", {}, facts.name), `: ${facts.words}`);
  setNotes("model-notes", facts.notes);
  const heads = Array.from({ length: facts.heads ?? 0 }, (_, h) => {
    return el("option", { value: String(h) }, `head ${h + 1}`);
  });
  $("head").replaceChildren(el("option", { value: "-1" }, "mean of all"), ...heads);
  view.head = -1;
  if (facts.patch) {
    const own = Math.round(facts.imageSize / facts.patch);
    $<HTMLInputElement>("patches").value = String(Math.min(32, Math.max(own, FINE)));
    $("patches-value").textContent = String(patches());
  }
}

function showSeen(seen: Parameters<AttentionView["show"]>[0]): void {
  setEmpty("look", false);
  view.show(seen);
  drawComponents($<HTMLCanvasElement>("components"), seen);
}

/** Shows what is to be seen in a panel, or what is missing for it. */
function setEmpty(panel: Panel, is: boolean): void {
  for (const each of $(panel).querySelectorAll<HTMLElement>(".empty")) each.hidden = !is;
  for (const each of $(panel).querySelectorAll<HTMLElement>(".seen")) each.hidden = is;
}

/** Brings a panel up to date; of several wishes only the last one counts. */
async function refresh(panel: Panel): Promise<void> {
  const mine = ++asked;
  await busy;
  if (mine !== asked) return;
  busy = attempt(async () => {
    if (panel === "look") await look();
    else if (panel === "near") await near();
    else if (panel === "map") await place();
  });
  await busy;
}

async function look(): Promise<void> {
  const index = gallery.chosen;
  if (!model || index < 0) return setEmpty("look", true);
  if (!model.patch) {
    throw new Error("This model has no attention: its neighbours and its map can be seen");
  }
  say("looking …");
  showSeen(await worker.look(index, patches()));
  say(gallery.names[index] ?? "");
}

async function near(): Promise<void> {
  const index = gallery.chosen, isEmpty = !model || gallery.length < 2 || index < 0;
  setEmpty("near", isEmpty);
  if (isEmpty) return $("neighbors").replaceChildren();
  say("comparing …");
  const found = await worker.neighbors(index, NEIGHBORS);
  const tile = (at: number, words: string, onclick: () => void) => {
    const canvas = canvasOf(gallery.thumbnails[at], gallery.names[at]);
    const name = el("span", { title: gallery.names[at] }, gallery.names[at]);
    return el("button", { type: "button", onclick }, canvas, name, el("b", {}, words));
  };
  const query = tile(index, "chosen", () => tabs.show("look"));
  query.classList.add("query");
  const rows = found.map(({ index: at, similarity }) => {
    return tile(at, similarity.toFixed(3), () => gallery.choose(at));
  });
  $("neighbors").replaceChildren(el("div", { className: "near" }, query, ...rows));
  say(`most similar of ${gallery.length} pictures, by cosine similarity`);
}

async function place(): Promise<void> {
  const isEmpty = !model || gallery.length < 3;
  setEmpty("map", isEmpty);
  if (isEmpty || mapped === gallery.length) return;
  say("placing pictures …");
  const places = await worker.map();
  mapped = gallery.length;
  map.show(places);
  say(`${gallery.length} pictures`);
}

/** Takes files in, whatever they are. */
async function take(files: GivenFile[]): Promise<void> {
  const { weights, pictures, others } = sortFiles(files);
  if (weights.length) {
    say("reading weights …");
    const facts = await attempt(() => worker.load(weights));
    if (!facts) return;
    setModel(facts);
    say("");
  } else if (pictures.length) {
    say("reading pictures …");
    const added = await attempt(() => worker.add(pictures));
    if (!added) return;
    gallery.add(added);
    $<HTMLSelectElement>("on").value = "pictures";
    say(others ? `left out: ${many(others, "file")} without a picture` : "");
  } else return say("Expected pictures (PNG, JPEG, GIF, WebP) or weights but found neither", true);
  await refresh(tabs.panel);
}

for (const id of ["weights", "files", "folder"]) {
  const input = $<HTMLInputElement>(id);
  input.addEventListener("change", () => void take(chosen(input)));
}
$("emoji").addEventListener("click", () =>
  void attempt(async () => {
    say("reading the emoji …");
    gallery.add(await worker.addEmoji(EMOJI));
    say("");
    await refresh(tabs.panel);
  }));
$("clear").addEventListener("click", () =>
  void attempt(async () => {
    await worker.clear();
    gallery.clear();
    mapped = -1;
    await refresh(tabs.panel);
  }));
$("head").addEventListener("change", () => {
  view.head = Number($<HTMLSelectElement>("head").value);
  view.draw();
});
$("alpha").addEventListener("input", () => {
  view.alpha = Number($<HTMLInputElement>("alpha").value);
  view.draw();
});
$("patches").addEventListener("input", () => $("patches-value").textContent = String(patches()));
$("patches").addEventListener("change", () => void refresh("look"));

let depth = 0;
addEventListener("dragenter", () => $("veil").hidden = ++depth === 0);
addEventListener("dragleave", () => $("veil").hidden = --depth <= 0);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("veil").hidden = true;
  if (event.dataTransfer) void dropped(event.dataTransfer).then(take);
});

worker.on("progress", ({ what, done, total }) => {
  const bar = $<HTMLProgressElement>("progress");
  bar.hidden = done >= total;
  bar.max = total;
  bar.value = done;
  bar.setAttribute("aria-label", what);
});
worker.on("lost", ({ why }) => say(`The GPU was lost: ${why}. Load this page anew.`, true));

worker.open().then(async ({ name, software }) => {
  $("gpu").textContent = software ? `${name}: a processor plays the GPU, slowly` : name;
  const names: string[] = await (await fetch("model/files.json")).json(); // that came with the page
  if (!names.length) return;
  const files = await Promise.all(names.map(async (name) => {
    return { name, file: await (await fetch(`model/${name}`)).blob() };
  }));
  await take(files);
}, (error) => noGpu(error.message));

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("sw.js").catch(() => {}); // without it the page needs the network
}
