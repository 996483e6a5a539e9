// SPDX-License-Identifier: GPL-2.0
// @alcalzone/jsonl-db; CONFIG is the name that the package is installed by.

import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire("/opt/node/");

export async function open(file, config, value) {
    const { JsonlDB } = require(config);
    // A lock of who was running when the power failed, which the package takes for stale after some seconds.
    fs.rmSync(`${file}.lock`, { recursive: true, force: true });
    let database = new JsonlDB(file);
    await database.open();
    return {
        // Only close() waits for what was set to be written.
        add: async (number) => {
            database.set(`${number}`, value);
            await database.close();
            database = new JsonlDB(file);
            await database.open();
        },
        numbers: async () => [...database.entries()].filter(([, its]) => its === value).map(([key]) => Number(key)),
        tidy: () => database.compress(),
        close: () => database.close(),
    };
}
