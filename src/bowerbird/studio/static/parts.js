// The pieces pages are made of. Everything from the API is put in place as text, never as markup.

/** An element: make("a", {href: "/x", class: "y"}, "text", child, ...). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const KEY = "bowerbird-api-key";
const key = () => sessionStorage.getItem(KEY);

function headers(more = {}) {
  return key() ? { ...more, authorization: `Bearer ${key()}` } : more;
}

/** What the API answers, or an error that says why not. */
export async function ask(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: headers(options.headers) }).catch(() => {
    throw new Error("The server did not answer. It may have stopped, or refused a picture that is too large; see whether it runs, then load this page again.");
  });
  const body = await reply.json().catch(() => ({}));
  if (reply.status === 401) askForKey(body.message);
  if (!reply.ok) throw new Error(body.message || `the server answered ${reply.status}`);
  return body;
}

/** Ask by JSON. */
export function send(path, question) {
  return ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question) });
}

function askForKey(message) {
  if (document.querySelector(".key")) return;
  const field = make("input", { type: "password", autocomplete: "off", "aria-label": "API key", placeholder: "API key" });
  const form = make("form", { class: "panel key row", onsubmit: (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, field.value.trim());
    location.reload();
  } }, make("span", {}, message), field, make("button", {}, "Use this key"));
  document.querySelector("main").prepend(form);
}

/** A picture of an item with its title as alternative text. With a key, it is fetched: <img> cannot send one. */
export function picture(item, style = "picture", lazy = true) {
  const box = make("span", { class: style });
  if (!item.image) {
    box.append(make("span", {}, style === "picture" ? "no picture" : "–"));
    return box;
  }
  const gone = () => box.replaceChildren(make("span", {}, style === "picture" ? "the picture cannot be shown" : "–"));
  const image = make("img", { alt: item.title || item.item_id, loading: lazy ? "lazy" : "eager", onerror: gone });
  if (key()) fetch(item.image, { headers: headers() }).then((reply) => reply.blob()).then((blob) => { image.src = URL.createObjectURL(blob); });
  else image.src = item.image;
  box.append(image);
  return box;
}

export const itemPage = (id) => `/studio/items/${encodeURIComponent(id)}`;
export const personPage = (id) => `/studio/people/${encodeURIComponent(id)}`;

/** An item as a small picture; by its title where it has none. */
export function thumb(item, large = false) {
  const to = { href: itemPage(item.item_id), title: item.title || item.item_id };
  if (!item.image) return make("a", { ...to, class: "named" }, item.title || item.item_id);
  return make("a", to, picture(item, large ? "thumb large" : "thumb"));
}

/** "save" -> what the person did, in words. */
const DID = { save: "saved", closeup: "opened", click: "clicked", purchase: "bought", add_to_cart: "put in the cart", rate: "rated" };
export const did = (action) => DID[action] || action;

const TERMS = ["retrieval", "save", "closeup", "click", "purchase", "hide", "diversity"];
export const termClass = (name) => `t${TERMS.includes(name) ? TERMS.indexOf(name) : 7}`;

/** The terms of a score as one bar; striped parts are negative. */
export function termsBar(terms) {
  const parts = Object.entries(terms).filter(([, value]) => value !== 0);
  const whole = parts.reduce((sum, [, value]) => sum + Math.abs(value), 0) || 1;
  const label = parts.map(([name, value]) => `${name} ${signed(value)}`).join(", ");
  const bar = make("div", { class: "bar", role: "img", "aria-label": `score: ${label}`, title: label });
  for (const [name, value] of parts) {
    const part = make("span", { class: `${termClass(name)}${value < 0 ? " minus" : ""}` });
    part.style.width = `${(100 * Math.abs(value)) / whole}%`;
    bar.append(part);
  }
  return bar;
}

export function legend(entries) {
  const names = [...new Set(entries.flatMap((entry) => Object.keys(entry.terms)))];
  const parts = names.map((name) => make("span", {}, make("i", { class: termClass(name) }), name));
  return make("p", { class: "legend" }, make("span", {}, "Score made of:"), ...parts);
}

export const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
export const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
export const count = (value) => value.toLocaleString("en");
export const many = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : noun.endsWith("h") ? "es" : "s"}`;
export const chip = (text, kind = "") => make("span", { class: `chip ${kind}` }, text);
export const day = (text) => (text || "").replace("T", " ").replace("Z", "").slice(0, 16);

export function money(price, currency) {
  return price === null || price === undefined ? null : `${price.toFixed(2)} ${currency || ""}`.trim();
}

/** A path whose lines may break behind a slash. */
export const path = (text) => make("code", {}, ...text.split("/").flatMap((part, place) => (place ? ["/", make("wbr"), part] : [part])));

export function failure(error) {
  return make("p", { class: "panel failure", role: "alert" }, error.message);
}

export function table(columns, rows) {
  const head = columns.map(([name, kind]) => make("th", { class: kind || false, scope: "col" }, name));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, at) => make("td", { class: columns[at][1] || false }, cell ?? ""))));
  return make("div", { class: "panel scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
}
