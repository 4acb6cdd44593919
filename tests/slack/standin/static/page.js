// SPDX-License-Identifier: Apache-2.0
// page.js: the page as a whole.
// Owns who one acts as, which place is shown, the live refresh, dialogs and sending acts to /control/. Never decides
// what an act does: the server answers and the next snapshot shows it.

import { icon, make, mrkdwn, plain_text, text_object, user_name } from "/static/mrkdwn.js";
import { read_values, render_blocks } from "/static/blocks.js";

const by_id = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const view = { user: query.get("user") || "", at: query.get("at") || "", tab: query.get("tab") || "home",
  thread: query.get("thread") || "", seen: {}, modal: "", modal_hidden: false };
let world = null;
let abort = null;

// -- talking to the server --------------------------------------------------------------------------------------------

async function control(name, args) {
  const answer = await fetch("/control/" + name, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(args) });
  const result = await answer.json();
  if (!result.ok) toast(result.error);
  return result;
}

function toast(text) {
  by_id("toast").textContent = text;
  by_id("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { by_id("toast").hidden = true; }, 5000);
}

async function refresh_forever() {
  let version = -1;
  for (;;) {
    const user = view.user;
    abort = new AbortController();
    try {
      const answer = await fetch("/ui/state?user=" + encodeURIComponent(user) + "&version=" + version,
        { signal: abort.signal });
      const snapshot = await answer.json();
      if (user === view.user) {
        version = snapshot.version;
        world = snapshot;
        show();
      } else {
        version = -1;
      }
    } catch (error) {
      version = -1;
      if (error.name !== "AbortError") await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

// -- where one is -----------------------------------------------------------------------------------------------------

function people() {
  return world.users.filter((user) => !user.is_bot);
}

function app_channel() {
  return world.channels.find((channel) => channel.is_im && channel.user === view.user);
}

function here() {
  if (view.at === "app") return app_channel() || null;
  return world.channels.find((channel) => channel.id === view.at) || null;
}

function remember() {
  const now = new URLSearchParams({ user: view.user, at: view.at });
  if (view.at === "app") now.set("tab", view.tab);
  if (view.thread) now.set("thread", view.thread);
  history.replaceState(null, "", "?" + now);
}

function go(at, tab) {
  view.at = at;
  view.tab = tab || view.tab;
  view.thread = "";
  document.body.classList.remove("sidebar-shown");
  if (at === "app") control("home_opened", { user: view.user, tab: view.tab });
  show(true);
}

function choose_defaults() {
  world.me = view.user;
  if (!world.users.some((user) => user.id === view.user)) {
    const approver = people().find((user) => user.id === "U0APR00001") || people()[0];
    view.user = approver.id;
    abort.abort();
    return false;
  }
  if (view.at !== "app" && !here()) {
    const first = world.channels.find((channel) => !channel.is_im && !channel.is_archived);
    view.at = first ? first.id : "app";
  }
  return true;
}

// -- the sidebar ------------------------------------------------------------------------------------------------------

function newest_ts(channel_id) {
  const list = (world.messages[channel_id] || []).concat(world.ephemerals.filter((e) => e.channel === channel_id));
  return list.reduce((best, message) => (message.ts > best ? message.ts : best), "");
}

function place_button(label, sign, at, tab, channel_id) {
  const current = view.at === at && (at !== "app" || !tab || view.tab === tab);
  const item = make("button", "place" + (current ? " current" : ""));
  item.id = "place-" + at + (tab && at === "app" ? "-" + tab : "");
  item.dataset.place = at;
  item.append(make("span", "place-icon"), make("span", "place-name", label));
  item.firstChild.append(sign === "#" ? sign : icon(sign));
  if (current) item.setAttribute("aria-current", "page");
  const newest = channel_id ? newest_ts(channel_id) : "";
  if (!(channel_id in view.seen) || current) view.seen[channel_id] = newest;
  if (newest > view.seen[channel_id]) {
    item.classList.add("unread");
    item.append(make("span", "unread-dot", "new"));
  }
  item.addEventListener("click", () => go(at, tab));
  return item;
}

function show_sidebar() {
  by_id("team-name").textContent = world.team.name;
  const picker = by_id("acting-as");
  const marks = (user) => (user.deleted ? " (deactivated)" : user.is_restricted ? " (guest)"
    : user.foreign ? " (other workspace)" : "");
  const names = people().map((user) => user.real_name + marks(user));
  // Left alone while the same people are there, so that a refresh does not close the open list.
  if (picker.dataset.names !== names.join()) {
    picker.replaceChildren(...people().map((user, index) => new Option(names[index], user.id)));
    picker.dataset.names = names.join();
  }
  picker.value = view.user;
  const places = by_id("places");
  places.replaceChildren(make("h2", "", "Channels"));
  for (const channel of world.channels.filter((c) => !c.is_im)) {
    const sign = channel.is_archived ? "archive" : channel.is_private ? "lock" : "#";
    places.append(place_button(channel.name, sign, channel.id, "", channel.id));
  }
  places.append(make("h2", "", "Apps"));
  const direct = app_channel();
  places.append(place_button(world.app.name + " Home", "house", "app", "home", ""));
  places.append(place_button(world.app.name, "chat", "app", "messages", direct ? direct.id : ""));
}

// -- messages ---------------------------------------------------------------------------------------------------------

function avatar(user_id) {
  const name = user_id === "USLACKBOT" ? "Slackbot" : user_name(world, user_id);
  const number = [...user_id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 6;
  const node = make("span", "avatar tint-" + number, name.split(/\s+/).map((word) => word[0]).slice(0, 2).join(""));
  node.setAttribute("aria-hidden", "true");
  return node;
}

function clock(ts) {
  return new Date(Number(ts) * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function message_head(message) {
  const head = make("div", "message-head");
  const bot = world.users.some((user) => user.id === message.user && user.is_bot);
  head.append(make("span", "author", message.user === "USLACKBOT" ? "Slackbot" : user_name(world, message.user)));
  if (bot || message.user === "USLACKBOT") head.append(make("span", "app-mark", "APP"));
  const time = head.appendChild(make("time", "when", clock(message.ts)));
  time.title = new Date(Number(message.ts) * 1000).toLocaleString("en-GB");
  if (message.edited) head.append(make("span", "edited", "(edited)"));
  return head;
}

function press_host(key, target) {
  return {
    world, key, values: target.values, errors: target.errors,
    suggest: async (element, typed) => (await control("suggest", Object.assign({
      user: view.user, action_id: element.action_id, typed }, target.where))).options || [],
    press: async (node, block, element, value) => {
      if (element.confirm && !(await ask(element.confirm))) return;
      node.disabled = true;
      node.classList.add("busy");
      const values = target.root ? read_values(target.root()) : {};
      try {
        await control("press", Object.assign({ user: view.user, action_id: element.action_id,
          block_id: block.block_id, value, values }, target.where));
      } finally {
        node.disabled = false;
        node.classList.remove("busy");
      }
    },
  };
}

function trouble(text) {
  const node = make("div", "trouble");
  node.setAttribute("role", "alert");
  node.append(icon("warning"), text);
  return node;
}

function message_node(message, channel_id) {
  const private_to_me = "to_user" in message;
  const node = make("article", "message" + (private_to_me ? " ephemeral" : ""));
  node.dataset.ts = message.ts;
  node.dataset.channel = channel_id;
  // Without a mouse, a tap focuses the message and so shows its shortcuts.
  node.tabIndex = -1;
  const body = make("div", "message-body");
  node.append(avatar(message.user), body);
  if (private_to_me) {
    const mark = body.appendChild(make("div", "only-you"));
    mark.append(icon("eye"), "Only visible to you");
  }
  body.append(message_head(message));
  if (message.blocks) {
    const host = press_host("m" + message.ts, { where: { channel: channel_id, ts: message.ts }, root: () => node });
    body.append(render_blocks(host, message.blocks));
  } else {
    body.append(make("div", "message-text"));
    body.lastChild.append(mrkdwn(world, message.text));
  }
  for (const notice of world.notices.filter((item) => item.where === message.ts).slice(-1)) {
    body.append(trouble(notice.text));
  }
  if (!private_to_me) body.append(message_menu(message, channel_id));
  return node;
}

function message_menu(message, channel_id) {
  const bar = make("div", "message-tools");
  for (const shortcut of world.shortcuts.filter((item) => item.type === "message")) {
    const item = bar.appendChild(make("button", "tool"));
    item.append(icon("bolt"), shortcut.name);
    item.dataset.callbackId = shortcut.callback_id;
    item.addEventListener("click", () => control("message_action", {
      user: view.user, channel: channel_id, ts: message.ts, callback_id: shortcut.callback_id }));
  }
  return bar;
}

function replies_button(message) {
  const count = message.reply_count;
  const node = make("button", "replies", count === 1 ? "1 reply" : count + " replies");
  node.dataset.thread = message.ts;
  node.append(make("span", "last-reply", "Last reply at " + clock(message.latest_reply)));
  node.addEventListener("click", () => {
    view.thread = message.ts;
    show(true);
  });
  return node;
}

function listed(channel_id) {
  return (world.messages[channel_id] || []).concat(world.ephemerals.filter((e) => e.channel === channel_id))
    .sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

function day_of(ts) {
  return new Date(Number(ts) * 1000).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
}

function show_messages(moved) {
  const box = by_id("messages");
  const at_end = moved || box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const kept_top = box.scrollTop;
  const channel = here();
  const nodes = [];
  let day = "";
  for (const message of channel ? listed(channel.id) : []) {
    if (message.thread_ts && message.thread_ts !== message.ts) continue;
    if (day_of(message.ts) !== day) {
      day = day_of(message.ts);
      nodes.push(make("div", "day"));
      nodes[nodes.length - 1].append(make("span", "", day));
    }
    const node = message_node(message, channel.id);
    if (message.reply_count) node.querySelector(".message-body").append(replies_button(message));
    nodes.push(node);
  }
  if (!nodes.length) nodes.push(make("div", "empty", "Nothing here yet. Messages appear as soon as they are posted."));
  box.replaceChildren(...nodes);
  box.scrollTop = at_end ? box.scrollHeight : kept_top;
}

function show_thread() {
  const box = by_id("thread");
  const channel = here();
  const messages = channel && view.thread ? listed(channel.id).filter(
    (m) => m.ts === view.thread || m.thread_ts === view.thread) : [];
  box.hidden = messages.length === 0;
  document.body.classList.toggle("thread-shown", !box.hidden);
  if (box.hidden) return;
  by_id("thread-place").textContent = channel.is_im ? world.app.name : "#" + channel.name;
  by_id("thread-messages").replaceChildren(...messages.map((message) => message_node(message, channel.id)));
}

// -- header, home, composer -------------------------------------------------------------------------------------------

function show_header() {
  const channel = here();
  const title = by_id("place-title");
  title.replaceChildren();
  if (view.at === "app") {
    title.append(make("h1", "", world.app.name));
  } else {
    const name = title.appendChild(make("h1", "", channel.is_private ? channel.name : "# " + channel.name));
    if (channel.is_private) name.prepend(icon("lock"));
    const facts = [channel.members.length + " members"];
    if (channel.is_archived) facts.push("archived");
    if (channel.is_ext_shared) facts.push("shared with another workspace");
    title.append(make("span", "facts", facts.join(" · ")));
  }
  const tabs = by_id("place-tabs");
  tabs.replaceChildren();
  if (view.at !== "app") return;
  for (const [name, label] of [["home", "Home"], ["messages", "Messages"]]) {
    const tab = tabs.appendChild(make("button", "tab" + (view.tab === name ? " current" : ""), label));
    tab.id = "tab-" + name;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(view.tab === name));
    tab.addEventListener("click", () => go("app", name));
  }
}

function show_home() {
  const on = view.at === "app" && view.tab === "home";
  by_id("home").hidden = !on;
  by_id("messages").hidden = on;
  by_id("composer").hidden = on || Boolean(here() && here().is_archived);
  if (!on) return;
  const home = world.homes[0];
  if (!home) {
    by_id("home").replaceChildren(make("div", "empty", world.app.name + " has not published a Home tab for you yet."));
    return;
  }
  const host = press_host("home", { where: { view_id: home.view.id }, root: () => by_id("home"),
    values: home.view.state.values });
  by_id("home").replaceChildren(make("div", "home-body"));
  by_id("home").firstChild.append(render_blocks(host, home.view.blocks));
  for (const notice of world.notices.filter((item) => item.where === home.view.id).slice(-1)) {
    by_id("home").firstChild.append(trouble(notice.text));
  }
}

function show_composer() {
  const commands = world.commands.map((item) => item.command).join(", ");
  const channel = here();
  const name = view.at === "app" ? world.app.name : "#" + channel.name;
  by_id("composer-text").placeholder = "Message " + name + (commands ? ", or type " + commands : "");
  by_id("shortcuts").replaceChildren(...world.shortcuts.filter((item) => item.type === "global").map((item) => {
    const node = make("button", "menu-item", item.name);
    node.type = "button";
    node.dataset.callbackId = item.callback_id;
    node.addEventListener("click", () => {
      by_id("shortcuts").hidden = true;
      control("shortcut", { user: view.user, callback_id: item.callback_id });
    });
    return node;
  }));
}

async function send(text) {
  const channel = here();
  if (text.startsWith("/")) {
    const [command, ...rest] = text.split(" ");
    const args = { user: view.user, command, text: rest.join(" ") };
    if (channel) args.channel = channel.id;
    const result = await control("slash", args);
    if (result.problem) toast(command + ": " + result.problem);
  } else if (channel) {
    await control("say", { user: view.user, channel: channel.id, text });
  } else {
    toast("Use a command first: the app has no conversation with you yet.");
  }
}

// -- dialogs ----------------------------------------------------------------------------------------------------------

function ask(confirm) {
  const box = by_id("confirm");
  const title = make("h2", "", plain_text(confirm.title));
  title.id = "confirm-title";
  const words = make("p");
  words.append(text_object(world, confirm.text));
  const row = make("div", "dialog-buttons");
  const deny = row.appendChild(make("button", "slack-button", plain_text(confirm.deny)));
  const yes = row.appendChild(make("button", "slack-button " + (confirm.style || "primary"), plain_text(confirm.confirm)));
  deny.id = "confirm-deny";
  yes.id = "confirm-ok";
  box.replaceChildren(title, words, row);
  return new Promise((done) => {
    const finish = (answer) => {
      box.onclose = null;
      box.close();
      done(answer);
    };
    deny.onclick = () => finish(false);
    yes.onclick = () => finish(true);
    box.onclose = () => done(false);
    box.showModal();
    deny.focus();
  });
}

function modal_footer(entry) {
  const row = make("div", "dialog-buttons");
  const close = row.appendChild(make("button", "slack-button", plain_text(entry.view.close) || "Close"));
  close.type = "button";
  close.id = "modal-close";
  close.onclick = () => control("close", { user: view.user, view_id: entry.view.id });
  if (entry.view.submit) {
    const submit = row.appendChild(make("button", "slack-button primary", plain_text(entry.view.submit)));
    submit.id = "modal-submit";
    submit.type = "submit";
  }
  return row;
}

function draw_modal(entry) {
  const box = by_id("modal");
  const form = make("form", "modal-form");
  form.noValidate = true;
  form.autocomplete = "off";
  const head = form.appendChild(make("header", "modal-head"));
  const title = head.appendChild(make("h2", "", plain_text(entry.view.title)));
  title.id = "modal-title";
  const cross = head.appendChild(make("button", "plain-button", "✕"));
  cross.type = "button";
  cross.id = "modal-x";
  cross.setAttribute("aria-label", "Close");
  cross.onclick = () => control("close", { user: view.user, how: "x" });
  const host = press_host("in", { where: { view_id: entry.view.id }, root: () => form,
    values: entry.view.state.values, errors: entry.errors });
  const body = form.appendChild(make("div", "modal-body"));
  if (entry.notice) body.append(trouble(entry.notice));
  body.append(render_blocks(host, entry.view.blocks));
  form.append(modal_footer(entry));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const submit = by_id("modal-submit");
    if (!submit || submit.disabled) return;
    submit.disabled = true;
    submit.classList.add("busy");
    await control("submit", { user: view.user, view_id: entry.view.id, values: read_values(form) });
    submit.disabled = false;
    submit.classList.remove("busy");
  };
  box.replaceChildren(form);
}

function show_modal() {
  const box = by_id("modal");
  const entry = world.modals[world.modals.length - 1];
  // Drawn again only when it changed, so that a refresh never takes away what is being typed.
  const key = entry ? JSON.stringify([entry.view.id, entry.view.hash, entry.errors, entry.notice]) : "";
  if (key === view.modal) return;
  view.modal = key;
  if (!entry) {
    box.close();
    return;
  }
  draw_modal(entry);
  if (!box.open) box.showModal();
  const first = box.querySelector(".has-error [data-action-id]") || box.querySelector("[data-action-id]");
  if (first) first.focus();
}

// -- all of it --------------------------------------------------------------------------------------------------------

function show(moved) {
  if (!world || !choose_defaults()) return;
  remember();
  show_sidebar();
  show_header();
  show_home();
  show_messages(moved || show.place !== view.user + view.at + view.tab);
  show.place = view.user + view.at + view.tab;
  show_thread();
  show_composer();
  show_modal();
  document.title = (view.at === "app" ? world.app.name : "#" + here().name) + " – " + world.team.name;
}

by_id("acting-as").addEventListener("change", (event) => {
  view.user = event.target.value;
  view.seen = {};
  view.thread = "";
  abort.abort();
});
by_id("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = by_id("composer-text").value.trim();
  by_id("composer-text").value = "";
  if (text) send(text);
});
by_id("shortcuts-open").append(icon("bolt"));
by_id("shortcuts-open").addEventListener("click", () => { by_id("shortcuts").hidden = !by_id("shortcuts").hidden; });
by_id("thread-close").addEventListener("click", () => {
  view.thread = "";
  show();
});
by_id("sidebar-open").addEventListener("click", () => document.body.classList.add("sidebar-shown"));
by_id("sidebar-close").addEventListener("click", () => document.body.classList.remove("sidebar-shown"));
by_id("modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  control("close", { user: view.user, how: "x" });
});
refresh_forever();
