# SPDX-License-Identifier: GPL-2.0
"""What a crash state holds, reckoned from an exported log, sector by sector.

Written from the contract (docs/), not from the module's model: slow and plain.
"""

from . import log as format_

SECTOR = 512
PHYSICAL = 4096


class Model:
    """An exported log, ready to be cut."""

    def __init__(self, log):
        self.log = log
        self.unit = log.unit // SECTOR
        # One that was lost is no write, to anybody but who wrote it.
        self.writes = [entry for entry in log.entries if entry.is_write() and not entry.flags & format_.LOST]
        self.base = {}
        for entry in log.base:
            for number in range(entry.sectors):
                self.base[entry.sector + number] = sector_of(entry, entry.sector + number)

    def watermark(self, cut):
        """The largest submit event of a flush complete at the cut."""
        done = [0]
        for entry in self.log.entries:
            if entry.flags & format_.LIED:
                continue
            if entry.op == format_.FLUSH and entry.complete <= cut:
                done.append(entry.submit)
            if entry.is_write() and entry.flags & format_.PREFLUSH and entry.start <= cut:
                done.append(entry.submit)
        return max(done)

    def is_stable(self, entry, cut):
        if entry.complete <= self.watermark(cut):
            return True
        is_fua = entry.flags & format_.FUA and not entry.flags & format_.FUA_IGNORED
        is_promised = is_fua or not self.log.cache
        return bool(is_promised) and entry.complete <= cut

    def pieces(self, cut):
        """All (submit event, unit) that may be kept or lost at a cut, in order."""
        found = []
        stable = [entry for entry in self.writes if self.is_stable(entry, cut)]
        for entry in self.writes:
            if entry.start > cut or entry in stable:
                continue
            for unit in range(entry.sector // self.unit, (entry.end() - 1) // self.unit + 1):
                first = max(unit * self.unit, entry.sector)
                end = min((unit + 1) * self.unit, entry.end())
                if not all(
                    any(
                        newer.submit > entry.complete and newer.sector <= sector < newer.end()
                        for newer in stable
                    )
                    for sector in range(first, end)
                ):
                    found.append((entry.submit, unit))
        return found

    def losses(self, cut):
        """All (submit event, unit) that a write may cost at a cut (`tear=rmw`), in order."""
        if not self.log.rmw:
            return []
        per_block = PHYSICAL // SECTOR // self.unit
        pending = self.pieces(cut)
        found = []
        for entry in self.writes:
            own = {unit for submit, unit in pending if submit == entry.submit}
            for block in sorted({unit // per_block for unit in own}):
                if entry.op == format_.DISCARD:
                    continue
                for unit in range(block * per_block, (block + 1) * per_block):
                    if not entry.sector < (unit + 1) * self.unit or not entry.end() > unit * self.unit:
                        found.append((entry.submit, unit))
        return found

    def place(self, entry, cut):
        if self.is_stable(entry, cut):
            return (entry.submit, entry.submit)
        return (min(entry.complete, cut + 1), entry.submit)

    def content(self, cut, kept, nr_sectors):
        """The first sectors at a cut with those pieces kept."""
        kept = set(kept)
        content = [self.base.get(sector, bytes(SECTOR)) for sector in range(nr_sectors)]
        # Each took its place while it was in flight: if stable as it was submitted, if kept as it
        # completed, or after the cut. What did later lies above.
        for entry in sorted(self.writes, key=lambda entry: self.place(entry, cut)):
            stable = self.is_stable(entry, cut)
            for sector in range(entry.sector, min(entry.end(), nr_sectors)):
                if stable or (entry.submit, sector // self.unit) in kept:
                    content[sector] = sector_of(entry, sector)
        # When the power failed, these were read to be written anew, and were not yet.
        for unit in {unit for submit, unit in kept if (submit, unit) in self.losses(cut)}:
            for sector in range(unit * self.unit, min((unit + 1) * self.unit, nr_sectors)):
                content[sector] = bytes(SECTOR)
        return b"".join(content)


def sector_of(entry, sector):
    """What an entry wrote to a sector."""
    if entry.op in (format_.WRITE_ZEROES, format_.DISCARD):
        return bytes(SECTOR)
    offset = (sector - entry.sector) * SECTOR
    return entry.payload[offset : offset + SECTOR]


def keep_list(pieces):
    """Pieces as a selection: runs of units joined."""
    words = []
    pieces = sorted(pieces)
    while pieces:
        write, first = pieces.pop(0)
        last = first
        while pieces and pieces[0] == (write, last + 1):
            last = pieces.pop(0)[1]
        words.append(f"{write}:{first}" + (f"-{last}" if last != first else ""))
    return ",".join(words) or "none"
