// A slate as a grid of pictures, each with its reasons.

import { ask, chip, count, failure, itemPage, legend, make, money, percent, picture, signed, table, termsBar } from "./parts.js";

const SAYS = {
  interests: "one of their interests", long_term: "their long-term taste", next_item: "what they may do next", covisitation: "people who chose this also chose",
  trending: "trending now", fresh: "new here", similar: "like this item", look_alike: "looks alike", lexical: "the words match",
  by_text: "the meaning matches", by_picture: "the picture matches", composed: "like the whole question", complements: "goes with it", completes_look: "fits the scene", kept_together: "kept together",
};

/** A card of an item; more children go below its facts. */
export function card(item, place, ...more) {
  const facts = make("div", { class: "facts" },
    make("a", { class: "title", href: itemPage(item.item_id), title: item.title || item.item_id }, item.title || item.item_id),
    item.category ? make("span", { class: "path" }, item.category.replaceAll("/", " › ")) : null,
    money(item.price, item.currency) ? make("span", { class: "price" }, money(item.price, item.currency)) : null,
    item.is_ad ? make("span", {}, chip("ad", "ad")) : null,
    ...more);
  return make("article", { class: "card" },
    make("a", { href: itemPage(item.item_id), tabindex: "-1", "aria-hidden": "true" }, picture(item)),
    place === null ? null : make("span", { class: "place" }, String(place)), facts);
}

function reason(one) {
  const words = SAYS[one.source] || one.source;
  const line = make("span", { class: "reason", title: `source ${one.source}` }, chip(one.source, "source"));
  if (!one.item_id) line.append(make("span", {}, words));
  else {
    const small = picture({ item_id: one.item_id, title: one.item_id, image: `/v1/items/${encodeURIComponent(one.item_id)}/image` }, "thumb");
    line.append(make("span", {}, "by"), make("a", { href: itemPage(one.item_id), title: `${words}: ${one.item_id}` }, small));
  }
  return line;
}

function numbers(entry) {
  const rows = [...Object.entries(entry.terms).map(([name, value]) => [name, signed(value)]), ["score", entry.score.toFixed(4)]];
  const chances = Object.entries(entry.probabilities).map(([name, value]) => [`P(${name})`, percent(value)]);
  const line = ([name, value]) => make("tr", {}, make("td", {}, name), make("td", { class: "number" }, value));
  return make("details", {}, make("summary", {}, "numbers"), make("table", {}, make("tbody", {}, ...[...rows, ...chances].map(line))));
}

function why(entry) {
  const shown = [...entry.because].sort((a, b) => (b.item_id ? 1 : 0) - (a.item_id ? 1 : 0));
  const price = entry.click_price === null ? null : make("span", {}, `a click costs ${entry.click_price.toFixed(2)}, campaign ${entry.campaign_id}`);
  return make("div", { class: "why" }, ...shown.slice(0, 3).map(reason),
    shown.length > 3 ? make("span", { class: "reason" }, `and ${shown.length - 3} more: ${shown.slice(3).map((one) => one.source).join(", ")}`) : null,
    price, termsBar(entry.terms), numbers(entry));
}

/** A slate with its notes, its legend and, on request, what was dropped and what each stage did. */
export function slate(reply) {
  const box = make("section", { class: "slate", "data-surface": reply.surface });
  for (const note of reply.notes) box.append(make("p", { class: "quiet" }, `Note: ${note}`));
  if (!reply.entries.length) {
    box.append(make("p", { class: "panel" }, "Nothing to show."));
  } else {
    box.append(legend(reply.entries), make("div", { class: "grid" }, ...reply.entries.map((entry) => card(entry, entry.position + 1, why(entry)))));
  }
  box.append(behind(reply.request_id));
  return box;
}

function behind(requestId) {
  const box = make("details", { class: "panel" }, make("summary", {}, "What was dropped, and what each stage did"));
  box.addEventListener("toggle", async () => {
    if (!box.open || box.dataset.drawn) return;
    box.dataset.drawn = "yes";
    const reply = await ask(`/v1/explain/${encodeURIComponent(requestId)}`).catch((error) => { box.append(failure(error)); });
    if (!reply) return;
    const dropped = reply.dropped.map((drop) => [drop.stage, drop.reason, count(drop.count), drop.items.slice(0, 8).join(", ")]);
    const stages = reply.stages.map((one) => [one.stage, count(one.candidates_in), count(one.candidates_out), one.ms.toFixed(1), one.note]);
    box.append(table([["dropped by"], ["because"], ["items", "number"], ["for example"]], dropped),
      table([["stage"], ["in", "number"], ["out", "number"], ["ms", "number"], ["note"]], stages));
  });
  return make("div", { class: "behind" }, box);
}
