// SPDX-License-Identifier: Apache-2.0
// mrkdwn.js: Slack's text as elements.
// Owns mrkdwn, mentions, dates and emoji. Never uses innerHTML: text from the workspace only ever becomes text nodes.

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", warning: "⚠️",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", alarm_clock: "⏰", lock: "🔒", unlock: "🔓", key: "🔑", bell: "🔔",
  rocket: "🚀", eyes: "👀", tada: "🎉", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", question: "❓",
  exclamation: "❗", information_source: "ℹ️", bust_in_silhouette: "👤", busts_in_silhouette: "👥", memo: "📝",
  clipboard: "📋", calendar: "📅", link: "🔗", stopwatch: "⏱️", red_circle: "🔴", large_green_circle: "🟢",
  large_yellow_circle: "🟡", white_circle: "⚪", arrows_counterclockwise: "🔄", wastebasket: "🗑️", smile: "😄",
};

// Without a font for emoji the browser draws boxes; then a name in colons says more, as in Slack's own text mode.
function has_emoji_font() {
  const draw = (text) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 24;
    const context = canvas.getContext("2d");
    context.font = "16px sans-serif";
    context.fillText(text, 2, 18);
    return canvas.toDataURL();
  };
  return draw("✅") !== draw("\u{1F9FF}") && draw("✅") !== draw("\u{10FFFD}");
}

const EMOJI_SHOWN = has_emoji_font();

function emoji(name) {
  return EMOJI_SHOWN && EMOJI[name] ? EMOJI[name] : ":" + name + ":";
}

export function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function unescape_entities(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

// The signs that an app wrote itself, as names where the browser could only draw boxes.
function spelled(text) {
  return Object.entries(EMOJI).reduce((rest, [name, sign]) => rest.replaceAll(sign, ":" + name + ":"), text);
}

function with_emoji(text) {
  const shown = text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name));
  return EMOJI_SHOWN ? shown : spelled(shown);
}

export function user_name(world, id) {
  const user = world.users.find((item) => item.id === id);
  return user ? user.real_name : id;
}

function mention(world, id) {
  return make("span", id === world.me ? "mention mine" : "mention", "@" + user_name(world, id));
}

function group_mention(world, id) {
  const group = world.groups.find((item) => item.id === id);
  return make("span", "mention", "@" + (group ? group.handle : id));
}

function channel_mention(world, id) {
  const channel = world.channels.find((item) => item.id === id);
  return make("span", "mention", "#" + (channel && channel.name ? channel.name : "private"));
}

function link(url, label) {
  // Only what a browser may safely follow becomes a link; anything else stays text.
  if (!/^(https?:|mailto:)/i.test(url)) return document.createTextNode(label || url);
  const anchor = make("a", "", label || url);
  anchor.href = url;
  anchor.rel = "noopener noreferrer";
  anchor.target = "_blank";
  return anchor;
}

function day_name(date) {
  const day_ms = 86400000;
  const start = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  const days = Math.round((start(date) - start(new Date())) / day_ms);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find((item) => Math.abs(seconds) >= item[1]) || units[3];
  return new Intl.RelativeTimeFormat("en").format(Math.round(seconds / size), unit);
}

export function format_date(epoch, format) {
  const date = new Date(epoch * 1000);
  const written = (options) => date.toLocaleDateString("en-GB", options);
  const kinds = {
    date_num: () => date.toISOString().slice(0, 10),
    date: () => written({ year: "numeric", month: "long", day: "numeric" }),
    date_short: () => written({ year: "numeric", month: "short", day: "numeric" }),
    date_long: () => written({ weekday: "long", year: "numeric", month: "long", day: "numeric" }),
    time: () => date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }),
    time_secs: () => date.toLocaleTimeString("en-GB"),
    ago: () => ago(date),
  };
  for (const name of ["date", "date_short", "date_long"]) {
    kinds[name + "_pretty"] = () => day_name(date) || kinds[name]();
  }
  return format.replace(/\{([a-z_]+)\}/g, (whole, name) => (kinds[name] ? kinds[name]() : whole));
}

function date_token(body, label) {
  const [, epoch, format, url] = body.split("^");
  const element = make("time", "", /^\d+$/.test(epoch || "") ? format_date(Number(epoch), format || "") : label);
  element.title = label;
  if (!url) return element;
  const anchor = link(url, "");
  anchor.replaceChildren(element);
  return anchor;
}

// Drawn icons: the page's own signs must not depend on the fonts of a machine.
const ICONS = {
  lock: "M4 7V5a4 4 0 0 1 8 0v2h1v7H3V7zm2 0h4V5a2 2 0 0 0-4 0z",
  archive: "M2 2h12v3H2zM3 6h10v8H3zm3 2v1.5h4V8z",
  chat: "M2 2h12v9H8l-4 3v-3H2z",
  house: "M8 2l7 6h-2v6H9.500v-4h-3v4H3V8H1z",
  eye: "M8 3c4 0 7 5 7 5s-3 5-7 5-7-5-7-5 3-5 7-5zm0 2.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
  picture: "M1 2h14v12H1zm2 2v7l3-4 2 2 3-4 2 3V4z",
  bolt: "M9 1L3 9h4l-1 6 6-8H8z",
  warning: "M8 1l7.500 13H.5zM7.200 6v4h1.600V6zm0 5v1.600h1.600V11z",
};

export function icon(name) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", "0 0 16 16");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  const path = node.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  return node;
}

// What stands between angle brackets: mentions, dates and links.
function token(world, inner) {
  const bar = inner.indexOf("|");
  const body = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescape_entities(inner.slice(bar + 1));
  if (body.startsWith("@")) return mention(world, body.slice(1));
  if (body.startsWith("#")) return channel_mention(world, body.slice(1));
  if (body.startsWith("!subteam^")) return group_mention(world, body.slice(9));
  if (body.startsWith("!date^")) return date_token(body, label);
  if (body.startsWith("!")) return make("span", "mention mine", "@" + body.slice(1));
  return link(unescape_entities(body), label);
}

const INLINE = [
  { pattern: /<([^<>\n]+)>/, build: (world, found) => token(world, found[1]) },
  { pattern: /`([^`\n]+)`/, build: (world, found) => make("code", "", unescape_entities(found[1])) },
  { pattern: /(?<![\w*])\*(?![\s*])([^*\n]*[^*\s])\*(?![\w*])/, build: (world, found) => wrap(world, "b", found[1]) },
  { pattern: /(?<![\w_])_(?![\s_])([^_\n]*[^_\s])_(?![\w_])/, build: (world, found) => wrap(world, "i", found[1]) },
  { pattern: /(?<![\w~])~(?![\s~])([^~\n]*[^~\s])~(?![\w~])/, build: (world, found) => wrap(world, "s", found[1]) },
];

function wrap(world, name, text) {
  const element = make(name);
  inline(world, element, text);
  return element;
}

function inline(world, parent, text) {
  let rest = text;
  while (rest) {
    let best = null;
    for (const rule of INLINE) {
      const found = rule.pattern.exec(rest);
      if (found && (best === null || found.index < best.found.index)) best = { rule, found };
    }
    const end = best ? best.found.index : rest.length;
    if (end > 0) parent.append(with_emoji(unescape_entities(rest.slice(0, end))));
    if (!best) return;
    parent.append(best.rule.build(world, best.found));
    rest = rest.slice(end + best.found[0].length);
  }
}

function lines(world, parent, text) {
  let quote = null;
  const all = text.split("\n");
  all.forEach((line, index) => {
    const quoted = line.startsWith("&gt;");
    if (quoted) {
      quote = quote || parent.appendChild(make("blockquote"));
      if (quote.childNodes.length) quote.append(make("br"));
      inline(world, quote, line.slice(4).trimStart());
      return;
    }
    const after_quote = quote !== null;
    quote = null;
    if (index > 0 && !after_quote) parent.append(make("br"));
    inline(world, parent, line);
  });
}

export function mrkdwn(world, text) {
  const parent = make("span", "mrkdwn");
  text.split("```").forEach((part, index, parts) => {
    // An odd part stands between two fences; a last one without its closing fence is ordinary text.
    if (index % 2 === 1 && index < parts.length - 1) {
      parent.append(make("pre", "", unescape_entities(part.replace(/^\n|\n$/g, ""))));
    } else if (part) {
      lines(world, parent, index % 2 === 1 ? "```" + part : part.replace(/^\n/, index ? "" : "\n"));
    }
  });
  return parent;
}

export function text_object(world, object) {
  if (object.type === "mrkdwn") return mrkdwn(world, object.text);
  return make("span", "plain", object.emoji === false ? object.text : with_emoji(object.text));
}

export function plain_text(object) {
  return object ? with_emoji(object.text) : "";
}

function rich_leaf(world, leaf) {
  let node = null;
  if (leaf.type === "text") node = document.createTextNode(leaf.text);
  else if (leaf.type === "user") node = mention(world, leaf.user_id);
  else if (leaf.type === "usergroup") node = group_mention(world, leaf.usergroup_id);
  else if (leaf.type === "channel") node = channel_mention(world, leaf.channel_id);
  else if (leaf.type === "link") node = link(leaf.url, leaf.text);
  else if (leaf.type === "emoji") node = document.createTextNode(emoji(leaf.name));
  else if (leaf.type === "date") node = make("time", "", format_date(leaf.timestamp, leaf.format || "{date}"));
  else if (leaf.type === "broadcast") node = make("span", "mention mine", "@" + leaf.range);
  else node = document.createTextNode(leaf.value || "");
  for (const [style, name] of [["bold", "b"], ["italic", "i"], ["strike", "s"], ["code", "code"]]) {
    if (leaf.style && leaf.style[style]) {
      const outer = make(name);
      outer.append(node);
      node = outer;
    }
  }
  return node;
}

function rich_part(world, part) {
  const names = { rich_text_quote: "blockquote", rich_text_preformatted: "pre", rich_text_section: "div" };
  const element = make(part.type === "rich_text_list" ? (part.style === "ordered" ? "ol" : "ul") : names[part.type]);
  for (const leaf of part.elements) {
    if (part.type === "rich_text_list") {
      const item = element.appendChild(make("li"));
      for (const inner of leaf.elements) item.append(rich_leaf(world, inner));
    } else {
      element.append(rich_leaf(world, leaf));
    }
  }
  return element;
}

export function rich_text(world, block) {
  const parent = make("div", "rich-text");
  for (const part of block.elements) parent.append(rich_part(world, part));
  return parent;
}
