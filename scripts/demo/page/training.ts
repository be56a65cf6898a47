/**
 * The panel that trains.
 *
 * @module
 */
import type { GivenFile, ModelFacts, RunFacts, StepNews } from "../protocol.ts";
import type { Client } from "../rpc.ts";
import { Chart } from "./chart.ts";
import { $, attempt, canvasOf, el, saveFile, say, setNotes } from "./dom.ts";
import { chosen } from "./drops.ts";
import { type Battery, speedOf } from "./pause_rule.ts";

/** Configurations by what they are called; the build puts them in. */
declare const RECIPES: Readonly<Record<string, string>>;

/** Curves by figure. */
const CURVES: Readonly<Record<string, string>> = {
  loss: "Loss in nats",
  contrastive: "InfoNCE in nats",
  contrastive_accuracy: "Share of views that find their picture",
  teacher_entropy: "Entropy of the teacher in nats",
  ibot: "Masked patches (iBOT) in nats",
};

/** Pictures that are watched, and pictures whose views are shown. */
const [WATCHED, VIEWED] = [8, 3];

/** Milliseconds between looks at least, and as a multiple of what the last one took: training goes first. */
const [LOOK_MS, LOOK_SHARE] = [10_000, 15];

/** What is there while there is a run. */
const RUNNING = ["run", "pause", "save", "export", "adopt"];

/** Runs in the tab. */
export class Training {
  readonly #worker: Client;
  readonly #onModel: (facts: ModelFacts) => void;
  #facts?: RunFacts;
  #step = 0;
  #saved = 0;
  #wanted = false;
  #over = false;
  #battery?: Battery;
  #charts = new Map<string, Chart>();
  #nextLook = 0;
  #times: number[] = [];

  /** @param onModel Told when the run's network is to look. */
  constructor(worker: Client, onModel: (facts: ModelFacts) => void) {
    this.#worker = worker;
    this.#onModel = onModel;
    const recipe = $<HTMLSelectElement>("recipe"), yaml = $<HTMLTextAreaElement>("yaml");
    recipe.append(...Object.keys(RECIPES).map((name) => el("option", {}, name)));
    const fill = () => yaml.value = RECIPES[recipe.value];
    recipe.addEventListener("change", fill);
    fill();
    $("start").addEventListener("click", () => void this.#begin());
    const resume = $<HTMLInputElement>("resume");
    resume.addEventListener("change", () => void this.#begin(chosen(resume)[0]));
    $("pause").addEventListener("click", () => {
      this.#wanted = !this.#wanted;
      void this.#decide();
    });
    $("save").addEventListener("click", () => void attempt(() => this.#save()));
    $("export").addEventListener("click", () => void attempt(() => this.#export()));
    $("adopt").addEventListener(
      "click",
      () => void attempt(async () => this.#onModel(await worker.adopt())),
    );
    $("hidden").addEventListener("change", () => void this.#decide());
    document.addEventListener("visibilitychange", () => void this.#decide());
    addEventListener("beforeunload", (event) => {
      if (this.#step > this.#saved) event.preventDefault();
    });
    worker.on("step", (news) => void this.#hear(news));
    worker.on("ended", ({ why }) => this.#end(why));
    void this.#watchBattery();
  }

  async #begin(checkpoint?: GivenFile): Promise<void> {
    if (this.#step > this.#saved && !confirm("The run here is not saved. Begin another one?")) {
      return;
    }
    const start = $<HTMLButtonElement>("start");
    start.disabled = true;
    say("recording a step and compiling its kernels …");
    const facts = await attempt(() =>
      this.#worker.train({
        config: $<HTMLTextAreaElement>("yaml").value,
        on: $<HTMLSelectElement>("on").value as "emoji" | "pictures",
        checkpoint,
      })
    );
    start.disabled = false;
    if (!facts) return this.#forget();
    say(checkpoint ? `goes on after step ${facts.step}` : "");
    this.#facts = facts;
    this.#step = this.#saved = facts.step;
    this.#wanted = true;
    this.#over = false;
    this.#times = [];
    this.#charts.clear();
    $("charts").replaceChildren();
    $("run-facts").textContent = facts.words;
    setNotes("run-notes", facts.notes);
    for (const id of RUNNING) $(id).hidden = false;
    start.textContent = "Start anew";
    this.#progress();
    await attempt(() => this.#look(true));
    await this.#decide();
  }

  /** There is no run any more. */
  #forget(): void {
    this.#facts = undefined;
    this.#step = this.#saved = 0;
    for (const id of RUNNING) $(id).hidden = true;
  }

  async #decide(): Promise<void> {
    if (!this.#facts) return;
    const { speed, why } = speedOf({
      wanted: this.#wanted && !this.#over,
      hidden: document.hidden,
      evenHidden: $<HTMLInputElement>("hidden").checked,
      battery: this.#battery,
    });
    const pause = $<HTMLButtonElement>("pause");
    pause.textContent = this.#wanted ? "Pause" : "Go on";
    pause.disabled = this.#over;
    say(why ?? (this.#over ? "the run is over" : this.#wanted ? "training" : "paused"));
    await this.#worker.speed(speed);
  }

  async #hear({ step, figures, lr, ms }: StepNews): Promise<void> {
    this.#step = step;
    this.#times = [...this.#times.slice(-19), ms];
    for (const [name, title] of Object.entries(CURVES)) {
      const value = figures[name];
      if (value === undefined) continue;
      let chart = this.#charts.get(name);
      if (!chart) {
        this.#charts.set(name, chart = new Chart(title));
        $("charts").append(chart.element);
      }
      chart.add(step, value);
      if (!document.hidden) chart.draw();
    }
    this.#progress(figures.loss, lr);
    if (document.hidden || performance.now() < this.#nextLook) return;
    await attempt(() => this.#look());
  }

  #progress(loss?: number, lr?: number): void {
    const { total, batch, stepsPerEpoch } = this.#facts!, step = this.#step;
    const bar = $<HTMLProgressElement>("run-progress");
    bar.max = total;
    bar.value = step;
    const ms = this.#times.reduce((a, b) => a + b, 0) / this.#times.length;
    $("run-line").textContent = [
      `step ${step} of ${total}`,
      `epoch ${Math.floor(step / stepsPerEpoch) + (step % stepsPerEpoch || step === 0 ? 1 : 0)}`,
      ...loss === undefined ? [] : [`loss ${loss.toFixed(4)}`],
      ...lr === undefined ? [] : [`learning rate ${lr.toPrecision(3)}`],
      ...this.#times.length
        ? [`${(1000 * batch / ms).toFixed(0)} pictures/s`, `${timeOf((total - step) * ms)} to go`]
        : [],
    ].join(" · ");
  }

  /** What the teacher looks at; at the start the views as well. */
  async #look(first = false): Promise<void> {
    const start = performance.now();
    this.#nextLook = Infinity; // one at a time
    const maps = await this.#worker.watch(WATCHED).finally(() => {
      const now = performance.now();
      this.#nextLook = now + Math.max(LOOK_MS, LOOK_SHARE * (now - start));
    });
    $("watched-title").hidden = !maps.length;
    $("watched").replaceChildren(...maps.map((map, i) => canvasOf(map, `attention ${i + 1}`)));
    for (const map of maps) map.close();
    if (!first) return;
    const rows = await this.#worker.views(VIEWED);
    $("views").replaceChildren(...rows.map((row) => {
      const all = row.map((view, i) => canvasOf(view, i ? `view ${i}` : "the picture"));
      all[0].classList.add("original");
      for (const view of row) view.close();
      return el("div", { className: "strip" }, ...all);
    }));
  }

  #end(why?: string): void {
    this.#over = true;
    void this.#decide().then(() => why ? say(why, true) : this.#look());
  }

  async #save(): Promise<void> {
    const { name, bytes } = await this.#worker.checkpoint();
    saveFile(name, bytes);
    this.#saved = this.#step;
    say(
      `${name} goes on here or in Deno: put it into a folder, then deno task train CONFIG --out FOLDER --resume`,
    );
  }

  async #export(): Promise<void> {
    const { name, bytes, config } = await this.#worker.export();
    saveFile(name, bytes);
    saveFile("config.yaml", config);
  }

  async #watchBattery(): Promise<void> {
    const { getBattery } = navigator as { getBattery?(): Promise<Battery & EventTarget> };
    const battery = await getBattery?.call(navigator).catch(() => undefined);
    if (!battery) return;
    this.#battery = battery;
    for (const event of ["chargingchange", "levelchange"]) {
      battery.addEventListener(event, () => void this.#decide());
    }
  }
}

function timeOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
