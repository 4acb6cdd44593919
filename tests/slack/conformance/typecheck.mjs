#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// typecheck.mjs: emitted blocks and views against Slack's own TypeScript types.
// Owns turning JSON lines into a TypeScript file and reading the compiler's verdict. Never checks lengths: types know
// keys and kinds only.
//
//   node typecheck.mjs FILE
//
// Each line of FILE is {"kind": "message", "blocks": […]}, {"kind": "modal", "view": {…}} or
// {"kind": "home", "view": {…}}; more members are ignored. Prints FILE:LINE: what is wrong. Exit 0: all fine; 1: some
// line is wrong; 2: the file cannot be used.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const KINDS = { message: ["KnownBlock[]", "blocks"], modal: ["ModalView", "view"], home: ["HomeView", "view"] };

function usage(words) {
  process.stderr.write("typecheck: " + words + "\n");
  process.exit(2);
}

// Every JSON line becomes one TypeScript line, so that line numbers lead back.
function to_typescript(file) {
  const source = ['import type { HomeView, KnownBlock, ModalView } from "@slack/types";'];
  const origin = [0];
  readFileSync(file, "utf8").split("\n").forEach((line, index) => {
    if (!line.trim()) return;
    let item;
    try {
      item = JSON.parse(line);
    } catch {
      usage(file + ":" + (index + 1) + ": not JSON");
    }
    if (!item || !KINDS[item.kind]) usage(file + ":" + (index + 1) + ": kind must be " + Object.keys(KINDS).join(", "));
    const [type, member] = KINDS[item.kind];
    if (item[member] === undefined) usage(file + ":" + (index + 1) + ": no " + member);
    const value = JSON.stringify(item[member]).replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
    source.push("export const line_" + (index + 1) + ": " + type + " = " + value + ";");
    origin.push(index + 1);
  });
  if (source.length === 1) usage(file + " has no lines");
  return { text: source.join("\n") + "\n", origin };
}

function compile(text) {
  // Inside this folder's node_modules, where the compiler finds @slack/types and git looks away.
  const cache = join(HERE, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "typecheck-"));
  try {
    writeFileSync(join(folder, "package.json"), '{"type": "module"}');
    writeFileSync(join(folder, "emitted.ts"), text);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ files: ["emitted.ts"], compilerOptions: {
      module: "nodenext", target: "es2022", strict: true, noEmit: true, skipLibCheck: true, types: [] } }));
    return spawnSync(process.execPath, [join(HERE, "node_modules", "typescript", "bin", "tsc"), "--pretty", "false",
      "-p", folder], { encoding: "utf8", cwd: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const file = process.argv[2];
if (!file) usage("usage: typecheck.mjs FILE");
const { text, origin } = to_typescript(file);
const result = compile(text);
if (result.error) usage(String(result.error));
const complaints = (result.stdout + result.stderr).split("\n").filter((line) => line.trim());
for (const line of complaints) {
  const found = /^emitted\.ts\((\d+),\d+\): error (.*)$/.exec(line);
  process.stdout.write(found ? file + ":" + origin[Number(found[1]) - 1] + ": " + found[2] + "\n" : line + "\n");
}
if (result.status !== 0 && complaints.length === 0) usage("the compiler failed without a word");
process.stdout.write(result.status === 0 ? origin.length - 1 + " fine\n" : "");
process.exit(result.status === 0 ? 0 : 1);
