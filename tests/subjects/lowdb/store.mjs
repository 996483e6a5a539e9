// SPDX-License-Identifier: GPL-2.0
// lowdb; CONFIG is patched, or anything else for what was released.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const RELEASED = "/opt/node/node_modules";

// lowdb and steno, by which it saves, in a directory of their own; steno syncs a file before it renames it.
function patched() {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lowdb-"));
    for (const name of ["lowdb", "steno"]) {
        fs.cpSync(path.join(RELEASED, name), path.join(directory, "node_modules", name), { recursive: true });
    }
    const file = path.join(directory, "node_modules", "steno", "lib", "index.js");
    const source = fs.readFileSync(file, "utf8");
    const changed = source.replace("data, 'utf-8')", "data, { encoding: 'utf-8', flush: true })");
    if (changed === source) {
        throw new Error(`${file} has not the line that is patched`);
    }
    fs.writeFileSync(file, changed);
    return path.join(directory, "node_modules");
}

let modules;

export async function open(file, config, value) {
    modules ||= config === "patched" ? patched() : RELEASED;
    const { JSONFilePreset } = await import(path.join(modules, "lowdb/lib/node.js"));
    const database = await JSONFilePreset(file, { entries: [] });
    return {
        add: (number) => database.update(({ entries }) => entries.push({ number, value })),
        numbers: async () => database.data.entries.filter((entry) => entry.value === value).map((entry) => entry.number),
        tidy: () => database.write(),
        close: async () => {},
    };
}
