// SPDX-License-Identifier: Apache-2.0
// blocks.js: Block Kit as elements.
// Owns blocks and their interactive parts, and reading back what was entered. Never talks to the server: a press is
// handed to `host.press`. `host` is {world, key, press(element, block, value), suggest(element, typed), values, errors}.

import { icon, make, mrkdwn, plain_text, rich_text, text_object } from "/static/mrkdwn.js";

function option_list(world, element) {
  const kind = element.type.replace("multi_", "");
  const choice = (value, text, group) => ({ value, text, group });
  if (kind === "users_select") return world.users.filter((u) => !u.deleted).map((u) => choice(u.id, u.real_name));
  if (kind === "conversations_select" || kind === "channels_select") {
    return world.channels.filter((c) => !c.is_im).map((c) => choice(c.id, "#" + c.name));
  }
  const all = (element.options || []).map((o) => choice(o.value, plain_text(o.text)));
  for (const group of element.option_groups || []) {
    for (const o of group.options) all.push(choice(o.value, plain_text(o.text), plain_text(group.label)));
  }
  return all;
}

// The values chosen so far, from state.values; a list even when one is chosen.
function chosen(entry) {
  if (!entry) return [];
  const value = Object.entries(entry).find(([key]) => key !== "type")[1];
  const list = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value];
  return list.map((item) => (item && item.value !== undefined ? item.value : item));
}

function state_entry(host, block, element) {
  return ((host.values || {})[block.block_id] || {})[element.action_id];
}

function initial(element) {
  const first = ["option", "user", "conversation", "channel", "date", "time", "value"];
  for (const name of first.map((n) => "initial_" + n).concat(first.map((n) => "initial_" + n + "s"))) {
    if (element[name] === undefined) continue;
    const list = Array.isArray(element[name]) ? element[name] : [element[name]];
    return list.map((item) => (item && item.value !== undefined ? item.value : item));
  }
  return [];
}

function start_values(host, block, element) {
  const entry = state_entry(host, block, element);
  return entry ? chosen(entry) : initial(element);
}

// Marks an element so that tests find it and `read_values` can read it.
function mark(node, host, block, element) {
  node.id = [host.key, block.block_id, element.action_id].join("-").replace(/[^\w.-]/g, "_");
  node.dataset.blockId = block.block_id;
  node.dataset.actionId = element.action_id;
  node.dataset.type = element.type;
  return node;
}

function button(host, block, element) {
  const style = element.style ? " " + element.style : "";
  const node = mark(make("button", "slack-button" + style, plain_text(element.text)), host, block, element);
  node.type = "button";
  node.title = plain_text(element.text);
  if (element.accessibility_label) node.setAttribute("aria-label", element.accessibility_label);
  if (element.value !== undefined) node.dataset.value = element.value;
  node.addEventListener("click", () => {
    // A link button opens its page and still tells the app.
    if (/^https?:/i.test(element.url || "")) window.open(element.url, "_blank", "noopener,noreferrer");
    host.press(node, block, element, null);
  });
  return node;
}

function select(host, block, element, on_change) {
  const node = mark(make("select", "slack-select"), host, block, element);
  node.multiple = element.type.startsWith("multi_");
  if (!node.multiple) node.append(new Option(plain_text(element.placeholder) || "Select…", ""));
  const start = start_values(host, block, element);
  let group = null;
  for (const item of option_list(host.world, element)) {
    if (item.group && (!group || group.label !== item.group)) {
      group = node.appendChild(make("optgroup"));
      group.label = item.group;
    }
    const option = new Option(item.text, item.value);
    option.selected = start.includes(item.value);
    (item.group ? group : node).append(option);
  }
  if (on_change) node.addEventListener("change", () => on_change(node, read(node)));
  return node;
}

// A select whose options the app gives while one types.
function external_select(host, block, element, on_change) {
  const outer = make("span", "external-select");
  const typed = outer.appendChild(make("input", "slack-input"));
  typed.placeholder = plain_text(element.placeholder) || "Type to search";
  typed.setAttribute("aria-label", "Search");
  const node = select(host, block, Object.assign({}, element, { options: [] }), on_change);
  outer.append(node);
  typed.addEventListener("input", async () => {
    const wanted = typed.value;
    if (wanted.length < (element.min_query_length === undefined ? 3 : element.min_query_length)) return;
    const options = await host.suggest(element, wanted);
    if (typed.value !== wanted) return;
    node.replaceChildren(new Option("Select…", ""), ...options.map((o) => new Option(plain_text(o.text), o.value)));
  });
  return outer;
}

function choices(host, block, element, on_change) {
  const outer = mark(make("div", "choices"), host, block, element);
  const kind = element.type === "checkboxes" ? "checkbox" : "radio";
  const start = start_values(host, block, element);
  element.options.forEach((option, index) => {
    const label = outer.appendChild(make("label", "choice"));
    const input = label.appendChild(make("input"));
    input.type = kind;
    input.name = outer.id;
    input.id = outer.id + "-" + index;
    input.value = option.value;
    input.checked = start.includes(option.value);
    const words = label.appendChild(make("span"));
    words.append(text_object(host.world, option.text));
    if (option.description) {
      words.append(make("br"), make("small"));
      words.lastChild.append(text_object(host.world, option.description));
    }
    if (on_change) input.addEventListener("change", () => on_change(outer, read(outer)));
  });
  return outer;
}

function overflow(host, block, element) {
  const outer = make("span", "overflow");
  const open = outer.appendChild(mark(make("button", "slack-button overflow-open", "⋯"), host, block, element));
  const menu = outer.appendChild(make("div", "menu"));
  menu.hidden = true;
  open.type = "button";
  open.setAttribute("aria-label", "More");
  open.addEventListener("click", () => { menu.hidden = !menu.hidden; });
  element.options.forEach((option) => {
    const item = menu.appendChild(make("button", "menu-item", plain_text(option.text)));
    item.type = "button";
    item.dataset.value = option.value;
    item.addEventListener("click", () => {
      menu.hidden = true;
      host.press(open, block, element, option.value);
    });
  });
  return outer;
}

const INPUT_TYPES = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local",
  number_input: "number", email_text_input: "email", url_text_input: "url" };

function local_time(epoch) {
  const date = new Date(epoch * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function field(host, block, element, on_change) {
  const many = element.multiline || element.type === "rich_text_input";
  const node = mark(make(many ? "textarea" : "input", "slack-input"), host, block, element);
  if (!many) node.type = INPUT_TYPES[element.type] || "text";
  if (element.max_length) node.maxLength = element.max_length;
  if (element.type === "number_input" && element.is_decimal_allowed) node.step = "any";
  node.placeholder = plain_text(element.placeholder);
  const start = start_values(host, block, element)[0];
  if (start !== undefined && start !== null && typeof start !== "object") {
    node.value = element.type === "datetimepicker" ? local_time(start) : start;
  }
  if (on_change) node.addEventListener("change", () => on_change(node, read(node)));
  return node;
}

function control(host, block, element, in_input) {
  const acts = !in_input || block.dispatch_action;
  const on_change = acts ? (node, value) => host.press(node, block, element, value) : null;
  if (element.type === "button" || element.type === "workflow_button") return button(host, block, element);
  if (element.type === "overflow") return overflow(host, block, element);
  if (element.type === "checkboxes" || element.type === "radio_buttons") return choices(host, block, element, on_change);
  if (element.type.endsWith("external_select")) return external_select(host, block, element, on_change);
  if (element.type.endsWith("_select")) return select(host, block, element, on_change);
  return field(host, block, element, on_change);
}

// The value of a marked control, in the form the control API takes; "" or [] when it is empty.
function read(node) {
  if (node.dataset.type === "checkboxes") return [...node.querySelectorAll("input:checked")].map((i) => i.value);
  if (node.dataset.type === "radio_buttons") return (node.querySelector("input:checked") || { value: "" }).value;
  if (node.multiple) return [...node.selectedOptions].map((option) => option.value);
  if (node.dataset.type === "datetimepicker") return node.value ? new Date(node.value).getTime() / 1000 : "";
  if (node.dataset.type === "rich_text_input" && node.value) {
    return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text: node.value }] }] };
  }
  return node.value;
}

export function read_values(root) {
  const values = {};
  for (const node of root.querySelectorAll("[data-action-id]")) {
    if (["button", "overflow", "workflow_button"].includes(node.dataset.type)) continue;
    (values[node.dataset.blockId] = values[node.dataset.blockId] || {})[node.dataset.actionId] = read(node);
  }
  return values;
}

// Nothing is fetched from elsewhere: a picture is shown by its description.
function image(element, className) {
  const node = make("span", "picture " + className);
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", element.alt_text);
  node.append(icon("picture"), make("span", "picture-alt", element.alt_text));
  return node;
}

function section(host, block) {
  const node = make("div", "block section");
  const body = node.appendChild(make("div", "section-body"));
  if (block.text) body.appendChild(make("div", "section-text")).append(text_object(host.world, block.text));
  if (block.fields) {
    const fields = body.appendChild(make("div", "fields"));
    for (const item of block.fields) fields.appendChild(make("div", "field")).append(text_object(host.world, item));
  }
  if (block.accessory) {
    const side = node.appendChild(make("div", "accessory"));
    side.append(block.accessory.type === "image" ? image(block.accessory, "thumb")
      : control(host, block, block.accessory, false));
  }
  return node;
}

function context(host, block) {
  const node = make("div", "block context");
  for (const element of block.elements) {
    const item = node.appendChild(make("span", "context-item"));
    item.append(element.type === "image" ? image(element, "tiny") : text_object(host.world, element));
  }
  return node;
}

function input(host, block) {
  const error = (host.errors || {})[block.block_id];
  const node = make("div", "block input" + (error ? " has-error" : ""));
  node.dataset.inputBlock = block.block_id;
  const label = node.appendChild(make("label", "input-label", plain_text(block.label)));
  if (block.optional) label.append(make("span", "optional", " (optional)"));
  const made = node.appendChild(control(host, block, block.element, true));
  const target = made.matches("[data-action-id]") ? made : made.querySelector("[data-action-id]");
  label.htmlFor = target.id;
  if (error) {
    const words = node.appendChild(make("div", "field-error", error));
    words.id = "error-" + block.block_id.replace(/[^\w.-]/g, "_");
    words.setAttribute("role", "alert");
    target.setAttribute("aria-invalid", "true");
    target.setAttribute("aria-describedby", words.id);
  }
  if (block.hint) node.append(make("div", "hint", plain_text(block.hint)));
  return node;
}

function actions(host, block) {
  const node = make("div", "block actions");
  for (const element of block.elements) node.append(control(host, block, element, false));
  return node;
}

function table(host, block) {
  const node = make("div", "block table-wrap");
  const body = node.appendChild(make("table"));
  for (const row of block.rows) {
    const line = body.appendChild(make("tr"));
    for (const cell of row) {
      line.append(make("td"));
      line.lastChild.append(cell.type === "rich_text" ? rich_text(host.world, cell) : cell.text || "");
    }
  }
  return node;
}

function one(host, block) {
  switch (block.type) {
    case "header": return make("h3", "block header", plain_text(block.text));
    case "section": return section(host, block);
    case "divider": return make("hr", "block divider");
    case "image": return image(block, "block");
    case "actions": return actions(host, block);
    case "context": return context(host, block);
    case "input": return input(host, block);
    case "rich_text": return rich_text(host.world, block);
    case "table": return table(host, block);
    case "markdown": {
      const node = make("div", "block section");
      node.append(mrkdwn(host.world, block.text));
      return node;
    }
    case "alert": {
      const node = make("div", "block alert " + (block.level || "default"));
      node.setAttribute("role", "alert");
      node.append(text_object(host.world, block.text));
      return node;
    }
    default: return make("div", "block unknown", block.alt_text || block.type);
  }
}

export function render_blocks(host, blocks) {
  const parent = make("div", "blocks");
  for (const block of blocks) parent.append(one(host, block));
  return parent;
}
