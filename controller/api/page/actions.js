// What buttons do. An element with `data-act="name"` carries out what is registered under that name when it is clicked, and a form
// with `data-submit="name"` when it is sent: so that elements may be replaced while somebody looks.

const acts = new Map();

export function act(name, does) {
  acts.set(name, does);
}

function carryOut(name, element, event) {
  const does = acts.get(name);
  if (!does) return;
  event.preventDefault();
  does(element, event);
}

export function listen(root = document) {
  root.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-act]");
    if (!element || element.matches("select, form")) return;
    if (element.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    carryOut(element.dataset.act, element, event);
  });
  root.addEventListener("change", (event) => {
    const element = event.target.closest?.("select[data-act], input[data-change]");
    if (element) carryOut(element.dataset.act ?? element.dataset.change, element, event);
  });
  root.addEventListener("submit", (event) => {
    const name = event.target.dataset.submit;
    event.preventDefault();
    if (name) carryOut(name, event.target, event);
  });
}
