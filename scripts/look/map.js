// The page of `deno task look map`. Colours come from the golden angle in OKLCH, places from the data.
const data = JSON.parse(document.getElementById("data").textContent);
const { sprites, layouts, ids, labels } = data;
const n = ids.length, STEPS = 65535, MOST_CLASSES = 400;
const main = document.querySelector("main");
main.textContent = "";

/** An element with attributes, `text` among them. */
function make(tag, parent, { text, ...attributes } = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const canvas = make("canvas", main, { class: "map", tabindex: 0, role: "img" });
canvas.setAttribute(
  "aria-label",
  `Map of ${n} pictures. Drag to move, wheel or + and − to zoom, 0 to see all.`,
);
const context = canvas.getContext("2d");
const state = { kind: data.first, dots: false, scale: 1, x: 0, y: 0, over: -1, lit: -1 };
const hidden = labels.map(() => new Set());
const places = Float32Array.from(layouts[0].places, (value) => value / STEPS - 0.5);
const scaled = new Map();
const sheets = sprites.sheets.map((uri) => {
  const image = new Image();
  image.onload = () => {
    scaled.clear();
    draw();
  };
  image.src = uri;
  return image;
});

// ---- colours

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => {
  legend();
  draw();
});

/** Colour of the class at a rank. */
function colorOf(rank) {
  const lightness = (dark.matches ? 0.72 : 0.6) + [0, 0.08, -0.09][rank % 3];
  const chroma = [0.17, 0.13, 0.19][Math.floor(rank / 7) % 3];
  return `oklch(${lightness} ${chroma} ${(25 + 137.508 * rank) % 360})`;
}

/** Classes of every kind, the largest first, with their numbers and ranks. */
const classes = labels.map(({ names, values }) => {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const order = [...counts.keys()].sort((a, b) =>
    counts.get(b) - counts.get(a) || (names[a] < names[b] ? -1 : 1)
  );
  return { counts, order, rank: new Map(order.map((value, i) => [value, i])) };
});
const classOf = (i) => labels[state.kind].values[i];
const rankOf = (i) => labels.length ? classes[state.kind].rank.get(classOf(i)) : 0;
const isHidden = (i) => labels.length > 0 && hidden[state.kind].has(classOf(i));
const isLit = (i) => state.lit < 0 || classOf(i) === state.lit;

// ---- drawing

let width = 0, height = 0, ratio = 1, waiting = false;

function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    paint();
  });
}

/** Pixels of the map's unit at the present zoom. */
const unit = () => state.scale * 0.92 * Math.min(width, height);
const column = (i) => width / 2 + (places[2 * i] - state.x) * unit();
const row = (i) => height / 2 - (places[2 * i + 1] - state.y) * unit();

/** Side of a picture in CSS pixels: they grow more slowly than the map, so that zooming parts them. */
function side() {
  const apart = 0.8 * Math.min(width, height) / Math.sqrt(n);
  return Math.min(96, Math.max(4, Math.max(12, apart) * state.scale ** 0.5));
}

/**
 * The sheets with thumbnails of so many pixels: scaled once, copied often, which needs no GPU. The last few sizes are
 * kept.
 */
function sheetsOf(size) {
  if (size >= sprites.size) return sheets;
  if (!scaled.has(size)) {
    if (scaled.size > 2) scaled.delete(scaled.keys().next().value);
    scaled.set(
      size,
      sheets.map((sheet) => {
        const small = document.createElement("canvas");
        small.width = Math.max(1, sheet.naturalWidth / sprites.size * size);
        small.height = Math.max(1, sheet.naturalHeight / sprites.size * size);
        const brush = small.getContext("2d");
        brush.imageSmoothingQuality = "high";
        if (sheet.naturalWidth) brush.drawImage(sheet, 0, 0, small.width, small.height);
        return small;
      }),
    );
  }
  return scaled.get(size);
}

function paint() {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  // Whole and even pixels, so that few sizes are made and each is copied as it is.
  const pixels = 2 * Math.round(side() * ratio / 2), size = pixels / ratio, edge = size / 2 + 4;
  const small = state.dots ? undefined : sheetsOf(pixels);
  const cell = Math.min(pixels, sprites.size);
  context.imageSmoothingEnabled = pixels > sprites.size;
  const dots = new Map(); // places by rank, −1 for those that are dimmed
  for (let i = 0; i < n; i++) {
    const x = column(i), y = row(i);
    if (x < -edge || y < -edge || x > width + edge || y > height + edge || isHidden(i)) continue;
    const lit = isLit(i);
    if (state.dots) {
      const key = lit ? rankOf(i) : -1;
      if (!dots.has(key)) dots.set(key, []);
      dots.get(key).push(x, y);
      continue;
    }
    context.globalAlpha = lit ? 1 : 0.08;
    const left = Math.round(x * ratio - pixels / 2) / ratio;
    const top = Math.round(y * ratio - pixels / 2) / ratio;
    thumbnail(context, i, left, top, size, small, cell);
    if (labels.length && lit && size >= 18) {
      context.fillStyle = colorOf(rankOf(i));
      context.fillRect(x - size / 2, y + size / 2, size, Math.max(2, size / 14));
    }
  }
  const radius = Math.min(9, Math.max(1.8, size / 5));
  for (const [key, points] of [...dots].sort(([a], [b]) => a - b)) {
    context.fillStyle = key < 0 ? getComputedStyle(main).color : colorOf(key);
    context.globalAlpha = key < 0 ? 0.08 : 0.8;
    context.beginPath();
    for (let p = 0; p < points.length; p += 2) {
      context.moveTo(points[p] + radius, points[p + 1]);
      context.arc(points[p], points[p + 1], radius, 0, 7);
    }
    context.fill();
  }
  context.globalAlpha = 1;
  if (state.over < 0) return;
  const large = Math.max(size * 1.25, 30);
  const [x, y] = [column(state.over) - large / 2, row(state.over) - large / 2];
  context.imageSmoothingEnabled = large * ratio < sprites.size;
  thumbnail(context, state.over, x, y, large);
  context.lineWidth = 2.5;
  context.strokeStyle = colorOf(rankOf(state.over));
  context.strokeRect(x, y, large, large);
}

/** Draws a picture from sheets whose thumbnails have a side of `s` pixels. */
function thumbnail(target, i, x, y, size, from = sheets, s = sprites.size) {
  const sheet = from[Math.floor(i / sprites.perSheet)];
  if (sheet.complete === false) return;
  const at = i % sprites.perSheet;
  const left = s * (at % sprites.columns), top = s * Math.floor(at / sprites.columns);
  target.drawImage(sheet, left, top, s, s, x, y, size, size);
}

new ResizeObserver(() => {
  ratio = devicePixelRatio || 1;
  width = main.clientWidth;
  height = main.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  paint();
}).observe(main);

// ---- moving

/** Zooms by a factor around a place of the canvas. */
function zoom(factor, x = width / 2, y = height / 2) {
  const before = unit();
  state.scale = Math.min(400, Math.max(0.5, state.scale * factor));
  const change = 1 / before - 1 / unit();
  state.x += (x - width / 2) * change;
  state.y -= (y - height / 2) * change;
  draw();
}

function reset() {
  Object.assign(state, { scale: 1, x: 0, y: 0 });
  draw();
}

const pointers = new Map();
let moved = 0;
const placeOf = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pixels = event.deltaY * [1, 30, 300][event.deltaMode];
  zoom(Math.exp(-Math.max(-300, Math.min(300, pixels)) / 400), ...placeOf(event));
  point(...placeOf(event));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, placeOf(event));
  moved = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const now = placeOf(event), before = pointers.get(event.pointerId);
  if (!before) return point(...now);
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  pointers.set(event.pointerId, now);
  const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
  moved += Math.abs(dx) + Math.abs(dy);
  if (others.length) { // two fingers
    const gap = ([x, y]) => Math.hypot(x - others[0][0], y - others[0][1]) || 1;
    const middle = [(now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2];
    zoom(gap(now) / gap(before), ...middle);
  }
  const share = others.length ? 0.5 : 1;
  state.x -= share * dx / unit();
  state.y += share * dy / unit();
  if (moved > 4) choose(-1);
  draw();
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    if (moved <= 4) point(...placeOf(event));
  });
}
canvas.addEventListener("pointerleave", () => pointers.size || choose(-1));
canvas.addEventListener("dblclick", (event) => zoom(2, ...placeOf(event)));
canvas.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
  if (ctrlKey || metaKey) return;
  const step = 60 / unit();
  const keys = {
    "+": () => zoom(1.4),
    "=": () => zoom(1.4),
    "-": () => zoom(1 / 1.4),
    "0": reset,
    ArrowLeft: () => state.x -= step,
    ArrowRight: () => state.x += step,
    ArrowUp: () => state.y += step,
    ArrowDown: () => state.y -= step,
    Escape: () => choose(-1),
  };
  keys[key]?.();
  draw();
});

// ---- what is under the pointer

const tip = make("div", main, { class: "panel tip", hidden: "" });
const large = make("canvas", tip, { width: 192, height: 192 });
const words = make("div", tip);

/** Looks for the nearest picture. */
function point(x, y) {
  let best = -1, least = Math.max(10, side() / 2 + 3) ** 2;
  for (let i = 0; i < n; i++) {
    const distance = (column(i) - x) ** 2 + (row(i) - y) ** 2;
    if (distance < least && !isHidden(i)) [best, least] = [i, distance];
  }
  choose(best);
}

function choose(i) {
  if (i !== state.over) {
    state.over = i;
    draw();
    if (i >= 0) describe(i);
  }
  tip.hidden = i < 0;
  if (i < 0) return;
  const [x, y] = [column(i), row(i)];
  const room = tip.offsetWidth + 28;
  tip.style.left = `${x + room < width ? x + 26 : Math.max(4, x - room)}px`;
  tip.style.top = `${Math.max(4, Math.min(height - tip.offsetHeight - 4, y - 20))}px`;
}

function describe(i) {
  const brush = large.getContext("2d");
  brush.clearRect(0, 0, 192, 192);
  brush.imageSmoothingEnabled = sprites.size > 96;
  thumbnail(brush, i, 0, 0, 192);
  words.textContent = "";
  make("b", words, { text: ids[i] });
  for (const { kind, names, values } of labels) {
    make("span", words, { text: `${kind}: ${names[values[i]]}` });
  }
}

// ---- tools and legend

const tools = make("div", main, { class: "panel tools", role: "toolbar", "aria-label": "View" });

/** Buttons of which one is pressed. */
function choice(names, pick) {
  const buttons = names.map((name, i) => {
    const button = make("button", tools, { type: "button", text: name });
    button.addEventListener("click", () => {
      pick(i);
      press(i);
    });
    return button;
  });
  const press = (i) => buttons.forEach((b, j) => b.setAttribute("aria-pressed", String(i === j)));
  press(0);
}

choice(layouts.map(({ name }) => name), (i) => {
  choose(-1);
  glide(layouts[i].places);
});
make("i", tools);
choice(["Pictures", "Dots"], (i) => {
  state.dots = i === 1;
  draw();
});
make("i", tools);
const ZOOMS = [
  ["+", "Zoom in", () => zoom(1.5)],
  ["−", "Zoom out", () => zoom(1 / 1.5)],
  ["All", "See all", reset],
];
for (const [text, title, action] of ZOOMS) {
  make("button", tools, { type: "button", text, title, "aria-label": title })
    .addEventListener("click", action);
}

/** Moves all pictures to other places. */
let gliding = 0;
function glide(goal) {
  const from = places.slice(), mine = ++gliding, begin = performance.now();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const step = (now) => {
    if (mine !== gliding) return;
    const t = still ? 1 : Math.min(1, Math.max(0, (now - begin) / 700));
    const eased = t * t * (3 - 2 * t);
    for (let i = 0; i < places.length; i++) {
      places[i] = from[i] + eased * (goal[i] / STEPS - 0.5 - from[i]);
    }
    paint();
    if (t < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

const panel = labels.length ? make("div", main, { class: "panel legend" }) : undefined;

function legend() {
  if (!panel) return;
  panel.textContent = "";
  const select = make("select", panel, { "aria-label": "Colour by" });
  labels.forEach(({ kind }, i) => {
    make("option", select, { value: i, text: `${kind} (${classes[i].order.length})` });
  });
  select.value = state.kind;
  select.addEventListener("change", () => {
    Object.assign(state, { kind: Number(select.value), lit: -1 });
    legend();
    draw();
  });
  const list = make("ul", panel);
  const { order, counts } = classes[state.kind], own = hidden[state.kind];
  const presses = [];
  order.slice(0, MOST_CLASSES).forEach((value, i) => {
    const name = labels[state.kind].names[value];
    const button = make("button", make("li", list), { type: "button", title: name });
    make("b", button).style.background = colorOf(i);
    make("span", button, { text: name });
    make("small", button, { text: counts.get(value) });
    presses.push(() => button.setAttribute("aria-pressed", String(!own.has(value))));
    button.addEventListener("click", ({ shiftKey }) => {
      if (shiftKey) { // this one alone, or all again
        const alone = own.size === order.length - 1 && !own.has(value);
        own.clear();
        if (!alone) { for (const other of order) if (other !== value) own.add(other); }
      } else if (!own.delete(value)) own.add(value);
      for (const press of presses) press();
      draw();
    });
    const light = (which) => () => {
      state.lit = which;
      draw();
    };
    button.addEventListener("pointerenter", light(value));
    button.addEventListener("pointerleave", light(-1));
  });
  for (const press of presses) press();
  const more = order.length - MOST_CLASSES;
  make("p", panel, {
    text: more > 0 ? `and ${more} smaller ones` : "Click hides a class, with Shift all others.",
  });
}
legend();
