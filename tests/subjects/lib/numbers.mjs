// SPDX-License-Identifier: GPL-2.0
// numbers.mjs workload|resident STORE CONFIG: numbers in a store that is a package of npm.
// numbers.mjs version PACKAGE..: the versions of packages in /opt/node.
//
// STORE is a module that exports
//
//     open(file, config, value)  the store, made if it is not there; with
//         add(number)         adds a number, with the value
//         numbers()           all numbers that it holds, each only if its value is whole
//         tidy()              what the package offers to make its file smaller, or to save it again
//         close()
//
// The workload adds 1, 2, .., syncs the file, and promises each: none of these packages says that a value is durable when it is added.
// After every second one it tidies up, which is to lose nothing of what was durable, and syncs another
// file, which makes the filesystem write out names.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const COUNT = 4;
const LOST = "loses what was acknowledged";
const CORRUPT = "is corrupt";
const CLOSED = "does not open";

const VALUE = "value ".repeat(100);

const file = () => path.join(process.env.POWERCUT_MNT, "store", "file");

function sync(...names) {
    for (const name of names) {
        const opened = fs.openSync(name, "r");
        fs.fsyncSync(opened);
        fs.closeSync(opened);
    }
}

async function workload(module, config) {
    const directory = path.dirname(file());
    const other = path.join(process.env.POWERCUT_MNT, "other");
    fs.mkdirSync(directory);
    fs.writeFileSync(other, "");
    sync(directory, other, process.env.POWERCUT_MNT);
    const store = await module.open(file(), config, VALUE);
    for (let number = 1; number <= COUNT; number++) {
        await store.add(number);
        sync(file(), directory);
        fs.writeFileSync(process.env.POWERCUT_MARK, `${number}\n`);
        if (number % 2 === 0) {
            await store.tidy();
            fs.appendFileSync(other, `${number}\n`);
            sync(other);
        }
    }
    await store.close();
}

// What is wrong with a state, or null.
async function wrong(module, config) {
    const promised = fs.readFileSync(process.env.POWERCUT_MARKS, "utf8").split("\n").filter(Boolean).map(Number);
    if (promised.length === 0) {
        return null;
    }
    let store;
    try {
        store = await module.open(file(), config, VALUE);
    } catch (error) {
        return `${CLOSED}: ${error}`;
    }
    try {
        const found = await store.numbers();
        const lost = promised.find((number) => !found.includes(number));
        return lost === undefined ? null : `${LOST}: ${lost} of ${promised.length}`;
    } catch (error) {
        return `${CORRUPT}: ${error}`;
    } finally {
        await store.close();
    }
}

async function resident(module, config) {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        Object.assign(process.env, JSON.parse(line));
        const words = await wrong(module, config);
        console.log(words === null ? "ok" : `violation ${words.split(/\s+/).join(" ")}`);
    }
}

const [what, ...words] = process.argv.slice(2);
if (what === "version") {
    const read = (name) => JSON.parse(fs.readFileSync(`/opt/node/node_modules/${name}/package.json`, "utf8"));
    console.log(words.map((name) => read(name).version).join("/"));
} else {
    const [store, config] = words;
    const module = await import(pathToFileURL(path.resolve(store)));
    await { workload, resident }[what](module, config);
}
process.exit(0);
