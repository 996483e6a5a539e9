# SPDX-License-Identifier: GPL-2.0
"""A live PostgreSQL, under pgbench, on a disk that loses its power over and over."""

import glob
import os
import random
import subprocess
import tempfile
import threading

from lib.command import powercut
from lib.disk import Disk
from lib.tap import Skip, equal, note, test, wait_until

SOCKETS = "/tmp"
CUTS = 4
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def program(name):
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if not found:
        raise Skip("there is no PostgreSQL")
    return found[0]


def run(name, *words, may_fail=False):
    """One of PostgreSQL's commands, as its user."""
    words = [*AS_POSTGRES, program(name), *(str(word) for word in words)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/")
    told = f"{name}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert may_fail or done.returncode == 0, told
    return done.stdout.strip()


def sql(text):
    return run("psql", "-h", SOCKETS, "-XAtqc", text, "postgres")


class Client:
    """Puts numbers into a table one by one, each in a transaction, and notes which were acknowledged."""

    def __init__(self, first):
        self.acknowledged = first - 1
        words = [*AS_POSTGRES, program("psql"), "-h", SOCKETS, "-XAtq", "-v", "ON_ERROR_STOP=1", "postgres"]
        self.process = subprocess.Popen(
            words, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        try:
            while True:
                number = self.acknowledged + 1
                self.process.stdin.write(f"insert into ledger values ({number}) returning number;\n")
                self.process.stdin.flush()
                # psql prints a result once it is complete: after the commit.
                if self.process.stdout.readline().strip() != str(number):
                    return
                self.acknowledged = number
        except OSError:
            pass

    def end(self):
        self.process.kill()
        self.thread.join()
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        return self.acknowledged


class Server:
    """A PostgreSQL on a filesystem on a disk."""

    def __init__(self, disk):
        self.disk = disk
        self.options = f"-c listen_addresses= -c unix_socket_directories={SOCKETS}"
        self.mnt = tempfile.mkdtemp()
        self.data = f"{self.mnt}/data"
        os.chmod(self.mnt, 0o755)
        subprocess.run(["mkfs.ext4", "-q", "-F", disk.device], check=True)
        self.mount()
        os.mkdir(self.data)
        os.chown(self.data, *self.ids())
        run("initdb", "-D", self.data, "--no-sync", "--wal-segsize=1", "--auth=trust", "--locale=C")
        self.start()
        sql("create table ledger (number int primary key)")
        run("pgbench", "-h", SOCKETS, "-i", "-q", "postgres")
        self.stop("fast")
        self.umount()

    @staticmethod
    def ids():
        words = [*AS_POSTGRES, "sh", "-c", "id -u; id -g"]
        return [int(number) for number in subprocess.check_output(words, text=True).split()]

    def mount(self):
        subprocess.run(["mount", "-t", "ext4", self.disk.device, self.mnt], check=True)

    def umount(self):
        subprocess.run(["umount", self.mnt], check=True)

    def start(self):
        log = f"{self.data}/log"
        try:
            run("pg_ctl", "start", "-D", self.data, "-l", log, "-w", "-t", "200", "-o", self.options)
        except AssertionError as error:
            with open(log, encoding="utf-8", errors="replace") as file:
                raise AssertionError(f"{error}\n{file.read()[-3000:]}") from error

    def stop(self, how):
        run("pg_ctl", "stop", "-D", self.data, "-w", "-m", how, may_fail=how == "immediate")

    def load(self, trigger, first):
        """Loses the power under load. Returns the newest number that was acknowledged."""
        words = [*AS_POSTGRES, program("pgbench"), "-h", SOCKETS, "-c", "2", "-n", "-T", "600", "postgres"]
        bench = subprocess.Popen(words, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = Client(first)
        try:
            # Whatever is lost, something was promised.
            wait_until(lambda: client.acknowledged >= first or not client.thread.is_alive(), "the first promise")
            powercut("cut", self.disk.name, "--after", trigger, "--wait")
        finally:
            bench.kill()
            bench.wait()
            newest = client.end()
            self.stop("immediate")
            self.umount()
        return newest

    def lost(self, newest):
        """What of the promises is broken, in words, empty if nothing is; and the next number."""
        found, following, *sums = sql(
            f"select (select count(*) from ledger where number <= {newest}),"
            " (select coalesce(max(number), 0) + 1 from ledger),"
            " (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),"
            " (select sum(tbalance) from pgbench_tellers),"
            " (select coalesce(sum(delta), 0) from pgbench_history)").split("|")  # fmt: skip
        if int(found) != newest:
            return f"{newest - int(found)} of {newest} acknowledged numbers are lost", 0
        return "" if len(set(sums)) == 1 else f"the balances differ: {sums}", int(following)


def cuts(server, keep, syncs):
    """Cuts and restores a server's disk; returns what was lost the first time, and after how many cuts."""
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    newest = 0
    for number in range(CUTS + 1):
        server.disk.record("start")
        server.mount()
        # Recovery, of the filesystem and of the server, is recorded, too.
        try:
            server.start()
            broken, following = server.lost(newest)
        except AssertionError as error:
            broken = str(error)
        if broken or number == CUTS:
            server.stop("immediate")
            server.umount()
            server.disk.record("stop")
            server.disk.record("drop")
            note(f"{newest} numbers acknowledged, {number} cuts")
            return broken, number
        trigger = f"ms:{dice.randrange(1000)}"
        if syncs:
            trigger = dice.choice((trigger, f"writes:{dice.randrange(1, 200)}", f"flushes:{dice.randrange(1, 60)}"))
        newest = server.load(trigger, following)
        powercut("restore", server.disk.name, "--keep", keep or f"seed:{dice.randrange(1 << 32)}")
    return "", CUTS


@test("four power cuts lose nothing that was acknowledged; with fsync=off they do", limit=900)
def cut_over_and_over():
    with Disk(size=160) as disk:
        server = Server(disk)
        try:
            equal(cuts(server, None, True), ("", CUTS), "what was lost")
            server.options += " -c fsync=off"
            # What it still writes comes with the filesystem's journal, or half a minute later.
            broken, after = cuts(server, "none", False)
        finally:
            os.rmdir(server.mnt)
        assert broken, f"nothing was lost after {after} cuts"
        note(broken.splitlines()[0])
