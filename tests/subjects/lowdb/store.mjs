// SPDX-License-Identifier: GPL-2.0
// lowdb; CONFIG is not used.


const { JSONFilePreset } = await import("/opt/node/node_modules/lowdb/lib/node.js");

export async function open(file, _config, value) {
    const database = await JSONFilePreset(file, { entries: [] });
    return {
        add: (number) => database.update(({ entries }) => entries.push({ number, value })),
        numbers: async () => database.data.entries.filter((entry) => entry.value === value).map((entry) => entry.number),
        tidy: () => database.write(),
        close: async () => {},
    };
}
