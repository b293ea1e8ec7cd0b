// What is understood of one person: a timeline, interests with the events they rest on, clusters, people alike.

import { ask, chip, day, did, make, many, percent, personPage, send, thumb } from "./parts.js";

const SVG = "http://www.w3.org/2000/svg";
const ACTIONS = ["impression", "closeup", "click", "save", "purchase", "hide"];
const WIDTH = 880, HEIGHT = 104;

function drawn(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Events by action over time as stacked bars: impressions pale, what the person did in colour. */
export function timeline(bins) {
  if (!bins.length) return make("p", { class: "panel" }, "Nothing yet.");
  const total = (bin) => Object.values(bin.counts).reduce((sum, n) => sum + n, 0);
  const acted = (bin) => total(bin) - (bin.counts.impression || 0);
  const most = Math.max(...bins.map(total), 1), width = WIDTH / bins.length, tall = HEIGHT - 1;
  const said = `${many(bins.reduce((sum, bin) => sum + total(bin), 0), "event")} in ${many(bins.length, "stretch")}`;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `timeline: ${said}` });
  const order = [...new Set([...ACTIONS, ...bins.flatMap((bin) => Object.keys(bin.counts))])];
  bins.forEach((bin, place) => {
    let top = tall;
    const group = drawn("g", {});
    for (const action of order) {
      const n = bin.counts[action] || 0;
      if (!n) continue;
      const high = Math.max((n / most) * tall, 1);
      top -= high;
      group.append(drawn("rect", { x: place * width + width * 0.1, y: top, width: width * 0.8, height: high, class: `act ${action}` }));
    }
    group.append(drawn("title", {}, `${bin.since ? day(bin.since) : `stretch ${place + 1}`}: ${many(acted(bin), "action")}, ${many(total(bin), "event")}`));
    svg.append(group);
  });
  svg.append(drawn("line", { x1: 0, y1: tall, x2: WIDTH, y2: tall, class: "axis" }));
  const met = order.filter((action) => bins.some((bin) => bin.counts[action]));
  const [from, to] = bins[0].since ? [day(bins[0].since), day(bins[bins.length - 1].until)] : ["oldest", "newest"];
  return make("div", { class: "panel timeline" }, make("p", { class: "quiet" }, `up to ${many(most, "event")} a bar`), svg,
    make("p", { class: "quiet row between" }, make("span", {}, from), make("span", {}, to)), make("p", { class: "legend" }, ...met.map((action) => make("span", {}, make("i", { class: `act ${action}` }), action.replaceAll("_", " ")))));
}

/** One interest with its evidence, and what the person may say to it. */
export function interestRow(user, one, items, again) {
  const meter = make("span", {});
  meter.style.width = percent(one.weight).replace(" ", "");
  const lift = one.lift === null ? "" : ` · ${one.lift.toFixed(1)}× expected`;
  const words = `${percent(one.weight)} · ${many(one.evidence.length, "event")}${one.searches ? ` · ${many(one.searches, "search")}` : ""}${lift}`;
  const say = (word, text) => make("button", { class: "plain small", type: "button", onclick: async () => { await wish(user, word, one.interest); again(); } }, text);
  const shown = [...new Map(one.evidence.map((proof) => [proof.item_id, proof])).values()].slice(0, 12);
  return make("div", { class: "interest" },
    make("div", {}, make("strong", { title: one.interest }, one.by === "category" ? one.interest.replaceAll("/", " › ") : one.name), make("div", { class: "meter" }, meter), make("span", { class: "quiet" }, words),
      one.by === "category" ? make("div", { class: "row" }, say("mute", "Mute"), say("delete", "Delete")) : null),
    make("div", { class: "pictures" }, ...shown.map((proof) => make("span", { title: `${did(proof.action)} ${proof.at ? day(proof.at) : ""}` }, thumb(items[proof.item_id], true)))));
}

const FIRST = 12;

/** Rows that are only shown when asked for. */
function more(rows) {
  return rows.length ? make("details", {}, make("summary", { class: "quiet" }, `${many(rows.length, "smaller interest")}`), ...rows) : null;
}

const wish = (user, word, interest) => send(`/v1/users/${encodeURIComponent(user)}/interests/${word}`, { interest });

/** State with its probabilities, clusters, people alike, vectors: what stands beside the interests. */
export function understood(portrait, again) {
  const { user_id: user, items } = portrait;
  const refused = Object.entries(portrait.refused).map(([interest, word]) => make("span", { class: "chip row" }, `${interest.replaceAll("/", " › ")} ${word}d`,
    make("button", { class: "plain small", type: "button", onclick: async () => { await wish(user, "allow", interest); again(); } }, "Undo")));
  const moves = Object.entries(portrait.next_states).filter(([, share]) => share >= 0.005).sort((a, b) => b[1] - a[1]).map(([name, share]) => chip(`${name} ${percent(share)}`, name));
  const rows = portrait.interests.map((one) => interestRow(user, one, items, again));
  // where nothing has a category the clusters are the interests
  const medoids = portrait.interests.every((one) => one.by === "category") ? portrait.medoids : [];
  const clusters = medoids.slice(0, 8).map((one) => make("div", { class: "interest" },
    make("div", { class: "row" }, thumb(items[one.item_id], true), make("span", {}, percent(one.importance))),
    make("div", { class: "pictures" }, ...one.members.filter((id) => id !== one.item_id).slice(0, 12).map((id) => thumb(items[id])))));
  return [
    ...(portrait.p_return === null ? [] : [make("p", { class: "row" }, make("span", {}, `Comes back within ${portrait.return_days} days with a probability of ${percent(portrait.p_return)}.`), ...(moves.length ? [make("span", { class: "quiet" }, "People in this state four weeks later:"), ...moves] : []))]),
    make("h2", {}, "Timeline"), timeline(portrait.timeline),
    make("h2", {}, "Interests"), make("p", { class: "quiet" }, rows.length && portrait.interests[0].by !== "category" ? "Items this person takes together, named by the one in the middle, with the events that say so." : "What this person acts on more than their exposure explains, with the events that say so."),
    rows.length ? make("div", { class: "panel" }, ...rows.slice(0, FIRST), more(rows.slice(FIRST))) : make("p", { class: "panel" }, "Not enough evidence for any interest yet."),
    ...(refused.length ? [make("p", { class: "row" }, make("span", { class: "quiet" }, "Not shown, by the person's wish:"), ...refused)] : []),
    ...(clusters.length ? [make("h2", {}, "Clusters"), make("p", { class: "quiet" }, "Groups of alike items the person acted on; the first picture stands for the group."), make("div", { class: "panel" }, ...clusters)] : []),
    ...(portrait.expected.length ? [make("h2", {}, "Weeks to come"), make("p", { class: "quiet" }, "Items new to the person that their long-term vector expects."), make("div", { class: "panel pictures" }, ...portrait.expected.map((id) => thumb(items[id])))] : []),
    ...(portrait.nearest.length ? [make("h2", {}, "People alike"), make("p", { class: "row" }, ...portrait.nearest.map((one) => make("a", { class: "chip", href: personPage(one.user_id) }, `${one.user_id} ${one.similarity.toFixed(2)}`)), make("span", { class: "quiet" }, `by ${portrait.nearest[0].by.replaceAll("_", " ")}; 1 is the same`))] : []),
    ...(portrait.vectors.length ? [make("p", { class: "row" }, make("span", { class: "quiet" }, "Vectors:"), ...portrait.vectors.map((one) => chip(`${one.name} ${one.version.slice(0, 12)} · ${one.producer}`, one.present ? "source" : "")))] : []),
    ...portrait.notes.map((note) => make("p", { class: "quiet" }, note)),
  ];
}

export const portraitOf = (id) => ask(`/v1/users/${encodeURIComponent(id)}/understanding`);
