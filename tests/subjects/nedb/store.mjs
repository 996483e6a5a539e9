// SPDX-License-Identifier: GPL-2.0
// nedb; CONFIG is the name that the package is installed by.

import { createRequire } from "node:module";

const require = createRequire("/opt/node/");
// Calls a function that takes a callback.
const call = (take) => new Promise((done, fail) => take((error, result) => (error ? fail(error) : done(result))));

export async function open(file, config, value) {
    const Datastore = require(config);
    const database = new Datastore({ filename: file });
    await call((callback) => database.loadDatabase(callback));
    return {
        add: (number) => call((callback) => database.insert({ number, value }, callback)),
        numbers: async () => {
            const found = await call((callback) => database.find({}, callback));
            return found.filter((entry) => entry.value === value).map((entry) => entry.number);
        },
        // It has no callback of its own: what is asked next comes after it.
        tidy: async () => {
            (database.compactDatafile ? database : database.persistence).compactDatafile();
            await call((callback) => database.count({}, callback));
        },
        close: async () => {},
    };
}
