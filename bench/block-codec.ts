import { decodeNumbers, encodeNumbers } from "../src/domain/block/number-column.ts";
import { SimulatedFleet } from "../src/pipeline/source/simulated/simulated-fleet.ts";
import { simulatedMetrics } from "../src/pipeline/source/simulated/simulated-metrics.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

/** Measures how many bytes a value takes in the columns of blocks, and how many values a CPU-second encodes and decodes. For
 *  comparison, zstd's level 3 compresses the same columns as doubles.
 *  Usage: bun bench/block-codec.ts [rounds] */
function main(): void {
  const rounds = Number(process.argv[2] ?? 5);
  for (const [name, intervalMs, ticks] of [
    ["1 s, blocks of an hour", 1000, 3600],
    ["15 s, blocks of an hour", 15_000, 240],
    ["15 s, blocks of a day", 15_000, 5760],
  ] as const) {
    const columns = columnsOf(intervalMs, ticks, Math.ceil(14_400 / ticks));
    const values = columns.reduce((sum, { length }) => sum + length, 0);
    print(`simulated fleet, ${name}: ${grouped(values)} values with the instants, median of ${rounds} rounds`);
    const ours = measure(columns, rounds, {
      encode: encodeNumbers,
      decode: (bytes, count) => decodeNumbers(bytes, count),
    });
    const zstd = measure(columns, rounds, {
      encode: (column) =>
        Bun.zstdCompressSync(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), { level: 3 }),
      decode: (bytes) => new Float64Array(new Uint8Array(Bun.zstdDecompressSync(bytes)).buffer),
    });
    print(text("blocks", ours));
    print(text("zstd 3", zstd));
    const ratios = [
      zstd.bytes / ours.bytes,
      ours.encodedPerSecond / zstd.encodedPerSecond,
      ours.decodedPerSecond / zstd.decodedPerSecond,
    ];
    const [smaller, encoded, decoded] = ratios.map((ratio) => ratio.toFixed(2));
    print(`  blocks / zstd 3: ${smaller} times as small, encoding ${encoded}x as fast, decoding ${decoded}x`);
  }
}

interface Codec {
  readonly encode: (column: Float64Array<ArrayBuffer>) => Uint8Array;
  readonly decode: (bytes: Uint8Array, count: number) => Float64Array;
}

interface Measured {
  readonly bytes: number;
  readonly encodedPerSecond: number;
  readonly decodedPerSecond: number;
}

function measure(columns: readonly Float64Array<ArrayBuffer>[], rounds: number, { encode, decode }: Codec): Measured {
  const values = columns.reduce((sum, { length }) => sum + length, 0);
  const [encodeRates, decodeRates]: [number[], number[]] = [[], []];
  let bytes = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const beganEncoding = cpuSeconds();
    const encoded = columns.map(encode);
    const beganDecoding = cpuSeconds();
    const decoded = encoded.map((column, index) => decode(column, columns[index]?.length ?? 0));
    const ended = cpuSeconds();
    if (!decoded.every((column, index) => isSame(column, columns[index])))
      throw new Error("decoding gave other values");
    bytes = encoded.reduce((sum, { length }) => sum + length, 0) / values;
    // the first round warms up
    if (round === 0) continue;
    encodeRates.push(values / (beganDecoding - beganEncoding));
    decodeRates.push(values / (ended - beganDecoding));
  }
  return { bytes, encodedPerSecond: median(encodeRates), decodedPerSecond: median(decodeRates) };
}

/** The columns of some blocks, one of each GPU and span of `ticks`. */
function columnsOf(intervalMs: number, ticks: number, blocks: number): Float64Array<ArrayBuffer>[] {
  const fleet = new SimulatedFleet({ hosts: 2, gpusPerHost: 8, seed: 42, intervalMs, clusterId: "bench" });
  const columns: Float64Array<ArrayBuffer>[] = [];
  for (let block = 0; block < blocks; block += 1) {
    const gpus = fleet.gpus.map(() => [[] as number[], ...simulatedMetrics.map((): number[] => [])]);
    for (let tick = 0; tick < ticks; tick += 1) {
      fleet.advance();
      fleet.gpus.forEach((gpu, index) => {
        if (gpu.isSilent) return;
        const readings = gpu.readings();
        const values = [(block * ticks + tick) * intervalMs, ...simulatedMetrics.map((metric) => readings[metric])];
        values.forEach((value, column) => gpus[index]?.[column]?.push(value));
      });
    }
    columns.push(...gpus.flat().map((values) => Float64Array.from(values)));
  }
  return columns;
}

function isSame(a: Float64Array, b: Float64Array | undefined): boolean {
  return a.length === b?.length && a.every((value, index) => Object.is(value, b[index]));
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function text(name: string, { bytes, encodedPerSecond, decodedPerSecond }: Measured): string {
  return (
    `  ${name}  ${bytes.toFixed(3)} bytes per value, ${grouped(encodedPerSecond / 1e6)} M values per CPU-second encoded, ` +
    `${grouped(decodedPerSecond / 1e6)} M decoded`
  );
}

main();
