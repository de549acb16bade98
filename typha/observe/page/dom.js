// Elements without HTML strings: whatever an object's name holds is text here.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(made.dataset, value);
    else if (name.includes("-") || name === "role" || name === "scope") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

// Sets text only where it differs: a selection, and a screen reader's place, survive.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A list of names and figures; `facts` are [name, text, tone?].
export function setFacts(list, facts) {
  if (list.children.length !== facts.length) {
    list.replaceChildren(...facts.map(() => element("div", {}, element("dt"), element("dd"))));
  }
  facts.forEach(([name, text, tone], place) => {
    const [term, value] = list.children[place].children;
    setText(term, name);
    setText(value, text);
    value.dataset.tone = tone || "none";
  });
}
