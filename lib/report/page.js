// Reads values off the curves, where the pointer is.
for (const svg of document.querySelectorAll(".curves svg")) {
  const numbers = (name) => svg.dataset[name].split(" ").map(Number);
  const [from, to, left, right] = numbers("x");
  const [low, high, bottom, top, log] = numbers("y");
  const valueAt = (y) => {
    const share = (y - bottom) / (top - bottom);
    return log ? low * (high / low) ** share : low + share * (high - low);
  };
  const series = [...svg.querySelectorAll("g[data-name]")].map((group) => {
    const smooth = group.nextElementSibling;
    const path = (smooth?.dataset.mean === undefined ? group : smooth).querySelector("path");
    const pairs = path?.getAttribute("d").match(/-?[\d.]+,-?[\d.]+/g) ?? [];
    return { name: group.dataset.name, points: pairs.map((pair) => pair.split(",").map(Number)) };
  }).filter(({ points }) => points.length);
  if (!series.length) continue;
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  svg.parentElement.append(tip);
  svg.addEventListener("pointerleave", () => tip.hidden = true);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const at = (event.clientX - box.left) * scale;
    const nearest = (points) =>
      points.reduce((best, p) => Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best);
    const found = series.map(({ name, points }) => ({ name, point: nearest(points) }));
    const x = found[0].point[0];
    const step = Math.round(from + (x - left) / (right - left) * (to - from));
    tip.textContent = [
      `step ${step.toLocaleString("en")}`,
      ...found.map(({ name, point: [, y] }) => `${name} ≈ ${Number(valueAt(y).toPrecision(3))}`),
    ].join("\n");
    tip.hidden = false;
    const side = x / scale > box.width / 2 ? -tip.offsetWidth - 8 : 8;
    tip.style.left = `${x / scale + side}px`;
    tip.style.top = `${(event.clientY - box.top) / 2}px`;
  });
}
