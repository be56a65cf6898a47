// Pointing at a view, or reaching it with the keyboard, brings out its box on the original.
for (const view of document.querySelectorAll("[data-box]")) {
  const box = document.getElementById(view.dataset.box);
  const svg = box.closest("svg");
  const mark = (on) => {
    svg.classList.toggle("chosen", on);
    box.classList.toggle("on", on);
  };
  for (const event of ["mouseenter", "focus"]) view.addEventListener(event, () => mark(true));
  for (const event of ["mouseleave", "blur"]) view.addEventListener(event, () => mark(false));
}
