import { afterAll, describe, expect, test } from "bun:test";
import { until } from "../../../dev/until.ts";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { systemClock } from "../../../src/kit/clock.ts";
import { SmiCommand } from "../../../src/pipeline/source/nvidia-smi/smi-command.ts";
import type { Printed, SmiProgram } from "../../../src/pipeline/source/nvidia-smi/smi-program.ts";
import { SmiSource } from "../../../src/pipeline/source/nvidia-smi/smi-source.ts";
import type { LiveBatch } from "../../../src/pipeline/source/source.ts";
import { exerciseLiveSource } from "../../contract/live-source.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { valuesOf } from "../devices/read-rows.ts";
import { recordsIn } from "../../support/merged-records.ts";
import { migXml, smiXml, uuidOf } from "./smi-xml.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-smi-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const silent = unshownLog();
const intervalMs = 15_000;
const never = new AbortController().signal;
const xml = smiXml([{ body: "<temperature><gpu_temp>45 C</gpu_temp></temperature>" }]);

/** Writes a shell script that takes the place of nvidia-smi. */
async function script(name: string, body: string): Promise<string> {
  const path = join(dir, name);
  await Bun.write(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Lets a program end before the time of a ManualClock goes on. */
class Observed implements SmiProgram {
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(private readonly program: SmiProgram) {}

  get name(): string {
    return this.program.name;
  }

  get list(): SmiProgram["list"] {
    const { list } = this.program;
    return list && ((signal) => this.observed(list(signal)));
  }

  query(signal: AbortSignal): Promise<Printed> {
    return this.observed(this.program.query(signal));
  }

  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
  }

  private observed(printed: Promise<Printed>): Promise<Printed> {
    this.underWay.add(printed);
    const remove = (): boolean => this.underWay.delete(printed);
    printed.then(remove, remove);
    return printed;
  }
}

async function openSource(command: string, clock = new ManualClock(), log = silent) {
  const program = new Observed(new SmiCommand({ command, timeoutMs: intervalMs, clock }));
  const source = new SmiSource({ program, clusterId: "c1", hostname: "box", intervalMs, clock, log });
  return { source, clock, program };
}

/** The batches of the next readings of a source whose program is a script. */
class Readings {
  private readonly batches: AsyncIterator<LiveBatch>;

  constructor(
    private readonly opened: Awaited<ReturnType<typeof openSource>>,
    afterMs = -Infinity,
  ) {
    this.batches = opened.source.read(afterMs, never)[Symbol.asyncIterator]();
  }

  /** @param advanceMs how far the time goes on: to the next reading, unless the test says otherwise */
  async next(advanceMs = intervalMs): Promise<LiveBatch> {
    const next = this.batches.next();
    await this.opened.clock.advance(advanceMs);
    return (await next).value as LiveBatch;
  }

  /** The next batch of a process that is frozen for this time while it waits. */
  async nextAfterFreeze(ms: number): Promise<LiveBatch> {
    const next = this.batches.next();
    await this.opened.clock.freeze(ms);
    return (await next).value as LiveBatch;
  }
}

const document = await script("nvidia-smi", `cat <<'END'\n${xml}END`);

exerciseLiveSource("SmiSource", async (clock) => {
  const { source, program } = await openSource(document, clock);
  return { source, intervalMs, settled: () => program.settled(), close: () => Promise.resolve() };
});

test("a reading has the scheduled time, the host's name, and a key that names machine and time", async () => {
  const opened = await openSource(document);
  const batch = await new Readings(opened).next();
  expect(batch.idempotencyKey).toBe(`nvidia-smi:c1:box:${batch.timeMs}`);
  expect(batch.reading).toEqual({ timeMs: batch.timeMs, intervalMs, outcome: "read", count: 1 });
  const [record] = recordsIn(batch.batch);
  expect(record).toMatchObject({ timeMs: batch.timeMs, gpu: { hostname: "box", clusterId: "c1", gpuId: 0 } });
  expect(valuesOf(record)).toEqual({ temperature: 45 });
  expect(opened.source.error).toBeUndefined();
});

describe("a machine whose GPUs cannot be read says why in one sentence, and is read when they can", () => {
  const mismatch = "Failed to initialize NVML: Driver/library version mismatch";
  const noDriver =
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.";
  const scripts: Record<string, readonly [body: string, sentence: RegExp]> = {
    mismatch: [`echo "${mismatch}"; exit 18`, /ended with code 18 and printed: Failed .* - .* reboot/],
    driver: [`echo "${noDriver}"; exit 9`, /ended with code 9 .* - NVIDIA's driver is not installed or not loaded/],
    "no-gpu": [`echo "No devices were found"; exit 6`, /No devices were found - the driver finds no GPU/],
    "empty-xml": [`cat <<'END'\n${smiXml([])}END`, /finds no GPU in this machine/],
    permission: [`echo "Insufficient Permissions" >&2; exit 4`, /this user may not read the GPUs/],
    silent: ["exit 12", /code 12 and printed nothing - NVIDIA's library is missing/],
    html: ["echo '<html></html>'", /gave no XML and printed: <html>/],
    cut: [`cat <<'END' | head -c 300\n${xml}END`, /gave only a part of its XML and printed: <\?xml/],
    killed: ["kill -KILL $$", /was ended by a signal and printed nothing/],
  };
  for (const [name, [body, sentence]] of Object.entries(scripts)) {
    test(name, async () => {
      const path = await script(`fails-${name}`, body);
      const opened = await openSource(path);
      const readings = new Readings(opened);
      const missed = await readings.next();
      expect(missed.batch.recordCount).toBe(0);
      expect(missed.reading).toMatchObject({ outcome: "missed", reason: "command_failed", count: 1 });
      expect(missed.reading?.message).toMatch(sentence);
      expect(opened.source.error).toBe(`GPUs are not read: ${missed.reading?.message}`);
      await Bun.write(path, await Bun.file(document).text());
      const read = await readings.next();
      expect(read.batch.recordCount).toBe(1);
      expect(opened.source.error).toBeUndefined();
    });
  }

  test("a program that does not exist or may not be run", async () => {
    const notRunnable = await script("not-runnable", "echo");
    await chmod(notRunnable, 0o644);
    for (const [command, sentence] of [
      [join(dir, "none"), /is not installed, or not in PATH: install NVIDIA's driver, or set NVIDIA_SMI/],
      [notRunnable, /may not be run by this user/],
      ["no-such-program -q -x", /not found - it is not installed, or not in PATH/],
    ] as const) {
      const { reading } = await new Readings(await openSource(command)).next();
      expect(reading?.message).toMatch(sentence);
    }
  });
});

test("the log has a failure once, and its end", async () => {
  const lines: string[] = [];
  const log = pino(
    { level: "info", serializers: logSerializers },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const path = await script("fails-and-recovers", "exit 9");
  const readings = new Readings(await openSource(path, new ManualClock(), log));
  for (let reading = 0; reading < 3; reading += 1) await readings.next();
  await Bun.write(path, await Bun.file(document).text());
  for (let reading = 0; reading < 2; reading += 1) await readings.next();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toStartWith(`GPUs are not read: ${path} ended with code 9`);
  expect(lines[1]).toBe("GPUs are read again");
});

test("what nvidia-smi warns about is reported, and the GPUs that it prints are read", async () => {
  const warned = await script(
    "warns",
    `cat <<'END'\n${xml}END\necho "WARNING: infoROM is corrupted at gpu 0000:01:00.0"; exit 14`,
  );
  const opened = await openSource(warned);
  const { batch, reading } = await new Readings(opened).next();
  expect([batch.recordCount, reading?.outcome]).toEqual([1, "read"]);
  expect(opened.source.error).toEndWith(
    "ended with code 14 and printed: WARNING: infoROM is corrupted at gpu 0000:01:00.0",
  );
});

test("the profiles of MIG instances come from the same program's list", async () => {
  const withMig = smiXml([{ body: `<mig_devices>${migXml(0, 3, 100)}</mig_devices>` }]);
  const list = `GPU 0: NVIDIA H100 (UUID: ${uuidOf(0)})\n  MIG 3g.40gb     Device  0: (UUID: MIG-c6d4f1ef)\n`;
  const path = await script("mig", `[ "$1" = -L ] && exec cat <<'END'\n${list}END\ncat <<'END'\n${withMig}END`);
  const { batch } = await new Readings(await openSource(path)).next();
  expect(batch.gpus.map(({ uuid }) => uuid)).toEqual([uuidOf(0), `${uuidOf(0)}:mig:3:3g.40gb`]);
  const command = await new Readings(await openSource(`sh ${path}`)).next();
  expect(command.batch.gpus.map(({ uuid }) => uuid)).toEqual([uuidOf(0), `${uuidOf(0)}:mig:3:`]);
});

test("a command that hangs is killed at its deadline, with the processes that it started", async () => {
  const mark = `/tmp/telemetry-smi-${crypto.randomUUID()}`;
  const path = await script("hangs", `(sh -c 'trap "" TERM; sleep 300' ${mark}) & exec sleep 300`);
  const opened = await openSource(`sh ${path}`);
  // until the reading is due, and then until its deadline
  const { reading } = await new Readings(opened).next(2 * intervalMs);
  expect(reading).toMatchObject({ outcome: "missed", reason: "timeout" });
  expect(opened.source.error).toEndWith("did not end within 15 s and was killed");
  const left = Bun.spawnSync(["pgrep", "-f", mark]).stdout.toString();
  expect(left).toBe("");
});

test("a command that prints without end is killed at 4 MiB", async () => {
  const { reading } = await new Readings(await openSource("yes '<gpu></gpu>'")).next();
  expect(reading).toMatchObject({ outcome: "missed", reason: "too_large" });
  expect(reading?.message).toBe("yes ... printed more than 4 MiB and was killed");
});

test("an abort kills the command that runs", async () => {
  const mark = `/tmp/telemetry-smi-${crypto.randomUUID()}`;
  const halt = new AbortController();
  const command = new SmiCommand({
    command: `sh -c 'echo started; sleep 300' ${mark}`,
    timeoutMs: 60_000,
    clock: systemClock,
  });
  const printed = command.query(halt.signal);
  while (Bun.spawnSync(["pgrep", "-f", mark]).stdout.length === 0) await Bun.sleep(5);
  halt.abort();
  await expect(printed).rejects.toThrow("sh ... was stopped");
  // a process that was killed while it was being started is listed for a moment
  await until(() => Promise.resolve(Bun.spawnSync(["pgrep", "-f", mark]).stdout.length === 0));
});

test("readings that no process attempted are reported as missed, once", async () => {
  const opened = await openSource(document);
  const first = await new Readings(opened).next();
  await opened.clock.advance(10 * intervalMs);
  const readings = new Readings(opened, first.timeMs);
  const gap = await readings.next(0);
  expect(gap.reading).toMatchObject({ outcome: "missed", reason: "no_streamer", count: 10 });
  expect((await readings.next()).reading).toMatchObject({ outcome: "read", count: 1 });
});

test("readings that were due while the process was frozen are missed, not read later", async () => {
  const opened = await openSource(document);
  const readings = new Readings(opened);
  const { timeMs } = await readings.next();
  const gap = await readings.nextAfterFreeze(3 * intervalMs + 2000);
  expect(gap).toMatchObject({ timeMs: timeMs + 3 * intervalMs, reading: { outcome: "missed", count: 3 } });
  expect(gap.reading).toMatchObject({ reason: "no_streamer", message: "the streamer was held up" });
});

test("after the clock was set back, the source says when the next reading is due", async () => {
  const opened = await openSource(document);
  const later = opened.clock.nowMs() + 3_600_000;
  const halt = new AbortController();
  const batches = opened.source.read(later, halt.signal)[Symbol.asyncIterator]();
  const next = batches.next();
  await opened.clock.advance(0);
  expect(opened.source.error).toMatch(
    /the last reading is later than this machine's clock; the next one is due at 2025-01-01T01:00:/,
  );
  halt.abort();
  expect((await next).done).toBe(true);
});
