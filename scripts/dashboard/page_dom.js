// Elements that stay: what is on the page is changed where it differs and never made anew, so that hover, focus,
// selection, what is open and what was asked stay as they are. One program with the other page_*.js.
// deno-lint-ignore-file no-unused-vars
const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An element with properties and children; texts are escaped by being text. */
function h(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

/** Sets properties where they differ. */
function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (element[name] !== value) element[name] = value;
  }
}

/** Says a text; an element without one is hidden. */
function tell(element, text = "", className = element.className) {
  set(element, { textContent: text, hidden: text === "", className });
}

/** Makes the children of a place those of some items: those that are there already stay, and hear what is new. */
function keep(place, items, keyOf, make) {
  const known = new Map([...place.children].map((child) => [child.dataset.key, child]));
  const keys = items.map((item, i) => String(keyOf(item, i)));
  for (const [key, child] of known) if (!keys.includes(key)) child.remove();
  items.forEach((item, i) => {
    const child = known.get(keys[i]) ?? make(item);
    child.dataset.key = keys[i];
    child.update(item);
    if (place.children[i] !== child) place.insertBefore(child, place.children[i] ?? null);
  });
}

/** Texts of one kind below each other. */
function keepTexts(place, name, texts) {
  keep(place, texts, (_, i) => i, () => {
    const element = h(name, {});
    element.update = (text) => tell(element, text);
    return element;
  });
}

/** A patch of a run's colour; none without one. */
function swatch(color) {
  const mark = h("span", { className: "swatch" });
  mark.update = (color) => {
    mark.hidden = !color;
    mark.style.background = color ?? ""; // a property: the page's policy allows no inline styles
  };
  mark.update(color);
  return mark;
}
