#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// mrkdwn.mjs: what a parser that is not ours sees in the texts that we emit: nothing that a person has forged.
// Owns finding the texts and the list of what may be in them. Never judges layout or lengths: typecheck.mjs and the
// limits of tests/lib do.
//
//   node mrkdwn.mjs FILE
//
// Each line of FILE is JSON as for typecheck.mjs; its texts are "text" of a message and every object of type mrkdwn.
// Those of people are tests/lib/sample_request.c: mentions of everybody and of U0EVIL0001, a link to evil.example,
// marks around words, emoji. Prints FILE:LINE: what is wrong. Exit 0: all fine; 1: something is forged; 2: the file
// cannot be used.

import { readFileSync } from "node:fs";
import { NodeType, parse } from "slack-message-parser";

const FORGED_USER = "U0EVIL0001";
const OUR_COMMANDS = ["date", "subteam"];
const OUR_LINKS = "https://acme.slack.com/archives/C";
const FORGED_MARKS = ["*Approved*", "_everyone_", "`code`"]; // ours are around other words
const EMOJI_NAME = /^(?!\d\d$)[a-z0-9_+-]+$/; // a zero-width space in it ends the name

function usage(words) {
  process.stderr.write("mrkdwn: " + words + "\n");
  process.exit(2);
}

// What is wrong with one node, or "".
function forged(node) {
  switch (node.type) {
    case NodeType.Root:
    case NodeType.Text:
    case NodeType.PreText:
      return "";
    case NodeType.UserLink:
      return node.userID === FORGED_USER || node.label ? "a mention of " + node.userID : "";
    case NodeType.Command:
      return OUR_COMMANDS.includes(node.name) ? "" : "the command " + node.name;
    case NodeType.URL:
      return node.url.startsWith(OUR_LINKS) ? "" : "a link to " + node.url;
    case NodeType.Emoji: // this parser takes any characters for a name, such as the minutes of a time
      return EMOJI_NAME.test(node.name) ? "the emoji " + node.name : "";
    case NodeType.Bold:
    case NodeType.Italic:
    case NodeType.Code:
      return FORGED_MARKS.includes(node.source) ? "the marks of " + node.source : "";
    default:
      return NodeType[node.type] + " " + node.source;
  }
}

function* nodes(node) {
  yield node;
  for (const child of [...(node.children ?? []), ...(node.label ?? [])]) yield* nodes(child);
}

function* texts(value) {
  if (Array.isArray(value)) {
    for (const each of value) yield* texts(each);
  } else if (value && typeof value === "object") {
    if (value.type === "mrkdwn") yield value.text;
    yield* texts(Object.values(value));
  }
}

const file = process.argv[2];
if (!file) usage("usage: mrkdwn.mjs FILE");
let fine = 0;
let wrong = 0;
readFileSync(file, "utf8").split("\n").forEach((line, index) => {
  if (!line.trim()) return;
  let item;
  try {
    item = JSON.parse(line);
  } catch {
    usage(file + ":" + (index + 1) + ": not JSON");
  }
  const found = [...(typeof item.text === "string" ? [item.text] : []), ...texts(item.blocks ?? item.view)];
  const faults = found.flatMap((text) => [...nodes(parse(text))].map(forged)).filter(Boolean);
  if (faults.length) process.stdout.write(file + ":" + (index + 1) + ": " + faults.join("; ") + "\n");
  wrong += faults.length;
  fine += found.length;
});
if (fine === 0) usage(file + " has no texts");
process.stdout.write(wrong === 0 ? fine + " fine\n" : "");
process.exit(wrong === 0 ? 0 : 1);
