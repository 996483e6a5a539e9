# SPDX-License-Identifier: GPL-2.0
"""A disk with a volatile cache, in all the ways it may behave at once.

The contract (docs/contract.md) by brute force: it knows of no watermark, no pending writes and no
selections. A unit takes in its parts of a write one by one, at any time from the write's submit to
its completion; later lies above earlier. What it took in may go to the medium at any time, but
with PREFLUSH only once the flush is done; nothing goes below what lies above it. It must be there
when a flush, a FUA write or, without a cache, any write is complete. A power cut leaves the medium.
"""

import itertools

from . import log as format_

SECTOR = 512
PHYSICAL = 4096


def of(log):
    """The disk that a log was recorded of."""
    if log.rmw:
        return Rewriting(log)
    return Ordered(log) if log.prefix else Device(log)


def is_overlapping(log):
    """Whether writes that overlap in a unit were in flight together: of such ones the contract tells not
    all orders apart."""
    unit = log.unit // SECTOR
    writes = [entry for entry in log.entries if entry.is_write()]
    return any(
        a.submit < b.complete
        and b.submit < a.complete
        and a.sector // unit <= (b.end() - 1) // unit
        and b.sector // unit <= (a.end() - 1) // unit
        for a, b in itertools.combinations(writes, 2)
    )


class Device:
    """A disk, and all that its medium may hold."""

    def __init__(self, log):
        self.log = log
        self.unit = log.unit // SECTOR
        self.base = {}
        for entry in log.base:
            for sector in range(entry.sector, entry.end()):
                self.base[sector] = entry.payload[(sector - entry.sector) * SECTOR :][:SECTOR]
        # Writes are numbered from 1, in the order of the log.
        self.writes = [None] + [entry for entry in log.entries if entry.is_write()]
        self.started, self.complete, self.promised = set(), set(), set()
        self.parts = {}  # of each unit: (version, the sectors of the unit it covers)
        self.states = {}  # of each unit: (versions taken in, latest last; version in each sector)

    def history(self):
        """Goes through the log: yields each cut once the disk is at it."""
        todo = {}
        version = 0
        for entry in self.log.entries:
            has_flush = entry.op == format_.FLUSH or (
                entry.is_write() and entry.flags & format_.PREFLUSH
            )
            version += entry.is_write()
            steps = []
            if has_flush:
                covered = []
                steps.append((entry.submit, self.flush, covered))
                done = entry.start if entry.is_write() else entry.complete
                steps.append((done, self.flushed, covered))
            if entry.is_write():
                steps.append((entry.submit, self.submit, version))
                steps.append((entry.start, self.start, version))
                steps.append((entry.complete, self.end, version))
            for event, function, argument in steps:
                todo.setdefault(event, []).append((function, argument))
        yield 0
        for event in range(1, self.log.newest + 1):
            for function, argument in todo.get(event, ()):
                function(argument)
            yield event

    def submit(self, version):
        entry = self.writes[version]
        for unit in range(entry.sector // self.unit, (entry.end() - 1) // self.unit + 1):
            first = max(entry.sector - unit * self.unit, 0)
            end = min(entry.end() - unit * self.unit, self.unit)
            self.parts.setdefault(unit, []).append((version, range(first, end)))
            self.states.setdefault(unit, {((), (0,) * self.unit)})
        self.proceed()

    def start(self, version):
        self.started.add(version)
        self.proceed()

    def end(self, version):
        for unit, parts in self.parts.items():
            if any(part[0] == version for part in parts):
                self.states[unit] = {s for s in self.states[unit] if version in s[0]}
        if self.writes[version].flags & format_.FUA or not self.log.cache:
            self.require(version)
        self.complete.add(version)

    def flush(self, covered):
        covered.extend(self.complete)

    def flushed(self, covered):
        for version in covered:
            self.require(version)

    def require(self, version):
        """Rules out that it is not on the medium, nor what lies above it."""
        self.promised.add(version)
        for unit, parts in self.parts.items():
            for of, sectors in parts:
                if of == version:
                    self.states[unit] = {
                        (taken, medium)
                        for taken, medium in self.states[unit]
                        if all(is_above(taken, medium[s], version) for s in sectors)
                    }

    def proceed(self):
        """Whatever may happen without anybody being told."""
        for unit, states in self.states.items():
            new = list(states)
            while new:
                taken, medium = new.pop()
                for version, sectors in self.parts[unit]:
                    if version not in taken:
                        state = (taken + (version,), medium)
                    elif version in self.started:
                        state = (taken, written(taken, medium, version, sectors))
                    else:
                        continue
                    if state not in states:
                        states.add(state)
                        new.append(state)

    def media(self, unit):
        """What may be on the medium in a unit: the version in each sector, 0 for the base.

        Where two promised writes were in flight together, the one submitted later is found.
        """
        return {medium for _, medium in self.states[unit] if self.is_settled(unit, medium)}

    def is_settled(self, unit, medium):
        promised = [part for part in self.parts[unit] if part[0] in self.promised]
        return not any(
            version in self.promised and any(v > version and s in of for v, of in promised)
            for s, version in enumerate(medium)
        )

    def data(self, version, sector):
        if version == 0:
            return self.base.get(sector, bytes(SECTOR))
        entry = self.writes[version]
        if entry.op != format_.WRITE:
            return bytes(SECTOR)
        return entry.payload[(sector - entry.sector) * SECTOR :][:SECTOR]

    def bytes_of(self, unit, medium):
        first = unit * self.unit
        return b"".join(self.data(version, first + n) for n, version in enumerate(medium))

    def images(self, nr_sectors):
        """All that the first sectors may hold now."""
        units = range(-(-nr_sectors // self.unit))
        blank = (0,) * self.unit
        options = [
            {self.bytes_of(unit, m) for m in (self.media(unit) if unit in self.states else {blank})}
            for unit in units
        ]
        return {b"".join(parts) for parts in itertools.product(*options)}

    def count(self):
        """The number of contents that the log can tell apart."""
        product = 1
        for unit in self.states:
            product *= len(self.media(unit))
        return product


class Ordered(Device):
    """A disk that takes in each write as a whole, and puts its units on the medium in ascending order
    (`tear=prefix`): a unit only once those before it are there, or what lies above them is."""

    def __init__(self, log):
        super().__init__(log)
        ends = [entry.end() for entry in self.writes[1:]]
        self.size = -(-max(ends, default=0) // self.unit) * self.unit
        self.units = {}  # of each write, in ascending order: the sectors in each
        # What all units are like together: versions taken in, latest last; version in each sector.
        self.whole = {((), (0,) * self.size)}

    def submit(self, version):
        entry = self.writes[version]
        cuts = range(entry.sector // self.unit * self.unit, entry.end(), self.unit)
        self.units[version] = [
            range(max(first, entry.sector), min(first + self.unit, entry.end())) for first in cuts
        ]
        self.proceed()

    def end(self, version):
        self.whole = {state for state in self.whole if version in state[0]}
        if self.writes[version].flags & format_.FUA or not self.log.cache:
            self.require(version)
        self.complete.add(version)

    def require(self, version):
        self.promised.add(version)
        sectors = [sector for unit in self.units[version] for sector in unit]
        self.whole = {
            (taken, medium)
            for taken, medium in self.whole
            if all(is_above(taken, medium[sector], version) for sector in sectors)
        }

    def proceed(self):
        new = list(self.whole)
        while new:
            taken, medium = new.pop()
            for version, units in self.units.items():
                if version not in taken:
                    state = (taken + (version,), medium)
                elif version in self.started:
                    left = [
                        unit
                        for unit in units
                        if not all(is_above(taken, medium[sector], version) for sector in unit)
                    ]
                    if not left:
                        continue
                    state = (taken, written(taken, medium, version, left[0]))
                else:
                    continue
                if state not in self.whole:
                    self.whole.add(state)
                    new.append(state)

    def media(self, unit=None):
        """What may be on the medium: the version in each sector, 0 for the base."""
        return {medium for _, medium in self.whole if self.is_settled(unit, medium)}

    def is_settled(self, unit, medium):
        return not any(
            version in self.promised
            and any(
                newer > version and newer in self.promised and any(sector in unit for unit in units)
                for newer, units in self.units.items()
            )
            for sector, version in enumerate(medium)
        )

    def images(self, nr_sectors):
        return {
            b"".join(
                self.data(medium[sector] if sector < self.size else 0, sector)
                for sector in range(nr_sectors)
            )
            for medium in self.media()
        }

    def count(self):
        return len(self.media())


class Rewriting(Device):
    """A disk that writes physical blocks (`tear=rmw`): for a write of less it reads the others of that block
    and writes them, too. As long as any of that may be under way when the power fails, they may be gone."""

    def is_gone(self, unit):
        """Whether a unit may be."""
        first = unit - unit % (PHYSICAL // SECTOR // self.unit)
        block = range(first, first + PHYSICAL // SECTOR // self.unit)
        own = {version for version, _ in self.parts.get(unit, ())}
        return any(
            version not in own
            and version in self.started
            and self.writes[version].op != format_.DISCARD
            and self.is_to_do(other, version, sectors)
            for other in block
            for version, sectors in self.parts.get(other, ())
        )

    def is_to_do(self, unit, version, sectors):
        return any(
            version not in taken or not all(is_above(taken, medium[s], version) for s in sectors)
            for taken, medium in self.states[unit]
        )

    def contents(self, unit):
        """All that a unit may hold."""
        blank = {(0,) * self.unit}
        found = self.media(unit) if unit in self.states else blank
        gone = {bytes(self.unit * SECTOR)} if self.is_gone(unit) else set()
        return {self.bytes_of(unit, medium) for medium in found} | gone

    def may_hold(self, image):
        size = self.unit * SECTOR
        units = range(len(image) // size)
        return all(image[unit * size : (unit + 1) * size] in self.contents(unit) for unit in units)

    def images(self, nr_sectors):
        units = range(nr_sectors // self.unit)
        return {b"".join(parts) for parts in itertools.product(*map(self.contents, units))}

    def count(self):
        # Whatever is lost is told apart from what was written, be it zeroes.
        per_block = PHYSICAL // SECTOR // self.unit
        blocks = {unit // per_block for unit in self.states}
        product = super().count()
        for unit in (block * per_block + nr for block in blocks for nr in range(per_block)):
            if self.is_gone(unit):
                known = len(self.media(unit)) if unit in self.states else 1
                product = product // known * (known + 1)
        return product


def is_above(taken, shown, version):
    """Whether `shown` is that version, or lies above it."""
    return shown != 0 and taken.index(shown) >= taken.index(version)


def written(taken, medium, version, sectors):
    return tuple(
        version if s in sectors and not is_above(taken, shown, version) else shown
        for s, shown in enumerate(medium)
    )
