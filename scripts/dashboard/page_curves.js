// The curves on the page: asks for them when they have changed, and reads the values under the pointer. One program
// with page.js, whose names it uses.
// deno-lint-ignore-file no-unused-vars
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
  keep($("charts"), charts, (chart) => chart.key, newChart);
}

/** A chart: a picture that the server has drawn, and the values under the pointer. */
function newChart() {
  const image = h("img", {});
  const cross = h("div", { className: "cross", hidden: true });
  const values = h("div", { className: "values", hidden: true });
  const plot = h("div", { className: "plot" }, image, cross, values);
  const element = h("figure", { className: "chart" }, plot);
  let chart;
  let pointer; // where it is, in pixels of the window
  element.update = (next) => {
    const isSame = chart?.svg === next.svg;
    chart = next;
    if (isSame) return;
    image.alt = chart.title;
    const url = URL.createObjectURL(new Blob([chart.svg], { type: "image/svg+xml" }));
    image.onload = () => URL.revokeObjectURL(url);
    image.src = url;
    if (pointer !== undefined) read();
  };
  const read = () => {
    const box = plot.getBoundingClientRect();
    const scale = chart.frame.width / box.width;
    const { left, right, top, bottom, x: [from, to] } = chart.frame;
    const place = (pointer - box.left) * scale;
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
  plot.onpointermove = (event) => {
    pointer = event.clientX;
    read();
  };
  plot.onpointerleave = () => {
    pointer = undefined;
    cross.hidden = values.hidden = true;
  };
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
