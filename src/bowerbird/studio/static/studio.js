// Draws the page the shell names.

import { ask, chip, count, day, did, failure, make, many, path, percent, personPage, picture, send, table, thumb } from "./parts.js";
import { portraitOf, understood } from "./people.js";
import { card, slate } from "./slates.js";

const main = document.querySelector("#page");
const params = new URLSearchParams(location.search);

const asked = new WeakMap();

/** Draws what some work gives, or why it gave nothing; of several on their way, the one asked last. */
async function into(place, work) {
  const turn = (asked.get(place) || 0) + 1;
  asked.set(place, turn);
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(make("p", { class: "quiet" }, "Loading …"));
  const drawn = await work().catch((error) => failure(error));
  if (asked.get(place) !== turn) return;
  place.replaceChildren(...[drawn].flat());
  place.setAttribute("aria-busy", "false");
}

/** One person or item, or why there is none and where the others are. */
async function subject(work, name, others) {
  try {
    return await work();
  } catch (error) {
    return [make("h1", {}, name), failure(error), make("p", {}, others)];
  }
}

/** A slate drawn into a place of its own, so that a failing surface does not take the page with it. */
function slateOf(path, question) {
  const place = make("div", {});
  into(place, async () => slate(await send(path, question)));
  return place;
}

const PAGE = 50;

async function people() {
  const state = { query: params.get("query") || "", state: null, offset: 0 };
  const list = make("div", {});
  const field = make("input", { type: "search", placeholder: "Find a person by id", value: state.query, "aria-label": "Find a person by id" });
  const show = () => into(list, async () => {
    const question = new URLSearchParams({ query: state.query, offset: state.offset, limit: PAGE });
    if (state.state) question.set("state", state.state);
    const reply = await ask(`/v1/users?${question}`);
    const pick = (name, text) => make("button", { class: `chip ${name || ""}`, type: "button", "aria-pressed": String(state.state === name),
      onclick: () => { state.state = name; state.offset = 0; show(); } }, text);
    const states = Object.entries(reply.states).map(([name, n]) => pick(name, `${name} ${count(n)}`));
    const rows = reply.people.map((one) => [make("a", { href: personPage(one.user_id) }, one.user_id), one.state ? chip(one.state, one.state) : chip("not seen yet"), count(one.actions), count(one.events)]);
    const step = (text, by, able) => make("button", { class: "plain", type: "button", disabled: !able, onclick: () => { state.offset += by; show(); } }, text);
    return [make("p", { class: "row" }, pick(null, `all ${count(reply.of)}`), ...states),
      rows.length ? table([["person"], ["state"], ["actions", "number"], ["events", "number"]], rows) : make("p", { class: "panel" }, state.query ? `Nobody's id has "${state.query}" in it.` : "Nobody here yet: import events and build."),
      make("p", { class: "row between" }, make("span", { class: "quiet" }, `${reply.total ? state.offset + 1 : 0}–${Math.min(state.offset + PAGE, reply.total)} of ${count(reply.total)}`),
        make("span", { class: "row" }, step("Previous", -PAGE, state.offset > 0), step("Next", PAGE, state.offset + PAGE < reply.total)))];
  });
  field.addEventListener("input", () => { state.query = field.value; state.offset = 0; show(); });
  main.replaceChildren(make("div", { class: "row between" }, make("div", {}, make("h1", {}, "People"),
    make("p", { class: "lead" }, "Most active first. Actions are saves, clicks, close-ups and purchases; events also count what was shown.")), field), list);
  await show();
}

function history(steps) {
  if (!steps.length) return make("p", { class: "panel" }, "Nothing yet.");
  return make("div", { class: "strip panel", tabindex: "0", "aria-label": "history" }, ...steps.map((step) =>
    make("div", { class: "step" }, thumb(step, true), make("div", {}, did(step.action)), make("div", {}, day(step.at).slice(5)))));
}

async function person(id) {
  const portrait = make("div", {}), feed = make("div", {});
  const show = () => Promise.all([
    into(portrait, async () => understood(await portraitOf(id), show)),
    into(feed, async () => slate(await send("/v1/homefeed", { user: id, n: 24 })))]);
  show();
  const one = await ask(`/v1/users/${encodeURIComponent(id)}`);
  const facts = [one.country, one.locale, ...Object.entries(one.attributes).map(([name, value]) => `${name}: ${value}`)].filter(Boolean);
  return [make("h1", {}, one.user_id),
    make("p", { class: "row" }, one.state ? chip(one.state, one.state) : chip("not seen yet"), ...facts.map((fact) => chip(fact)),
      make("span", { class: "quiet row" }, `${many(one.actions, "action")} · ${many(one.events, "event")} · as of ${day(one.as_of)}`)),
    portrait,
    make("h2", {}, "History"), make("p", { class: "quiet" }, `Newest first.${one.hidden.length ? ` ${many(one.hidden.length, "item")} hidden.` : ""}`), history(one.history),
    make("h2", {}, "Homefeed"), make("p", { class: "quiet" }, "What this person would see now, and why each item is there."),
    feed];
}

/** A colour, shown as itself. */
function swatch(colour) {
  const box = make("span", { class: "swatch", title: colour });
  box.style.background = colour;
  return box;
}

/** What one signal says of the item: values with how sure they are, and pictures of what they rest on. */
function signalPanel(signal) {
  const head = make("div", { class: "row between" }, make("strong", {}, signal.name.replaceAll("_", " ")),
    make("span", { class: "quiet" }, `${signal.producer} · version ${signal.version.slice(0, 12)}`));
  const facts = signal.facts.map((fact) => {
    const details = Object.entries(fact.details).filter(([, value]) => value !== "no").map(([name, value]) =>
      name === "hex" ? swatch(value) : chip(value === "yes" ? name : `${name} ${value}`));
    const near = fact.evidence.map((other) => make("span", { class: "near" }, thumb(other, true), other.similarity === null ? null : make("span", {}, other.similarity.toFixed(2))));
    return make("div", { class: "fact" },
      make("div", { class: "row" }, fact.name ? make("span", { class: "quiet said" }, fact.name) : null, make("span", { class: fact.abstained ? "abstained" : "" }, fact.value),
        fact.confidence === null ? null : chip(`${percent(fact.confidence)} sure`, "source"), fact.abstained ? chip("abstained", "ad") : null, ...details),
      near.length ? make("div", { class: "pictures" }, ...near) : null);
  });
  return make("section", { class: "panel signal" }, head, ...(facts.length ? facts : [make("p", { class: "quiet" }, "Nothing of this item.")]));
}

async function item(id) {
  const one = await ask(`/v1/items/${encodeURIComponent(id)}`);
  const facts = [["category", one.category], ["price", one.price === null ? null : `${one.price} ${one.currency || ""}`], ["brand", one.brand], ["since", day(one.created_at)], ["creator", one.creator_id],
    ["campaign", one.campaign_id], ["collections", one.collections.join(", ")], ...Object.entries(one.attributes), ...Object.entries(one.counts).map(([name, n]) => [name, count(n)])].filter(([, value]) => value);
  const interests = one.interests.map((label) => chip(`${label.path.replaceAll("/", " › ")} ${percent(label.score)}`, "source"));
  return [make("div", { class: "columns" }, make("div", { class: "hero" }, picture(one, "picture", false)),
    make("div", {}, make("h1", {}, one.title || one.item_id), make("p", { class: "lead" }, one.description || ""), one.is_ad ? chip("ad", "ad") : null,
      make("dl", {}, make("dt", {}, "id"), make("dd", {}, make("code", {}, one.item_id)), ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
      make("p", { class: "row" }, ...interests))),
    ...(one.near_duplicates.length ? [make("h2", {}, "Near-duplicates"), make("p", { class: "quiet" }, "The same picture again; a slate shows at most one of them."),
      make("div", { class: "grid" }, ...one.near_duplicates.map((other) => card(other, null)))] : []),
    make("h2", {}, "Signals"), make("p", { class: "quiet" }, "All the live build knows of this item: what it says, how sure it is, and the items it rests on. Numbers below pictures are similarities; 1 is the same."),
    make("div", { class: "signals" }, ...one.signals.map(signalPanel)),
    make("h2", {}, "Related"), slateOf("/v1/related", { item: id, n: 18 })];
}

/** A page that asks by words and picture. */
function asking(surface, title, lead, hint) {
  const words = make("input", { type: "search", name: "query", placeholder: hint, value: params.get("query") || "", "aria-label": "words", maxlength: "10000" });
  const file = make("input", { type: "file", name: "image", accept: "image/*", "aria-label": "a picture" });
  const preview = make("span", { class: "thumb large", hidden: true });
  const found = make("div", { "aria-live": "polite" });
  const go = () => into(found, async () => {
    if (!words.value.trim() && !file.files.length) throw new Error("Nothing to look for yet: type some words, choose a picture, or both.");
    const form = new FormData();
    form.set("n", "24");
    if (words.value.trim()) form.set("query", words.value);
    if (file.files.length) form.set("image", file.files[0]);
    return slate(await ask(`/v1/${surface}`, { method: "POST", body: form }));
  });
  file.addEventListener("change", () => {
    preview.hidden = !file.files.length;
    preview.replaceChildren(...(file.files.length ? [make("img", { src: URL.createObjectURL(file.files[0]), alt: "your picture", onerror: () => { preview.hidden = true; } })] : []));
  });
  const form = make("form", { class: "panel row", onsubmit: (event) => { event.preventDefault(); go(); } }, words, file, preview, make("button", {}, "Ask"));
  main.replaceChildren(make("h1", {}, title), make("p", { class: "lead" }, lead), form, found);
  if (words.value) go();
}

function adsPage() {
  const found = make("div", { "aria-live": "polite" });
  const who = make("input", { type: "search", placeholder: "a person, e.g. u17", value: params.get("user") || "", "aria-label": "person" });
  const go = () => into(found, async () => slate(await send("/v1/ads", who.value.trim() ? { user: who.value.trim(), n: 12 } : { n: 12 })));
  main.replaceChildren(make("h1", {}, "Ads"),
    make("p", { class: "lead" }, "One ad per running campaign, by probability of a click times bid; a click costs the second price. Showing an ad reserves its price."),
    make("form", { class: "panel row", onsubmit: (event) => { event.preventDefault(); go(); } }, who, make("button", {}, "Run the auction")), found);
  if (who.value) go();
}

function growthPage() {
  const found = make("div", { "aria-live": "polite" });
  const budget = make("input", { type: "number", min: "1", max: "1000", value: "20", "aria-label": "budget" });
  const go = () => into(found, async () => {
    const plan = await send("/v1/growth", { budget: Number(budget.value) });
    const pictures = (ids) => make("span", { class: "pictures" }, ...ids.map((id) => thumb({ item_id: id, title: id, image: `/v1/items/${encodeURIComponent(id)}/image` }, true)));
    const rows = plan.notifications.map((one) => [make("a", { href: personPage(one.user_id) }, one.user_id), chip(one.state, one.state), percent(one.p_return), percent(one.p_response), one.gain.toFixed(3), pictures(one.item_ids)]);
    const held = Object.entries(plan.held_back).map(([why, n]) => chip(`${count(n)} ${why}`));
    return [make("p", { class: "lead" }, `${plan.notifications.length} of ${plan.budget} notifications; ${count(plan.considered)} people considered, as of ${day(plan.as_of)}.`),
      ...plan.notes.map((note) => make("p", { class: "quiet" }, `Note: ${note}`)), make("p", { class: "row" }, make("span", { class: "quiet" }, "Held back:"), ...held),
      table([["person"], ["state"], ["returns alone", "number"], ["responds", "number"], ["gain", "number"], ["items"]], rows)];
  });
  main.replaceChildren(make("h1", {}, "Growth"),
    make("p", { class: "lead" }, "Whom to notify today, with which items. The budget goes where coming back alone is unlikely and a response is likely: gain = responds × (1 − returns alone)."),
    make("form", { class: "panel row", onsubmit: (event) => { event.preventDefault(); go(); } }, "Budget", budget, make("button", {}, "Plan")), found);
  return go();
}

async function signals() {
  const reply = await ask("/v1/signals");
  const rows = reply.signals.map((one) => [make("strong", {}, one.name), one.kind, one.entity, count(one.rows), one.kind === "model" ? "" : percent(one.coverage), day(one.as_of), one.space ? path(one.space) : "", one.inputs.join(", "), one.note]);
  return [make("h1", {}, "Signals"), make("p", { class: "lead" }, "Everything the live build knows: what it is, how much of it there is, what it is made from."),
    table([["signal"], ["kind"], ["of"], ["rows", "number"], ["coverage", "number"], ["as of"], ["space"], ["made from"], ["note", "words"]], rows)];
}

async function api() {
  const document_ = await ask("/openapi.json");
  const rows = Object.entries(document_.paths).flatMap(([address, verbs]) => Object.entries(verbs).map(([verb, about]) => [make("code", {}, verb.toUpperCase()), path(address), about.summary || ""]));
  const server = location.origin;
  return [make("h1", {}, "HTTP API"), make("p", { class: "lead" }, "Machine-readable at ", make("a", { href: "/openapi.json" }, "/openapi.json"), "."),
    make("pre", {}, `curl '${server}/v1/homefeed?user=u17&n=12'\ncurl -F image=@photo.jpg -F query='red flowers' ${server}/v1/search\ncurl -H 'content-type: application/json' -d '{"user_id": "u17", "item_id": "i203", "action": "save"}' ${server}/v1/events`),
    table([["verb"], ["address"], ["what it does", "words"]], rows)];
}

const DRAWN = { 
  person: () => subject(() => person(main.dataset.subject), main.dataset.subject, make("a", { href: "/studio/people" }, "All people")),
  item: () => subject(() => item(main.dataset.subject), main.dataset.subject, make("a", { href: "/studio/search" }, "Search for items")),
  signals, api };
const LIVE = {
  people, ads: adsPage, growth: growthPage,
  search: () => asking("search", "Search", "By words, by a picture, or by both.", "Words, e.g. red flowers"),
  shopping: () => asking("shopping", "Shopping", "Products in or like a picture, or like these words, and what goes with them.", "Words, e.g. a red hat"),
};
const kind = main.dataset.kind;
if (kind in LIVE) {
  Promise.resolve(LIVE[kind]()).finally(() => main.setAttribute("aria-busy", "false"));
} else {
  into(main, DRAWN[kind]);
}
